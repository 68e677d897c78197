package server

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

var heldAllocations = flag.Int("held", 100_000, "allocations in the pool of the monitoring benchmarks")

// crowded is a site whose pool holds many allocations and whose account has
// VPCs with subnets, all of the pool's space.
func crowded(b *testing.B, imports bool) (s *site, i ipam.IPAM, pool string) {
	b.Helper()
	s = newSite(b, memstore.New())
	i = s.ipamOf(tenant)
	pool = s.poolOf(i, "10.0.0.0/8", imports)
	_, err := s.ipam.Allocate(b.Context(), ipam.Allocate{ // has the pool know of the length
		ID: ipam.NewAllocationID(time.Now()), Account: tenant, Region: home, PoolID: pool, CIDR: netip.MustParsePrefix("10.127.0.0/30"), Time: time.Now().UTC(),
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	ops := make([]store.Op, 0, store.MaxTxnOps)
	flush := func() {
		guards := make([]store.Guard, len(ops))
		for n, op := range ops {
			guards[n] = store.Guard{Key: op.Key}
		}
		if _, err := s.engine.Commit(b.Context(), store.Txn{Guards: guards, Ops: ops}); err != nil {
			b.Fatal(err)
		}
		ops = ops[:0]
	}
	for n := range *heldAllocations {
		a := netip.AddrFrom4([4]byte{10, 128 + byte(n>>14), byte(n >> 6), byte(n << 2)})
		record, err := json.Marshal(ipam.Allocation{
			ID: fmt.Sprintf("ipam-pool-alloc-%033x", n), PoolID: pool, CIDR: netip.PrefixFrom(a, 30), Seq: uint64(n + 1),
			Holder: ipam.Holder{Type: ipam.Custom, Account: tenant, Region: home}, Created: time.Now().UTC(),
		})
		if err != nil {
			b.Fatal(err)
		}
		ops = append(ops, store.Op{Key: fmt.Sprintf("/fairlead/v1/ipam.allocation/%s/%x", pool, a.AsSlice()), Value: append([]byte("1 "), record...)})
		if len(ops) == store.MaxTxnOps {
			flush()
		}
	}
	flush()
	for n := range 5 {
		cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 0}), 16)
		v := s.vpcOf(tenant, cidr.String())
		for k := range 200 {
			_, err := s.vpc.CreateSubnet(b.Context(), vpc.SubnetSpec{
				ID: ids.EC2("subnet"), Account: tenant, Region: home, VPCID: v,
				CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), byte(k), 0}), 24), Time: time.Now().UTC(),
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return s, i, pool
}

// A page of a thousand resource CIDRs, as GetIpamResourceCidrs has them.
func BenchmarkPageOfResources(b *testing.B) {
	s, i, _ := crowded(b, false)
	b.ResetTimer()
	for b.Loop() {
		v, sc, err := s.discovery.ViewOf(s.store.Snapshot(), tenant, home, i.PrivateScopeID)
		if err != nil {
			b.Fatal(err)
		}
		if items, _ := v.Page(discovery.Query{Scope: sc}, 1000, ""); len(items) != 1000 {
			b.Fatalf("%d items", len(items))
		}
	}
}

// Who had and has an address, in the midst of all.
func BenchmarkWhoHasAnAddress(b *testing.B) {
	s, _, _ := crowded(b, false)
	a := netip.MustParseAddr("10.128.0.1")
	b.ResetTimer()
	for b.Loop() {
		if recs := s.history.Covering(s.store.Snapshot(), "", a); len(recs) != 1 {
			b.Fatalf("%d records", len(recs))
		}
	}
}

// An allocation in a pool, with AutoImport and five VPCs and without.
func BenchmarkAllocateBesideVPCs(b *testing.B) {
	for name, imports := range map[string]bool{"plain": false, "auto-import": true} {
		b.Run(name, func(b *testing.B) {
			s, _, pool := crowded(b, imports)
			s.t = b
			s.run()
			allocate := func() {
				_, err := s.ipam.Allocate(b.Context(), ipam.Allocate{
					ID: ipam.NewAllocationID(time.Now()), Account: tenant, Region: home, PoolID: pool, NetmaskLength: new(32), Time: time.Now().UTC(),
				}, nil)
				if err != nil {
					b.Fatal(err)
				}
			}
			allocate() // builds the index, and imports
			b.ResetTimer()
			for b.Loop() {
				allocate()
			}
		})
	}
}
