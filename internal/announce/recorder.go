package announce

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
)

// Route is a prefix and the region that its traffic goes to.
type Route struct {
	Region string       `json:"region"`
	Prefix netip.Prefix `json:"prefix"`
}

// Recorder keeps what is to be announced and tells no network.
type Recorder struct {
	log *slog.Logger

	mu     sync.Mutex // guards routes
	routes map[Route]struct{}
}

// NewRecorder returns a Recorder that logs what it is told.
func NewRecorder(log *slog.Logger) *Recorder {
	return &Recorder{log: log, routes: map[Route]struct{}{}}
}

// Announce implements ipam.Announcer.
func (r *Recorder) Announce(_ context.Context, region string, p netip.Prefix) error {
	r.mu.Lock()
	_, known := r.routes[Route{region, p}]
	r.routes[Route{region, p}] = struct{}{}
	r.mu.Unlock()
	if !known {
		r.log.Info("announce: prefix recorded, no network is told", "prefix", p, "region", region)
	}
	return nil
}

// Withdraw implements ipam.Announcer.
func (r *Recorder) Withdraw(_ context.Context, region string, p netip.Prefix) error {
	r.mu.Lock()
	_, known := r.routes[Route{region, p}]
	delete(r.routes, Route{region, p})
	r.mu.Unlock()
	if known {
		r.log.Info("announce: prefix withdrawn", "prefix", p, "region", region)
	}
	return nil
}

// Routes returns what is announced, by prefix.
func (r *Recorder) Routes() []Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	routes := make([]Route, 0, len(r.routes))
	for route := range r.routes {
		routes = append(routes, route)
	}
	slices.SortFunc(routes, func(a, b Route) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.Region, b.Region))
	})
	return routes
}
