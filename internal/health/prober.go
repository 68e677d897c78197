package health

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Options is how a prober runs. The zero value is ready.
type Options struct {
	Log *slog.Logger // slog.Default when nil

	// Dial connects to a target; nil: TCP.
	Dial func(ctx context.Context, target netip.AddrPort) (net.Conn, error)

	// Changed is called with each change of what Status tells of a target, in
	// order, the first included: before Apply returns for what Apply changes,
	// otherwise from the target's own goroutine. It must not call Apply or Close.
	Changed func(targetGroupARN string, target netip.AddrPort, state snapshot.TargetState)

	// Jitter returns numbers from 0 to less than 1; nil: random ones. They spread
	// the second probes of targets that were registered together.
	Jitter func() float64
}

// Prober probes the targets of an assignment.
type Prober struct {
	log     *slog.Logger
	dial    dialer
	changed func(string, netip.AddrPort, snapshot.TargetState)
	jitter  func() float64

	applying sync.Mutex // held during Apply and Close; taken before mu

	mu      sync.Mutex // guards the following, and the state of each target
	targets map[key]*target
	closed  bool
}

type key struct {
	group string // ARN
	addr  netip.AddrPort
}

// target is one target of one target group.
type target struct {
	key    key
	prober *Prober
	cancel context.CancelFunc // nil: not probed
	done   chan struct{}      // closed when its goroutine has ended
	wake   chan struct{}      // the check has changed

	unspoken snapshot.ProtocolVersion // that we can't probe in; HTTP1: none
	check    check
	draining bool
	enabled  bool
	state    state
}

// New returns a prober without targets. Close it in the end.
func New(o Options) *Prober {
	p := &Prober{log: o.Log, dial: o.Dial, changed: o.Changed, jitter: o.Jitter, targets: map[key]*target{}}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.dial == nil {
		p.dial = func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", at.String())
		}
	}
	if p.changed == nil {
		p.changed = func(string, netip.AddrPort, snapshot.TargetState) {}
	}
	if p.jitter == nil {
		p.jitter = rand.Float64
	}
	return p
}

// Apply probes the targets of these target groups in place of the former ones.
// Targets that stay keep their state, also under a changed health check; new
// ones are probed at once; one that was draining and isn't any more begins anew.
func (p *Prober) Apply(groups []snapshot.TargetGroup) {
	p.applying.Lock()
	defer p.applying.Unlock()
	wanted := map[key]*target{}
	for _, g := range groups {
		for _, t := range g.Targets {
			k := key{g.ARN, t.AddrPort()}
			if g.ProtocolVersion != snapshot.HTTP1 {
				wanted[k] = &target{key: k, prober: p, unspoken: g.ProtocolVersion, draining: t.Draining}
				continue
			}
			c, err := newCheck(g.HealthCheck, t)
			if err != nil {
				p.log.Error("health check can't be performed", "target group", g.ARN, "error", err)
			}
			wanted[k] = &target{key: k, prober: p, check: c, enabled: g.HealthCheck.Enabled, draining: t.Draining}
		}
	}

	var stopped, fresh []*target
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	for k, old := range p.targets {
		next := wanted[k]
		if next != nil && next.probed() == old.probed() && next.draining == old.draining {
			old.adopt(next)
			delete(wanted, k)
			continue
		}
		delete(p.targets, k)
		stopped = append(stopped, old)
	}
	for _, t := range wanted {
		fresh = append(fresh, t)
	}
	p.mu.Unlock()

	stop(stopped)
	slices.SortFunc(fresh, func(a, b *target) int { return a.key.compare(b.key) })
	for _, t := range fresh {
		p.mu.Lock()
		p.targets[t.key] = t
		st := t.status()
		p.mu.Unlock()
		p.changed(t.key.group, t.key.addr, st.State)
		if t.probed() {
			t.start()
		}
	}
}

// probed says whether the target is asked at all: one that drains gets no new
// requests, whatever it would answer.
func (t *target) probed() bool { return t.enabled && !t.draining }

// adopt takes over another check. Prober.mu is held.
func (t *target) adopt(next *target) {
	old := t.check
	t.check = next.check
	if t.wake != nil && old.Interval != next.check.Interval {
		select {
		case t.wake <- struct{}{}:
		default: // it hasn't looked since the last change
		}
	}
}

func (t *target) start() {
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(context.Background())
	t.done = make(chan struct{})
	t.prober.mu.Lock()
	t.wake = make(chan struct{}, 1)
	t.prober.mu.Unlock()
	go func() {
		defer close(t.done)
		t.run(ctx)
	}()
}

// stop ends the targets' goroutines and waits for them.
func stop(targets []*target) {
	for _, t := range targets {
		if t.cancel != nil {
			t.cancel()
		}
	}
	for _, t := range targets {
		if t.done != nil {
			<-t.done
		}
	}
}

// run probes until ctx ends: at once, then from start to start an interval
// apart. The first interval is cut short by chance, so that targets that were
// registered together aren't all probed together for ever.
func (t *target) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var start time.Time
	short := 0.5 + t.prober.jitter()/2
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
			timer.Reset(time.Until(start.Add(t.current().Interval)))
			continue
		case <-timer.C:
		}
		start = time.Now()
		c := t.current()
		c.probe(ctx, t.prober.dial, t.note)
		interval := time.Duration(float64(t.current().Interval) * short)
		short = 1
		timer.Reset(time.Until(start.Add(interval)))
	}
}

// current returns the check as it is now.
func (t *target) current() check {
	t.prober.mu.Lock()
	defer t.prober.mu.Unlock()
	return t.check
}

// note folds an outcome into the target's state.
func (t *target) note(o outcome) {
	p := t.prober
	p.mu.Lock()
	before := t.status()
	th := thresholds{healthy: max(1, t.check.HealthyThreshold), unhealthy: max(1, t.check.UnhealthyThreshold)}
	t.state = step(t.state, o, th)
	after := t.status()
	p.mu.Unlock()
	if before == after {
		return
	}
	if before.State != after.State {
		p.log.Info("target health changed", "target group", t.key.group, "target", t.key.addr,
			"from", before.State, "to", after.State, "reason", after.Reason, "description", after.Description)
	}
	p.changed(t.key.group, t.key.addr, after.State)
}

// status returns the target as it is reported. Prober.mu is held.
func (t *target) status() snapshot.TargetStatus {
	s := snapshot.TargetStatus{TargetGroupARN: t.key.group, Addr: t.key.addr.Addr(), Port: t.key.addr.Port()}
	switch {
	case t.draining:
		s.State, s.Reason, s.Description = snapshot.TargetDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress"
	case t.unspoken != snapshot.HTTP1:
		s.State, s.Reason = snapshot.TargetUnavailable, "Elb.InternalError"
		s.Description = "Health checks in the protocol version " + string(t.unspoken) + " are not performed by this installation"
	case !t.enabled:
		s.State, s.Reason, s.Description = snapshot.TargetUnavailable, "Target.HealthCheckDisabled", "Health checks are disabled"
	default:
		s.State, s.Reason, s.Description = t.state.describe()
	}
	return s
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.group, other.group), k.addr.Compare(other.addr))
}

// Status returns every target, by target group, address and port. InFlight is
// not known here.
func (p *Prober) Status() []snapshot.TargetStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]snapshot.TargetStatus, 0, len(p.targets))
	for _, t := range p.targets {
		out = append(out, t.status())
	}
	slices.SortFunc(out, func(a, b snapshot.TargetStatus) int {
		return cmp.Or(cmp.Compare(a.TargetGroupARN, b.TargetGroupARN), a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port))
	})
	return out
}

// Close stops probing. Status goes on to tell the last states.
func (p *Prober) Close() {
	p.applying.Lock()
	defer p.applying.Unlock()
	p.mu.Lock()
	p.closed = true
	targets := make([]*target, 0, len(p.targets))
	for _, t := range p.targets {
		targets = append(targets, t)
	}
	p.mu.Unlock()
	stop(targets)
}
