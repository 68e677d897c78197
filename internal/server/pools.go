package server

import (
	"math/big"
	"net/http"

	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/store"
)

// servePools answers what `fairlead pools` shows.
func (s *Server) servePools(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, status.Pools{Pools: s.pools(s.rooms.store.Snapshot())})
}

// pools returns all pools, the provider's too, by id.
func (s *Server) pools(r store.Reader) []status.Pool {
	all := []status.Pool{}
	for u := range s.rooms.ipam.Pools(r) {
		p := status.Pool{
			ID: u.Pool.ID, Source: u.Pool.SourcePoolID, Scope: u.Pool.ScopeID, ScopeType: string(u.Pool.ScopeType), Description: u.Pool.Description,
			Account: u.Pool.Account, Locale: u.Pool.Locale, Family: string(u.Pool.Family), Provider: u.Pool.Hidden, CIDRs: []status.CIDR{},
			Total: u.Total.String(), Taken: u.Taken.String(), Share: portion(u.Taken, u.Total), Pooled: portion(u.Pooled, u.Total), Cooling: u.Cooling,
		}
		for _, c := range s.rooms.ipam.CIDRs(r, u.Pool.ID, "") {
			if c.CIDR.IsValid() {
				p.CIDRs = append(p.CIDRs, status.CIDR{CIDR: c.CIDR, State: string(c.State), UsableFrom: c.UsableFrom})
			}
		}
		all = append(all, p)
	}
	return all
}

// portion returns part of whole, 0 of nothing.
func portion(part, whole *big.Int) float64 {
	if whole.Sign() == 0 {
		return 0
	}
	p, _ := part.Float64()
	w, _ := whole.Float64()
	return p / w
}
