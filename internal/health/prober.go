package health

import (
	"context"
	"crypto/x509"
	"fmt"
	"iter"
	"log/slog"
	"maps"
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

	// TargetRoots are believed where the certificates of targets are verified; nil:
	// those of the system.
	TargetRoots *x509.CertPool

	// Changed is called with each change of what Status tells of a target, in
	// order, the first included: before Apply returns for what Apply changes,
	// otherwise from the target's own probe. It must not call Apply or Close.
	Changed func(targetGroupARN string, target netip.AddrPort, state snapshot.TargetState)

	// Removed is called, before Apply returns, for a target that isn't probed any more.
	Removed func(targetGroupARN string, target netip.AddrPort)

	// Checked is called with each probe that has an outcome, after what follows from
	// it for the target; nil: nobody asks. It must not wait, nor call Apply or Close.
	Checked func(Check)

	// Jitter returns numbers from 0 to less than 1; nil: random ones. They spread
	// the second probes of targets that were registered together.
	Jitter func() float64
}

// Prober probes the targets of an assignment. Between probes a target is a timer:
// only those being asked right now have a goroutine and a connection.
type Prober struct {
	log     *slog.Logger
	network network
	changed func(string, netip.AddrPort, snapshot.TargetState)
	removed func(string, netip.AddrPort)
	checked func(Check)
	jitter  func() float64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	turns  chan struct{} // one for each probe under way

	applying sync.Mutex // held during Apply and Close; taken before mu; guards the following
	applied  []*snapshot.TargetGroup

	mu     sync.Mutex                            // guards the following, and what targets say of themselves
	groups map[string]map[netip.AddrPort]*target // by ARN
	closed bool
}

// probesUnderWay is how many probes there may be at once: a bound on descriptors
// for when a thousand targets don't answer. Others wait for their turn.
const probesUnderWay = 4096

// spacing is how far the first probes of targets that come together are apart, so
// that a host that starts with a hundred thousand isn't busy with nothing else.
const spacing = 200 * time.Microsecond

// target is one target of one target group.
type target struct {
	key    snapshot.TargetKey
	prober *Prober

	// The following are guarded by Prober.mu.
	check    check
	draining bool
	enabled  bool
	state    state

	timer   *time.Timer // of the next probe; nil: not probed
	begun   time.Time   // the last probe
	stopped bool
	stop    context.CancelFunc // ends the probe under way; nil: none is
	probes  sync.WaitGroup     // the one that is due or under way
}

// New returns a prober without targets. Close it in the end.
func New(o Options) *Prober {
	p := &Prober{
		log: o.Log, network: network{o.Dial, o.TargetRoots}, changed: o.Changed, removed: o.Removed, checked: o.Checked, jitter: o.Jitter,
		turns: make(chan struct{}, probesUnderWay), groups: map[string]map[netip.AddrPort]*target{},
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	if p.network.dial == nil {
		p.network.dial = func(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", at.String())
		}
	}
	if p.changed == nil {
		p.changed = func(string, netip.AddrPort, snapshot.TargetState) {}
	}
	if p.removed == nil {
		p.removed = func(string, netip.AddrPort) {}
	}
	if p.jitter == nil {
		p.jitter = rand.Float64
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Apply probes the targets of these target groups in place of the former ones,
// and touches only the groups that differ. Targets that stay keep their state,
// also under a changed health check; new ones are probed at once; one that was
// draining and isn't any more begins anew. The groups are in order of their ARNs.
func (p *Prober) Apply(groups []*snapshot.TargetGroup) error {
	p.applying.Lock()
	defer p.applying.Unlock()
	changes, err := snapshot.TargetGroupsSince(p.applied, groups)
	if err != nil {
		return fmt.Errorf("probe target groups: %w", err)
	}
	p.applied = groups
	var fresh []*target
	for _, c := range changes {
		fresh = append(fresh, p.change(c)...)
	}
	for i, t := range fresh {
		p.mu.Lock()
		st := t.status()
		p.mu.Unlock()
		p.changed(t.key.TargetGroupARN, t.key.Addr, st.State)
		t.start(time.Duration(i) * spacing)
	}
	return nil
}

// change brings one target group up to date, and returns the targets to start, in
// order. p.applying is held.
func (p *Prober) change(c snapshot.Change[snapshot.TargetGroup]) (fresh []*target) {
	wanted := map[netip.AddrPort]*target{}
	arn := ""
	if c.New == nil {
		arn = c.Old.ARN
	} else {
		arn = c.New.ARN
		wanted = p.wanted(c.New)
	}

	var stopped []*target
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	present := p.groups[arn]
	if present == nil {
		present = map[netip.AddrPort]*target{}
		p.groups[arn] = present
	}
	for at, old := range present {
		next := wanted[at]
		if next != nil && next.probed() == old.probed() && next.draining == old.draining {
			old.adopt(next)
			delete(wanted, at)
			continue
		}
		delete(present, at)
		stopped = append(stopped, old)
	}
	for at, t := range wanted {
		present[at] = t
		fresh = append(fresh, t)
	}
	if len(present) == 0 {
		delete(p.groups, arn)
	}
	p.mu.Unlock()

	end(stopped)
	for _, t := range stopped {
		if wanted[t.key.Addr] == nil {
			p.removed(arn, t.key.Addr)
		}
	}
	slices.SortFunc(fresh, func(a, b *target) int { return a.key.Compare(b.key) })
	return fresh
}

// wanted makes the targets of a group as new ones.
func (p *Prober) wanted(g *snapshot.TargetGroup) map[netip.AddrPort]*target {
	out := make(map[netip.AddrPort]*target, len(g.Targets))
	m, err := parseMatcher(g.HealthCheck.Matcher, g.ProtocolVersion)
	if err != nil {
		p.log.Error("health check can't be performed", "target group", g.ARN, "error", err)
	}
	for _, t := range g.Targets {
		w := &target{key: snapshot.TargetKey{TargetGroupARN: g.ARN, Addr: t.AddrPort()}, prober: p, draining: t.Draining}
		w.check, w.enabled = newCheck(g, m, t), g.HealthCheck.Enabled
		out[w.key.Addr] = w
	}
	return out
}

// probed says whether the target is asked at all: one that drains gets no new
// requests, whatever it would answer.
func (t *target) probed() bool { return t.enabled && !t.draining }

// adopt takes over another check. Prober.mu is held.
func (t *target) adopt(next *target) {
	old := t.check
	t.check = next.check
	if t.timer != nil && old.Interval != next.check.Interval && t.timer.Stop() {
		t.timer.Reset(time.Until(t.begun.Add(next.check.Interval)))
	}
}

// start has a probed target's first probe made after a while.
func (t *target) start(after time.Duration) {
	t.prober.mu.Lock()
	defer t.prober.mu.Unlock()
	if t.stopped || !t.probed() {
		return
	}
	t.probes.Add(1)
	t.timer = time.AfterFunc(after, t.run)
}

// end ends the targets' probes and waits for those under way.
func end(targets []*target) {
	for _, t := range targets {
		t.prober.mu.Lock()
		t.stopped = true
		if t.timer != nil && t.timer.Stop() {
			t.probes.Done() // it won't run
		}
		if t.stop != nil {
			t.stop()
		}
		t.prober.mu.Unlock()
	}
	for _, t := range targets {
		t.probes.Wait()
	}
}

// run makes one probe and sets the time of the next: from start to start an
// interval apart. The first interval is cut short by chance, so that targets that
// were registered together aren't all probed together for ever.
func (t *target) run() {
	defer t.probes.Done()
	p := t.prober
	p.mu.Lock()
	if t.stopped {
		p.mu.Unlock()
		return
	}
	share := 1.0
	if t.begun.IsZero() {
		share = 0.5 + p.jitter()/2
	}
	t.begun = time.Now()
	begun, c := t.begun, t.check
	ctx, cancel := context.WithCancel(p.ctx)
	t.stop = cancel
	p.mu.Unlock()
	defer cancel()

	select {
	case p.turns <- struct{}{}:
		t.probe(ctx, c)
		<-p.turns
	case <-ctx.Done():
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if t.stop = nil; t.stopped {
		return
	}
	t.probes.Add(1)
	t.timer.Reset(time.Until(begun.Add(time.Duration(float64(t.check.Interval) * share))))
}

// probe makes one probe, and takes note of its outcome.
func (t *target) probe(ctx context.Context, c check) {
	at := time.Now()
	c.probe(ctx, t.prober.network, func(o outcome) {
		took := time.Since(at)
		t.note(o)
		if checked := t.prober.checked; checked != nil {
			checked(Check{
				Key: t.key, Protocol: c.Protocol, Time: at, Latency: took,
				Passed: o.result == passed, Status: o.status, Reason: o.reason(),
			})
		}
	})
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
		p.log.Info("target health changed", "target group", t.key.TargetGroupARN, "target", t.key.Addr,
			"from", before.State, "to", after.State, "reason", after.Reason, "description", after.Description)
	}
	p.changed(t.key.TargetGroupARN, t.key.Addr, after.State)
}

// status returns the target as it is reported. Prober.mu is held.
func (t *target) status() snapshot.TargetStatus {
	s := snapshot.TargetStatus{TargetGroupARN: t.key.TargetGroupARN, Addr: t.key.Addr.Addr(), Port: t.key.Addr.Port()}
	switch {
	case t.draining:
		s.State, s.Reason, s.Description = snapshot.TargetDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress"
	case !t.enabled:
		s.State, s.Reason, s.Description = snapshot.TargetUnavailable, "Target.HealthCheckDisabled", "Health checks are disabled"
	default:
		s.State, s.Reason, s.Description = t.state.describe()
	}
	return s
}

// Status returns every target, by target group, address and port. InFlight is
// not known here.
func (p *Prober) Status() []snapshot.TargetStatus {
	out := slices.Collect(p.All())
	slices.SortFunc(out, func(a, b snapshot.TargetStatus) int { return a.Key().Compare(b.Key()) })
	return out
}

// All is Status in no order. The prober waits while it is gone through.
func (p *Prober) All() iter.Seq[snapshot.TargetStatus] {
	return func(yield func(snapshot.TargetStatus) bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, targets := range p.groups {
			for _, t := range targets {
				if !yield(t.status()) {
					return
				}
			}
		}
	}
}

// Target returns what Status does of one target; false if that isn't in it.
func (p *Prober) Target(k snapshot.TargetKey) (snapshot.TargetStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.groups[k.TargetGroupARN][k.Addr]
	if t == nil {
		return snapshot.TargetStatus{}, false
	}
	return t.status(), true
}

// Close stops probing. Status goes on to tell the last states.
func (p *Prober) Close() {
	p.applying.Lock()
	defer p.applying.Unlock()
	p.mu.Lock()
	p.closed = true
	var targets []*target
	for _, group := range p.groups {
		targets = slices.AppendSeq(targets, maps.Values(group))
	}
	p.mu.Unlock()
	p.cancel()
	end(targets)
}
