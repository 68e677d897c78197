package ipam_test

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// network is a VPC, whose record stands for the set of its subnets.
type network struct {
	CIDRs   []netip.Prefix
	Subnets int // made, ever
}

type subnet struct {
	VPC  string
	CIDR netip.Prefix
	Held ipam.AllocationRef
}

// networks are VPCs in the same store, as the real ones are.
type networks struct {
	vpcs    *store.Collection[network]
	subnets *store.Collection[subnet]
}

func (n *networks) declare(st *store.Store) {
	n.vpcs, n.subnets = store.NewCollection[network](st, "networks", 1), store.NewCollection[subnet](st, "subnets", 1)
}

func (n *networks) CIDRs(r store.Reader, src ipam.SourceResource) ([]netip.Prefix, bool) {
	v, ok := n.vpcs.Get(r, src.ID)
	return v.CIDRs, ok && src.Owner == account && src.Region == home
}

func (n *networks) Subnets(r store.Reader, src ipam.SourceResource) iter.Seq2[string, netip.Prefix] {
	n.vpcs.Get(r, src.ID)
	return func(yield func(string, netip.Prefix) bool) {
		for id, s := range n.subnets.All(r) {
			if s.VPC == src.ID && !yield(id, s.CIDR) {
				return
			}
		}
	}
}

func (n *networks) Adopt(tx *store.Tx, id string, a ipam.Allocation) error {
	s, ok := n.subnets.Get(tx, id)
	if !ok {
		return errors.New("no such subnet")
	}
	s.Held = ipam.AllocationRef{PoolID: a.PoolID, ID: a.ID, CIDR: a.CIDR, Seq: a.Seq}
	n.subnets.Put(tx, id, s)
	return nil
}

// planner is a world with VPCs.
type planner struct {
	*world
	networks *networks
	ipam     ipam.IPAM
}

func newPlanner(t testing.TB, e store.Engine) *planner {
	t.Helper()
	n := &networks{}
	return &planner{world: open(t, e, func(o *ipam.Options) { o.VPCs = n }), networks: n}
}

func (p *planner) update(f func(tx *store.Tx) error) {
	p.t.Helper()
	if err := p.store.Update(p.t.Context(), f); err != nil {
		p.t.Fatal(err)
	}
}

func (p *planner) vpc(id string, cidrs ...string) {
	p.t.Helper()
	var v network
	for _, c := range cidrs {
		v.CIDRs = append(v.CIDRs, netip.MustParsePrefix(c))
	}
	p.update(func(tx *store.Tx) error {
		p.networks.vpcs.Put(tx, id, v)
		return nil
	})
}

var errConflict = errors.New("the subnet overlaps another one")

// record writes a subnet, which mustn't overlap another one of the VPC.
func (p *planner) record(tx *store.Tx, id string, s subnet) error {
	v, _ := p.networks.vpcs.Get(tx, s.VPC)
	v.Subnets++
	p.networks.vpcs.Put(tx, s.VPC, v)
	for _, o := range p.networks.subnets.All(tx) {
		if o.VPC == s.VPC && o.CIDR.Overlaps(s.CIDR) {
			return fmt.Errorf("%s: %w", s.CIDR, errConflict)
		}
	}
	p.networks.subnets.Put(tx, id, s)
	return nil
}

// subnet makes one without a pool.
func (p *planner) subnet(vpc, cidr string) (id string) {
	p.t.Helper()
	id = ids.EC2("subnet")
	p.update(func(tx *store.Tx) error {
		return p.record(tx, id, subnet{VPC: vpc, CIDR: netip.MustParsePrefix(cidr)})
	})
	return id
}

// drawSubnet makes one from a pool.
func (p *planner) drawSubnet(vpc, pool string, bits int) (id string, a ipam.Allocation, err error) {
	id = ids.EC2("subnet")
	w := ipam.Want{
		PoolID: pool, NetmaskLength: &bits, VPCID: vpc, Time: t0,
		Holder: ipam.Holder{Type: ipam.Subnet, ResourceID: id, Account: account, Region: home},
	}
	a, err = p.Draw(p.t.Context(), w, func(tx *store.Tx, a ipam.Allocation) error {
		return p.record(tx, id, subnet{VPC: vpc, CIDR: a.CIDR, Held: ipam.AllocationRef{PoolID: a.PoolID, ID: a.ID, CIDR: a.CIDR, Seq: a.Seq}})
	})
	return id, a, err
}

func (p *planner) deleteSubnet(id string) {
	p.t.Helper()
	p.update(func(tx *store.Tx) error {
		s, _ := p.networks.subnets.Get(tx, id)
		p.networks.subnets.Delete(tx, id)
		return p.Return(tx, s.Held, t0)
	})
}

func plans(vpc string) func(*ipam.CreatePool) {
	return func(r *ipam.CreatePool) {
		r.Source = &ipam.SourceResource{ID: vpc, Type: ipam.SourceVPC, Region: home, Owner: account}
	}
}

func below(pool string) func(*ipam.CreatePool) {
	return func(r *ipam.CreatePool) { r.SourcePoolID = pool }
}

// planned is the pool of a VPC whose CIDRs it has.
func (p *planner) planned(vpc string, change ...func(*ipam.CreatePool)) ipam.Pool {
	p.t.Helper()
	if p.ipam.ID == "" {
		p.ipam = p.world.ipam()
	}
	return p.pool(p.ipam.PrivateScopeID, append([]func(*ipam.CreatePool){plans(vpc)}, change...)...)
}

// holders tells who holds what in a pool: "10.0.0.0/24 subnet".
func (p *planner) holders(pool string) string {
	var all []string
	for _, a := range p.Allocations(p.store.Snapshot(), pool, "") {
		all = append(all, fmt.Sprint(a.CIDR, " ", a.Holder.Type))
	}
	return strings.Join(all, ", ")
}

func TestAPlanningPoolDividesAVPC(t *testing.T) {
	p := newPlanner(t, memstore.New())
	p.vpc("vpc-1", "10.0.0.0/16", "10.7.0.0/16")
	pool := p.planned("vpc-1")
	if pool.Source == nil || pool.Source.ID != "vpc-1" || pool.Depth != 1 {
		t.Errorf("got %+v", pool)
	}
	if c := p.provision(pool.ID, "10.0.0.0/16"); c.State != ipam.Provisioned {
		t.Fatalf("got %+v", c)
	}
	child := p.pool(p.ipam.PrivateScopeID, below(pool.ID))
	if child.Source == nil || child.Source.ID != "vpc-1" || child.Locale != home || child.Depth != 2 {
		t.Errorf("the child doesn't inherit: %+v", child)
	}
	if c := p.provisionLength(child.ID, 20); c.CIDR.String() != "10.0.0.0/20" {
		t.Errorf("the child's CIDR: %+v", c)
	}
	id, a, err := p.drawSubnet("vpc-1", child.ID, 24)
	if err != nil || a.CIDR.String() != "10.0.0.0/24" {
		t.Errorf("a subnet of the child: %+v, %v", a, err)
	}
	if _, a, err := p.drawSubnet("vpc-1", pool.ID, 24); err != nil || a.CIDR.String() != "10.0.16.0/24" {
		t.Errorf("a subnet of the pool: %+v, %v", a, err)
	}
	if got, want := p.holders(pool.ID), "10.0.0.0/20 ipam-pool, 10.0.16.0/24 subnet"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	p.deleteSubnet(id)
	if got := p.holders(child.ID); got != "" {
		t.Errorf("I2: after the deletion: %q", got)
	}
	a = p.allocate(pool, exactly("10.0.32.0/24")) // may be set aside by hand
	var known []string
	for rec := range p.Held(p.store.Snapshot(), account, netip.MustParseAddr("10.0.32.7")) {
		known = append(known, rec.AllocationID)
	}
	if !slices.Equal(known, []string{a.ID}) {
		t.Errorf("B5: at the address that was set aside: %v, want %s", known, a.ID)
	}
}

// The VPC's CIDR is in the pool that the VPC drew it from as well.
func TestAPlanningPoolMayBeBelowThePoolOfItsVPC(t *testing.T) {
	p := newPlanner(t, memstore.New())
	p.ipam = p.world.ipam()
	top := p.pool(p.ipam.PrivateScopeID)
	p.provision(top.ID, "10.0.0.0/8")
	h := ipam.Holder{Type: ipam.VPC, ResourceID: "vpc-1", Account: account, Region: home}
	must(p.Draw(t.Context(), ipam.Want{PoolID: top.ID, NetmaskLength: new(16), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil }))(t)
	p.vpc("vpc-1", "10.0.0.0/16")
	pool := p.planned("vpc-1", below(top.ID))
	if c := p.provision(pool.ID, "10.0.0.0/16"); c.State != ipam.Provisioned || pool.Depth != 2 {
		t.Fatalf("got %+v at depth %d", c, pool.Depth)
	}
	if got, want := p.holders(top.ID), "10.0.0.0/16 vpc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(p.DeprovisionCIDR(t.Context(), account, home, pool.ID, netip.MustParsePrefix("10.0.0.0/16"), nil))(t)
	if got, want := p.holders(top.ID), "10.0.0.0/16 vpc"; got != want {
		t.Errorf("after deprovisioning: got %q, want %q", got, want)
	}
}

func TestPlanningRefusals(t *testing.T) {
	p := newPlanner(t, memstore.New())
	p.vpc("vpc-1", "10.0.0.0/16")
	p.vpc("vpc-2", "10.0.0.0/16")
	pool := p.planned("vpc-1")
	for _, c := range []struct {
		name   string
		change func(*ipam.CreatePool)
		reason ipam.Reason
		text   string
	}{
		{"another owner", func(r *ipam.CreatePool) { r.Source.Owner = "444455556666" }, ipam.InvalidValue, "owned"},
		{"another type", func(r *ipam.CreatePool) { r.Source.Type = "subnet" }, ipam.InvalidValue, "subnet"},
		{"another region", func(r *ipam.CreatePool) { r.Source.Region = abroad }, ipam.InvalidCombination, "locale"},
		{"a public source", func(r *ipam.CreatePool) { r.PublicSource = ipam.BYOIP }, ipam.InvalidCombination, "PublicIpSource"},
		{"no locale", func(r *ipam.CreatePool) { r.Locale = "" }, ipam.InvalidCombination, "locale"},
		{"another source than the parent's", func(r *ipam.CreatePool) { r.SourcePoolID, r.Source.ID = pool.ID, "vpc-2" }, ipam.InvalidValue, "vpc-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.CreatePool(t.Context(), poolRequest(p.ipam.PrivateScopeID, plans("vpc-1"), c.change), nil)
			refused(t, err, c.reason, c.text)
		})
	}
	_, err := p.CreatePool(t.Context(), poolRequest(p.ipam.PrivateScopeID, plans("vpc-3")), nil)
	var absent *ipam.NotFoundError
	if !errors.As(err, &absent) || absent.Noun != ipam.NounVPC {
		t.Errorf("a VPC that isn't there: %v", err)
	}

	for cidr, text := range map[string]string{"10.0.0.0/17": "not a CIDR of", "10.1.0.0/16": "not a CIDR of"} {
		_, err := p.ProvisionCIDR(t.Context(), provisionRequest(pool.ID, cidr), nil)
		refused(t, err, ipam.InvalidValue, text)
	}
	req := provisionRequest(pool.ID, "")
	req.NetmaskLength = new(16)
	_, err = p.ProvisionCIDR(t.Context(), req, nil)
	refused(t, err, ipam.InvalidCombination, "only contain Cidr")
	p.provision(pool.ID, "10.0.0.0/16")
	if c := p.provision(p.planned("vpc-1").ID, "10.0.0.0/16"); c.State != ipam.FailedProvision || c.FailureCode != ipam.CIDRNotAvailable {
		t.Errorf("a VPC's CIDR in a second pool: %+v", c)
	}
	if c := p.provision(p.planned("vpc-2").ID, "10.0.0.0/16"); c.State != ipam.Provisioned {
		t.Errorf("the same space of another VPC: %+v", c)
	}

	ordinary := p.pool(p.ipam.PrivateScopeID)
	p.provision(ordinary.ID, "10.0.0.0/16")
	_, _, err = p.drawSubnet("vpc-1", ordinary.ID, 24)
	refused(t, err, ipam.InvalidValue, "IpamPool '"+ordinary.ID+"' is missing a source resource")
	_, _, err = p.drawSubnet("vpc-2", pool.ID, 24)
	refused(t, err, ipam.InvalidValue, "no subnets of 'vpc-2'")
	for _, kind := range []ipam.ResourceType{ipam.VPC, ipam.EIP} {
		h := ipam.Holder{Type: kind, ResourceID: "some-1", Account: account, Region: home}
		_, err = p.Draw(t.Context(), ipam.Want{PoolID: pool.ID, NetmaskLength: new(24), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil })
		refused(t, err, ipam.InvalidValue, "subnets of 'vpc-1' only")
	}
}

// I1: what the VPC's subnets have is taken, whenever and however they were made.
func TestSubnetsThatCameFromNoPoolKeepTheirSpace(t *testing.T) {
	p := newPlanner(t, memstore.New())
	p.vpc("vpc-1", "10.0.0.0/16")
	p.vpc("vpc-2", "10.0.0.0/16")
	first := p.subnet("vpc-1", "10.0.0.0/24")
	p.subnet("vpc-1", "10.0.2.0/24")
	p.subnet("vpc-2", "10.0.1.0/24") // of no concern
	pool := p.planned("vpc-1")
	p.provision(pool.ID, "10.0.0.0/16")
	if got, want := p.holders(pool.ID), "10.0.0.0/24 subnet, 10.0.2.0/24 subnet"; got != want {
		t.Errorf("once provisioned: got %q, want %q", got, want)
	}
	child := p.pool(p.ipam.PrivateScopeID, below(pool.ID))
	for _, c := range []struct{ cidr, why string }{{"10.0.0.0/28", "inside a subnet"}, {"10.0.0.0/20", "around subnets"}} {
		if got := p.provision(child.ID, c.cidr); got.State != ipam.FailedProvision {
			t.Errorf("to a child pool, %s: %+v", c.why, got)
		}
	}
	if got := p.provisionLength(child.ID, 24); got.CIDR.String() != "10.0.1.0/24" {
		t.Errorf("the child's CIDR: %+v", got)
	}
	p.subnet("vpc-1", "10.0.3.0/24") // while the pool is there
	p.subnet("vpc-1", "10.0.1.0/26") // in the child's part
	if _, a, err := p.drawSubnet("vpc-1", pool.ID, 24); err != nil || a.CIDR.String() != "10.0.4.0/24" {
		t.Errorf("a subnet of the pool: %s, %v", a.CIDR, err)
	}
	if _, a, err := p.drawSubnet("vpc-1", child.ID, 26); err != nil || a.CIDR.String() != "10.0.1.64/26" {
		t.Errorf("a subnet of the child: %s, %v", a.CIDR, err)
	}
	_, err := p.Allocate(t.Context(), allocateRequest(pool, exactly("10.0.3.0/25")), nil)
	refused(t, err, ipam.InvalidValue, "not available")
	p.deleteSubnet(first)
	if _, a, err := p.drawSubnet("vpc-1", pool.ID, 24); err != nil || a.CIDR.String() != "10.0.0.0/24" {
		t.Errorf("I3: after a subnet has gone: %s, %v", a.CIDR, err)
	}
}

// I1: a subnet that reaches across what is allocated can't be allocated itself.
// Nobody else gets its space all the same.
func TestASubnetAcrossAllocationsKeepsItsSpace(t *testing.T) {
	p := newPlanner(t, memstore.New())
	p.vpc("vpc-1", "10.0.0.0/16")
	pool := p.planned("vpc-1")
	p.provision(pool.ID, "10.0.0.0/16")
	p.allocate(pool, exactly("10.0.0.0/28"))
	child := p.pool(p.ipam.PrivateScopeID, below(pool.ID))
	p.provision(child.ID, "10.0.0.128/25")
	p.subnet("vpc-1", "10.0.0.0/24")
	if _, a, err := p.drawSubnet("vpc-1", pool.ID, 28); err != nil || a.CIDR.String() != "10.0.1.0/28" {
		t.Errorf("of the pool: %s, %v", a.CIDR, err)
	}
	_, err := p.Allocate(t.Context(), allocateRequest(pool, exactly("10.0.0.16/28")), nil)
	refused(t, err, ipam.InvalidValue, "not available")
	m := must(p.BeginImport(t.Context(), ipam.Import{ID: "import-1", Account: account, Region: home, PoolID: pool.ID, Touched: t0}))(t)
	conflicts := must(p.AddToImport(t.Context(), account, home, m.ID, []ipam.ImportBlock{{CIDR: netip.MustParsePrefix("10.0.0.32/28")}}, t0))(t)
	if len(conflicts) != 1 || !strings.Contains(conflicts[0].Reason, "subnet") {
		t.Errorf("imported: %+v", conflicts)
	}
	if _, _, err := p.drawSubnet("vpc-1", child.ID, 28); !errors.Is(err, ipam.ErrPoolExhausted) {
		t.Errorf("of the child, which is wholly in the subnet: %v", err)
	}
}

// More subnets than one transaction allocates for.
func TestManySubnetsAreMetAtOnce(t *testing.T) {
	p := newPlanner(t, memstore.New())
	p.vpc("vpc-1", "10.0.0.0/16")
	for n := range 200 {
		p.subnet("vpc-1", fmt.Sprintf("10.0.%d.0/24", n))
	}
	pool := p.planned("vpc-1")
	p.provision(pool.ID, "10.0.0.0/16")
	if got := len(p.held(pool.ID)); got != 200 {
		t.Errorf("%d are allocated", got)
	}
	if _, a, err := p.drawSubnet("vpc-1", pool.ID, 24); err != nil || a.CIDR.String() != "10.0.200.0/24" {
		t.Errorf("got %s, %v", a.CIDR, err)
	}
}

// I1: two servers, subnets with and without a pool, all at once.
func TestSubnetsOfTwoServersNeverOverlap(t *testing.T) {
	e := memstore.New()
	a := newPlanner(t, e)
	b := newPlanner(t, e)
	a.vpc("vpc-1", "10.0.0.0/16")
	pool := a.planned("vpc-1")
	a.provision(pool.ID, "10.0.0.0/16")
	if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	for n := range 40 {
		p := []*planner{a, b}[n%2]
		busy.Go(func() {
			if n%4 < 2 {
				if _, _, err := p.drawSubnet("vpc-1", pool.ID, 24); err != nil && !errors.Is(err, errConflict) && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
				return
			}
			id := ids.EC2("subnet")
			err := p.store.Update(t.Context(), func(tx *store.Tx) error {
				return p.record(tx, id, subnet{VPC: "vpc-1", CIDR: netip.MustParsePrefix(fmt.Sprintf("10.0.%d.0/24", n/4))})
			})
			if err != nil && !errors.Is(err, errConflict) && !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
	}
	busy.Wait()
	if _, _, err := a.drawSubnet("vpc-1", pool.ID, 24); err != nil { // meets who is there
		t.Fatal(err)
	}
	var subnets []string
	for _, s := range a.networks.subnets.All(a.store.Snapshot()) {
		subnets = append(subnets, s.CIDR.String())
	}
	held := a.held(pool.ID)
	slices.Sort(subnets)
	slices.Sort(held)
	if !slices.Equal(held, subnets) || len(slices.Compact(subnets)) != len(held) {
		t.Errorf("held %v\nsubnets %v", held, subnets)
	}
}

// DeleteIpamPool: the cascade takes planning pools too, in a public scope as
// well, and leaves the subnets alone.
func TestACascadeTakesPlanningPoolsAndLeavesSubnets(t *testing.T) {
	for _, public := range []bool{false, true} {
		p := newPlanner(t, memstore.New())
		p.ipam = p.world.ipam()
		p.vpc("vpc-1", "10.0.0.0/16")
		scope := p.ipam.PrivateScopeID
		if public {
			scope = p.ipam.PublicScopeID
		}
		pool := p.pool(scope, plans("vpc-1"))
		p.provision(pool.ID, "10.0.0.0/16")
		child := p.pool(scope, below(pool.ID))
		p.provisionLength(child.ID, 20)
		id, _, err := p.drawSubnet("vpc-1", child.ID, 24)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.DeletePool(t.Context(), account, home, pool.ID, false, nil)
		refused(t, err, ipam.Dependency, "There are one or more pool cidrs provisioned in the pool.")
		must(p.DeletePool(t.Context(), account, home, pool.ID, true, nil))(t)
		for u := range p.Pools(p.store.Snapshot()) {
			t.Errorf("left: %+v", u.Pool)
		}
		again := p.pool(scope, plans("vpc-1"))
		p.provision(again.ID, "10.0.0.0/16")
		if got, want := p.holders(again.ID), "10.0.0.0/24 subnet"; got != want {
			t.Errorf("planned again: got %q, want %q", got, want)
		}
		p.deleteSubnet(id)
		if got := p.holders(again.ID); got != "" {
			t.Errorf("I2: got %q", got)
		}
		ordinary := p.pool(p.ipam.PublicScopeID)
		_, err = p.DeletePool(t.Context(), account, home, ordinary.ID, true, nil)
		refused(t, err, ipam.InvalidCombination, "public scope")
	}
}
