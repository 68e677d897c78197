package vpc_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
)

func benchRoom(b *testing.B, engine store.Engine, held int) *vpc.Service {
	b.Helper()
	st := store.New(engine, "bench", slog.New(slog.DiscardHandler))
	s := vpc.New(st, tags.New(st), idempotency.New(st), nil, vpc.Options{Zones: func(string) []string { return []string{"local-1a"} }})
	if err := st.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(st.Close)
	p := netip.MustParsePrefix("10.0.0.0/16")
	if _, err := s.CreateVPC(b.Context(), vpc.VPCSpec{ID: "vpc-1", Account: account, Region: reg, CIDR: p}); err != nil {
		b.Fatal(err)
	}
	if _, err := s.CreateSubnet(b.Context(), vpc.SubnetSpec{ID: "subnet-1", Account: account, Region: reg, VPCID: "vpc-1", CIDR: p}); err != nil {
		b.Fatal(err)
	}
	for i := range held {
		makeAndRelease(b, s, fmt.Sprint("held-", i), false)
	}
	return s
}

func makeAndRelease(b *testing.B, s *vpc.Service, node string, release bool) {
	i, err := s.CreateServiceInterface(b.Context(), vpc.InterfaceSpec{Account: account, Region: reg, SubnetID: "subnet-1", Owner: node})
	if err == nil && release {
		err = s.ReleaseServiceInterface(b.Context(), i.ID)
	}
	if err != nil {
		b.Error(err)
	}
}

// An interface made and released in a subnet of 65,531 addresses, of which more
// and more are held: the cost must not follow them.
func BenchmarkInterfaceByFill(b *testing.B) {
	for _, held := range []int{0, 60_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			s := benchRoom(b, memstore.New(), held)
			n := 0
			for b.Loop() {
				n++
				makeAndRelease(b, s, fmt.Sprint("node-", n), true)
			}
		})
	}
}

// A subnet made and deleted in a VPC that has none beside it, or as many as it may.
func BenchmarkSubnetByNumber(b *testing.B) {
	for _, others := range []int{0, 199} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			s := benchRoom(b, memstore.New(), 0)
			if err := s.DeleteSubnet(b.Context(), account, reg, "subnet-1"); err != nil {
				b.Fatal(err)
			}
			subnet := func(n int, id string) {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n), 0}), 24)
				if _, err := s.CreateSubnet(b.Context(), vpc.SubnetSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", CIDR: p}); err != nil {
					b.Fatal(err)
				}
			}
			for n := range others {
				subnet(n, fmt.Sprint("subnet-other-", n))
			}
			for b.Loop() {
				subnet(255, "subnet-1")
				if err := s.DeleteSubnet(b.Context(), account, reg, "subnet-1"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Interfaces, durably, one at a time and from many controllers' goroutines.
func BenchmarkInterfaceOnEtcd(b *testing.B) {
	for _, parallel := range []int{1, 32} {
		b.Run(fmt.Sprintf("goroutines=%d", parallel), func(b *testing.B) {
			e, err := etcd.Open(b.Context(), etcd.Options{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := e.Close(); err != nil {
					b.Error(err)
				}
			})
			s := benchRoom(b, e, 0)
			var n atomic.Int64
			b.SetParallelism(parallel)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					makeAndRelease(b, s, fmt.Sprint("node-", n.Add(1)), true)
				}
			})
		})
	}
}
