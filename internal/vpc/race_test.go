package vpc_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

// interruptedEngine lets something happen between a transaction's decision and
// its commit.
type interruptedEngine struct {
	store.Engine
	interrupt func() // before the next commit; nil: nothing
}

func (e *interruptedEngine) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if f := e.interrupt; f != nil {
		e.interrupt = nil
		f()
	}
	return e.Engine.Commit(ctx, t)
}

// servers are two over one engine, the first of which can be interrupted.
func servers(t *testing.T, quotas vpc.Quotas) (a, b *room, interrupt func(func())) {
	t.Helper()
	shared := memstore.New()
	engine := &interruptedEngine{Engine: shared}
	a, b = newRoom(t, engine, quotas), newRoom(t, shared, quotas)
	return a, b, func(f func()) { engine.interrupt = f }
}

// caughtUp waits until b sees all that a sees.
func caughtUp(t *testing.T, a, b *room) {
	t.Helper()
	if err := b.st.WaitRevision(t.Context(), a.now().Revision()); err != nil {
		t.Fatal(err)
	}
}

// Of two changes that exclude each other one is refused, whichever comes
// between the other's decision and commit. Each pair fails here if what its
// first change adds to a set isn't also written to the record that stands for it.
func TestChangesThatExcludeEachOther(t *testing.T) {
	ctx := t.Context()
	type change func(r *room) error
	cidr := netip.MustParsePrefix("10.0.9.0/24")
	createSubnet := func(id string) change {
		return func(r *room) error {
			_, err := r.CreateSubnet(ctx, vpc.SubnetSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", CIDR: cidr})
			return err
		}
	}
	createGroup := func(id string) change {
		return func(r *room) error {
			_, err := r.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", Name: "new"})
			return err
		}
	}
	createTable := func(r *room) error {
		_, err := r.CreateRouteTable(ctx, vpc.RouteTableSpec{ID: "rtb-new", Account: account, Region: reg, VPCID: "vpc-1"})
		return err
	}
	createVPC := func(id string) change {
		return func(r *room) error {
			_, err := r.CreateVPC(ctx, vpc.VPCSpec{ID: id, Account: account, Region: reg, CIDR: netip.MustParsePrefix("10.9.0.0/16")})
			return err
		}
	}
	attach := func(id string) change {
		return func(r *room) error { return r.AttachGateway(ctx, account, reg, id, "vpc-1") }
	}
	createInterface := func(r *room) error {
		_, err := r.CreateServiceInterface(ctx, vpc.InterfaceSpec{Account: account, Region: reg, SubnetID: "subnet-1", SecurityGroups: []string{"sg-1"}, Owner: "node"})
		return err
	}
	authorize := func(r *room) error {
		_, err := r.Authorize(ctx, vpc.RuleChange{Account: account, Region: reg, GroupID: "sg-2", Rules: []vpc.Rule{{Protocol: vpc.AllProtocols, GroupID: "sg-1"}}})
		return err
	}
	associate := func(r *room) error {
		_, err := r.AssociateRouteTable(ctx, account, reg, "rtb-1", "subnet-1", "rtbassoc-1")
		return err
	}
	deleteVPC := func(r *room) error { return r.DeleteVPC(ctx, account, reg, "vpc-1") }
	deleteSubnet := func(r *room) error { return r.DeleteSubnet(ctx, account, reg, "subnet-1") }
	deleteGroup := func(r *room) error { return r.DeleteSecurityGroup(ctx, account, reg, "sg-1") }
	deleteTable := func(r *room) error { return r.DeleteRouteTable(ctx, account, reg, "rtb-1") }

	for _, c := range []struct {
		name  string
		full  bool // the VPC begins with a subnet, groups and a route table
		pair  [2]change
		quota int // of VPCs
	}{
		{"two subnets with one CIDR", false, [2]change{createSubnet("subnet-a"), createSubnet("subnet-b")}, 5},
		{"a subnet, and its VPC's end", false, [2]change{createSubnet("subnet-a"), deleteVPC}, 5},
		{"two groups with one name", false, [2]change{createGroup("sg-a"), createGroup("sg-b")}, 5},
		{"a group, and its VPC's end", false, [2]change{createGroup("sg-a"), deleteVPC}, 5},
		{"a route table, and its VPC's end", false, [2]change{createTable, deleteVPC}, 5},
		{"a gateway, and its VPC's end", false, [2]change{attach("igw-1"), deleteVPC}, 5},
		{"two gateways for one VPC", false, [2]change{attach("igw-1"), attach("igw-2")}, 5},
		{"the last two VPCs of a quota", false, [2]change{createVPC("vpc-a"), createVPC("vpc-b")}, 2},
		{"an interface, and its subnet's end", true, [2]change{createInterface, deleteSubnet}, 5},
		{"an interface, and its group's end", true, [2]change{createInterface, deleteGroup}, 5},
		{"a rule about a group, and that group's end", true, [2]change{authorize, deleteGroup}, 5},
		{"an association, and its route table's end", true, [2]change{associate, deleteTable}, 5},
	} {
		for order, name := range []string{"", ", the other way round"} {
			t.Run(c.name+name, func(t *testing.T) {
				quotas := vpc.DefaultQuotas
				quotas.VPCs = c.quota
				a, b, interrupt := servers(t, quotas)
				a.makeVPC(t, "vpc-1", "10.0.0.0/16")
				for _, id := range []string{"igw-1", "igw-2"} {
					if _, err := a.CreateGateway(ctx, vpc.GatewaySpec{ID: id, Account: account, Region: reg}); err != nil {
						t.Fatal(err)
					}
				}
				if c.full {
					a.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
					for _, id := range []string{"sg-1", "sg-2"} {
						if _, err := a.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", Name: id}); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := a.CreateRouteTable(ctx, vpc.RouteTableSpec{ID: "rtb-1", Account: account, Region: reg, VPCID: "vpc-1"}); err != nil {
						t.Fatal(err)
					}
				}
				caughtUp(t, a, b)
				var between error
				interrupt(func() { between = c.pair[1-order](b) })
				first := c.pair[order](a)
				if between != nil {
					t.Errorf("the change that came between: got %v", between)
				}
				if first == nil {
					t.Error("the change that was interrupted: got no refusal")
				}
			})
		}
	}
}

func TestAnAddressIsNotLeftBehindByARelease(t *testing.T) {
	// I2: an assignment and the interface's release, each between the other's
	// decision and commit.
	ctx := t.Context()
	for _, c := range []struct {
		name    string
		release bool // is what is interrupted
	}{{"release comes between", false}, {"assignment comes between", true}} {
		t.Run(c.name, func(t *testing.T) {
			a, b, interrupt := servers(t, vpc.Quotas{})
			a.makeVPC(t, "vpc-1", "10.0.0.0/16")
			a.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
			i := a.makeInterface(t, "subnet-1", "node-1")
			caughtUp(t, a, b)
			assign := func(r *room) error {
				_, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, PoolID: "pool", Time: now})
				return err
			}
			if c.release {
				interrupt(func() {
					if err := assign(b); err != nil {
						t.Error(err)
					}
				})
				if err := a.ReleaseServiceInterface(ctx, i.ID); err != nil {
					t.Error(err)
				}
			} else {
				interrupt(func() {
					if err := b.ReleaseServiceInterface(ctx, i.ID); err != nil {
						t.Error(err)
					}
				})
				wantNotFound(t, assign(a), vpc.KindInterface)
			}
			caughtUp(t, b, a)
			n, _ := a.Subnet(a.now(), account, reg, "subnet-1")
			if _, ok := a.AddressOf(a.now(), i.ID); ok || n.Held != 0 || a.pools.taken.Len(a.now()) != 0 {
				t.Errorf("left: an address record %v, %d private and %d public addresses; want nothing", ok, n.Held, a.pools.taken.Len(a.now()))
			}
		})
	}
}

func TestOneAddressForAnInterfaceWhoeverAssignsIt(t *testing.T) {
	// I1, I2: two servers assign at once.
	ctx := t.Context()
	a, b, interrupt := servers(t, vpc.Quotas{})
	a.makeVPC(t, "vpc-1", "10.0.0.0/16")
	a.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	i := a.makeInterface(t, "subnet-1", "node-1")
	caughtUp(t, a, b)
	var between, first vpc.Address
	var err1, err2 error
	interrupt(func() {
		between, err1 = b.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, Time: now})
	})
	first, err2 = a.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, PoolID: "pool", Time: now})
	if err := errors.Join(err1, err2); err != nil || first.Public != between.Public {
		t.Errorf("got %v and %v, %v; want one address", first.Public, between.Public, err)
	}
	if n := a.pools.taken.Len(a.now()); n != 1 {
		t.Errorf("the pools gave %d addresses, want 1", n)
	}
}
