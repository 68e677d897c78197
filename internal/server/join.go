package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/dns"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
)

// drawing is the ipam room as the vpc room needs it.
type drawing struct{ ipam *ipam.Service }

func (d drawing) Draw(ctx context.Context, w vpc.Want, record func(tx *store.Tx, d vpc.Drawn) error) error {
	_, err := d.ipam.Draw(ctx, wantOf(w), func(tx *store.Tx, a ipam.Allocation) error { return record(tx, drawnAs(a)) })
	return drawError(w, err)
}

func (d drawing) DrawWithin(tx *store.Tx, w vpc.Want) (vpc.Drawn, error) {
	a, err := d.ipam.DrawWithin(tx, wantOf(w))
	return drawnAs(a), drawError(w, err)
}

func wantOf(w vpc.Want) ipam.Want {
	return ipam.Want{
		PoolID: w.PoolID, ReservedFor: w.ReservedFor, CIDR: w.Block, NetmaskLength: w.NetmaskLength, VPCID: w.VPCID, Tags: w.Tags, Time: w.Time,
		Holder: ipam.Holder{Type: ipam.ResourceType(w.For), ResourceID: w.ResourceID, Account: w.Account, Region: w.Region},
	}
}

func drawnAs(a ipam.Allocation) vpc.Drawn {
	return vpc.Drawn{PoolID: a.PoolID, AllocationID: a.ID, Block: a.CIDR, Seq: a.Seq}
}

func drawError(w vpc.Want, err error) error {
	var refused *ipam.CallError
	switch {
	case errors.Is(err, ipam.ErrPoolExhausted), w.For == vpc.ForAddress && errors.Is(err, ipam.ErrNotAllowed):
		// To who wants one address, a pool that gives none is an empty one.
		return fmt.Errorf("%w: %w", vpc.ErrPoolExhausted, err)
	case errors.Is(err, ipam.ErrPoolNotFound):
		return fmt.Errorf("%w: %w", vpc.ErrPoolNotFound, err)
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %w", vpc.ErrPoolRefused, err)
	}
	return err
}

// Return takes it for done if the block has a later holder: an allocation for a
// VPC ends before its VPC does when that is ignored.
func (d drawing) Return(tx *store.Tx, w vpc.Drawn) error {
	err := d.ipam.Return(tx, ipam.AllocationRef{PoolID: w.PoolID, ID: w.AllocationID, CIDR: w.Block, Seq: w.Seq}, time.Now())
	if errors.Is(err, ipam.ErrStale) {
		return nil
	}
	return err
}

func (d drawing) ProviderPool(region string) string { return d.ipam.ProviderPool(region) }

func (d drawing) ProviderIPv6Pool(region string) string { return d.ipam.ProviderIPv6Pool(region) }

// planning is the vpc room as the ipam room needs it, and is there before it.
type planning struct{ rooms *rooms }

func (p planning) CIDRs(r store.Reader, src ipam.SourceResource) ([]netip.Prefix, bool) {
	v, ok := p.rooms.vpc.VPC(r, src.Owner, src.Region, src.ID)
	var cidrs []netip.Prefix
	for _, b := range v.CIDRs() {
		cidrs = append(cidrs, b.CIDR)
	}
	return cidrs, ok
}

func (p planning) Subnets(r store.Reader, src ipam.SourceResource) iter.Seq2[string, netip.Prefix] {
	p.rooms.vpc.VPC(r, src.Owner, src.Region, src.ID) // which stands for the set of its subnets
	return func(yield func(string, netip.Prefix) bool) {
		for id, n := range p.rooms.vpc.SubnetsOf(r, src.ID) {
			for _, b := range n.CIDRs() {
				if !yield(id, b.CIDR) {
					return
				}
			}
		}
	}
}

func (p planning) Adopt(tx *store.Tx, subnetID string, a ipam.Allocation) error {
	return p.rooms.vpc.AdoptBlock(tx, subnetID, vpc.Drawn{PoolID: a.PoolID, AllocationID: a.ID, Block: a.CIDR, Seq: a.Seq})
}

// network is the vpc room as the elb room needs it.
type network struct{ vpc *vpc.Service }

func (n network) Subnet(r store.Reader, account, region, id string) (elb.Subnet, bool) {
	s, ok := n.vpc.Subnet(r, account, region, id)
	if !ok {
		return elb.Subnet{}, false
	}
	return elb.Subnet{ID: s.ID, VPCID: s.VPCID, Zone: s.Zone, FreeAddresses: s.FreeAddresses(), InternetGateway: n.vpc.HasGateway(r, s.VPCID), IPv6: len(s.Blocks) > 0}, true
}

func (n network) SecurityGroup(r store.Reader, account, region, id string) (string, bool) {
	g, ok := n.vpc.SecurityGroup(r, account, region, id)
	return g.VPCID, ok
}

func (n network) DefaultSecurityGroup(r store.Reader, vpcID string) string {
	return n.vpc.DefaultSecurityGroup(r, vpcID)
}

func (n network) VPC(r store.Reader, account, region, id string) bool {
	_, ok := n.vpc.VPC(r, account, region, id)
	return ok
}

func (n network) Use(tx *store.Tx, subnets, groups []string) { n.vpc.Use(tx, subnets, groups) }

// interfaces is the vpc room's interfaces as the elb room's nodes have them.
type interfaces struct {
	store *store.Store
	vpc   *vpc.Service
}

func (i interfaces) Create(ctx context.Context, s elb.InterfaceSpec) (elb.Interface, error) {
	made, err := i.vpc.CreateServiceInterface(ctx, vpc.InterfaceSpec{
		Account: s.Account, Region: s.Region, SubnetID: s.SubnetID, Description: s.Description,
		SecurityGroups: s.SecurityGroups, Owner: s.NodeID, Time: s.Time,
	})
	if errors.Is(err, vpc.ErrSubnetFull) {
		err = fmt.Errorf("%s: %w", s.SubnetID, elb.ErrSubnetFull)
	}
	return elb.Interface{ID: made.ID, Private: made.Private}, err
}

func (i interfaces) AssignAddress(ctx context.Context, interfaceID string, from elb.Source, now time.Time) (elb.Interface, error) {
	a, err := i.vpc.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: interfaceID, PoolID: from.PoolID, BlockID: from.BlockID, ReservedFor: from.ReservedFor, Time: now})
	var refused *ipam.CallError
	switch {
	case errors.Is(err, vpc.ErrPoolExhausted):
		return elb.Interface{}, elb.ErrPoolExhausted
	case errors.Is(err, vpc.ErrPoolNotFound), errors.As(err, &refused):
		return elb.Interface{}, elb.ErrPoolUnavailable
	}
	return elb.Interface{ID: interfaceID, Private: a.Private, Public: a.Public, PoolID: a.PoolID}, err
}

func (i interfaces) AssignIPv6(ctx context.Context, interfaceID string, now time.Time) error {
	_, err := i.vpc.AssignServiceIPv6(ctx, interfaceID, now)
	return err
}

func (i interfaces) ReleaseIPv6(ctx context.Context, interfaceID string) error {
	return i.vpc.ReleaseServiceIPv6(ctx, interfaceID)
}

func (i interfaces) SetSecurityGroups(ctx context.Context, interfaceID string, groups []string) error {
	return i.vpc.SetServiceSecurityGroups(ctx, interfaceID, groups)
}

func (i interfaces) Release(ctx context.Context, interfaceID string) error {
	return i.vpc.ReleaseServiceInterface(ctx, interfaceID)
}

func (i interfaces) Of(r store.Reader, nodeID string) (elb.Interface, bool) {
	f, ok := i.vpc.InterfaceByOwner(r, nodeID)
	if !ok {
		return elb.Interface{}, false
	}
	out := elb.Interface{ID: f.ID, Private: f.Private, IPv6: f.IPv6.Addr, SecurityGroups: f.SecurityGroups}
	if a, ok := i.vpc.AddressOf(r, f.ID); ok {
		out.Public, out.PoolID = a.Public, a.PoolID
	}
	return out, true
}

func (i interfaces) Owned(r store.Reader) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for id, f := range i.vpc.AllInterfaces(r) {
			if f.RequesterManaged() && !yield(id, f.Owner) {
				return
			}
		}
	}
}

// pools is the ipam room as the elb room needs it.
type pools struct{ ipam *ipam.Service }

func (p pools) Pool(r store.Reader, account, id string) (elb.Pool, bool) {
	pool, ok := p.ipam.VisiblePool(r, account, id)
	if !ok {
		return elb.Pool{}, false
	}
	return elb.Pool{Locale: pool.Locale, IPv4: pool.Family == ipam.IPv4, Public: pool.ScopeType == ipam.Public, EC2: pool.AWSService == "ec2"}, true
}

func (p pools) HasRoom(r store.Reader, id string) bool { return p.ipam.HasRoom(r, id) }

func (p pools) Reserve(ctx context.Context, spec elb.BlockSpec, record func(tx *store.Tx, k elb.Block) error) error {
	_, err := p.ipam.Reserve(ctx, ipam.Reserve{
		ID: spec.ID, CIDRID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(spec.Time), Account: spec.Account, Region: spec.Region,
		PoolID: spec.PoolID, For: spec.ARN, CIDR: spec.CIDR, NetmaskLength: spec.NetmaskLength, Time: spec.Time,
	}, func(tx *store.Tx, r ipam.Reservation) error {
		return record(tx, elb.Block{ID: r.PoolID, PoolID: spec.PoolID, CIDR: r.CIDR})
	})
	var refused *ipam.CallError
	switch {
	case errors.Is(err, ipam.ErrPoolExhausted), errors.As(err, &refused): // the CIDR is taken, or isn't the pool's
		return fmt.Errorf("%w: %w", elb.ErrPoolExhausted, err)
	case errors.Is(err, ipam.ErrPoolNotFound):
		return fmt.Errorf("%w: %w", elb.ErrPoolUnavailable, err)
	}
	return err
}

func (p pools) Unreserve(ctx context.Context, id string, record func(tx *store.Tx) error) error {
	return p.ipam.Unreserve(ctx, id, record)
}

func (p pools) PolicyPools(r store.Reader, account, region string) []string {
	return p.ipam.PolicyPools(r, account, region, ipam.ForLoadBalancers)
}

// endpoints is the elb room as the dns room needs it.
type endpoints struct{ elb *elb.Service }

func (e endpoints) Collections() []string { return e.elb.EndpointCollections() }

func (e endpoints) Owner(r store.Reader, k store.Key) string { return e.elb.EndpointOf(r, k) }

func (e endpoints) Endpoints(r store.Reader) iter.Seq[string] { return e.elb.Endpoints(r) }

func (e endpoints) Endpoint(r store.Reader, key string) (dns.Endpoint, bool) {
	ep, ok := e.elb.Endpoint(r, key)
	if !ok {
		return dns.Endpoint{}, false
	}
	out := dns.Endpoint{Name: ep.Name}
	for _, n := range ep.Nodes {
		for _, a := range n.Answers() {
			out.Nodes = append(out.Nodes, dns.Node(a))
		}
	}
	return out, true
}
