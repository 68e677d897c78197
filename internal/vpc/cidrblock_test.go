package vpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func (r *room) associate(t *testing.T, id, vpcID string, b vpc.BlockSpec) (vpc.CIDRBlock, error) {
	return r.AssociateVPCCIDR(t.Context(), vpc.CIDRSpec{
		AssociationID: id, Account: account, Region: reg, Resource: vpcID, Block: b,
		IPv6: b.Amazon || b.PoolID == "pool-v6" || b.CIDR.Addr().Is6(), Time: now,
	})
}

func (r *room) associateSubnet(t *testing.T, id, subnetID string, b vpc.BlockSpec) (vpc.CIDRBlock, error) {
	return r.AssociateSubnetCIDR(t.Context(), vpc.CIDRSpec{
		AssociationID: id, Account: account, Region: reg, Resource: subnetID, Block: b, IPv6: true, Time: now,
	})
}

// heldBlocks returns what the pools have given.
func (r *room) heldBlocks() []string {
	var held []string
	for _, d := range r.pools.taken.All(r.now()) {
		held = append(held, fmt.Sprint(d.Block, " ", d.AllocationID))
	}
	slices.Sort(held)
	return held
}

func (r *room) wantHeld(t *testing.T, want ...string) {
	t.Helper()
	if got := r.heldBlocks(); !slices.Equal(got, want) {
		t.Errorf("I2: the pools hold %v, want %v", got, want)
	}
}

func TestAVPCDrawsItsCIDRsAndGivesThemBack(t *testing.T) {
	ctx := t.Context()
	r := begin(t)
	v, err := r.CreateVPC(ctx, vpc.VPCSpec{
		ID: "vpc-1", Account: account, Region: reg, PoolID: "pool-v4", NetmaskLength: new(16),
		IPv6: vpc.BlockSpec{Amazon: true}, IPv6AssociationID: "vpc-cidr-assoc-6", Time: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(v.CIDR, v.Blocks[0].CIDR, v.Blocks[0].Amazon); got != "10.32.0.0/16 fdfa:1ead::/56 true" {
		t.Errorf("got %s", got)
	}
	if _, err := r.associate(t, "vpc-cidr-assoc-1", "vpc-1", vpc.BlockSpec{PoolID: "pool-v4", NetmaskLength: new(20)}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.associate(t, "vpc-cidr-assoc-2", "vpc-1", vpc.BlockSpec{CIDR: cidr("10.40.0.0/16"), PoolID: "pool-v4"}); err != nil {
		t.Fatal(err)
	}
	r.wantHeld(t, "10.32.0.0/16 alloc-vpc-1", "10.33.0.0/20 alloc-vpc-1", "10.40.0.0/16 alloc-vpc-1", "fdfa:1ead::/56 alloc-vpc-1")

	if _, b, err := r.DisassociateVPCCIDR(ctx, account, reg, "vpc-cidr-assoc-1"); err != nil || b.CIDR != cidr("10.33.0.0/20") {
		t.Errorf("disassociate: got %v, %v", b, err)
	}
	r.wantHeld(t, "10.32.0.0/16 alloc-vpc-1", "10.40.0.0/16 alloc-vpc-1", "fdfa:1ead::/56 alloc-vpc-1")
	if err := r.DeleteVPC(ctx, account, reg, "vpc-1"); err != nil {
		t.Fatal(err)
	}
	r.wantHeld(t)
}

func TestASubnetDrawsItsCIDRsAndGivesThemBack(t *testing.T) {
	ctx := t.Context()
	r := begin(t)
	r.makeVPC(t, "vpc-1", "10.32.0.0/16")
	if _, err := r.associate(t, "vpc-cidr-assoc-6", "vpc-1", vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(56)}); err != nil {
		t.Fatal(err)
	}
	held := []string{"2001:db8::/56 alloc-vpc-1"}
	n, err := r.CreateSubnet(ctx, vpc.SubnetSpec{
		ID: "subnet-1", Account: account, Region: reg, VPCID: "vpc-1", PoolID: "pool-v4", NetmaskLength: new(24),
		IPv6: vpc.BlockSpec{CIDR: cidr("2001:db8:0:1::/64")}, IPv6AssociationID: "subnet-cidr-assoc-1", Time: now,
	})
	if err != nil || n.CIDR != cidr("10.32.0.0/24") || n.FreeAddresses() != 251 {
		t.Fatalf("got %+v, %v", n, err)
	}
	r.wantHeld(t, append([]string{"10.32.0.0/24 alloc-subnet-1"}, held...)...)
	if _, _, err := r.DisassociateSubnetCIDR(ctx, account, reg, "subnet-cidr-assoc-1"); err != nil {
		t.Error(err)
	}
	if err := r.DeleteSubnet(ctx, account, reg, "subnet-1"); err != nil {
		t.Error(err)
	}
	r.wantHeld(t, held...)
}

func TestWhatIsRefusedTakesNothingFromAPool(t *testing.T) {
	// I10, I2: every refusal comes after the pool has given its block.
	ctx := t.Context()
	pool4 := func(bits int) vpc.VPCSpec {
		return vpc.VPCSpec{ID: "vpc-x", Account: account, Region: reg, PoolID: "pool-v4", NetmaskLength: &bits, Time: now}
	}
	with6 := func(b vpc.BlockSpec) vpc.VPCSpec {
		s := pool4(16)
		s.IPv6 = b
		return s
	}
	for _, c := range []struct {
		name  string
		spec  vpc.VPCSpec
		fault vpc.Fault
	}{
		{"a VPC larger than a /16", pool4(15), vpc.InvalidVPCRange},
		{"a VPC smaller than a /28", pool4(29), vpc.InvalidVPCRange},
		{"a VPC with an IPv6 CIDR for its IPv4 one", vpc.VPCSpec{ID: "vpc-x", Account: account, Region: reg, PoolID: "pool-v6", NetmaskLength: new(56)}, vpc.InvalidVPCRange},
		{"an IPv6 CIDR between the steps", with6(vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(54)}), vpc.InvalidVPCRange},
		{"an IPv6 CIDR that is too small", with6(vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(64)}), vpc.InvalidVPCRange},
		{"one pool for both families", with6(vpc.BlockSpec{PoolID: "pool-v4", NetmaskLength: new(56)}), vpc.InvalidValue},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t)
			_, err := r.CreateVPC(ctx, c.spec)
			wantFault(t, err, c.fault)
			r.wantHeld(t)
		})
	}
	t.Run("a dry run", func(t *testing.T) {
		r := begin(t)
		verdict := errors.New("would have succeeded")
		_, err := r.DryRun(func() error { return verdict }).CreateVPC(ctx, with6(vpc.BlockSpec{Amazon: true}))
		if !errors.Is(err, verdict) {
			t.Errorf("got %v", err)
		}
		r.wantHeld(t)
		if _, ok := r.VPC(r.now(), account, reg, "vpc-x"); ok {
			t.Error("the VPC was made")
		}
	})
	t.Run("a region without IPv6 CIDRs", func(t *testing.T) {
		r := begin(t)
		delete(r.pools.pools, "provider6-"+reg)
		for _, spec := range []vpc.VPCSpec{with6(vpc.BlockSpec{Amazon: true}), {ID: "vpc-x", Account: account, Region: reg, CIDR: cidr("10.0.0.0/16"), IPv6: vpc.BlockSpec{Amazon: true}}} {
			_, err := r.CreateVPC(ctx, spec)
			wantFault(t, err, vpc.NoCapacity)
		}
		r.wantHeld(t)
	})
	t.Run("a subnet from a pool of other addresses than its VPC's", func(t *testing.T) {
		r := begin(t)
		r.makeVPC(t, "vpc-1", "10.0.0.0/16")
		_, err := r.CreateSubnet(ctx, vpc.SubnetSpec{ID: "subnet-1", Account: account, Region: reg, VPCID: "vpc-1", PoolID: "pool-v4", NetmaskLength: new(24)})
		wantFault(t, err, vpc.InvalidSubnetRange)
		r.wantHeld(t)
	})
}

func TestRulesAboutTheCIDRsOfAVPC(t *testing.T) {
	// Amazon VPC, VPC CIDR blocks: sizes, overlaps, routes, five per family.
	ctx := t.Context()
	r := begin(t)
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	if _, err := r.CreateGateway(ctx, vpc.GatewaySpec{ID: "igw-1", Account: account, Region: reg}); err != nil {
		t.Fatal(err)
	}
	if err := r.AttachGateway(ctx, account, reg, "igw-1", "vpc-1"); err != nil {
		t.Fatal(err)
	}
	route := vpc.Route{Destination: cidr("10.2.0.0/24"), GatewayID: "igw-1"}
	if err := r.CreateRoute(ctx, account, reg, r.mainTable("vpc-1").ID, route); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name string
		b    vpc.BlockSpec
		want vpc.Fault // 0: none
	}{
		{"larger than a /16", vpc.BlockSpec{CIDR: cidr("10.4.0.0/15")}, vpc.InvalidVPCRange},
		{"smaller than a /28", vpc.BlockSpec{CIDR: cidr("10.4.0.0/29")}, vpc.InvalidVPCRange},
		{"the primary one again", vpc.BlockSpec{CIDR: cidr("10.0.0.0/16")}, vpc.InvalidVPCRange},
		{"a part of the primary one", vpc.BlockSpec{CIDR: cidr("10.0.8.0/24")}, vpc.InvalidVPCRange},
		{"over a route's destination", vpc.BlockSpec{CIDR: cidr("10.2.0.0/16")}, vpc.InvalidVPCRange},
		{"a route's destination", vpc.BlockSpec{CIDR: cidr("10.2.0.0/24")}, vpc.InvalidVPCRange},
		{"within a route's destination", vpc.BlockSpec{CIDR: cidr("10.2.0.0/25")}, 0},
		{"next to it", vpc.BlockSpec{CIDR: cidr("10.1.0.0/16")}, 0},
		{"with host bits", vpc.BlockSpec{CIDR: cidr("100.68.0.18/18")}, 0},
		{"the one with host bits again", vpc.BlockSpec{CIDR: cidr("100.68.0.0/18")}, vpc.InvalidVPCRange},
		{"the fifth", vpc.BlockSpec{CIDR: cidr("192.168.0.0/16")}, 0},
		{"the sixth", vpc.BlockSpec{CIDR: cidr("172.16.0.0/16")}, vpc.LimitExceeded},
		{"IPv6, which counts by itself", vpc.BlockSpec{Amazon: true}, 0},
		{"IPv6 again", vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(44)}, 0},
		{"IPv6 between the steps", vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(46)}, vpc.InvalidVPCRange},
	} {
		_, err := r.associate(t, fmt.Sprint("vpc-cidr-assoc-", i), "vpc-1", c.b)
		if c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, &vpc.Error{Fault: c.want}) {
			t.Errorf("%s: got %v, want fault %d", c.name, err, c.want)
		}
	}
	var got []string
	v, _ := r.VPC(r.now(), account, reg, "vpc-1")
	for _, b := range v.CIDRs() {
		got = append(got, b.CIDR.String())
	}
	if want := "[10.0.0.0/16 10.2.0.0/25 10.1.0.0/16 100.68.0.0/18 192.168.0.0/16 fdfa:1ead::/56 2001:db8::/44]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}

	// Subnets may lie in any of them, and hold it.
	r.makeSubnet(t, "subnet-1", "vpc-1", "100.68.1.0/24")
	_, _, err := r.DisassociateVPCCIDR(ctx, account, reg, "vpc-cidr-assoc-8")
	wantFault(t, err, vpc.Dependency)
	_, _, err = r.DisassociateVPCCIDR(ctx, account, reg, v.CIDRs()[0].AssociationID)
	wantFault(t, err, vpc.NotPermitted)
	_, _, err = r.DisassociateVPCCIDR(ctx, stranger, reg, "vpc-cidr-assoc-8")
	wantNotFound(t, err, vpc.KindCIDRBlock)
	_, err = r.associate(t, "vpc-cidr-assoc-x", "vpc-9", vpc.BlockSpec{CIDR: cidr("10.5.0.0/16")})
	wantNotFound(t, err, vpc.KindVPC)

	// Every CIDR is a local route of every table.
	routes := r.Routes(r.now(), r.mainTable("vpc-1"))
	if len(routes) != 8 || !routes[6].Local || routes[7] != route {
		t.Errorf("routes: got %+v, want the seven CIDRs and the one that was made", routes)
	}
}

func TestRulesAboutTheCIDRsOfASubnet(t *testing.T) {
	ctx := t.Context()
	r := begin(t)
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	if _, err := r.associate(t, "vpc-cidr-assoc-6", "vpc-1", vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(44)}); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name   string
		v4, v6 string
		want   vpc.Fault // 0: none
	}{
		{"a /64", "10.0.0.0/24", "2001:db8::/64", 0},
		{"the same /64", "10.0.1.0/24", "2001:db8::/64", vpc.SubnetConflict},
		{"one around it", "10.0.1.0/24", "2001:db8::/60", vpc.SubnetConflict},
		{"the whole VPC", "10.0.1.0/24", "2001:db8::/44", vpc.SubnetConflict},
		{"between the steps", "10.0.1.0/24", "2001:db8:0:8::/62", vpc.InvalidSubnetRange},
		{"too small", "10.0.1.0/24", "2001:db8:0:8::/68", vpc.InvalidSubnetRange},
		{"outside the VPC", "10.0.1.0/24", "2001:db8:f0::/64", vpc.InvalidSubnetRange},
		{"a /48", "10.0.1.0/24", "2001:db8:1::/48", 0},
		{"the same IPv4 CIDR", "10.0.1.0/24", "2001:db8:2::/64", vpc.SubnetConflict},
	} {
		_, err := r.CreateSubnet(ctx, vpc.SubnetSpec{
			ID: fmt.Sprint("subnet-", i), Account: account, Region: reg, VPCID: "vpc-1", CIDR: cidr(c.v4),
			IPv6: vpc.BlockSpec{CIDR: cidr(c.v6)}, IPv6AssociationID: fmt.Sprint("subnet-cidr-assoc-", i),
		})
		if c.want == 0 && err != nil || c.want != 0 && !errors.Is(err, &vpc.Error{Fault: c.want}) {
			t.Errorf("%s: got %v, want fault %d", c.name, err, c.want)
		}
	}
	_, err := r.associateSubnet(t, "subnet-cidr-assoc-x", "subnet-0", vpc.BlockSpec{CIDR: cidr("2001:db8:3::/64")})
	wantFault(t, err, vpc.LimitExceeded)
	r.makeSubnet(t, "subnet-x", "vpc-1", "10.0.9.0/24")
	_, err = r.associateSubnet(t, "subnet-cidr-assoc-x", "subnet-x", vpc.BlockSpec{CIDR: cidr("2001:db8:1:8::/64")})
	wantFault(t, err, vpc.SubnetConflict)
	_, err = r.associateSubnet(t, "subnet-cidr-assoc-x", "subnet-x", vpc.BlockSpec{PoolID: "pool-v4", NetmaskLength: new(24)})
	wantFault(t, err, vpc.InvalidSubnetRange)

	// What a subnet without IPv6 can't do, and what goes with the last CIDR.
	wantFault(t, r.ModifySubnet(ctx, account, reg, "subnet-x", vpc.SubnetChange{AssignIPv6: new(true)}), vpc.InvalidValue)
	if err := r.ModifySubnet(ctx, account, reg, "subnet-0", vpc.SubnetChange{AssignIPv6: new(true)}); err != nil {
		t.Error(err)
	}
	if _, _, err := r.DisassociateSubnetCIDR(ctx, account, reg, "subnet-cidr-assoc-0"); err != nil {
		t.Error(err)
	}
	if n, _ := r.Subnet(r.now(), account, reg, "subnet-0"); n.AssignIPv6 || len(n.Blocks) > 0 {
		t.Errorf("after its IPv6 CIDR went: %+v", n)
	}
	_, _, err = r.DisassociateSubnetCIDR(ctx, account, reg, "subnet-cidr-assoc-0")
	wantNotFound(t, err, vpc.KindSubnetCIDRBlock)
	_, _, err = r.DisassociateVPCCIDR(ctx, account, reg, "vpc-cidr-assoc-6")
	wantFault(t, err, vpc.Dependency)
}

// batching commits two draws as one transaction, as a pool's writer does with
// what queued up, and gives those that don't fit one of their own.
type batching struct {
	*fakePools
	mu     sync.Mutex
	queued []*draw
}

type draw struct {
	want   vpc.Want
	record func(*store.Tx, vpc.Drawn) error
	done   chan error
}

func (b *batching) Draw(ctx context.Context, w vpc.Want, record func(*store.Tx, vpc.Drawn) error) error {
	d := &draw{w, record, make(chan error, 1)}
	b.mu.Lock()
	b.queued = append(b.queued, d)
	batch := b.queued
	if len(batch) == 2 {
		b.queued = nil
	}
	b.mu.Unlock()
	if len(batch) == 2 {
		b.commit(ctx, batch)
	}
	return <-d.done
}

func (b *batching) commit(ctx context.Context, batch []*draw) {
	var later []*draw
	errs := make([]error, len(batch))
	err := b.st.Update(ctx, func(tx *store.Tx) error {
		later = nil
		for i, d := range batch {
			errs[i] = tx.Try(func() error {
				drawn, err := b.DrawWithin(tx, d.want)
				if err != nil {
					return err
				}
				return d.record(tx, drawn)
			})
			if i > 0 && errors.Is(errs[i], store.ErrTooLarge) {
				later = append(later, d)
			}
		}
		return nil
	})
	for i, d := range batch {
		if slices.Contains(later, d) {
			continue
		}
		d.done <- errors.Join(err, errs[i])
	}
	if len(later) > 0 {
		b.commit(ctx, later)
	}
}

func TestDrawsThatShareATransactionKeepTheRules(t *testing.T) {
	// In one transaction the indexes don't show what the other draw has made.
	ctx := t.Context()
	for _, c := range []struct {
		name string
		make func(r *room, n int) error
		want vpc.Fault
	}{
		{"two subnets with one IPv6 CIDR", func(r *room, n int) error {
			_, err := r.CreateSubnet(ctx, vpc.SubnetSpec{
				ID: fmt.Sprint("subnet-", n), Account: account, Region: reg, VPCID: "vpc-1", PoolID: "pool-v4", NetmaskLength: new(24),
				IPv6: vpc.BlockSpec{CIDR: cidr("2001:db8::/64")}, IPv6AssociationID: fmt.Sprint("subnet-cidr-assoc-", n),
			})
			return err
		}, vpc.SubnetConflict},
		{"the last VPC of a quota", func(r *room, n int) error {
			_, err := r.CreateVPC(ctx, vpc.VPCSpec{ID: fmt.Sprint("vpc-new-", n), Account: account, Region: reg, PoolID: "pool-v4", NetmaskLength: new(24)})
			return err
		}, vpc.LimitExceeded},
		{"the last CIDR of a quota", func(r *room, n int) error {
			_, err := r.associate(t, fmt.Sprint("vpc-cidr-assoc-", n), "vpc-1", vpc.BlockSpec{Amazon: true})
			return err
		}, vpc.LimitExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			quotas := vpc.DefaultQuotas
			quotas.VPCs, quotas.CIDRs = 2, 2
			r := newRoom(t, memstore.New(), quotas, func(p *fakePools) vpc.Pools { return &batching{fakePools: p} })
			r.makeVPC(t, "vpc-1", "10.32.0.0/16")
			if _, err := r.associate(t, "vpc-cidr-assoc-6", "vpc-1", vpc.BlockSpec{CIDR: cidr("2001:db8::/44")}); err != nil {
				t.Fatal(err)
			}
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for n := range errs {
				wg.Go(func() { errs[n] = c.make(r, n) })
			}
			wg.Wait()
			failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
			if len(failed) != 1 || !errors.Is(failed[0], &vpc.Error{Fault: c.want}) {
				t.Errorf("got %v, want one to succeed and one fault %d", failed, c.want)
			}
		})
	}
}
