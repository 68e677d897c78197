package server

import (
	"net/http"
	"net/netip"

	"github.com/fairlead/fairlead/internal/status"
)

// serveHistory answers what `fairlead history` shows: GET /history?address=A.
func (s *Server) serveHistory(w http.ResponseWriter, r *http.Request) {
	a, err := netip.ParseAddr(r.FormValue("address"))
	if err != nil || a.Zone() != "" {
		http.Error(w, "address must be an IP address, such as 192.0.2.144", http.StatusBadRequest)
		return
	}
	out := status.History{Address: a, Holdings: []status.Holding{}}
	for _, rec := range s.rooms.history.Covering(s.rooms.store.Snapshot(), "", a) {
		x := status.Holding{
			CIDR: rec.CIDR, Kind: string(rec.Kind), Resource: rec.ResourceID, Allocation: rec.AllocationID, Name: rec.Name,
			Account: rec.Account, Region: rec.Region, VPC: rec.VPCID, From: rec.Start, Until: rec.End,
		}
		for _, seen := range rec.Seen {
			if seen.PoolID != "" {
				x.Pools = append(x.Pools, seen.PoolID)
			}
		}
		out.Holdings = append(out.Holdings, x)
	}
	s.answer(w, out)
}
