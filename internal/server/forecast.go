package server

import (
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/ipam/forecast"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/store"
)

// serveForecast answers what `fairlead forecast` shows: GET /pools/POOL/forecast.
func (s *Server) serveForecast(w http.ResponseWriter, r *http.Request) {
	snap := s.rooms.store.Snapshot()
	p, ok := s.rooms.ipam.Pool(snap, r.PathValue("pool"))
	if !ok {
		http.Error(w, fmt.Sprintf("there is no pool %q", r.PathValue("pool")), http.StatusNotFound)
		return
	}
	now := time.Now().UTC()
	u := s.rooms.ipam.Usage(snap, p)
	free := new(big.Int).Sub(u.Total, u.Taken)
	amount, _ := free.Float64()
	f := forecast.Make(s.changes(snap, p, now), amount, now)
	s.answer(w, status.Forecast{
		Pool: p.ID, Free: free.String(), Days: f.Days, Growth: f.Growth, Error: f.Error, At: now,
		Exhausted: f.Exhausted, Earliest: f.Earliest, Latest: f.Latest, Confidence: string(f.Confidence),
	})
}

// changes are what the pool gave and got back, as far back as a forecast looks:
// what is held tells when it began, and the history what has ended.
func (s *Server) changes(r store.Snapshot, p ipam.Pool, now time.Time) []forecast.Change {
	var out []forecast.Change
	add := func(t time.Time, cidr netip.Prefix, sign float64) {
		out = append(out, forecast.Change{Time: t, Delta: sign * math.Ldexp(1, cidr.Addr().BitLen()-cidr.Bits())})
	}
	for _, a := range s.rooms.ipam.Allocations(r, p.ID, "") {
		add(a.Created, a.CIDR, 1)
	}
	for _, c := range s.rooms.ipam.CIDRs(r, p.ID, "") {
		if !c.CIDR.IsValid() {
			continue
		}
		for rec := range s.rooms.history.Within(r, c.CIDR) {
			seen, ok := rec.In(p.ScopeID)
			if !ok || seen.PoolID != p.ID || rec.End.Before(now.Add(-forecast.Window)) {
				continue
			}
			add(rec.Start, rec.CIDR, 1)
			add(rec.End, rec.CIDR, -1)
		}
	}
	return out
}
