package elb

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// BenchmarkProject is one change among 10,000 load balancers of three nodes.
func BenchmarkProject(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d load balancers", n), func(b *testing.B) { benchmarkProject(b, n) })
	}
}

func benchmarkProject(b *testing.B, balancers int) {
	st := store.New(memstore.New(), "/bench", slog.New(slog.DiscardHandler))
	s := New(st, tags.New(st), nil, nil, Options{DNSTTL: time.Minute, Quotas: DefaultQuotas})
	if err := st.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	put := func(i int, targets int) store.Key {
		lb, tg, l := fmt.Sprintf("arn:lb/%d", i), fmt.Sprintf("arn:tg/%d", i), fmt.Sprintf("arn:l/%d", i)
		err := st.Update(context.Background(), func(tx *store.Tx) error {
			s.balancers.Put(tx, lb, LoadBalancer{ARN: lb, Zones: []ZoneSubnet{{"a", "s"}, {"b", "s"}, {"c", "s"}}})
			s.groups.Put(tx, tg, TargetGroup{ARN: tg, Protocol: "HTTP"})
			var r registrations
			for n := range targets {
				r.put(Target{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), Port: 80})
			}
			s.targets.Put(tx, tg, r)
			s.listeners.Put(tx, l, Listener{ARN: l, LoadBalancerARN: lb, Port: 80, Protocol: "HTTP"})
			s.rules.Put(tx, l+"/r", Rule{ARN: l + "/r", ListenerARN: l, LoadBalancerARN: lb,
				Actions: []Action{{Type: actionForward, Forward: &Forward{TargetGroups: []WeightedTargetGroup{{tg, 1}}}}}})
			for n := range 3 {
				id := fmt.Sprintf("node-%d-%d", i, n)
				s.nodes.Put(tx, id, Node{ID: id, LoadBalancerARN: lb, Host: "host", Phase: NodeInService})
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		return store.Key{Collection: s.targets.Name(), Key: tg}
	}
	for i := range balancers {
		put(i, 2)
	}
	p := s.NewProjector("host", slog.New(slog.DiscardHandler))
	p.update(st.Snapshot(), nil, true)
	p.send(1)
	change := put(balancers/2, 3)
	three := st.Snapshot()
	put(balancers/2, 2)
	snaps := []store.Snapshot{st.Snapshot(), three}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if snap := snaps[n%2]; p.update(snap, []store.Key{change}, false) {
			p.send(snap.Revision())
		} else {
			b.Fatal("nothing changed")
		}
	}
}
