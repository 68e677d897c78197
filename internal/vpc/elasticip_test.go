package vpc_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
)

// network makes a VPC with a subnet and a gateway.
func (r *room) network(t *testing.T) {
	t.Helper()
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	if _, err := r.CreateGateway(t.Context(), vpc.GatewaySpec{ID: "igw-1", Account: account, Region: reg}); err != nil {
		t.Fatal(err)
	}
	if err := r.AttachGateway(t.Context(), account, reg, "igw-1", "vpc-1"); err != nil {
		t.Fatal(err)
	}
}

func (r *room) allocate(t *testing.T, id, pool string) vpc.Address {
	t.Helper()
	a, err := r.AllocateAddress(t.Context(), vpc.ElasticIPSpec{ID: id, Account: account, Region: reg, PoolID: pool, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// own makes an interface of the account's own, with secondary addresses.
func (r *room) own(t *testing.T, id, subnet string, secondary ...string) vpc.Interface {
	t.Helper()
	spec := vpc.InterfaceSpec{ID: id, Account: account, Region: reg, SubnetID: subnet, Secondary: addrs(secondary...), Time: now}
	i, err := r.CreateInterface(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (r *room) tie(t *testing.T, id, address, eni, private string) {
	t.Helper()
	spec := vpc.AssociationSpec{ID: id, Account: account, Region: reg, AddressID: address, InterfaceID: eni}
	if private != "" {
		spec.Private = netip.MustParseAddr(private)
	}
	if _, err := r.AssociateAddress(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

// where says what private address a public one is associated with.
func (r *room) where(id string) string {
	a, ok := r.Address(r.now(), account, reg, id)
	switch {
	case !ok:
		return "gone"
	case !a.Associated():
		return ""
	}
	return a.InterfaceID + " " + a.Private.String()
}

func addrs(ss ...string) (as []netip.Addr) {
	for _, s := range ss {
		as = append(as, netip.MustParseAddr(s))
	}
	return as
}

func TestAnElasticIPFromAllocationToRelease(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.network(t)
	r.own(t, "eni-1", "subnet-1")
	spec := vpc.ElasticIPSpec{ID: "eipalloc-1", Account: account, Region: reg, PoolID: "pool", Time: now, Tags: []tags.Tag{{Key: "team", Value: "edge"}}}
	a, err := r.AllocateAddress(ctx, spec)
	if err != nil || a.Public.String() != "192.0.2.144" || a.PoolID != "pool" || a.Associated() || a.ServiceManaged() != "" {
		t.Fatalf("got %+v, %v; want 192.0.2.144, free", a, err)
	}
	if tg := r.tags.Of(r.now(), a.ID); len(tg) != 1 {
		t.Errorf("tags: got %v", tg)
	}
	r.tie(t, "eipassoc-1", a.ID, "eni-1", "")
	if got := r.where(a.ID); got != "eni-1 10.0.0.4" {
		t.Errorf("associated: got %q", got)
	}
	if got, ok := r.AddressOf(r.now(), "eni-1"); !ok || got.ID != a.ID {
		t.Errorf("the interface's address: got %+v, %v", got, ok)
	}
	wantFault(t, r.ReleaseAddress(ctx, account, reg, a.ID), vpc.AddressInUse)
	wantNotFound(t, r.ReleaseAddress(ctx, stranger, reg, a.ID), vpc.KindAddress) // I8
	wantNotFound(t, r.DisassociateAddress(ctx, stranger, reg, "eipassoc-1"), vpc.KindAssociation)
	for range 2 { // what has ended is no error
		if err := r.DisassociateAddress(ctx, account, reg, "eipassoc-1"); err != nil {
			t.Error(err)
		}
		if err := r.DisassociateFrom(ctx, account, reg, a.ID); err != nil {
			t.Error(err)
		}
	}
	if got := r.where(a.ID); got != "" {
		t.Errorf("disassociated: got %q", got)
	}
	refused := errors.New("refused")
	r.pools.fail = refused
	if err := r.ReleaseAddress(ctx, account, reg, a.ID); !errors.Is(err, refused) || r.where(a.ID) == "gone" {
		t.Errorf("got %v and the address %q; want the pool's refusal, and the address as it was (I2)", err, r.where(a.ID))
	}
	r.pools.fail = nil
	if err := r.ReleaseAddress(ctx, account, reg, a.ID); err != nil {
		t.Fatal(err)
	}
	if n := r.pools.taken.Len(r.now()); n != 0 || r.where(a.ID) != "gone" || len(r.tags.Of(r.now(), a.ID)) > 0 {
		t.Errorf("released: the pool holds %d, the address is %q (I2)", n, r.where(a.ID))
	}
	wantNotFound(t, r.DisassociateAddress(ctx, account, reg, "eipassoc-1"), vpc.KindAssociation)
	wantNotFound(t, r.ReleaseAddress(ctx, account, reg, a.ID), vpc.KindAddress)
}

func TestTheQuotaIsOfTheProvidersAddresses(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.network(t)
	if _, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: r.makeInterface(t, "subnet-1", "node-1").ID, Time: now}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		r.allocate(t, id, "")
	}
	_, err := r.AllocateAddress(ctx, vpc.ElasticIPSpec{ID: "f", Account: account, Region: reg, Time: now})
	wantFault(t, err, vpc.LimitExceeded)
	r.allocate(t, "g", "pool")
	if _, err := r.AllocateAddress(ctx, vpc.ElasticIPSpec{ID: "h", Account: stranger, Region: reg, Time: now}); err != nil {
		t.Errorf("another account: got %v", err)
	}
	if err := r.ReleaseAddress(ctx, account, reg, "g"); err != nil { // makes no room
		t.Fatal(err)
	}
	_, err = r.AllocateAddress(ctx, vpc.ElasticIPSpec{ID: "i", Account: account, Region: reg, Time: now})
	wantFault(t, err, vpc.LimitExceeded)
	if err := r.ReleaseAddress(ctx, account, reg, "b"); err != nil {
		t.Fatal(err)
	}
	if a := r.allocate(t, "j", ""); a.Public.String() != "127.64.0.2" {
		t.Errorf("got %s, want the one that was released, 127.64.0.2", a.Public)
	}
	if n := r.pools.taken.Len(r.now()); n != 7 {
		t.Errorf("the pools hold %d, want 7: refusals take nothing (I10)", n)
	}
}

func TestADryRunAllocatesNothing(t *testing.T) {
	r := begin(t)
	would := errors.New("would succeed")
	_, err := r.DryRun(func() error { return would }).AllocateAddress(t.Context(), vpc.ElasticIPSpec{ID: "a", Account: account, Region: reg, PoolID: "pool", Time: now})
	if !errors.Is(err, would) || r.where("a") != "gone" || r.pools.taken.Len(r.now()) != 0 {
		t.Errorf("got %v, the address is %q", err, r.where("a"))
	}
}

func TestAssociations(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		name                      string
		address, eni, private     string
		keep                      bool
		before                    func(t *testing.T, r *room)
		fault                     vpc.Fault
		absent                    vpc.Kind
		wantA, wantB, association string // where the addresses a and b are, and a's association
	}{
		{name: "with the primary address", address: "a", eni: "eni-1", wantA: "eni-1 10.0.0.4", association: "new"},
		{name: "with a secondary address", address: "a", eni: "eni-1", private: "10.0.0.20", wantA: "eni-1 10.0.0.20", association: "new"},
		{name: "the same again", address: "a", eni: "eni-1", keep: true, before: associated("a", "eni-1", "10.0.0.4"), wantA: "eni-1 10.0.0.4", association: "old-a"},
		{name: "away from another interface", address: "a", eni: "eni-1", before: associated("a", "eni-2", "10.0.0.5"), wantA: "eni-1 10.0.0.4", association: "new"},
		{name: "from one address of an interface to another", address: "a", eni: "eni-1", private: "10.0.0.20", before: associated("a", "eni-1", "10.0.0.4"), wantA: "eni-1 10.0.0.20", association: "new"},
		{name: "in another's place", address: "a", eni: "eni-1", before: associated("b", "eni-1", "10.0.0.4"), wantA: "eni-1 10.0.0.4", association: "new"},
		{name: "beside another", address: "a", eni: "eni-1", private: "10.0.0.20", keep: true, before: associated("b", "eni-1", "10.0.0.4"), wantA: "eni-1 10.0.0.20", wantB: "eni-1 10.0.0.4", association: "new"},
		{name: "away from another interface, which the call forbids", address: "a", eni: "eni-1", keep: true, before: associated("a", "eni-2", "10.0.0.5"), fault: vpc.AlreadyAssociated, wantA: "eni-2 10.0.0.5", association: "old-a"},
		{name: "in another's place, which the call forbids", address: "a", eni: "eni-1", keep: true, before: associated("b", "eni-1", "10.0.0.4"), fault: vpc.AlreadyAssociated, wantB: "eni-1 10.0.0.4"},
		{name: "an address that isn't the interface's", address: "a", eni: "eni-1", private: "10.0.0.5", fault: vpc.InvalidValue},
		{name: "an interface that doesn't exist", address: "a", eni: "eni-9", absent: vpc.KindInterface},
		{name: "an address that doesn't exist", address: "c", eni: "eni-1", absent: vpc.KindAddress},
		{name: "a VPC without a gateway", address: "a", eni: "eni-1", fault: vpc.NotAttached, before: func(t *testing.T, r *room) {
			if err := r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t)
			r.network(t)
			r.own(t, "eni-1", "subnet-1", "10.0.0.20")
			r.own(t, "eni-2", "subnet-1")
			r.allocate(t, "a", "pool")
			r.allocate(t, "b", "")
			if c.before != nil {
				c.before(t, r)
			}
			spec := vpc.AssociationSpec{ID: "new", Account: account, Region: reg, AddressID: c.address, InterfaceID: c.eni, KeepOthers: c.keep}
			if c.private != "" {
				spec.Private = netip.MustParseAddr(c.private)
			}
			_, err := r.AssociateAddress(ctx, spec)
			switch {
			case c.fault != 0:
				wantFault(t, err, c.fault)
			case c.absent != "":
				wantNotFound(t, err, c.absent)
			case err != nil:
				t.Error(err)
			}
			if a, b := r.where("a"), r.where("b"); a != c.wantA || b != c.wantB {
				t.Errorf("a is at %q, b at %q; want %q and %q", a, b, c.wantA, c.wantB)
			}
			if a, _ := r.Address(r.now(), account, reg, "a"); a.AssociationID != c.association {
				t.Errorf("got the association %q, want %q", a.AssociationID, c.association)
			}
			r.checkMapping(t)
		})
	}
}

func associated(address, eni, private string) func(*testing.T, *room) {
	return func(t *testing.T, r *room) { r.tie(t, "old-"+address, address, eni, private) }
}

// checkMapping holds interfaces and addresses against each other.
func (r *room) checkMapping(t *testing.T) {
	t.Helper()
	snap := r.now()
	var byInterface, byAddress []string
	for _, i := range r.AllInterfaces(snap) {
		for _, p := range i.Addresses() {
			if p.AddressID != "" {
				byInterface = append(byInterface, p.AddressID+" "+i.ID+" "+p.Addr.String())
			}
		}
	}
	for _, a := range r.Addresses(snap, account, reg, "") {
		if a.Associated() {
			byAddress = append(byAddress, a.ID+" "+a.InterfaceID+" "+a.Private.String())
		}
	}
	slices.Sort(byInterface)
	slices.Sort(byAddress)
	if !slices.Equal(byInterface, byAddress) {
		t.Errorf("interfaces say %v, addresses %v", byInterface, byAddress)
	}
}

func TestReleaseInADefaultVPCEndsTheAssociation(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	if err := r.EnsureDefault(ctx, account, reg, now); err != nil {
		t.Fatal(err)
	}
	for id := range r.Subnets(r.now(), account, reg, "") {
		r.own(t, "eni-1", id)
		break
	}
	r.allocate(t, "a", "pool")
	r.tie(t, "eipassoc-1", "a", "eni-1", "")
	if err := r.ReleaseAddress(ctx, account, reg, "a"); err != nil || r.where("a") != "gone" {
		t.Errorf("got %v, the address is %q", err, r.where("a"))
	}
	r.checkMapping(t)
}

// Spec §4.6: a load balancer's address and interface are seen, and stay as they
// are.
func TestWhatAServiceManagesItsAccountCannotChange(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.network(t)
	node := r.makeInterface(t, "subnet-1", "node-1")
	managed, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: node.ID, PoolID: "pool", Time: now})
	if err != nil {
		t.Fatal(err)
	}
	if managed.ServiceManaged() != "alb" || managed.AssociationID == "" || !managed.Associated() {
		t.Errorf("got %+v, want it managed and associated", managed)
	}
	own, a := r.own(t, "eni-1", "subnet-1"), r.allocate(t, "a", "pool")
	associate := func(address, eni string) error {
		_, err := r.AssociateAddress(ctx, vpc.AssociationSpec{ID: "new", Account: account, Region: reg, AddressID: address, InterfaceID: eni})
		return err
	}
	assign := func(eni string, move bool, address string) error {
		_, err := r.AssignAddresses(ctx, vpc.PrivateSpec{Account: account, Region: reg, InterfaceID: eni, Addresses: addrs(address), Move: move})
		return err
	}
	before := r.now().Revision()
	for name, err := range map[string]error{
		"release":                r.ReleaseAddress(ctx, account, reg, managed.ID),
		"disassociate":           r.DisassociateAddress(ctx, account, reg, managed.AssociationID),
		"disassociate by value":  r.DisassociateFrom(ctx, account, reg, managed.ID),
		"associate it":           associate(managed.ID, own.ID),
		"associate with it":      associate(a.ID, node.ID),
		"delete":                 r.DeleteInterface(ctx, account, reg, node.ID),
		"modify":                 r.ModifyInterface(ctx, account, reg, node.ID, vpc.InterfaceChange{Description: new("mine")}),
		"assign":                 assign(node.ID, false, "10.0.0.77"),
		"unassign":               r.UnassignAddresses(ctx, account, reg, node.ID, addrs("10.0.0.4")),
		"release as the service": r.ReleaseServiceInterface(ctx, own.ID),
	} {
		if !errors.Is(err, &vpc.Error{Fault: vpc.NotPermitted}) {
			t.Errorf("%s: got %v, want NotPermitted", name, err)
		}
	}
	wantFault(t, assign(own.ID, true, node.Private.String()), vpc.InvalidValue) // a primary address doesn't move
	if after := r.now().Revision(); after != before {
		t.Errorf("something was written (I10)")
	}
	if err := r.ReleaseServiceInterface(ctx, node.ID); err != nil {
		t.Fatal(err)
	}
	if r.where(managed.ID) != "gone" || r.where(a.ID) != "" {
		t.Errorf("with the node's interface: its address is %q, the account's %q", r.where(managed.ID), r.where(a.ID))
	}
}

func TestTheSameTokenMakesOneInterface(t *testing.T) {
	r := begin(t)
	r.network(t)
	create := func(id, fingerprint string) (vpc.Interface, error) {
		return r.CreateInterface(t.Context(), vpc.InterfaceSpec{
			ID: id, Account: account, Region: reg, SubnetID: "subnet-1", Time: now,
			Token: idempotency.Token{Account: account, Region: reg, Action: "CreateNetworkInterface", Client: "once", Fingerprint: fingerprint, Time: now},
		})
	}
	first, err := create("eni-1", "x")
	again, err2 := create("eni-2", "x")
	if errors.Join(err, err2) != nil || again.ID != first.ID {
		t.Errorf("got %s and %s, %v; want one interface", first.ID, again.ID, errors.Join(err, err2))
	}
	if _, err := create("eni-3", "y"); !errors.Is(err, idempotency.ErrMismatch) {
		t.Errorf("another request: got %v", err)
	}
}
