package elbv2

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) describeAccountLimits(_ context.Context, _ *wire.Call, in *elbv2.DescribeAccountLimitsInput) (*elbv2.DescribeAccountLimitsOutput, error) {
	q := a.elb.Quotas()
	limits := map[string]int{
		"application-load-balancers":                            q.LoadBalancers,
		"target-groups":                                         q.TargetGroups,
		"target-groups-per-application-load-balancer":           q.TargetGroupsPerBalancer,
		"listeners-per-application-load-balancer":               q.ListenersPerBalancer,
		"rules-per-application-load-balancer":                   q.RulesPerBalancer,
		"targets-per-application-load-balancer":                 q.TargetsPerBalancer,
		"target-id-registrations-per-application-load-balancer": q.RegistrationsPerTarget,
		"condition-values-per-alb-rule":                         q.ConditionValuesPerRule,
		"condition-wildcards-per-alb-rule":                      q.WildcardsPerRule,
		"certificates-per-application-load-balancer":            q.CertificatesPerBalancer,
		"targets-per-target-group":                              q.TargetsPerGroup,
		"target-groups-per-action-on-application-load-balancer": q.GroupsPerAction,
	}
	found, next, err := pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elbv2.Limit] {
		return func(yield func(string, elbv2.Limit) bool) {
			for _, name := range slices.Sorted(maps.Keys(limits)) {
				if name >= from && !yield(name, elbv2.Limit{Name: new(name), Max: new(strconv.Itoa(limits[name]))}) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeAccountLimitsOutput{Limits: found, NextMarker: next}, nil
}
