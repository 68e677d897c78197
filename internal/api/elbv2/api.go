package elbv2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/truststore"
	"github.com/fairlead/fairlead/internal/wire"
)

// Spec tells the service from others on the wire.
var Spec = wire.ServiceSpec{
	Name: "elasticloadbalancing", Version: "2015-12-01", Protocol: wire.Query,
	Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
}

// API answers ELBv2 calls.
type API struct {
	store *store.Store
	elb   *elb.Service
	Trust
}

// Trust is where trust stores are.
type Trust struct {
	TrustStores *truststore.Service

	// Location returns the URL that a content of a trust store can be fetched from
	// until it expires; name is what it would be saved as.
	Location func(content, name string, expires time.Time) string
}

// New returns an API.
func New(st *store.Store, s *elb.Service, t Trust) *API { return &API{store: st, elb: s, Trust: t} }

// Service returns the operations that are served.
func (a *API) Service() *wire.Service {
	svc := wire.NewService(Spec)
	handle(svc, "CreateLoadBalancer", a.createLoadBalancer)
	handle(svc, "DescribeLoadBalancers", a.describeLoadBalancers)
	handle(svc, "ModifyIpPools", a.modifyIPPools)
	handle(svc, "SetSubnets", a.setSubnets)
	handle(svc, "SetIpAddressType", a.setIPAddressType)
	handle(svc, "SetSecurityGroups", a.setSecurityGroups)
	handle(svc, "DeleteLoadBalancer", a.deleteLoadBalancer)
	handle(svc, "DescribeLoadBalancerAttributes", a.describeLoadBalancerAttributes)
	handle(svc, "ModifyLoadBalancerAttributes", a.modifyLoadBalancerAttributes)
	handle(svc, "ModifyCapacityReservation", a.modifyCapacityReservation)
	handle(svc, "DescribeCapacityReservation", a.describeCapacityReservation)
	handle(svc, "DescribeAccountLimits", a.describeAccountLimits)
	handle(svc, "CreateListener", a.createListener)
	handle(svc, "ModifyListener", a.modifyListener)
	handle(svc, "DescribeListeners", a.describeListeners)
	handle(svc, "DeleteListener", a.deleteListener)
	handle(svc, "AddListenerCertificates", a.addListenerCertificates)
	handle(svc, "RemoveListenerCertificates", a.removeListenerCertificates)
	handle(svc, "DescribeListenerCertificates", a.describeListenerCertificates)
	handle(svc, "DescribeSSLPolicies", a.describeSSLPolicies)
	handle(svc, "DescribeListenerAttributes", a.describeListenerAttributes)
	handle(svc, "ModifyListenerAttributes", a.modifyListenerAttributes)
	handle(svc, "CreateRule", a.createRule)
	handle(svc, "ModifyRule", a.modifyRule)
	handle(svc, "DeleteRule", a.deleteRule)
	handle(svc, "SetRulePriorities", a.setRulePriorities)
	handle(svc, "DescribeRules", a.describeRules)
	handle(svc, "CreateTargetGroup", a.createTargetGroup)
	handle(svc, "ModifyTargetGroup", a.modifyTargetGroup)
	handle(svc, "DescribeTargetGroups", a.describeTargetGroups)
	handle(svc, "DeleteTargetGroup", a.deleteTargetGroup)
	handle(svc, "DescribeTargetGroupAttributes", a.describeTargetGroupAttributes)
	handle(svc, "ModifyTargetGroupAttributes", a.modifyTargetGroupAttributes)
	handle(svc, "RegisterTargets", a.registerTargets)
	handle(svc, "DeregisterTargets", a.deregisterTargets)
	handle(svc, "DescribeTargetHealth", a.describeTargetHealth)
	a.registerTrustStores(svc)
	handle(svc, "GetResourcePolicy", a.getResourcePolicy)
	handle(svc, "AddTags", a.addTags)
	handle(svc, "RemoveTags", a.removeTags)
	handle(svc, "DescribeTags", a.describeTags)
	return svc
}

// handle registers a handler, which may return the room's errors as they are. The
// ARNs that it sees are of the kind that their members are for.
func handle[In, Out any](svc *wire.Service, action string, h func(context.Context, *wire.Call, *In) (*Out, error)) {
	wire.Handle(svc, action, func(ctx context.Context, c *wire.Call, in *In) (*Out, error) {
		if err := checkARNs(in); err != nil {
			return nil, refusal(err)
		}
		out, err := h(ctx, c, in)
		if err != nil {
			return nil, refusal(err)
		}
		return out, nil
	})
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// hostedZone returns the id of the zone that a region's load balancers are named
// in: the same for all of them, and for all time.
func hostedZone(region string) string {
	sum := sha256.Sum256([]byte("fairlead hosted zone " + region))
	return "Z" + strings.ToUpper(hex.EncodeToString(sum[:]))[:20]
}
