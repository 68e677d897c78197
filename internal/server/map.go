package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/store"
)

// mapBlocks is how many blocks a part of a map lists.
const mapBlocks = 64

// serveMap answers what `fairlead map` shows: GET /pools/POOL/map, with a prefix
// to look at more closely and the number of cells wanted.
func (s *Server) serveMap(w http.ResponseWriter, r *http.Request) {
	snap := s.rooms.store.Snapshot()
	p, ok := s.rooms.ipam.Pool(snap, r.PathValue("pool"))
	if !ok {
		http.Error(w, fmt.Sprintf("there is no pool %q", r.PathValue("pool")), http.StatusNotFound)
		return
	}
	cells := status.MapCells
	if text := r.FormValue("cells"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > ipam.MaxCells {
			http.Error(w, fmt.Sprintf("cells must be a number from 1 to %d", ipam.MaxCells), http.StatusBadRequest)
			return
		}
		cells = n
	}
	var within netip.Prefix
	if text := r.FormValue("within"); text != "" {
		var err error
		if within, err = netip.ParsePrefix(text); err != nil || within.Addr().BitLen() != p.Family.Bits() {
			http.Error(w, fmt.Sprintf("within must be a prefix of the family %s, such as 10.0.0.0/16 or fd80::/48", p.Family), http.StatusBadRequest)
			return
		}
	}
	s.answer(w, s.drawMap(snap, p, within, cells))
}

// drawMap draws one prefix of a pool, or all of its CIDRs.
func (s *Server) drawMap(r store.Reader, p ipam.Pool, within netip.Prefix, cells int) status.Map {
	m := status.Map{Pool: p.ID, Description: p.Description, Account: p.Account, Parts: []status.Part{}}
	parts := []netip.Prefix{within}
	if !within.IsValid() {
		parts = nil
		for _, c := range s.rooms.ipam.CIDRs(r, p.ID, "") {
			if c.State != ipam.FailedProvision {
				parts = append(parts, c.CIDR)
			}
		}
	}
	for _, prefix := range parts {
		c := s.rooms.ipam.Chart(r, p, prefix, cells/len(parts), mapBlocks)
		part := status.Part{Within: c.Within, More: c.More, Cells: []status.Cell{}, Blocks: []status.Block{}}
		for _, cell := range c.Cells {
			part.Cells = append(part.Cells, status.Cell{
				CIDR: cell.CIDR, Outside: cell.Outside, Taken: cell.Taken, Cooling: cell.Cooling, Type: string(cell.Type), Blocks: cell.Blocks,
			})
		}
		for _, a := range c.Blocks {
			part.Blocks = append(part.Blocks, status.Block{
				CIDR: a.CIDR, ID: a.ID, Type: string(a.Holder.Type), Resource: a.Holder.ResourceID, Account: a.Holder.Account,
				Description: a.Description, Since: a.Created, FreeAt: a.Until,
			})
		}
		m.Parts = append(m.Parts, part)
	}
	return m
}

// answer writes v as JSON.
func (s *Server) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		s.log.Debug("answer not delivered", "error", err)
	}
}
