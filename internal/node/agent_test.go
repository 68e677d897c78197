package node_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/attach"
	"github.com/fairlead/fairlead/internal/node"
	"github.com/fairlead/fairlead/internal/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plane is a control plane under the test's thumb.
type plane struct {
	assignments chan *snapshot.Assignment
	down        atomic.Bool

	mu      sync.Mutex
	reports []*snapshot.Report
	news    chan struct{}
}

func newPlane() *plane {
	return &plane{assignments: make(chan *snapshot.Assignment, 1), news: make(chan struct{}, 1)}
}

func (p *plane) Assignments() <-chan *snapshot.Assignment { return p.assignments }

func (p *plane) Report(_ context.Context, r *snapshot.Report) error {
	if p.down.Load() {
		return errors.New("no route to host")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Partial {
		if len(p.reports) == 0 {
			return errors.New("a partial report of nothing")
		}
		r = onto(p.reports[len(p.reports)-1], r)
	}
	p.reports = append(p.reports, r)
	select {
	case p.news <- struct{}{}:
	default:
	}
	return nil
}

// onto is the whole report that a partial one makes of the one before.
func onto(before, r *snapshot.Report) *snapshot.Report {
	whole := *r
	whole.Nodes = slices.DeleteFunc(slices.Clone(before.Nodes), func(n snapshot.NodeStatus) bool {
		return slices.Contains(r.GoneNodes, n.NodeID) || slices.ContainsFunc(r.Nodes, func(o snapshot.NodeStatus) bool { return o.NodeID == n.NodeID })
	})
	whole.Nodes = append(whole.Nodes, r.Nodes...)
	slices.SortFunc(whole.Nodes, func(a, b snapshot.NodeStatus) int { return strings.Compare(a.NodeID, b.NodeID) })
	whole.Targets = slices.DeleteFunc(slices.Clone(before.Targets), func(s snapshot.TargetStatus) bool {
		return slices.Contains(r.GoneTargets, s.Key()) || slices.ContainsFunc(r.Targets, func(o snapshot.TargetStatus) bool { return o.Key() == s.Key() })
	})
	whole.Targets = append(whole.Targets, r.Targets...)
	return &whole
}

// await returns the first report that the condition holds for, from now on or
// the latest.
func (p *plane) await(t *testing.T, what string, ok func(*snapshot.Report) bool) *snapshot.Report {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		p.mu.Lock()
		var last *snapshot.Report
		if n := len(p.reports); n > 0 {
			last = p.reports[n-1]
		}
		p.mu.Unlock()
		if last != nil && ok(last) {
			return last
		}
		select {
		case <-p.news:
		case <-deadline:
			t.Fatalf("no report that %s; the last is %+v", what, last)
		}
	}
}

// host is an agent under test.
type host struct {
	t      *testing.T
	agent  *node.Agent
	cancel context.CancelFunc
	done   chan struct{}
}

func startHost(t *testing.T, dir string, p *plane, d attach.Driver) *host {
	t.Helper()
	a, err := node.New(node.Options{
		Host: "host-1", Dir: dir, Driver: d, ControlPlane: p, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		ReportInterval: time.Minute, RetryInterval: 20 * time.Millisecond, ShutdownGrace: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h := &host{t: t, agent: a, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		a.Run(ctx)
	}()
	t.Cleanup(h.stop)
	return h
}

func (h *host) stop() {
	h.cancel()
	<-h.done
}

func loopback(t *testing.T, dir string) attach.Driver {
	t.Helper()
	d, err := attach.NewLoopback(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const port = 28081

var addresses atomic.Uint32

// newAddress returns an address in 127.32.0.0/11 that no other test has.
func newAddress() netip.Addr {
	n := uint32(os.Getpid())<<6 + addresses.Add(1)
	return netip.AddrFrom4([4]byte{127, 32 | byte(n>>16)&31, byte(n >> 8), byte(n)%254 + 1})
}

// assignment carries one load balancer with one node at addr and one target.
func assignment(revision int64, addr netip.Addr, target string) *snapshot.Assignment {
	at := netip.MustParseAddrPort(target)
	forward := &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "tg", Weight: 1}}}
	return &snapshot.Assignment{
		Version: snapshot.Version, Revision: revision, Host: "host-1",
		LoadBalancers: []*snapshot.LoadBalancer{{
			ARN: "lb", IdleTimeout: time.Minute, ClientKeepAlive: time.Hour,
			Listeners: []snapshot.Listener{{ARN: "listener", Port: port, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{{ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: forward}}}}}},
		}},
		TargetGroups: []*snapshot.TargetGroup{{
			ARN: "tg", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: at.Addr(), Port: at.Port()}},
			HealthCheck: snapshot.HealthCheck{Enabled: true, Protocol: snapshot.HTTP, Path: "/", Interval: 30 * time.Second, Timeout: 5 * time.Second, HealthyThreshold: 5, UnhealthyThreshold: 2, Matcher: "200"},
		}},
		Nodes: []*snapshot.Node{{ID: "node-1", LoadBalancerARN: "lb", Zone: "a", Public: addr, Private: netip.MustParseAddr("10.0.0.9"), Phase: snapshot.NodeServing}},
	}
}

func echoTarget(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func get(t *testing.T, addr netip.Addr) string {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("http://" + netip.AddrPortFrom(addr, port).String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ready(r *snapshot.Report) bool {
	return len(r.Nodes) == 1 && r.Nodes[0].Ready
}

func healthy(r *snapshot.Report) bool {
	return len(r.Targets) == 1 && r.Targets[0].State == snapshot.TargetHealthy
}

func TestAssignmentIsCarriedAndReportedPromptly(t *testing.T) {
	p := newPlane()
	dir := t.TempDir()
	startHost(t, dir, p, loopback(t, dir))
	addr := netip.MustParseAddr("192.0.2.144")
	begin := time.Now()
	p.assignments <- assignment(7, addr, echoTarget(t, "hello"))
	r := p.await(t, "has a ready node and a healthy target", func(r *snapshot.Report) bool { return ready(r) && healthy(r) && r.Revision != 0 })
	took := time.Since(begin)
	if r.Revision != 7 || r.Host != "host-1" {
		t.Errorf("report of %s about revision %d, want host-1 and 7", r.Host, r.Revision)
	}
	bound := r.Nodes[0].Bound
	if !netip.MustParsePrefix("127.128.0.0/9").Contains(bound) {
		t.Errorf("192.0.2.144 is bound to %s, want a shadow address", bound)
	}
	if got := get(t, bound); got != "hello" {
		t.Errorf("got %q", got)
	}
	t.Logf("assignment to report: %v", took)
	if took > time.Second { // some 5 ms when the machine is quiet
		t.Errorf("assignment reported after %v", took)
	}
}

// I7: with no control plane at all, a host starts from what is on its disk.
func TestHostRestartsFromItsDisk(t *testing.T) {
	p := newPlane()
	dir := t.TempDir()
	h := startHost(t, dir, p, loopback(t, dir))
	p.assignments <- assignment(7, netip.MustParseAddr("192.0.2.145"), echoTarget(t, "still here"))
	bound := p.await(t, "has a ready node", ready).Nodes[0].Bound
	h.stop()

	p.down.Store(true)
	h = startHost(t, dir, p, loopback(t, dir))
	<-h.agent.Restored()
	if got := get(t, bound); got != "still here" {
		t.Errorf("after the restart: %q", got)
	}
	if r := h.agent.Report(); r.Revision != 7 || !ready(r) {
		t.Errorf("after the restart: %+v", r)
	}
}

func TestUnusableFileDoesNotStopTheHost(t *testing.T) {
	page := strings.Repeat("\x00\xff", 1<<14)
	for _, f := range []struct{ name, content string }{
		{"assignment.json", ""}, {"assignment.json", "{"}, {"assignment.json", `{"version": 99}`},
		{"assignment.json", `{"version":1,"Nodes":[{"ID":"n","LoadBalancerARN":"none"}]}`},
		{"assignment.db", "x"}, {"assignment.db", page},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.content), 0o600); err != nil {
			t.Fatal(err)
		}
		p := newPlane()
		h := startHost(t, dir, p, loopback(t, dir))
		p.assignments <- assignment(1, newAddress(), echoTarget(t, "x"))
		p.await(t, "has a ready node", ready)
		h.stop()
	}
}

// The file of a host that wrote a hundred assignments, one part at a time, holds
// what the last one says, and one that lost some of its bytes holds nothing.
func TestTheFileHoldsTheLastAssignmentWhole(t *testing.T) {
	dir, addr, target := t.TempDir(), newAddress(), echoTarget(t, "last")
	p := newPlane()
	h := startHost(t, dir, p, loopback(t, dir))
	a := assignment(1, addr, target)
	for i := range 100 {
		next := *a
		next.Revision = int64(i + 1)
		if i%2 == 1 {
			next.Nodes = append(slices.Clone(a.Nodes), &snapshot.Node{ID: "node-2", LoadBalancerARN: "lb", Private: newAddress(), Phase: snapshot.NodeServing})
		}
		p.assignments <- &next
	}
	p.await(t, "is about the last", func(r *snapshot.Report) bool { return r.Revision == 100 && len(r.Nodes) == 2 })
	h.stop()

	p.down.Store(true)
	h = startHost(t, dir, p, loopback(t, dir))
	<-h.agent.Restored()
	if r := h.agent.Report(); r.Revision != 100 || len(r.Nodes) != 2 {
		t.Errorf("after a restart: %+v", r)
	}
	h.stop()

	path := filepath.Join(dir, "assignment.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[3*os.Getpagesize():]) // what is left is its beginning, which says where all else is
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	p = newPlane()
	startHost(t, dir, p, loopback(t, dir))
	p.assignments <- assignment(101, newAddress(), target)
	p.await(t, "has one ready node", func(r *snapshot.Report) bool { return r.Revision == 101 && ready(r) })
}

func TestAssignmentsThatAreNotForUsAreIgnored(t *testing.T) {
	p := newPlane()
	dir := t.TempDir()
	h := startHost(t, dir, p, loopback(t, dir))
	addr, target := newAddress(), echoTarget(t, "x")
	p.assignments <- assignment(7, addr, target)
	p.await(t, "is about 7 and has a ready node", func(r *snapshot.Report) bool { return r.Revision == 7 && ready(r) })

	older := assignment(6, addr, target)
	older.Nodes = nil
	foreign := assignment(8, addr, target)
	foreign.Host = "host-2"
	newer := assignment(8, addr, target)
	newer.Version = snapshot.Version + 1
	meaningless := assignment(9, addr, target)
	meaningless.TargetGroups = nil
	for _, a := range []*snapshot.Assignment{foreign, newer, meaningless, older, foreign, foreign} {
		p.assignments <- a // the channel holds one: those before the last two have been dealt with then
	}
	if r := h.agent.Report(); r.Revision != 7 || !ready(r) {
		t.Errorf("then it carries %d: %+v, want 7", r.Revision, r.Nodes)
	}
	last := assignment(10, addr, target)
	last.Nodes = append(last.Nodes, &snapshot.Node{ID: "node-2", LoadBalancerARN: "lb", Private: newAddress(), Phase: snapshot.NodeServing})
	p.assignments <- last
	r := p.await(t, "is about 10", func(r *snapshot.Report) bool { return r.Revision == 10 })
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, seen := range p.reports {
		// What is applied is acknowledged when it is saved: node-2 may come first.
		carried := len(seen.Nodes) > 0 && seen.Nodes[0].NodeID == "node-1" && seen.Nodes[0].Ready
		if !slices.Contains([]int64{0, 7, 10}, seen.Revision) || seen.Revision == 7 && !carried {
			t.Errorf("report about revision %d: %+v", seen.Revision, seen.Nodes)
		}
	}
	if len(r.Nodes) != 2 || !r.Nodes[1].Ready {
		t.Errorf("nodes %+v, want two that are ready", r.Nodes)
	}
}

// I3: a node is reported, and its address attached, until its last socket is closed.
func TestRemovedNodeIsReportedUntilItIsClosed(t *testing.T) {
	p := newPlane()
	dir := t.TempDir()
	d := &recordingDriver{Driver: loopback(t, dir)}
	h := startHost(t, dir, p, d)
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "ELB-HealthChecker/2.0" {
			<-release
		}
		io.WriteString(w, "done")
	}))
	defer slow.Close()
	addr := newAddress()
	p.assignments <- assignment(1, addr, slow.Listener.Addr().String())
	p.await(t, "has a ready node", ready)

	c, err := net.Dial("tcp", netip.AddrPortFrom(addr, port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the request is under way", func() bool {
		r := h.agent.Report()
		return len(r.Targets) == 1 && r.Targets[0].InFlight == 1
	})

	empty := &snapshot.Assignment{Version: snapshot.Version, Revision: 2, Host: "host-1"}
	p.assignments <- empty
	r := p.await(t, "is about 2", func(r *snapshot.Report) bool { return r.Revision == 2 })
	if len(r.Nodes) != 1 || r.Nodes[0].Ready || r.Nodes[0].OpenConnections != 1 {
		t.Errorf("with a request under way: %+v, want the node, closing", r.Nodes)
	}
	if d.detached() {
		t.Error("the address was detached under an open socket")
	}
	close(release)
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "done") || !strings.Contains(string(b), "Connection: close") {
		t.Errorf("the request under way got %q, %v", b, err)
	}
	p.await(t, "has no node", func(r *snapshot.Report) bool { return r.Revision == 2 && len(r.Nodes) == 0 })
	eventually(t, "the address is detached", d.detached)
}

// recordingDriver sees what is attached and detached, and fails on demand.
type recordingDriver struct {
	attach.Driver
	failing atomic.Bool
	gone    atomic.Bool
}

func (d *recordingDriver) Attach(ctx context.Context, id string, a netip.Addr) (netip.Addr, error) {
	if d.failing.Load() {
		return netip.Addr{}, errors.New("link is down")
	}
	return d.Driver.Attach(ctx, id, a)
}

func (d *recordingDriver) Detach(ctx context.Context, id string) error {
	d.gone.Store(true)
	return d.Driver.Detach(ctx, id)
}

func (d *recordingDriver) detached() bool { return d.gone.Load() }

func TestFailedAddressIsToldAndTriedAgain(t *testing.T) {
	p := newPlane()
	dir := t.TempDir()
	d := &recordingDriver{Driver: loopback(t, dir)}
	d.failing.Store(true)
	startHost(t, dir, p, d)
	p.assignments <- assignment(1, newAddress(), echoTarget(t, "x"))
	r := p.await(t, "has the node", func(r *snapshot.Report) bool { return len(r.Nodes) == 1 })
	if n := r.Nodes[0]; n.Ready || !strings.Contains(n.Error, "link is down") {
		t.Errorf("node %+v, want it not ready because the link is down", n)
	}
	d.failing.Store(false)
	p.await(t, "has a ready node", ready)
}

func TestTakenPortIsToldAndTriedAgain(t *testing.T) {
	p := newPlane()
	dir := t.TempDir()
	addr := newAddress()
	l, err := net.Listen("tcp", netip.AddrPortFrom(addr, port).String())
	if err != nil {
		t.Fatal(err)
	}
	startHost(t, dir, p, loopback(t, dir))
	p.assignments <- assignment(1, addr, echoTarget(t, "x"))
	r := p.await(t, "has the node", func(r *snapshot.Report) bool { return len(r.Nodes) == 1 })
	if n := r.Nodes[0]; n.Ready || len(n.Listeners) != 1 || !strings.Contains(n.Listeners[0].Error, "stop the process") {
		t.Errorf("node %+v, want it not ready, with a remedy", n)
	}
	l.Close()
	p.await(t, "has a ready node", ready)
}

func TestNewRefusesWhatCannotRun(t *testing.T) {
	for name, o := range map[string]node.Options{
		"no host":   {Dir: t.TempDir(), Driver: loopback(t, t.TempDir()), ControlPlane: newPlane()},
		"no driver": {Host: "h", Dir: t.TempDir(), ControlPlane: newPlane()},
		"no plane":  {Host: "h", Dir: t.TempDir(), Driver: loopback(t, t.TempDir())},
		"no way in": {Host: "h", Dir: "/dev/null/x", Driver: loopback(t, t.TempDir()), ControlPlane: newPlane()},
	} {
		if _, err := node.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("it didn't come to be that %s", what)
		case <-tick.C:
		}
	}
}

// I1: what isn't on disk isn't acknowledged: a restart would not know of it.
func TestAnAssignmentThatCannotBeSavedIsNotAcknowledged(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "assignment.json", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := newPlane()
	h := startHost(t, dir, p, loopback(t, dir))
	defer h.stop()
	p.assignments <- assignment(7, newAddress(), echoTarget(t, "one"))
	p.await(t, "the target is healthy", func(r *snapshot.Report) bool { return ready(r) && healthy(r) })
	if r := h.agent.Report(); r.Revision != 0 {
		t.Errorf("got revision %d acknowledged, want none", r.Revision)
	}
}
