package server

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/status"
)

// serveStatus answers what `fairlead status` shows.
func (s *Server) serveStatus(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, s.status())
}

func (s *Server) status() status.Report {
	snap := s.rooms.store.Snapshot()
	out := status.Report{
		Version: s.version, Since: s.started, Ready: s.ready.Load(), Dev: s.cfg.Dev,
		API: endpoint(s.apiAddr), DNS: s.dnsAddr, Ops: endpoint(s.opsAddr), DataDir: s.cfg.DataDir,
		Pools: s.pools(snap), LoadBalancers: []status.LoadBalancer{},
	}
	for _, b := range s.rooms.elb.All(snap) {
		lb := status.LoadBalancer{Name: b.Name, ARN: b.ARN, DNSName: strings.ToLower(b.DNSName), State: string(b.State), Reason: b.Reason, Nodes: []status.Node{}}
		if b.Deleted {
			lb.State = "deleting"
		}
		for _, n := range s.rooms.elb.Nodes(snap, b.ARN) {
			node := status.Node{ID: n.ID, Zone: n.Zone, Public: n.Public, Private: n.Private, Bound: n.Bound, Phase: string(n.Phase),
				Withdrawn: n.Withdrawn, Pool: n.PoolID, OffPool: b.PoolID != "" && n.PoolID != b.PoolID && n.Public.IsValid()}
			node.IPv6, node.IPv6Bound = n.IPv6.Addr, n.IPv6.Bound
			if st, ok := s.rooms.elb.NodeStatus(n); ok {
				node.OpenConnections, node.Error = st.OpenConnections, st.Error
				for _, l := range st.Listeners {
					if l.Error != "" {
						node.Error = strings.TrimSpace(node.Error + " " + l.Error)
					}
				}
			}
			lb.Nodes = append(lb.Nodes, node)
		}
		order := func(zone string) int {
			for i, z := range b.Zones {
				if z.Zone == zone {
					return i
				}
			}
			return len(b.Zones)
		}
		slices.SortFunc(lb.Nodes, func(x, y status.Node) int { return order(x.Zone) - order(y.Zone) })
		out.LoadBalancers = append(out.LoadBalancers, lb)
	}
	out.At = time.Now().UTC()
	return out
}
