package server

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/fsck"
	"github.com/fairlead/fairlead/internal/ipam"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
)

func text(r fsck.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s %s: %s: %s [%s] %s", f.Invariant, f.Kind, f.Where, f.What, f.Repair, f.Outcome)
	}
	return b.String()
}

func TestWhatTheRoomsDoFitsTogether(t *testing.T) {
	e := newEstate(t)
	out := e.checker(0).Check(time.Now())
	if out.Left != 0 || len(out.NotChecked) != 0 {
		t.Errorf("got %d findings, %v not checked:%s", out.Left, out.NotChecked, text(out))
	}
	if out.Pools < 9 || out.CIDRs < 9 || out.Held < 11 || out.Addresses != 3 || out.Interfaces != 1 || out.Counters == 0 {
		t.Errorf("looked at %+v, want all there is", out)
	}
}

// I1, I2, I5: every kind of damage is found by its name, and a repair mends what
// it may and leaves the rest as it is.
func TestDamageIsFoundAndMended(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(e *estate)
		want   []fsck.Kind
		mended bool
	}{
		{"a block over another", func(e *estate) { e.block(e.child, "10.64.0.128/25", holder(ipam.Custom, "")) }, []fsck.Kind{fsck.Overlap, fsck.Sum, fsck.Told}, false},
		{"a block around others", func(e *estate) {
			e.block(e.child, "10.64.8.64/26", holder(ipam.Custom, ""))
			e.block(e.child, "10.64.8.0/24", holder(ipam.Custom, ""))
		}, []fsck.Kind{fsck.Overlap, fsck.Sum, fsck.Told}, false},
		{"a block outside of the pool", func(e *estate) { e.block(e.child, "10.65.0.0/24", holder(ipam.Custom, "")) }, []fsck.Kind{fsck.Outside, fsck.Told}, false},
		{"a block wider than the pool", func(e *estate) {
			e.block(e.carved, "127.65.0.0/29", holder(ipam.Custom, ""))
		}, []fsck.Kind{fsck.Outside, fsck.Told}, false},
		{"a block with bits beyond its length", func(e *estate) {
			e.editBlock(e.child, e.custom.Addr().String(), func(a *ipam.Allocation) { a.CIDR = netip.PrefixFrom(a.CIDR.Addr(), 23) })
		}, []fsck.Kind{fsck.Misfiled, fsck.Sum, fsck.Told, fsck.LedgerLags}, false},
		{"a block held in a CIDR that leaves", func(e *estate) {
			edit(e, "ipam.cidr", e.cidrID(e.pool), func(c *ipam.PoolCIDR) { c.State = ipam.PendingDeprovision })
		}, []fsck.Kind{fsck.Unusable}, false},
		{"a block held in a CIDR whose notice period isn't over", func(e *estate) {
			e.block(e.noticed, "10.96.0.0/24", holder(ipam.Custom, ""))
		}, []fsck.Kind{fsck.Unusable, fsck.Told}, false},
		{"a CIDR in another of its pool", func(e *estate) {
			e.write("ipam.cidr", "ipam-pool-cidr-2", ipam.PoolCIDR{ID: "ipam-pool-cidr-2", PoolID: e.top, CIDR: netip.MustParsePrefix("10.72.0.0/14"), State: ipam.Provisioned})
		}, []fsck.Kind{fsck.Overlap, fsck.Domain}, false},
		{"two allocations with one number", func(e *estate) {
			e.editBlock(e.child, e.custom.Addr().String(), func(a *ipam.Allocation) { a.Seq-- })
		}, []fsck.Kind{fsck.Sequence}, false},

		{"a ledger behind", func(e *estate) { edit(e, "ipam.ledger", e.child, func(l *ipam.Ledger) { l.Seq, l.CIDRSeq = 1, 1 }) }, []fsck.Kind{fsck.LedgerLags}, true},
		{"a ledger without a length", func(e *estate) { edit(e, "ipam.ledger", e.child, func(l *ipam.Ledger) { l.Lengths = []int{24} }) }, []fsck.Kind{fsck.LedgerLags}, true},
		{"no ledger", func(e *estate) { e.write("ipam.ledger", e.child, nil) }, []fsck.Kind{fsck.LedgerLags}, true},
		{"a ledger without a pool", func(e *estate) { e.write("ipam.ledger", "ipam-pool-gone", ipam.Ledger{Seq: 3}) }, []fsck.Kind{fsck.NoPool}, true},
		{"a CIDR without a pool", func(e *estate) {
			e.write("ipam.cidr", "ipam-pool-cidr-2", ipam.PoolCIDR{ID: "ipam-pool-cidr-2", PoolID: "ipam-pool-gone", State: ipam.Provisioned})
		}, []fsck.Kind{fsck.NoPool}, false},

		{"a CIDR that failed, without a pool", func(e *estate) {
			e.write("ipam.cidr", "ipam-pool-cidr-2", ipam.PoolCIDR{ID: "ipam-pool-cidr-2", PoolID: "ipam-pool-gone", State: ipam.FailedProvision})
		}, []fsck.Kind{fsck.NoPool}, true},

		{"a routing domain that doesn't know a CIDR", func(e *estate) { e.write("ipam.span", blockKey(e.private+"/ipv4", "10.64.0.0"), nil) }, []fsck.Kind{fsck.Domain}, true},
		{"a routing domain that keeps a CIDR for nobody", func(e *estate) {
			e.write("ipam.span", blockKey("public/ipv4", "203.0.113.0"), map[string]string{"PoolID": e.pool, "CIDR": "203.0.113.0/24"})
		}, []fsck.Kind{fsck.Domain}, true},
		{"a routing domain that keeps a CIDR for two", func(e *estate) {
			e.write("ipam.span", blockKey(e.private+"/ipv4", "10.66.0.0"), map[string]string{"PoolID": e.child, "CIDR": "10.66.0.0/16"})
		}, []fsck.Kind{fsck.Domain, fsck.Overlap}, true},
		{"a child pool's CIDR that its source doesn't know", func(e *estate) { e.dropBlock(e.top, "10.64.0.0") }, []fsck.Kind{fsck.Source}, false},
		{"a child pool's CIDR that its source has for another", func(e *estate) {
			e.editBlock(e.top, "10.64.0.0", func(a *ipam.Allocation) { a.Holder.ResourceID = e.carved })
		}, []fsck.Kind{fsck.Source, fsck.Orphan}, false},

		{"a planned CIDR that is kept for nobody", func(e *estate) { e.write("ipam.cidr", e.cidrID(e.plan), nil) },
			[]fsck.Kind{fsck.Domain, fsck.Outside, fsck.Told}, false},
		{"a planned CIDR that isn't kept", func(e *estate) { e.write("ipam.span", blockKey(e.vpc+"/ipv4", "10.0.0.0"), nil) }, []fsck.Kind{fsck.Domain}, true},
		{"a public pool's CIDR that its IPAM pool doesn't know", func(e *estate) { e.dropBlock(e.pool, "192.0.2.148") }, []fsck.Kind{fsck.Source}, false},
		{"a public pool that is gone", func(e *estate) {
			e.block(e.pool, "192.0.2.146/31", holder(ipam.PublicIPv4Pool, "ipv4pool-ec2-gone"))
		}, []fsck.Kind{fsck.Orphan}, true},
		{"a public pool that hasn't the CIDR", func(e *estate) { e.block(e.pool, "192.0.2.146/31", holder(ipam.PublicIPv4Pool, e.public)) }, []fsck.Kind{fsck.Orphan}, true},
		{"an address of a public pool that isn't allocated", func(e *estate) { e.dropBlock(e.public, "192.0.2.148") }, []fsck.Kind{fsck.Unallocated}, false},

		{"an elastic IP that is gone", func(e *estate) { e.block(e.pool, "192.0.2.146/32", holder(ipam.EIP, "eipalloc-gone")) }, []fsck.Kind{fsck.Orphan}, true},
		{"an elastic IP that has another address", func(e *estate) { e.block(e.pool, "192.0.2.146/32", holder(ipam.EIP, e.address)) }, []fsck.Kind{fsck.Orphan}, true},
		{"a VPC that is gone", func(e *estate) { e.block(e.child, "10.64.8.0/24", holder(ipam.VPC, "vpc-gone")) }, []fsck.Kind{fsck.Orphan}, true},
		{"a VPC that hasn't the CIDR", func(e *estate) { e.block(e.child, "10.64.8.0/24", holder(ipam.VPC, e.vpc)) }, []fsck.Kind{fsck.Orphan}, true},
		{"a VPC that has a part of the CIDR", func(e *estate) {
			edit(e, "vpc.vpc", e.drawn, func(v *vpc.VPC) { v.CIDR = netip.MustParsePrefix("10.64.0.0/25") })
		}, []fsck.Kind{fsck.Dispute}, false},
		{"a subnet that is gone", func(e *estate) { e.block(e.child, "10.64.8.0/24", holder(ipam.Subnet, "subnet-gone")) }, []fsck.Kind{fsck.Orphan}, true},
		{"a subnet that hasn't the CIDR", func(e *estate) { e.block(e.plan, "10.0.8.0/24", holder(ipam.Subnet, e.planned)) }, []fsck.Kind{fsck.Orphan}, true},
		{"a planned subnet whose allocation is another's", func(e *estate) {
			e.editBlock(e.plan, "10.0.1.0", func(a *ipam.Allocation) { a.Holder.ResourceID = "subnet-gone" })
		}, []fsck.Kind{fsck.Dispute, fsck.Orphan}, false},
		{"a child pool that is gone", func(e *estate) { e.block(e.top, "10.72.0.0/16", holder(ipam.ChildPool, "ipam-pool-gone")) }, []fsck.Kind{fsck.Orphan}, true},
		{"a child pool that hasn't the CIDR", func(e *estate) { e.block(e.top, "10.72.0.0/16", holder(ipam.ChildPool, e.child)) }, []fsck.Kind{fsck.Orphan}, true},
		{"a block staged for no import", func(e *estate) {
			e.editBlock(e.child, e.custom.Addr().String(), func(a *ipam.Allocation) { a.State = ipam.Staged })
		}, []fsck.Kind{fsck.Orphan}, true},
		{"an allocation in a pool that is gone", func(e *estate) {
			e.write("ipam.allocation", blockKey("ipam-pool-gone", "10.0.0.0"), ipam.Allocation{CIDR: netip.MustParsePrefix("10.0.0.0/24"), Holder: holder(ipam.VPC, "vpc-gone")})
		}, []fsck.Kind{fsck.NoPool, fsck.Orphan}, true},

		{"an address that isn't allocated", func(e *estate) { e.dropBlock(e.pool, "192.0.2.144") }, []fsck.Kind{fsck.Unallocated}, false},
		{"an address that cools", func(e *estate) {
			e.editBlock(e.pool, "192.0.2.144", func(a *ipam.Allocation) { a.State, a.Until = ipam.Cooling, time.Now().Add(time.Hour) })
		}, []fsck.Kind{fsck.Unallocated}, false},
		{"an address by a later allocation", func(e *estate) {
			e.editBlock(e.pool, "192.0.2.144", func(a *ipam.Allocation) { a.Seq-- })
		}, []fsck.Kind{fsck.Unallocated, fsck.Dispute}, false},
		{"an address whose allocation is another's", func(e *estate) {
			e.editBlock(e.pool, "192.0.2.144", func(a *ipam.Allocation) { a.Holder.ResourceID = e.free })
		}, []fsck.Kind{fsck.Dispute, fsck.Orphan}, false},
		{"an orphan over an address that isn't allocated", func(e *estate) {
			e.dropBlock(e.pool, "192.0.2.144")
			e.block(e.pool, "192.0.2.144/30", holder(ipam.EIP, "eipalloc-gone"))
		}, []fsck.Kind{fsck.Unallocated, fsck.Orphan}, false},
		{"an address other than the drawn one", func(e *estate) {
			edit(e, "vpc.address", e.address, func(a *vpc.Address) { a.Public = netip.MustParseAddr("192.0.2.145") })
		}, []fsck.Kind{fsck.Dispute}, false},
		{"a VPC whose allocation is another's", func(e *estate) {
			e.editBlock(e.child, "10.64.0.0", func(a *ipam.Allocation) { a.Holder.ResourceID = "vpc-gone" })
		}, []fsck.Kind{fsck.Dispute, fsck.Orphan}, false},

		{"an address without its interface", func(e *estate) { e.write("vpc.interface", e.eni, nil) }, []fsck.Kind{fsck.Association, fsck.Count}, false},
		{"an interface without its address", func(e *estate) {
			edit(e, "vpc.address", e.address, func(a *vpc.Address) { a.InterfaceID = "" })
		}, []fsck.Kind{fsck.Association}, false},
		{"an interface out of its subnet", func(e *estate) {
			edit(e, "vpc.interface", e.eni, func(i *vpc.Interface) { i.Secondary[0].Addr = netip.MustParseAddr("10.0.0.77") })
		}, []fsck.Kind{fsck.Misplaced, fsck.Count}, false},
		{"an IPv6 address that isn't in its subnet's block", func(e *estate) {
			edit(e, "vpc.interface", e.eni, func(i *vpc.Interface) { i.IPv6.Addr = netip.MustParseAddr("2001:db8::4") })
		}, []fsck.Kind{fsck.Misplaced}, false},
		{"two interfaces with one address", func(e *estate) {
			e.write("vpc.interface", "eni-2", vpc.Interface{ID: "eni-2", SubnetID: e.subnet, Private: netip.MustParseAddr("10.0.0.5")})
		}, []fsck.Kind{fsck.Overlap}, false},
		{"an interface whose node is gone", func(e *estate) {
			edit(e, "vpc.interface", e.eni, func(i *vpc.Interface) { i.Owner = "node-gone" })
		}, []fsck.Kind{fsck.OrphanENI}, false},
		{"a node without its interface", func(e *estate) {
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb"})
			e.write("elb.node", "node-1", elb.Node{ID: "node-1", LoadBalancerARN: "arn:lb", Phase: elb.NodeInService, InterfaceID: "eni-gone"})
		}, []fsck.Kind{fsck.BareNode}, false},
		{"a node of another's interface", func(e *estate) {
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb", Scheme: elb.Internal})
			e.write("elb.node", "node-1", elb.Node{ID: "node-1", LoadBalancerARN: "arn:lb", Phase: elb.NodeStarting, InterfaceID: e.eni, Private: netip.MustParseAddr("10.0.0.4")})
		}, []fsck.Kind{fsck.BareNode}, false},
		{"a node that faces the internet without a public address", func(e *estate) {
			edit(e, "vpc.interface", e.eni, func(i *vpc.Interface) { i.Owner = "node-1" })
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb", Scheme: elb.InternetFacing})
			e.write("elb.node", "node-1", elb.Node{ID: "node-1", LoadBalancerARN: "arn:lb", Phase: elb.NodeStarting, InterfaceID: e.eni, Private: netip.MustParseAddr("10.0.0.4")})
		}, []fsck.Kind{fsck.BareNode}, false},
		{"a node with another public address than its interface", func(e *estate) {
			edit(e, "vpc.interface", e.eni, func(i *vpc.Interface) { i.Owner = "node-1" })
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb"})
			e.write("elb.node", "node-1", elb.Node{ID: "node-1", LoadBalancerARN: "arn:lb", Phase: elb.NodeInService, InterfaceID: e.eni,
				Private: netip.MustParseAddr("10.0.0.4"), Public: netip.MustParseAddr("192.0.2.150")})
		}, []fsck.Kind{fsck.BareNode}, false},
		{"a node with an IPv6 address that its interface hasn't", func(e *estate) {
			edit(e, "vpc.interface", e.eni, func(i *vpc.Interface) { i.Owner = "node-1" })
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb", Scheme: elb.Internal})
			e.write("elb.node", "node-1", elb.Node{ID: "node-1", LoadBalancerARN: "arn:lb", Phase: elb.NodeInService, InterfaceID: e.eni,
				Private: netip.MustParseAddr("10.0.0.4"), IPv6: elb.NodeIPv6{Addr: netip.MustParseAddr("2001:db8::4"), Phase: elb.NodeInService}})
		}, []fsck.Kind{fsck.BareNode}, false},
		{"a node without a load balancer", func(e *estate) {
			e.write("elb.node", "node-1", elb.Node{ID: "node-1", LoadBalancerARN: "arn:gone", Phase: elb.NodeProvisioning})
		}, []fsck.Kind{fsck.BareNode}, false},

		{"a block reserved for a load balancer that is gone", func(e *estate) { e.reserve("arn:gone") }, []fsck.Kind{fsck.Orphan}, true},
		{"a block reserved for a load balancer that doesn't know it", func(e *estate) {
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb"})
			e.reserve("arn:lb")
		}, []fsck.Kind{fsck.Orphan}, true},
		{"a load balancer whose block is another's", func(e *estate) {
			k := e.reserve("arn:other")
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb", Leaving: []elb.Block{k}})
			e.write("elb.loadbalancer", "arn:other", elb.LoadBalancer{ARN: "arn:other", Block: &k})
		}, []fsck.Kind{fsck.Unallocated}, false},
		{"a load balancer whose block is gone", func(e *estate) {
			e.write("elb.loadbalancer", "arn:lb", elb.LoadBalancer{ARN: "arn:lb", Block: &elb.Block{ID: "reserved-gone", PoolID: e.pool, CIDR: netip.MustParsePrefix("192.0.2.146/31")}})
		}, []fsck.Kind{fsck.Unallocated}, false},

		{"a scope that counts wrongly", func(e *estate) { edit(e, "ipam.scope", e.private, func(s *ipam.Scope) { s.PoolCount = 9 }) }, []fsck.Kind{fsck.Count}, true},
		{"a scope that counts blocks of the provider's wrongly", func(e *estate) {
			edit(e, "ipam.scope", e.publicScope, func(s *ipam.Scope) { s.AmazonBlocks = 0 })
		}, []fsck.Kind{fsck.Count}, true},
		{"an IPAM that counts wrongly", func(e *estate) {
			i, _ := e.rooms[0].ipam.IPAMIn(e.rooms[0].store.Snapshot(), tenant, locale)
			edit(e, "ipam.ipam", i.ID, func(i *ipam.IPAM) { i.ExtraScopes = 3 })
		}, []fsck.Kind{fsck.Count}, true},
		{"an IPAM that counts its policies and tokens wrongly", func(e *estate) {
			edit(e, "ipam.ipam", e.manager, func(i *ipam.IPAM) { i.Policies, i.Tokens = 3, 1 })
		}, []fsck.Kind{fsck.Count}, true},
		{"a subnet that counts wrongly", func(e *estate) { edit(e, "vpc.subnet", e.subnet, func(n *vpc.Subnet) { n.Held = 11 }) }, []fsck.Kind{fsck.Count}, true},
		{"a subnet's address marked free that is taken", func(e *estate) { e.write("vpc.host-page", e.subnet+"/0", nil) }, []fsck.Kind{fsck.Count}, true},
		{"a subnet's addresses marked taken that are free", func(e *estate) {
			e.write("vpc.host-page", e.subnet+"/0", [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)})
		}, []fsck.Kind{fsck.Count}, true},
		{"pages of a subnet that is gone", func(e *estate) { e.write("vpc.host-page", "subnet-gone/0", [4]uint64{1, 0, 0, 0}) }, []fsck.Kind{fsck.Count}, true},
		{"an account's addresses counted wrongly", func(e *estate) {
			edit(e, "vpc.region", tenant+"/"+locale, func(r *map[string]any) { (*r)["Addresses"] = 4 })
		}, []fsck.Kind{fsck.Count}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEstate(t)
			c.damage(e)
			checker := e.checker(0)
			out := checker.Check(time.Now())
			for _, k := range c.want {
				if !slices.ContainsFunc(out.Findings, func(f fsck.Finding) bool { return f.Kind == k }) {
					t.Errorf("%s isn't among the findings:%s", k, text(out))
				}
			}
			for _, f := range out.Findings {
				if !slices.Contains(c.want, f.Kind) {
					t.Errorf("found %s, too: %s: %s", f.Kind, f.Where, f.What)
				}
			}
			before := holdings(e)
			out = checker.Repair(t.Context(), time.Now())
			if mended := out.Left == 0; mended != c.mended {
				t.Errorf("mended: %v, want %v; after the repair there is%s", mended, c.mended, text(checker.Check(time.Now())))
			}
			if out.Repaired == 0 && c.mended {
				t.Errorf("it says that nothing was repaired:%s", text(out))
			}
			if after := holdings(e); !slices.Equal(before, after) {
				t.Errorf("I2: what lives held %v, and after the repair %v", before, after)
			}
		})
	}
}

// holdings is what is allocated of what living things say they have.
func holdings(e *estate) []string {
	var held []string
	r := e.rooms[0]
	snap := r.store.Snapshot()
	note := func(who, pool string, cidr netip.Prefix) {
		if b, ok := (poolBooks{r.ipam}).Block(snap, pool, cidr.Addr()); ok && b.State == fsck.Held {
			held = append(held, who+" "+b.CIDR.String())
		}
	}
	for c := range (networkBooks{r.vpc}).Claims(snap) {
		note(c.Who, c.Ref.PoolID, c.Ref.CIDR)
	}
	for c := range (poolBooks{r.ipam}).CIDRs(snap) {
		if !strings.HasPrefix(c.PoolID, "reserved-") { // which lives by its load balancer
			note(c.PoolID, c.Source, c.CIDR)
		}
	}
	slices.Sort(held)
	return held
}

// I2: what has no holder is released once it has stood so for a while, and no
// sooner.
func TestAnOrphanIsReleasedAfterAGracePeriod(t *testing.T) {
	e := newEstate(t)
	e.block(e.pool, "192.0.2.146/32", holder(ipam.EIP, "eipalloc-gone"))
	checker, begin := e.checker(10*time.Minute), time.Now()
	for _, c := range []struct {
		at   time.Duration
		left int
		want string
	}{
		{0, 1, "waits: it has stood for 0s, and must for 10m0s"},
		{9 * time.Minute, 1, "waits: it has stood for 9m0s, and must for 10m0s"},
		{10 * time.Minute, 0, "repaired"},
	} {
		out := checker.Repair(t.Context(), begin.Add(c.at))
		if len(out.Findings) != 1 || out.Findings[0].Outcome != c.want || out.Left != c.left || !out.Findings[0].Since.Equal(begin) {
			t.Errorf("after %s: %d left:%s\nwant %d left, %q", c.at, out.Left, text(out), c.left, c.want)
		}
	}
	e.block(e.pool, "192.0.2.146/32", holder(ipam.EIP, "eipalloc-gone"))
	if out := checker.Repair(t.Context(), begin.Add(time.Hour)); out.Left != 1 {
		t.Errorf("a later one is released with the patience that the first had used up:%s", text(out))
	}
}

// I1: a repair that was decided on before a block has gone to somebody else
// leaves it alone, and so does one whose holder has come to life.
func TestARepairIsDecidedAnewInItsTransaction(t *testing.T) {
	for name, change := range map[string]func(e *estate){
		"the block has a later holder": func(e *estate) {
			e.dropBlock(e.pool, "192.0.2.146")
			var out shapes.AllocateAddressOutput
			for range 2 { // .145, and then .146
				e.must(e.t, "AllocateAddress", &shapes.AllocateAddressInput{IpamPoolId: &e.pool}, &out)
			}
			if *out.PublicIp != "192.0.2.146" {
				e.t.Fatalf("got %s", *out.PublicIp)
			}
		},
		"the holder is there": func(e *estate) {
			a, _ := e.rooms[0].ipam.BookedAt(e.rooms[0].store.Snapshot(), e.pool, netip.MustParseAddr("192.0.2.146"))
			e.write("vpc.address", "eipalloc-gone", vpc.Address{
				ID: "eipalloc-gone", Account: tenant, Region: locale, Own: true, PoolID: e.pool,
				Public: a.CIDR.Addr(), Drawn: vpc.Drawn{PoolID: a.PoolID, AllocationID: a.ID, Block: a.CIDR, Seq: a.Seq},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t)
			e.block(e.pool, "192.0.2.146/32", holder(ipam.EIP, "eipalloc-gone"))
			// The first server's repair is about to commit when that happens.
			e.interrupt = func() { change(e) }
			out := e.checker(0).Repair(t.Context(), time.Now())
			if len(out.Findings) != 1 || out.Findings[0].Outcome != "left as it is: it has changed, or is needed" || out.Repaired != 0 || out.Left != 0 {
				t.Errorf("%d left:%s", out.Left, text(out))
			}
			if held := holdings(e); !slices.ContainsFunc(held, func(h string) bool { return strings.HasSuffix(h, " 192.0.2.146/32") }) {
				t.Errorf("held after the repair: %v, want 192.0.2.146 among it", held)
			}
		})
	}
}

// I1: a block of which an address is in use isn't given back, whoever it is
// reserved for.
func TestAReservedBlockInUseIsLeftAlone(t *testing.T) {
	e := newEstate(t)
	k := e.reserve("arn:gone")
	e.block(k.ID, "192.0.2.146/32", holder(ipam.EIP, "eipalloc-1"))
	a, _ := e.rooms[0].ipam.BookedAt(e.rooms[0].store.Snapshot(), k.ID, netip.MustParseAddr("192.0.2.146"))
	e.write("vpc.address", "eipalloc-1", vpc.Address{
		ID: "eipalloc-1", Account: tenant, Region: locale, PoolID: e.pool,
		Public: a.CIDR.Addr(), Drawn: vpc.Drawn{PoolID: a.PoolID, AllocationID: a.ID, Block: a.CIDR, Seq: a.Seq},
	})
	before := holdings(e)
	out := e.checker(0).Repair(t.Context(), time.Now())
	if len(out.Findings) != 1 || out.Findings[0].Kind != fsck.Orphan || out.Repaired != 0 || out.Left != 1 {
		t.Errorf("%d left:%s", out.Left, text(out))
	}
	if after := holdings(e); !slices.Equal(before, after) {
		t.Errorf("held %v, and after the repair %v", before, after)
	}
}

// Kinds of holders that this program doesn't know are nobody's orphans.
func TestAHolderOfAnUnknownKindIsNotChecked(t *testing.T) {
	e := newEstate(t)
	e.block(e.pool, "192.0.2.146/32", holder("anycast-ip-list", "list-1"))
	out := e.checker(0).Repair(t.Context(), time.Now())
	if out.Left != 0 || out.NotChecked["anycast-ip-list"] != 1 {
		t.Errorf("%d left, %v not checked:%s", out.Left, out.NotChecked, text(out))
	}
}
