package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/attach"
	"github.com/fairlead/fairlead/internal/health"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// ControlPlane is where assignments come from and reports go to.
type ControlPlane interface {
	// Assignments returns the channel on which whole assignments come, the
	// newest last. It may leave out any that a newer one follows.
	Assignments() <-chan *snapshot.Assignment

	// Report delivers a whole report. An error means that it is to be sent
	// again, as it is then.
	Report(ctx context.Context, r *snapshot.Report) error
}

// Options is how an agent runs.
type Options struct {
	Host         string // the host's name in assignments and reports
	Dir          string // where the last assignment is kept; made if it isn't there
	Driver       attach.Driver
	ControlPlane ControlPlane

	// OpenKey decrypts the private key of a certificate in an assignment, to
	// PKCS #8; nil: the host can serve no HTTPS listener.
	OpenKey func(certificateARN string, sealed []byte) ([]byte, error)

	// Providers is how those are reached who authenticate clients.
	Providers outbound.Options

	// Logs opens a log of a node that the assignment wants kept; nil: none is. It
	// may be asked for one again.
	Logs func(b *snapshot.LoadBalancer, n *snapshot.Node, kind proxy.LogKind) proxy.Lines

	Log *slog.Logger // slog.Default when nil

	ReportInterval time.Duration // between reports when nothing changes; 0: 5 s
	RetryInterval  time.Duration // before an address or port that failed is tried again; 0: 5 s
	ShutdownGrace  time.Duration // for requests under way when Run's context ends; 0: 10 s
}

// reportPause is the least time between two reports: many changes at once, as
// when a rack fails, make few reports. The first of them isn't held back.
const reportPause = 5 * time.Millisecond

// reportTimeout is how long the delivery of a report may take.
const reportTimeout = 10 * time.Second

// Agent carries one host's assignment.
type Agent struct {
	o        Options
	log      *slog.Logger
	file     *assignmentFile
	proxy    *proxy.Proxy
	prober   *health.Prober
	restored chan struct{} // closed when the assignment on disk has been applied
	changed  chan struct{} // there is something new to report
	unsaved  chan struct{} // another assignment is applied than the one on disk

	mu       sync.Mutex            // guards the following
	applied  *snapshot.Assignment  // nil: none yet
	saved    int64                 // revision of the assignment on disk: what is acknowledged
	attached map[string]netip.Addr // the bound address of each node, removed ones too until they are closed
	leaving  map[string]bool       // IDs of removed nodes that are attached
	failures map[string]failure    // of attaching, by node ID
	touched  touched
}

// failure is a node whose address couldn't be attached.
type failure struct {
	node *snapshot.Node
	err  error
}

// New returns an agent that doesn't run yet.
func New(o Options) (*Agent, error) {
	switch {
	case o.Host == "":
		return nil, errors.New("node agent: no host name")
	case o.Driver == nil || o.ControlPlane == nil:
		return nil, errors.New("node agent: no attachment driver or no control plane")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("node agent: directory: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.ReportInterval <= 0 {
		o.ReportInterval = 5 * time.Second
	}
	if o.RetryInterval <= 0 {
		o.RetryInterval = 5 * time.Second
	}
	if o.ShutdownGrace <= 0 {
		o.ShutdownGrace = 10 * time.Second
	}
	file, err := openAssignmentFile(o.Dir, o.Log)
	if err != nil {
		return nil, fmt.Errorf("node agent: %w", err)
	}
	return &Agent{
		o: o, log: o.Log.With("host", o.Host), file: file,
		restored: make(chan struct{}), changed: make(chan struct{}, 1), unsaved: make(chan struct{}, 1),
		attached: map[string]netip.Addr{}, leaving: map[string]bool{}, failures: map[string]failure{}, touched: nothingTouched(),
	}, nil
}

// Restored is closed when Run has applied the assignment that was on disk, or
// has found that there is none.
func (a *Agent) Restored() <-chan struct{} { return a.restored }

// Run carries assignments until ctx ends, first the one on disk. It then lets
// requests under way end for as long as Options.ShutdownGrace says, and returns
// when every socket is closed. An agent runs once.
func (a *Agent) Run(ctx context.Context) {
	p := proxy.New(proxy.Options{Log: a.log, OpenKey: a.o.OpenKey, Providers: a.o.Providers, Logs: a.o.Logs, Changed: a.nodeChanged, TargetChanged: a.targetChanged})
	h := health.New(health.Options{
		Log: a.log,
		Changed: func(group string, target netip.AddrPort, s snapshot.TargetState) {
			p.SetHealth(group, target, s)
			a.targetChanged(group, target)
		},
		Removed: a.targetChanged,
		Checked: func(c health.Check) { p.LogCheck(c.Key.TargetGroupARN, checkLine(c)) },
	})
	a.mu.Lock()
	a.proxy, a.prober = p, h
	a.mu.Unlock()

	var others sync.WaitGroup
	defer func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.o.ShutdownGrace)
		defer cancel()
		p.Close(grace)
		h.Close()
		others.Wait()
		if err := a.file.close(); err != nil {
			a.log.Error("last assignment's file not closed", "error", err)
		}
	}()
	a.restore(ctx)
	others.Go(func() { a.report(ctx) })
	others.Go(func() { a.save(ctx) })

	assignments := a.o.ControlPlane.Assignments()
	retry := time.NewTicker(a.o.RetryInterval)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case next, ok := <-assignments:
			if !ok {
				assignments = nil // no news any more; what runs goes on
				continue
			}
			a.take(ctx, next)
		case <-retry.C:
			a.tidy(ctx)
		}
	}
}

// Planned returns how many load balancers the host has compiled since the start,
// one that was compiled again counting again.
func (a *Agent) Planned() uint64 {
	a.mu.Lock()
	p := a.proxy
	a.mu.Unlock()
	if p == nil {
		return 0
	}
	return p.Planned()
}

// Measurements returns what the host's nodes have counted.
func (a *Agent) Measurements() []proxy.Measurement {
	a.mu.Lock()
	p := a.proxy
	a.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.Measurements()
}

// SessionFaults returns what clients' sessions of HTTP/2 were ended by on this host.
func (a *Agent) SessionFaults() []proxy.SessionFault {
	a.mu.Lock()
	p := a.proxy
	a.mu.Unlock()
	if p == nil {
		return nil
	}
	return p.SessionFaults()
}

// restore applies the assignment on disk. One that can't be used is reported and
// left alone: the control plane's next one replaces it.
func (a *Agent) restore(ctx context.Context) {
	defer close(a.restored)
	last, err := a.file.load()
	if err == nil && last != nil {
		err = a.apply(ctx, last)
	}
	if err != nil {
		a.log.Error("last assignment can't be restored", "error", err)
	} else if last != nil {
		a.acknowledge(last.Revision)
		a.log.Info("last assignment restored", "revision", last.Revision, "nodes", len(last.Nodes))
	}
}

// take applies an assignment that the control plane sent, unless a newer one has
// been applied: after a reconnection an old one may still be under way.
func (a *Agent) take(ctx context.Context, next *snapshot.Assignment) {
	if err := a.acceptable(next); err != nil {
		a.log.Warn("assignment ignored", "revision", next.Revision, "error", err)
		return
	}
	if err := a.apply(ctx, next); err != nil {
		a.log.Error("assignment not applied", "revision", next.Revision, "error", err)
		return
	}
	a.poke()
	select {
	case a.unsaved <- struct{}{}:
	default: // it will be saved in the place of one before
	}
}

// savePause is the least time between two savings: of many changes at once, few
// are written, as each takes the disk from the store's own commits. The first of
// them isn't held back.
const savePause = 100 * time.Millisecond

// save keeps the applied assignment on disk until ctx ends, and acknowledges it.
func (a *Agent) save(ctx context.Context) {
	for ctx.Err() == nil {
		pause := savePause
		select {
		case <-ctx.Done():
			return
		case <-a.unsaved:
		}
		current := a.current()
		if err := a.file.save(current); err != nil {
			a.log.Error("assignment not saved", "revision", current.Revision, "error", err)
			pause = a.o.RetryInterval
			select {
			case a.unsaved <- struct{}{}:
			default:
			}
		} else {
			a.acknowledge(current.Revision)
			a.poke()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (a *Agent) acceptable(next *snapshot.Assignment) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case next.Host != a.o.Host:
		return fmt.Errorf("it is for host %q", next.Host)
	case next.Version > snapshot.Version:
		return fmt.Errorf("its format %d is newer than this program's %d", next.Version, snapshot.Version)
	case a.applied != nil && next.Revision < a.applied.Revision:
		return fmt.Errorf("it is older than the applied one, %d", a.applied.Revision)
	}
	return nil
}

// acknowledge has reports say that the assignment is in force. Not before it is on
// disk: a restart from an older one could bring back a node whose address the
// control plane has given away since (I1).
func (a *Agent) acknowledge(revision int64) {
	a.mu.Lock()
	a.saved = revision
	a.mu.Unlock()
}

// apply makes the host carry an assignment in place of the former one. With an
// error, the former one goes on. Addresses that can't be attached are no error;
// they are tried again by tidy.
func (a *Agent) apply(ctx context.Context, next *snapshot.Assignment) error {
	changes, err := next.Since(a.current())
	if err != nil {
		return fmt.Errorf("apply assignment %d: %w", next.Revision, err)
	}
	failures := map[string]failure{}
	for _, c := range changes.Nodes {
		if c.New != nil {
			if err := a.attach(ctx, c.New); err != nil {
				failures[c.New.ID] = failure{c.New, err}
			}
		}
	}
	if err := a.proxy.Apply(next, a.bound(failures)); err != nil {
		return err
	}
	if err := a.prober.Apply(next.TargetGroups); err != nil {
		return err
	}
	a.mu.Lock()
	a.applied = next
	for _, c := range changes.Nodes {
		if c.New == nil {
			delete(a.failures, c.Old.ID)
			if a.attached[c.Old.ID].IsValid() {
				a.leaving[c.Old.ID] = true
			}
			continue
		}
		delete(a.leaving, c.New.ID)
		delete(a.failures, c.New.ID)
	}
	maps.Copy(a.failures, failures)
	a.mu.Unlock()
	a.detach(ctx)
	return nil
}

func (a *Agent) current() *snapshot.Assignment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied
}

// attach has the driver make a node's address usable.
func (a *Agent) attach(ctx context.Context, n *snapshot.Node) error {
	addr, err := a.o.Driver.Attach(ctx, n.ID, n.Address())
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.attached[n.ID] = addr
	a.mu.Unlock()
	return nil
}

// bound tells the proxy where nodes listen, but for those that failed just now.
func (a *Agent) bound(failed map[string]failure) proxy.Bound {
	return func(id string) (netip.Addr, bool) {
		if _, no := failed[id]; no {
			return netip.Addr{}, false
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		addr, ok := a.attached[id]
		return addr, ok
	}
}

// detach gives up the addresses of removed nodes whose sockets are closed.
func (a *Agent) detach(ctx context.Context) {
	a.mu.Lock()
	leaving := slices.Sorted(maps.Keys(a.leaving))
	a.mu.Unlock()
	for _, id := range leaving {
		if _, open := a.proxy.NodeStatus(id); open {
			continue
		}
		if err := a.o.Driver.Detach(ctx, id); err != nil {
			a.log.Error("address not detached", "node", id, "error", err)
			continue // tidy tries again
		}
		a.mu.Lock()
		delete(a.attached, id)
		delete(a.leaving, id)
		a.mu.Unlock()
	}
}

// tidy tries again what failed: addresses to attach or detach, ports to open.
func (a *Agent) tidy(ctx context.Context) {
	a.detach(ctx)
	a.mu.Lock()
	failed := maps.Clone(a.failures)
	a.mu.Unlock()
	for id, f := range failed {
		err := a.attach(ctx, f.node)
		if err == nil {
			delete(failed, id)
		} else {
			failed[id] = failure{f.node, err}
		}
		a.mu.Lock()
		if err == nil {
			delete(a.failures, id)
		} else {
			a.failures[id] = failed[id]
		}
		a.mu.Unlock()
		a.nodeChanged(id)
	}
	if err := a.proxy.Retry(a.bound(failed)); err != nil {
		a.log.Error("assignment not applied again", "error", err)
	}
}

// poke has a report sent soon.
func (a *Agent) poke() {
	select {
	case a.changed <- struct{}{}:
	default: // one is due already
	}
}

// report delivers reports until ctx ends: of what changes at once, and of the
// counts from time to time.
func (a *Agent) report(ctx context.Context) {
	tick := time.NewTicker(a.o.ReportInterval)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	var last string
	reporter := reporter{agent: a}
	counts := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		limited, cancel := context.WithTimeout(ctx, reportTimeout)
		err := reporter.deliver(limited, counts)
		cancel()
		if now := fmt.Sprint(err); now != last && ctx.Err() == nil {
			if last = now; err != nil {
				a.log.Warn("control plane not reached; going on without", "error", err)
			} else {
				a.log.Info("reporting to the control plane")
			}
		}
		pause.Reset(reportPause)
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
			counts = false
		case <-tick.C:
			counts = true
		}
	}
}
