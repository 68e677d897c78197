package px

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/attach"
	"github.com/fairlead/fairlead/internal/px/balance"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// Agent is a stopgap.
type Agent struct {
	Driver attach.Driver
	Host   string
	Report func(context.Context, *snapshot.Report) error
	Log    *slog.Logger

	reg    balance.Registry
	proxy  *Proxy
	wake   chan struct{}
	mu     sync.Mutex
	health map[string]map[netip.AddrPort]snapshot.TargetStatus
}

func (a *Agent) Run(ctx context.Context, assignments <-chan *snapshot.Assignment) {
	a.wake = make(chan struct{}, 1)
	a.health = map[string]map[netip.AddrPort]snapshot.TargetStatus{}
	a.proxy = New(Options{Targets: &a.reg, Log: a.Log, Changed: a.poke})
	defer a.proxy.Close()
	var cur *snapshot.Assignment
	attached := map[string]bool{}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case cur = <-assignments:
			bound := map[string]netip.Addr{}
			for _, n := range cur.Nodes {
				if b, err := a.Driver.Attach(ctx, n.ID, n.Address()); err == nil {
					bound[n.ID] = b
				}
			}
			a.proxy.Apply(cur, bound)
			left := map[string]bool{}
			for _, st := range a.proxy.Status() {
				left[st.NodeID] = true
			}
			for id := range attached {
				if _, ok := bound[id]; !ok && !left[id] {
					_ = a.Driver.Detach(ctx, id)
					delete(attached, id)
				}
			}
			for id := range bound {
				attached[id] = true
			}
			go a.probe(ctx, cur)
		case <-a.wake:
		case <-tick.C:
			if cur != nil {
				go a.probe(ctx, cur)
			}
		}
		if cur == nil {
			continue
		}
		r := &snapshot.Report{Version: snapshot.Version, Host: a.Host, Revision: cur.Revision, Nodes: a.proxy.Status()}
		a.mu.Lock()
		for _, m := range a.health {
			for _, t := range m {
				r.Targets = append(r.Targets, t)
			}
		}
		a.mu.Unlock()
		_ = a.Report(ctx, r)
	}
}

func (a *Agent) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *Agent) probe(ctx context.Context, cur *snapshot.Assignment) {
	for _, g := range cur.TargetGroups {
		m := map[netip.AddrPort]snapshot.TargetStatus{}
		for _, t := range g.Targets {
			cl := http.Client{Timeout: 2 * time.Second}
			st := snapshot.TargetStatus{TargetGroupARN: g.ARN, Addr: t.Addr, Port: t.Port, State: snapshot.TargetUnhealthy, Reason: "Target.FailedHealthChecks", Description: "Health checks failed"}
			if resp, err := cl.Get("http://" + t.AddrPort().String() + g.HealthCheck.Path); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == 200 {
					st.State, st.Reason, st.Description = snapshot.TargetHealthy, "", ""
				}
			}
			m[t.AddrPort()] = st
		}
		a.mu.Lock()
		a.health[g.ARN] = m
		a.mu.Unlock()
		a.reg.Health(g, func(ap netip.AddrPort) bool { return m[ap].State == snapshot.TargetHealthy })
	}
	a.poke()
}
