package config

import (
	"fmt"
	"reflect"
)

// Quotas are the most that accounts may have of each thing, by the code of the
// service whose quotas they are. All defaults are AWS's, but for reserved capacity
// in a region, of which AWS gives none unasked.
type Quotas struct {
	ELB ELBQuotas `yaml:"elasticloadbalancing"`
	VPC VPCQuotas `yaml:"vpc"`
}

// ELBQuotas are those of load balancers, named as DescribeAccountLimits names them
// where it does. A key's most tag bounds it, where one transaction must bear it.
type ELBQuotas struct {
	LoadBalancers           int `yaml:"application-load-balancers"`
	TargetGroups            int `yaml:"target-groups"`
	ListenersPerBalancer    int `yaml:"listeners-per-application-load-balancer"`
	VerifyListeners         int `yaml:"mutual-tls-verify-listeners-per-application-load-balancer"`
	RulesPerBalancer        int `yaml:"rules-per-application-load-balancer"`
	CertificatesPerBalancer int `yaml:"certificates-per-application-load-balancer"`
	TargetGroupsPerBalancer int `yaml:"target-groups-per-application-load-balancer" most:"100"`
	TargetsPerBalancer      int `yaml:"targets-per-application-load-balancer"`
	RegistrationsPerTarget  int `yaml:"target-id-registrations-per-application-load-balancer"`
	TargetsPerGroup         int `yaml:"targets-per-target-group"`
	GroupsPerAction         int `yaml:"target-groups-per-action-on-application-load-balancer" most:"10"`
	ConditionValuesPerRule  int `yaml:"condition-values-per-alb-rule"`
	WildcardsPerRule        int `yaml:"condition-wildcards-per-alb-rule"`
	UnitsPerBalancer        int `yaml:"reserved-capacity-units-per-application-load-balancer"`
	UnitsPerRegion          int `yaml:"reserved-capacity-units"`
	TrustStores             int `yaml:"trust-stores"`
}

// VPCQuotas are those of networks.
type VPCQuotas struct {
	VPCs           int `yaml:"vpcs"`
	Gateways       int `yaml:"internet-gateways"`
	SecurityGroups int `yaml:"security-groups"`
	CIDRs          int `yaml:"cidr-blocks-per-vpc" most:"50"`
	Subnets        int `yaml:"subnets-per-vpc"`
	RouteTables    int `yaml:"route-tables-per-vpc"`
	Routes         int `yaml:"routes-per-route-table"`
	Rules          int `yaml:"rules-per-security-group"`
	GroupsPerENI   int `yaml:"security-groups-per-network-interface" most:"16"` // and per load balancer
	Addresses      int `yaml:"elastic-ip-addresses"`
}

// defaultQuotas are those that hold where nothing else is said.
func defaultQuotas() Quotas {
	return Quotas{
		ELB: ELBQuotas{
			LoadBalancers: 50, TargetGroups: 3000, ListenersPerBalancer: 50, VerifyListeners: 2, RulesPerBalancer: 100, CertificatesPerBalancer: 25,
			TargetGroupsPerBalancer: 100, TargetsPerBalancer: 1000, RegistrationsPerTarget: 1000,
			TargetsPerGroup: 1000, GroupsPerAction: 5, ConditionValuesPerRule: 5, WildcardsPerRule: 5,
			UnitsPerBalancer: 15_000, UnitsPerRegion: 750_000, TrustStores: 20,
		},
		VPC: VPCQuotas{
			VPCs: 5, Gateways: 5, SecurityGroups: 2500, CIDRs: 5, Subnets: 200,
			RouteTables: 200, Routes: 500, Rules: 60, GroupsPerENI: 5, Addresses: 5,
		},
	}
}

// checkQuotas refuses numbers that can't be, of a struct of quotas below a key.
func checkQuotas(key string, quotas any, bad func(key, format string, args ...any)) {
	v := reflect.ValueOf(quotas)
	for i := range v.NumField() {
		f, n := v.Type().Field(i), int(v.Field(i).Int())
		name := key + "." + f.Tag.Get("yaml")
		if n < 1 {
			bad(name, "%d is not a number from 1 on", n)
		}
		most := 0
		if _, err := fmt.Sscan(f.Tag.Get("most"), &most); err == nil && n > most {
			bad(name, "%d is more than %d, the most that can be", n, most)
		}
	}
}
