package ec2

import (
	"context"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

// Spec tells the service from others on the wire.
var Spec = wire.ServiceSpec{
	Name: "ec2", Version: "2016-11-15", Protocol: wire.EC2Query,
	Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
}

// Regions is the installation's geography.
type Regions interface {
	// Names returns the names of all regions, in the operator's order.
	Names() []string
	// Zones returns the names of a region's zones, in order.
	Zones(region string) []string
}

// Deps are the rooms that the API speaks for.
type Deps struct {
	Store       *store.Store
	VPC         *vpc.Service
	IPAM        *ipam.Service
	Discovery   *discovery.Service
	Instances   *instance.Service
	PrefixLists *prefixlist.Service
	Resolvers   *resolver.Service
	Tags        *tags.Service
	Regions     Regions
}

// API answers EC2 calls.
type API struct{ Deps }

// New returns an API.
func New(d Deps) *API { return &API{d} }

// Service returns the operations that are served.
func (a *API) Service() *wire.Service {
	svc := wire.NewService(Spec)
	a.registerZones(svc)
	a.registerVPCs(svc)
	a.registerSubnets(svc)
	a.registerCIDRBlocks(svc)
	a.registerDHCPOptions(svc)
	a.registerClassicLink(svc)
	a.registerGateways(svc)
	a.registerRouteTables(svc)
	a.registerRoutes(svc)
	a.registerSecurityGroups(svc)
	a.registerRules(svc)
	a.registerNetworkACLs(svc)
	a.registerInterfaces(svc)
	a.registerAddresses(svc)
	a.registerPrefixLists(svc)
	a.registerInstances(svc)
	a.registerTags(svc)
	a.registerIPAM(svc)
	a.registerIPAMPolicies(svc)
	a.registerIPAMResolvers(svc)
	a.registerIPAMDiscovery(svc)
	a.registerIPAMResources(svc)
	a.registerVerificationTokens(svc)
	a.registerBYOIP(svc)
	a.registerPublicPools(svc)
	refuseUnservedActions(svc)
	return svc
}

// handle registers a handler, which may return the rooms' errors as they are.
func handle[In, Out any](svc *wire.Service, action string, h func(context.Context, *wire.Call, *In) (*Out, error)) {
	wire.Handle(svc, action, func(ctx context.Context, c *wire.Call, in *In) (*Out, error) {
		if err := checkIDs(c); err != nil {
			return nil, err
		}
		out, err := h(ctx, c, in)
		if err != nil {
			return nil, refusal(err)
		}
		return out, nil
	})
}

// network registers a handler of calls about networks, before the first of
// which an account is given its default VPC.
func network[In, Out any](a *API, svc *wire.Service, action string, h func(context.Context, *wire.Call, *In) (*Out, error)) {
	handle(svc, action, func(ctx context.Context, c *wire.Call, in *In) (*Out, error) {
		if err := a.VPC.EnsureDefault(ctx, c.Account, c.Region, c.Now); err != nil {
			return nil, err
		}
		return h(ctx, c, in)
	})
}

// vpc returns the room for a call's change, which is only tried if the call asks
// for a dry run.
func (a *API) vpc(c *wire.Call) *vpc.Service { return a.VPC.DryRun(c.CheckDryRun) }

// token reads a call's client token (EC2 ClientToken: at most 64 ASCII characters).
func token(c *wire.Call, clientToken *string) (idempotency.Token, error) {
	t := idempotency.Token{Account: c.Account, Region: c.Region, Action: c.Action, Time: c.Now}
	if clientToken == nil || *clientToken == "" {
		return t, nil
	}
	if len(*clientToken) > 64 || strings.ContainsFunc(*clientToken, func(r rune) bool { return r < ' ' || r > '~' }) {
		return t, apierr.New("InvalidParameterValue", "Value (%s) for parameter clientToken is invalid. It must be at most 64 ASCII characters.", *clientToken)
	}
	t.Client, t.Fingerprint = *clientToken, c.Fingerprint()
	return t, nil
}

// refuseUnserved refuses the call if it uses one of the parameters, which are
// EC2's but not served here: to ignore one would make another resource than the
// caller meant. A parameter that is "false" or empty isn't used.
func refuseUnserved(c *wire.Call, names ...string) error {
	for sent, values := range c.Form {
		top, _, _ := strings.Cut(sent, ".")
		for _, name := range names {
			if top == name && values[0] != "" && values[0] != "false" {
				return apierr.New("UnsupportedOperation", "The parameter %s is not supported by this installation.", name)
			}
		}
	}
	return nil
}

// value returns what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func missing(parameter string) error {
	return apierr.New("MissingParameter", "The request must contain the parameter %s", parameter)
}

func invalid(v any, parameter, reason string) error {
	return apierr.New("InvalidParameterValue", "Value (%v) for parameter %s is invalid. %s", v, parameter, reason)
}
