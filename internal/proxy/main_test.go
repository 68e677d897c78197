package proxy_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

func TestMain(m *testing.M) {
	// Tests that run beside others wait for most of their time, whatever the cores.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// shell names the variable that has the tests run on the stream shell alone, if
// it is "streams".
const shell = "FAIRLEAD_PROXY_SHELL"

// Both shells do the same: every test here runs on either.
func TestTheStreamShellDoesTheSame(t *testing.T) {
	if os.Getenv(shell) != "" {
		t.Skip("it runs")
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.timeout=4m")
	cmd.Env = append(os.Environ(), shell+"=streams")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// port is the listeners' port in tests. Each test has addresses of its own.
const port = 28080

var addresses atomic.Uint32

// newAddress returns an address in 127.96.0.0/11 that no other test, and most
// likely no other test process, uses.
func newAddress() netip.Addr {
	n := uint32(os.Getpid())<<7 + addresses.Add(1)
	return netip.AddrFrom4([4]byte{127, 96 | byte(n>>16)&31, byte(n >> 8), byte(n)%254 + 1})
}

// world is a proxy under test, and the assignment that it carries.
type world struct {
	t     testing.TB
	proxy *proxy.Proxy
	a     *snapshot.Assignment
	bound map[string]netip.Addr
}

const (
	lbARN = "arn:aws:elasticloadbalancing:local-1:000000000000:loadbalancer/app/web/0123456789abcdef"
	tgARN = "arn:aws:elasticloadbalancing:local-1:000000000000:targetgroup/web/0123456789abcdef"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, proxy.Options{})
}

func newWorldWith(t *testing.T, o proxy.Options) *world {
	t.Helper()
	return newWorldFor(t, o)
}

func newWorldFor(t testing.TB, o proxy.Options) *world {
	t.Helper()
	if os.Getenv(shell) == "streams" {
		o.Loops = -1
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	w := &world{t: t, proxy: proxy.New(o), bound: map[string]netip.Addr{}}
	addr := newAddress()
	w.bound["node-1"] = addr
	w.a = &snapshot.Assignment{
		Version: snapshot.Version, Revision: 1, Host: "host",
		LoadBalancers: []*snapshot.LoadBalancer{{
			ARN: lbARN, Name: "web", ID: "app/web/0123456789abcdef",
			IdleTimeout: time.Minute, ClientKeepAlive: time.Hour,
			Listeners: []snapshot.Listener{{ARN: lbARN + "/l", Port: port, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{{ARN: "default", Actions: forwardTo(tgARN)}}}},
		}},
		TargetGroups: []*snapshot.TargetGroup{{ARN: tgARN, Protocol: snapshot.HTTP}},
		Nodes:        []*snapshot.Node{{ID: "node-1", LoadBalancerARN: lbARN, Zone: "a", Private: addr, Phase: snapshot.NodeServing}},
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.proxy.Close(ctx)
	})
	return w
}

func forwardTo(arn string) []snapshot.Action {
	return []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: arn, Weight: 1}}}}}
}

// lb returns the load balancer, for changes before apply.
func (w *world) lb() *snapshot.LoadBalancer { return w.a.LoadBalancers[0] }

// apply carries the assignment as it is now: a copy, as the proxy may keep it.
func (w *world) apply() {
	w.t.Helper()
	w.a.Revision++
	b, err := w.a.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := snapshot.DecodeAssignment(b)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.proxy.Apply(a, w.at); err != nil {
		w.t.Fatal(err)
	}
}

// at tells where nodes listen.
func (w *world) at(id string) (netip.Addr, bool) {
	a, ok := w.bound[id]
	return a, ok
}

// register makes targets of the addresses.
func (w *world) register(addrs ...string) {
	w.t.Helper()
	var targets []snapshot.Target
	for _, a := range addrs {
		ap := netip.MustParseAddrPort(a)
		targets = append(targets, snapshot.Target{Addr: ap.Addr(), Port: ap.Port()})
	}
	w.a.TargetGroups[0].Targets = targets
}

// address returns where the node listens.
func (w *world) address() string {
	return net.JoinHostPort(w.bound["node-1"].String(), strconv.Itoa(port))
}

func (w *world) url(path string) string { return "http://" + w.address() + path }

// httpTarget starts a target and returns its address.
func (w *world) httpTarget(h http.HandlerFunc) string {
	w.t.Helper()
	s := httptest.NewServer(h)
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// rawTarget starts a target that speaks as serve does, once for each connection.
func (w *world) rawTarget(serve func(net.Conn, *bufio.Reader)) string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c, bufio.NewReader(c))
			}()
		}
	}()
	w.t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// newClient returns an HTTP client whose connections end with the test.
func newClient(t *testing.T) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// get returns status and body.
func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// wire is a client that speaks bytes.
type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (w *world) dial() *wire {
	w.t.Helper()
	c, err := net.Dial("tcp", w.address())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	return &wire{t: w.t, Conn: c, r: bufio.NewReader(c)}
}

// say sends lines, with CRLF for each LF.
func (c *wire) say(format string, args ...any) {
	c.t.Helper()
	if _, err := c.Write([]byte(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n"))); err != nil {
		c.t.Fatal(err)
	}
}

// hear reads one response, to a request with the method.
func (c *wire) hear(method string) (resp *http.Response, body string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	return resp, string(b)
}

// ended waits for the connection's end.
func (c *wire) ended() {
	c.t.Helper()
	if b, err := io.ReadAll(c.r); err != nil && !strings.Contains(err.Error(), "reset") || len(b) > 0 {
		c.t.Errorf("connection goes on with %q, %v; want it ended", b, err)
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s didn't come to be", what)
		case <-tick.C:
		}
	}
}
