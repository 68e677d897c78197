package vpc_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "111122223333"
	stranger = "444455556666"
	reg      = "local-1"
)

var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// fakePools keeps pools in the same store, as the real ones do: a block is
// free if no record is at its key.
type fakePools struct {
	st    *store.Store
	taken *store.Collection[vpc.Drawn] // by block
	pools map[string]netip.Prefix
	fail  error // of Return
}

func (p *fakePools) Draw(ctx context.Context, w vpc.Want, record func(*store.Tx, vpc.Drawn) error) error {
	return p.st.Update(ctx, func(tx *store.Tx) error {
		d, err := p.DrawWithin(tx, w)
		if err != nil {
			return err
		}
		return record(tx, d)
	})
}

func (p *fakePools) DrawWithin(tx *store.Tx, w vpc.Want) (vpc.Drawn, error) {
	if w.PoolID == "" && p.pools["pool"].Contains(w.Block.Addr()) {
		w.PoolID = "pool"
	}
	cidr, ok := p.pools[w.PoolID]
	if !ok {
		return vpc.Drawn{}, vpc.ErrPoolNotFound
	}
	bits := w.Block.Bits()
	if w.NetmaskLength != nil {
		bits = *w.NetmaskLength
	}
	for a := cidr.Addr(); cidr.Contains(a); a = after(netip.PrefixFrom(a, bits)) {
		b := netip.PrefixFrom(a, bits)
		if _, ok := p.taken.Get(tx, b.String()); ok || w.Block.IsValid() && b != w.Block || p.overlaps(tx, b) {
			continue
		}
		d := vpc.Drawn{PoolID: w.PoolID, AllocationID: "alloc-" + w.ResourceID, Block: b, Seq: 1}
		p.taken.Put(tx, b.String(), d)
		return d, nil
	}
	return vpc.Drawn{}, vpc.ErrPoolExhausted
}

func (p *fakePools) overlaps(r store.Reader, b netip.Prefix) bool {
	for _, d := range p.taken.All(r) {
		if d.Block.Overlaps(b) {
			return true
		}
	}
	return false
}

// after returns the first address behind a block, which ends on an octet's border
// or begins at its last bits.
func after(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	i := (p.Bits() - 1) / 8
	step := 1 << (7 - (p.Bits()-1)%8)
	for ; i >= 0; i-- {
		sum := int(b[i]) + step
		b[i], step = byte(sum), sum>>8
		if step == 0 {
			break
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (p *fakePools) Return(tx *store.Tx, d vpc.Drawn) error {
	if p.fail != nil {
		return p.fail
	}
	p.taken.Delete(tx, d.Block.String())
	return nil
}

func (p *fakePools) ProviderPool(region string) string     { return "provider-" + region }
func (p *fakePools) ProviderIPv6Pool(region string) string { return "provider6-" + region }

// room is the room under test over one engine.
type room struct {
	*vpc.Service
	st    *store.Store
	tags  *tags.Service
	pools *fakePools
	ended *store.Collection[vpc.Ended] // what Options.Ended was told of
}

// newRoom returns a room whose pools are fakes, or what around gives for them.
func newRoom(t *testing.T, engine store.Engine, quotas vpc.Quotas, around ...func(*fakePools) vpc.Pools) *room {
	t.Helper()
	st := store.New(engine, "test", slog.New(slog.DiscardHandler))
	tg := tags.New(st)
	p := &fakePools{st: st, taken: store.NewCollection[vpc.Drawn](st, "taken", 1), pools: map[string]netip.Prefix{
		"provider-" + reg:  netip.MustParsePrefix("127.64.0.0/24"),
		"pool":             netip.MustParsePrefix("192.0.2.144/30"),
		"provider6-" + reg: netip.MustParsePrefix("fdfa:1ead::/52"),
		"pool-v4":          netip.MustParsePrefix("10.32.0.0/12"),
		"pool-v6":          netip.MustParsePrefix("2001:db8::/40"),
	}}
	var pools vpc.Pools = p
	for _, f := range around {
		pools = f(p)
	}
	ended := store.NewCollection[vpc.Ended](st, "ended", 1)
	s := vpc.New(st, tg, idempotency.New(st), pools, vpc.Options{
		Zones: func(r string) []string {
			if r != reg {
				return nil
			}
			return []string{"local-1a", "local-1b", "local-1c"}
		},
		Quotas: quotas,
		Ended:  func(tx *store.Tx, e vpc.Ended) error { ended.Put(tx, e.ID+" "+e.CIDR.String(), e); return nil },
	})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return &room{s, st, tg, p, ended}
}

func begin(t *testing.T) *room { return newRoom(t, memstore.New(), vpc.Quotas{}) }

func (r *room) now() store.Snapshot { return r.st.Snapshot() }

// mainTable returns the route table of a VPC's subnets that are associated with no other.
func (r *room) mainTable(vpcID string) vpc.RouteTable {
	for _, t := range r.RouteTables(r.now(), account, reg, "") {
		if t.VPCID == vpcID && t.Main {
			return t
		}
	}
	return vpc.RouteTable{}
}

func (r *room) makeVPC(t *testing.T, id, cidr string) vpc.VPC {
	t.Helper()
	v, err := r.CreateVPC(t.Context(), vpc.VPCSpec{ID: id, Account: account, Region: reg, CIDR: netip.MustParsePrefix(cidr)})
	if err != nil {
		t.Fatalf("create VPC %s: %v", cidr, err)
	}
	return v
}

func (r *room) makeSubnet(t *testing.T, id, vpcID, cidr string) vpc.Subnet {
	t.Helper()
	n, err := r.CreateSubnet(t.Context(), vpc.SubnetSpec{ID: id, Account: account, Region: reg, VPCID: vpcID, CIDR: netip.MustParsePrefix(cidr)})
	if err != nil {
		t.Fatalf("create subnet %s: %v", cidr, err)
	}
	return n
}

func (r *room) makeInterface(t *testing.T, subnetID, node string, groups ...string) vpc.Interface {
	t.Helper()
	i, err := r.CreateServiceInterface(t.Context(), vpc.InterfaceSpec{
		Account: account, Region: reg, SubnetID: subnetID, Description: "ELB app/shop/1", SecurityGroups: groups, Owner: node, Time: now,
	})
	if err != nil {
		t.Fatalf("create interface of %s: %v", node, err)
	}
	return i
}

func wantFault(t *testing.T, err error, f vpc.Fault) {
	t.Helper()
	if !errors.Is(err, &vpc.Error{Fault: f}) {
		t.Errorf("got %v, want fault %d", err, f)
	}
}

func wantNotFound(t *testing.T, err error, k vpc.Kind) {
	t.Helper()
	var nf *vpc.NotFoundError
	if !errors.As(err, &nf) || nf.Kind != k {
		t.Errorf("got %v, want no %s", err, k)
	}
}

func TestEveryAccountBeginsWithADefaultVPC(t *testing.T) {
	r := begin(t)
	for range 3 { // the second and third change nothing
		if err := r.EnsureDefault(t.Context(), account, reg, now); err != nil {
			t.Fatal(err)
		}
	}
	v, ok := r.DefaultVPC(r.now(), account, reg)
	if !ok || v.CIDR != netip.MustParsePrefix("172.31.0.0/16") || !v.DNSHostnames {
		t.Fatalf("default VPC: got %+v, %v", v, ok)
	}
	got := map[string]string{}
	for _, n := range r.Subnets(r.now(), account, reg, "") {
		got[n.Zone] = n.CIDR.String()
		if !n.DefaultForZone || n.FreeAddresses() != 4091 {
			t.Errorf("default subnet: got %+v with %d free addresses, want 4091", n, n.FreeAddresses())
		}
	}
	want := map[string]string{"local-1a": "172.31.0.0/20", "local-1b": "172.31.16.0/20", "local-1c": "172.31.32.0/20"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("subnets: got %v, want %v", got, want)
	}
	if !r.HasGateway(r.now(), v.ID) {
		t.Error("default VPC has no internet gateway")
	}
	main := r.mainTable(v.ID)
	if routes := r.Routes(r.now(), main); len(routes) != 2 || !r.Active(r.now(), main, routes[1]) {
		t.Errorf("main route table: got %+v, want an active route to the gateway", main)
	}
	if _, ok := r.DefaultVPC(r.now(), stranger, reg); ok {
		t.Error("another account has a default VPC before it began (I8)")
	}
}

func TestADeletedDefaultVPCComesBackOnlyOnRequest(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	if err := r.EnsureDefault(ctx, account, reg, now); err != nil {
		t.Fatal(err)
	}
	old, _ := r.DefaultVPC(r.now(), account, reg)
	if _, err := r.CreateDefaultVPC(ctx, account, reg, now); err == nil {
		t.Error("a second default VPC was made")
	} else {
		wantFault(t, err, vpc.DefaultExists)
	}
	for id := range r.Subnets(r.now(), account, reg, "") {
		if err := r.DeleteSubnet(ctx, account, reg, id); err != nil {
			t.Fatal(err)
		}
	}
	wantFault(t, r.DeleteVPC(ctx, account, reg, old.ID), vpc.Dependency) // the gateway
	for id := range r.Gateways(r.now(), account, reg, "") {
		if err := errors.Join(r.DetachGateway(ctx, account, reg, id, old.ID), r.DeleteGateway(ctx, account, reg, id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.DeleteVPC(ctx, account, reg, old.ID), r.EnsureDefault(ctx, account, reg, now)); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.DefaultVPC(r.now(), account, reg); ok {
		t.Error("the default VPC came back unasked")
	}
	v, err := r.CreateDefaultVPC(ctx, account, reg, now)
	if err != nil || v.ID == old.ID {
		t.Errorf("create default VPC: got %s, %v; want an id other than %s", v.ID, err, old.ID)
	}
}

func TestVPCRanges(t *testing.T) {
	r := begin(t)
	for _, c := range []struct {
		cidr, want string // "": refused
	}{
		{"10.0.0.0/16", "10.0.0.0/16"},
		{"10.1.0.0/28", "10.1.0.0/28"},
		{"100.68.0.18/18", "100.68.0.0/18"}, // EC2 CreateVpc masks
		{"10.0.0.0/15", ""},
		{"10.0.0.0/29", ""},
		{"2001:db8::/28", ""},
	} {
		v, err := r.CreateVPC(t.Context(), vpc.VPCSpec{ID: "vpc-" + c.cidr, Account: account, Region: reg, CIDR: netip.MustParsePrefix(c.cidr)})
		if c.want == "" {
			wantFault(t, err, vpc.InvalidVPCRange)
		} else if err != nil || v.CIDR.String() != c.want {
			t.Errorf("%s: got %v, %v; want %s", c.cidr, v.CIDR, err, c.want)
		}
	}
}

func TestSubnetsOfAVPC(t *testing.T) {
	r := begin(t)
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	create := func(cidr, zone string) (vpc.Subnet, error) {
		return r.CreateSubnet(t.Context(), vpc.SubnetSpec{ID: "subnet-" + cidr, Account: account, Region: reg, VPCID: "vpc-1", CIDR: netip.MustParsePrefix(cidr), Zone: zone})
	}
	for _, c := range []struct {
		name, cidr, zone string
		fault            vpc.Fault // 0: made
		free             int
	}{
		{"fits", "10.0.0.0/24", "local-1b", 0, 251},
		{"is as small as can be", "10.0.1.0/28", "local-1a", 0, 11},
		{"has bits beyond its length", "10.0.2.77/27", "local-1a", 0, 27},
		{"is the same as another", "10.0.0.0/24", "local-1a", vpc.SubnetConflict, 0},
		{"holds another", "10.0.0.0/20", "local-1a", vpc.SubnetConflict, 0},
		{"is inside another", "10.0.0.128/25", "local-1a", vpc.SubnetConflict, 0},
		{"lies outside the VPC", "10.1.0.0/24", "local-1a", vpc.InvalidSubnetRange, 0},
		{"is too small", "10.0.9.0/29", "local-1a", vpc.InvalidSubnetRange, 0},
		{"is in a zone that isn't", "10.0.9.0/24", "local-1z", vpc.InvalidValue, 0},
	} {
		n, err := create(c.cidr, c.zone)
		switch {
		case c.fault != 0:
			wantFault(t, err, c.fault)
		case err != nil || n.FreeAddresses() != c.free:
			t.Errorf("a subnet that %s: got %d free, %v; want %d", c.name, n.FreeAddresses(), err, c.free)
		}
	}
	n, err := create("10.0.8.0/24", "")
	if err != nil || n.Zone != "local-1c" {
		t.Errorf("no zone given: got %q, %v; want the one with fewest subnets, local-1c", n.Zone, err)
	}
	_, err = r.CreateSubnet(t.Context(), vpc.SubnetSpec{ID: "subnet-x", Account: stranger, Region: reg, VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.9.0/24")})
	wantNotFound(t, err, vpc.KindVPC) // I8
}

func TestQuotas(t *testing.T) {
	r := newRoom(t, memstore.New(), vpc.Quotas{VPCs: 1, Gateways: 1, SecurityGroups: 2, Subnets: 1, RouteTables: 2, Routes: 1, Rules: 2, GroupsPerENI: 1})
	ctx := t.Context()
	v := r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	_, err := r.CreateVPC(ctx, vpc.VPCSpec{ID: "vpc-2", Account: account, Region: reg, CIDR: netip.MustParsePrefix("10.1.0.0/16")})
	wantFault(t, err, vpc.LimitExceeded)
	_, err = r.CreateSubnet(ctx, vpc.SubnetSpec{ID: "subnet-2", Account: account, Region: reg, VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.1.0/24")})
	wantFault(t, err, vpc.LimitExceeded)
	for i, want := range []vpc.Fault{0, vpc.LimitExceeded} {
		_, gateway := r.CreateGateway(ctx, vpc.GatewaySpec{ID: fmt.Sprint("igw-", i), Account: account, Region: reg})
		_, table := r.CreateRouteTable(ctx, vpc.RouteTableSpec{ID: fmt.Sprint("rtb-", i), Account: account, Region: reg, VPCID: "vpc-1"})
		_, group := r.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: fmt.Sprint("sg-", i), Account: account, Region: reg, VPCID: "vpc-1", Name: fmt.Sprint(i)})
		for _, err := range []error{gateway, table, group} {
			if want == 0 && err != nil {
				t.Error(err)
			} else if want != 0 {
				wantFault(t, err, want)
			}
		}
	}
	port := func(p int32) vpc.Rule { return rule(t, false, "tcp", p, p, "0.0.0.0/0") }
	change := vpc.RuleChange{Account: account, Region: reg, GroupID: "sg-0", Rules: []vpc.Rule{port(1), port(2), port(3)}, Time: now}
	_, err = r.Authorize(ctx, change)
	wantFault(t, err, vpc.LimitExceeded)
	change.Rules = change.Rules[:2] // egress rules don't count
	if _, err = r.Authorize(ctx, change); err != nil {
		t.Error(err)
	}
	_, err = r.CreateServiceInterface(ctx, vpc.InterfaceSpec{Account: account, Region: reg, SubnetID: "subnet-1", Owner: "n", SecurityGroups: []string{"sg-0", v.DefaultGroupID()}})
	wantFault(t, err, vpc.LimitExceeded)
}

func TestAttachAndDetachAGateway(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	for _, id := range []string{"igw-1", "igw-2"} {
		if _, err := r.CreateGateway(ctx, vpc.GatewaySpec{ID: id, Account: account, Region: reg}); err != nil {
			t.Fatal(err)
		}
	}
	wantFault(t, r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1"), vpc.NotAttached)
	if err := r.AttachGateway(ctx, account, reg, "igw-1", "vpc-1"); err != nil {
		t.Fatal(err)
	}
	wantFault(t, r.AttachGateway(ctx, account, reg, "igw-1", "vpc-1"), vpc.AlreadyAssociated)
	wantFault(t, r.AttachGateway(ctx, account, reg, "igw-2", "vpc-1"), vpc.AlreadyAssociated)
	wantFault(t, r.DeleteGateway(ctx, account, reg, "igw-1"), vpc.Dependency)
	wantNotFound(t, r.AttachGateway(ctx, account, reg, "igw-3", "vpc-1"), vpc.KindGateway)

	i := r.makeInterface(t, "subnet-1", "node-1")
	if _, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, Time: now}); err != nil {
		t.Fatal(err)
	}
	wantFault(t, r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1"), vpc.Dependency)
	if err := errors.Join(r.ReleaseServiceInterface(ctx, i.ID), r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1"), r.DeleteGateway(ctx, account, reg, "igw-1")); err != nil {
		t.Error(err)
	}
}

func TestRouteTables(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	v := r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeVPC(t, "vpc-2", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	r.makeSubnet(t, "subnet-2", "vpc-2", "10.0.0.0/24")
	for _, id := range []string{"igw-1", "igw-2"} {
		if _, err := r.CreateGateway(ctx, vpc.GatewaySpec{ID: id, Account: account, Region: reg}); err != nil {
			t.Fatal(err)
		}
	}
	spec := vpc.RouteTableSpec{
		ID: "rtb-1", Account: account, Region: reg, VPCID: "vpc-1",
		Token: idempotency.Token{Account: account, Region: reg, Action: "CreateRouteTable", Client: "t", Fingerprint: "f", Time: now},
	}
	if _, err := r.CreateRouteTable(ctx, spec); err != nil {
		t.Fatal(err)
	}
	spec.ID = "rtb-2"
	if again, err := r.CreateRouteTable(ctx, spec); err != nil || again.ID != "rtb-1" {
		t.Errorf("repeated with its token: got %s, %v; want rtb-1", again.ID, err)
	}
	spec.Token.Fingerprint = "g"
	if _, err := r.CreateRouteTable(ctx, spec); !errors.Is(err, idempotency.ErrMismatch) {
		t.Errorf("token with other parameters: got %v", err)
	}

	anywhere := netip.MustParsePrefix("0.0.0.0/0")
	route := vpc.Route{Destination: anywhere, GatewayID: "igw-1"}
	wantFault(t, r.CreateRoute(ctx, account, reg, "rtb-1", route), vpc.InvalidValue) // not attached
	if err := errors.Join(
		r.AttachGateway(ctx, account, reg, "igw-1", "vpc-1"),
		r.CreateRoute(ctx, account, reg, "rtb-1", route),
		r.CreateRoute(ctx, account, reg, "rtb-1", route), // the same again
	); err != nil {
		t.Fatal(err)
	}
	wantFault(t, r.CreateRoute(ctx, account, reg, "rtb-1", vpc.Route{Destination: v.CIDR, GatewayID: "igw-1"}), vpc.RouteExists)
	wantFault(t, r.DeleteRoute(ctx, account, reg, "rtb-1", v.CIDR), vpc.InvalidValue)
	wantFault(t, r.DeleteRoute(ctx, account, reg, "rtb-1", netip.MustParsePrefix("192.0.2.0/24")), vpc.RouteNotFound)

	id, err := r.AssociateRouteTable(ctx, account, reg, "rtb-1", "subnet-1", "rtbassoc-1")
	if err != nil || id != "rtbassoc-1" {
		t.Fatalf("associate: got %s, %v", id, err)
	}
	if id, err = r.AssociateRouteTable(ctx, account, reg, "rtb-1", "subnet-1", "rtbassoc-2"); err != nil || id != "rtbassoc-1" {
		t.Errorf("associate again: got %s, %v; want the association there was", id, err)
	}
	_, err = r.AssociateRouteTable(ctx, account, reg, r.mainTable(v.ID).ID, "subnet-1", "rtbassoc-2")
	wantFault(t, err, vpc.AlreadyAssociated)
	_, err = r.AssociateRouteTable(ctx, account, reg, "rtb-1", "subnet-2", "rtbassoc-2")
	wantFault(t, err, vpc.InvalidValue)
	wantFault(t, r.DeleteRouteTable(ctx, account, reg, "rtb-1"), vpc.Dependency)
	wantFault(t, r.DeleteRouteTable(ctx, account, reg, r.mainTable(v.ID).ID), vpc.Dependency)

	if err := errors.Join(r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1"), r.DeleteGateway(ctx, account, reg, "igw-1")); err != nil {
		t.Fatal(err)
	}
	if tb, _ := r.RouteTable(r.now(), account, reg, "rtb-1"); r.Active(r.now(), tb, r.Routes(r.now(), tb)[1]) {
		t.Error("a route to a gateway that is gone is active, want a black hole")
	}
	main := r.mainTable(v.ID)
	wantFault(t, r.DisassociateRouteTable(ctx, account, reg, main.MainAssociationID()), vpc.InvalidValue)
	wantNotFound(t, r.DisassociateRouteTable(ctx, stranger, reg, "rtbassoc-1"), vpc.KindTableAssociation) // I8
	if err := errors.Join(
		r.DeleteRoute(ctx, account, reg, "rtb-1", anywhere),
		r.DisassociateRouteTable(ctx, account, reg, "rtbassoc-1"),
		r.DeleteRouteTable(ctx, account, reg, "rtb-1"),
	); err != nil {
		t.Error(err)
	}
}

func TestDeletingAResourceDeletesItsTags(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	tg := []tags.Tag{{Key: "team", Value: "edge"}}
	id := func(kind string) string { return kind + "-1" }
	_, err1 := r.CreateVPC(ctx, vpc.VPCSpec{ID: id("vpc"), Account: account, Region: reg, CIDR: netip.MustParsePrefix("10.0.0.0/16"), Tags: tg})
	_, err2 := r.CreateSubnet(ctx, vpc.SubnetSpec{ID: id("subnet"), Account: account, Region: reg, VPCID: id("vpc"), CIDR: netip.MustParsePrefix("10.0.0.0/24"), Tags: tg})
	_, err3 := r.CreateGateway(ctx, vpc.GatewaySpec{ID: id("igw"), Account: account, Region: reg, Tags: tg})
	_, err4 := r.CreateRouteTable(ctx, vpc.RouteTableSpec{ID: id("rtb"), Account: account, Region: reg, VPCID: id("vpc"), Tags: tg})
	_, err5 := r.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: id("sg"), Account: account, Region: reg, VPCID: id("vpc"), Name: "web", Tags: tg})
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	all := func() (ids []string) {
		for id := range r.tags.Each(r.now(), account, reg, "") {
			ids = append(ids, id)
		}
		return ids
	}
	if got := all(); len(got) != 5 {
		t.Errorf("tagged: got %v, want five resources", got)
	}
	if err := errors.Join(
		r.DeleteSecurityGroup(ctx, account, reg, id("sg")), r.DeleteRouteTable(ctx, account, reg, id("rtb")),
		r.DeleteGateway(ctx, account, reg, id("igw")), r.DeleteSubnet(ctx, account, reg, id("subnet")), r.DeleteVPC(ctx, account, reg, id("vpc")),
	); err != nil {
		t.Fatal(err)
	}
	if got := all(); len(got) != 0 {
		t.Errorf("tagged after deletion: got %v", got)
	}
}
