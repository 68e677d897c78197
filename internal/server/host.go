package server

import (
	"context"
	"sync"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// host is the control plane as the agent of this process sees it.
type host struct {
	projector  *elb.Projector
	controller *elb.Controller

	once     sync.Once
	reported chan struct{} // closed at the first report
}

func newHost(r *rooms) *host {
	return &host{projector: r.projector, controller: r.controller, reported: make(chan struct{})}
}

// Assignments implements node.ControlPlane.
func (h *host) Assignments() <-chan *snapshot.Assignment { return h.projector.Assignments() }

// Report implements node.ControlPlane.
func (h *host) Report(ctx context.Context, r *snapshot.Report) error {
	err := h.controller.Report(ctx, r)
	h.once.Do(func() { close(h.reported) })
	return err
}
