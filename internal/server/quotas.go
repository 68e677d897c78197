package server

import (
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/vpc"
)

// balancing returns the elb room's quotas as they are configured.
func balancing(all config.Quotas) elb.Quotas {
	q := all.ELB
	return elb.Quotas{
		LoadBalancers:             q.LoadBalancers,
		TargetGroups:              q.TargetGroups,
		ListenersPerBalancer:      q.ListenersPerBalancer,
		VerifyListeners:           q.VerifyListeners,
		RulesPerBalancer:          q.RulesPerBalancer,
		CertificatesPerBalancer:   q.CertificatesPerBalancer,
		TargetGroupsPerBalancer:   q.TargetGroupsPerBalancer,
		TargetsPerBalancer:        q.TargetsPerBalancer,
		RegistrationsPerTarget:    q.RegistrationsPerTarget,
		SecurityGroupsPerBalancer: all.VPC.GroupsPerENI, // its nodes are in all of them
		TargetsPerGroup:           q.TargetsPerGroup,
		GroupsPerAction:           q.GroupsPerAction,
		ConditionValuesPerRule:    q.ConditionValuesPerRule,
		WildcardsPerRule:          q.WildcardsPerRule,
		UnitsPerBalancer:          q.UnitsPerBalancer,
		UnitsPerRegion:            q.UnitsPerRegion,
	}
}

// networking returns the vpc room's quotas as they are configured.
func networking(q config.VPCQuotas) vpc.Quotas {
	return vpc.Quotas{
		VPCs:            q.VPCs,
		Gateways:        q.Gateways,
		SecurityGroups:  q.SecurityGroups,
		CIDRs:           q.CIDRs,
		Subnets:         q.Subnets,
		RouteTables:     q.RouteTables,
		Routes:          q.Routes,
		Rules:           q.Rules,
		GroupsPerENI:    q.GroupsPerENI,
		Addresses:       q.Addresses,
		AddressesPerENI: vpc.DefaultQuotas.AddressesPerENI,
	}
}
