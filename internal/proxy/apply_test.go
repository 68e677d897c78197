package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// I9: while everything that may change does change, no request fails.
func TestChangesDropNoRequest(t *testing.T) {
	w := newWorld(t)
	answer := func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%d", len(b))
	}
	targets := []string{w.httpTarget(answer), w.httpTarget(answer), w.httpTarget(answer)}
	w.register(targets...)
	other := *w.a.TargetGroups[0]
	other.ARN = tgARN + "-other"
	w.apply()

	stop := make(chan struct{})
	var clients sync.WaitGroup
	var requests, failures atomic.Int64
	for i := range 8 {
		clients.Go(func() {
			c := newClient(t)
			c.Transport.(*http.Transport).DisableKeepAlives = i%4 == 0
			body := strings.Repeat("x", i*5000)
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := c.Post(w.url("/"), "", strings.NewReader(body))
				requests.Add(1)
				if err == nil {
					var b []byte
					b, err = io.ReadAll(resp.Body)
					resp.Body.Close()
					if err == nil && (resp.StatusCode != 200 || string(b) != fmt.Sprint(len(body))) {
						err = fmt.Errorf("status %d, body %.80q", resp.StatusCode, b)
					}
				}
				if err != nil && failures.Add(1) < 5 {
					t.Errorf("a request failed: %v", err)
				}
			}
		})
	}
	fixed := snapshot.Rule{ARN: "teapot", Priority: 1, Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/teapot"}}},
		Actions: []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 418}}}}
	base := w.a.LoadBalancers[0].Listeners[0].Rules[0]
	for i := range 120 {
		// Targets drain in turn, rules come and go, the default rule changes its
		// target group, a second listener and a second node come and go.
		w.register(targets...)
		w.a.TargetGroups[0].Targets[i%3].Draining = true
		w.a.TargetGroups = w.a.TargetGroups[:1]
		l := &w.a.LoadBalancers[0].Listeners[0]
		l.Rules = []snapshot.Rule{base}
		if i%2 == 0 {
			l.Rules = []snapshot.Rule{fixed, base}
		}
		l.Rules[len(l.Rules)-1].Actions = forwardTo(tgARN)
		if i%5 == 0 {
			w.a.TargetGroups = append(w.a.TargetGroups, &other)
			l.Rules[len(l.Rules)-1].Actions = forwardTo(other.ARN)
		}
		w.a.LoadBalancers[0].Listeners = w.a.LoadBalancers[0].Listeners[:1]
		if i%3 == 0 {
			second := w.a.LoadBalancers[0].Listeners[0]
			second.Port++
			w.a.LoadBalancers[0].Listeners = append(w.a.LoadBalancers[0].Listeners, second)
		}
		w.a.Nodes[0].Phase = snapshot.NodeServing
		if i%7 == 0 {
			w.a.Nodes[0].Phase = snapshot.NodeDraining
		}
		w.proxy.SetHealth(tgARN, netip.MustParseAddrPort(targets[i%3]), snapshot.TargetHealthy)
		w.apply()
		seen := requests.Load()
		eventually(t, "requests go on", func() bool { return requests.Load() >= seen+5 })
	}
	close(stop)
	clients.Wait()
	t.Logf("%d requests, %d failures during 120 changes", requests.Load(), failures.Load())
}

func TestDrainingNodeEndsConnectionsWithTheResponseDue(t *testing.T) {
	var changes atomic.Int32
	w := newWorldWith(t, proxy.Options{Changed: func(string) { changes.Add(1) }})
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "ok") }))
	w.apply()
	c := w.dial()
	c.say("GET / HTTP/1.1\nHost: a\n\n")
	if resp, _ := c.hear("GET"); resp.Close {
		t.Fatal("the connection ends before the node drains")
	}
	w.a.Nodes[0].Phase = snapshot.NodeDraining
	w.apply()
	before := changes.Load() // Apply has told of the node, too
	fresh := w.dial()        // still accepted
	for _, c := range []*wire{c, fresh} {
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		if resp, body := c.hear("GET"); !resp.Close || body != "ok" {
			t.Errorf("while draining: %q, close %t", body, resp.Close)
		}
		c.ended()
	}
	eventually(t, "it is told that the last connection ended", func() bool {
		return changes.Load() > before && w.proxy.Status()[0].OpenConnections == 0
	})
	if s := w.proxy.Status(); s[0].Phase != snapshot.NodeDraining || !s[0].Ready {
		t.Errorf("status %+v", s)
	}
}

func TestRemovedListenerFinishesWhatIsUnderWay(t *testing.T) {
	for name, remove := range map[string]func(*world){
		"the listener": func(w *world) { w.lb().Listeners = nil },
		"the node":     func(w *world) { w.a.Nodes = nil },
		"everything":   func(w *world) { w.a.Nodes, w.a.LoadBalancers, w.a.TargetGroups = nil, nil, nil },
		"the address": func(w *world) {
			w.bound["node-1"] = newAddress()
			w.a.Nodes[0].Private = w.bound["node-1"]
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			begun, finish := make(chan struct{}), make(chan struct{})
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(begun)
					<-finish
				}
				io.WriteString(rw, "ok")
			}))
			w.apply()
			address := w.address()
			idle, busy := w.dial(), w.dial()
			idle.say("GET / HTTP/1.1\nHost: a\n\n")
			idle.hear("GET")
			busy.say("GET /slow HTTP/1.1\nHost: a\n\n")
			<-begun
			remove(w)
			w.apply()
			idle.ended()
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				t.Error("it still accepts")
			}
			if name != "the listener" && name != "the address" {
				eventually(t, "the node is told with its last connection", func() bool {
					s := w.proxy.Status()
					return len(s) == 1 && !s[0].Ready && s[0].OpenConnections == 1
				})
			}
			close(finish)
			if resp, body := busy.hear("GET"); body != "ok" || !resp.Close {
				t.Errorf("under way: %d %q, close %t", resp.StatusCode, body, resp.Close)
			}
			busy.ended()
			if name == "the node" || name == "everything" {
				eventually(t, "nothing is told of the node any more", func() bool { return len(w.proxy.Status()) == 0 })
			}
		})
	}
}

// A target that is taken out of its target group has had its deregistration
// delay: what is still under way is cut. With a target group that no rule names
// any more it is finished.
func TestRequestsToRemovedTargets(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remove func(*world)
		status int
	}{
		{"the target has left its group", func(w *world) { w.a.TargetGroups[0].Targets = nil }, 502},
		{"the rule has left the group", func(w *world) {
			w.a.TargetGroups = nil
			w.lb().Listeners[0].Rules[0].Actions = []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 418}}}
		}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			begun, finish := make(chan struct{}), make(chan struct{})
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
				close(begun)
				<-finish
			}))
			w.apply()
			c := w.dial()
			c.say("GET / HTTP/1.1\nHost: a\n\n")
			<-begun
			tt.remove(w)
			w.apply()
			if tt.status == 200 {
				close(finish)
			}
			if resp, _ := c.hear("GET"); resp.StatusCode != tt.status {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.status != 200 {
				close(finish)
			}
		})
	}
}

func TestOldConnectionsEndWithTheNextResponse(t *testing.T) {
	w := newWorld(t)
	w.lb().ClientKeepAlive = 50 * time.Millisecond
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) {}))
	w.apply()
	c := w.dial()
	ended := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ended:
			t.Fatal("the connection goes on for ever")
		}
		c.say("GET / HTTP/1.1\nHost: a\n\n")
		if resp, _ := c.hear("GET"); resp.Close {
			break
		}
	}
	c.ended()
}

func TestPortsThatCannotBeOpenedAreToldAndTheOthersServe(t *testing.T) {
	w := newWorld(t)
	taken, err := net.Listen("tcp", netip.AddrPortFrom(w.bound["node-1"], port+1).String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l := w.lb().Listeners[0]
	l.Port, l.ARN = port+1, "taken"
	secure := w.lb().Listeners[0]
	secure.Port, secure.ARN, secure.Protocol = port+2, "secure", snapshot.HTTPS
	w.lb().Listeners = append(w.lb().Listeners, l, secure)
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "ok") }))
	w.apply()
	s := w.proxy.Status()[0]
	if !s.Ready || len(s.Listeners) != 3 || s.Listeners[0].Error != "" ||
		!strings.Contains(s.Listeners[1].Error, "stop the process that listens there") || !strings.Contains(s.Listeners[2].Error, "need a certificate") {
		t.Errorf("status %+v", s)
	}
	if _, body := get(t, newClient(t), w.url("/")); body != "ok" {
		t.Errorf("the other port: %q", body)
	}
	taken.Close()
	if err := w.proxy.Retry(w.at); err != nil {
		t.Fatal(err)
	}
	if s := w.proxy.Status()[0]; s.Listeners[1].Error != "" {
		t.Errorf("once the port is free: %+v", s)
	}
}

func TestPrivilegedPortNamesTheRemedy(t *testing.T) {
	refused := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}
	if got := proxy.Remedy(refused, 80); !strings.Contains(got, "grant CAP_NET_BIND_SERVICE or set net.ipv4.ip_unprivileged_port_start") {
		t.Errorf("port 80: %q", got)
	}
	if got := proxy.Remedy(refused, 8080); got != "" {
		t.Errorf("port 8080: %q, want no remedy that doesn't help", got)
	}
}

// Whole or not at all: an assignment that has no meaning changes nothing.
func TestMeaninglessAssignmentsChangeNothing(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "ok") }))
	w.apply()
	for name, damage := range map[string]func(*snapshot.Assignment){
		"a target group that isn't there":  func(a *snapshot.Assignment) { a.TargetGroups = nil },
		"a load balancer that isn't there": func(a *snapshot.Assignment) { a.LoadBalancers = nil },
		"a node twice":                     func(a *snapshot.Assignment) { a.Nodes = append(a.Nodes, a.Nodes[0]) },
		"a condition without a meaning": func(a *snapshot.Assignment) {
			a.LoadBalancers[0].Listeners[0].Rules[0].Conditions = []snapshot.Condition{{Field: "moon"}}
		},
	} {
		b, _ := w.a.Encode()
		a, _ := snapshot.DecodeAssignment(b)
		damage(a)
		if err := w.proxy.Apply(a, w.at); err == nil {
			t.Errorf("%s: applied", name)
		}
		if _, body := get(t, newClient(t), w.url("/")); body != "ok" {
			t.Errorf("%s: then %q", name, body)
		}
	}
}

func TestCloseFinishesWhatIsUnderWayAndThenCuts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		finishes bool
	}{{"a request that ends in time", true}, {"a request that doesn't", false}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			begun, finish := make(chan struct{}), make(chan struct{})
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
				close(begun)
				<-finish
				io.WriteString(rw, "ok")
			}))
			w.apply()
			c := w.dial()
			c.say("GET / HTTP/1.1\nHost: a\n\n")
			<-begun
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			closed := make(chan struct{})
			go func() {
				w.proxy.Close(ctx)
				close(closed)
			}()
			eventually(t, "nothing is accepted", func() bool {
				c, err := net.Dial("tcp", w.address())
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			if tt.finishes {
				close(finish)
				if _, body := c.hear("GET"); body != "ok" {
					t.Errorf("under way: %q", body)
				}
			} else {
				cancel()
				c.ended()
			}
			<-closed
			if !tt.finishes {
				close(finish)
			}
			if err := w.proxy.Apply(w.a, w.at); err == nil {
				t.Error("a closed proxy applies an assignment")
			}
		})
	}
}

// What a change costs is what changes: of two hundred load balancers, one that
// gets a rule is compiled, and those that share a target group that loses a target.
func TestOnlyWhatChangesIsPlanned(t *testing.T) {
	w := newWorld(t)
	w.register("127.0.0.1:9", "127.0.0.1:10")
	for i := range 200 {
		b := *w.lb()
		b.ARN = fmt.Sprintf("%s%03d", lbARN, i)
		b.Listeners = nil
		for _, l := range w.lb().Listeners {
			l.ARN = b.ARN + "/l"
			if i >= 3 {
				l.Rules = []snapshot.Rule{{ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 418}}}}}
			}
			b.Listeners = append(b.Listeners, l)
		}
		n := *w.a.Nodes[0]
		n.ID, n.LoadBalancerARN = fmt.Sprintf("node-1%03d", i), b.ARN
		w.a.LoadBalancers, w.a.Nodes = append(w.a.LoadBalancers, &b), append(w.a.Nodes, &n)
	}
	for _, n := range w.a.Nodes[1:4] {
		w.bound[n.ID] = newAddress()
	}
	w.apply()
	for _, step := range []struct {
		name string
		edit func()
		want uint64
	}{
		{"nothing", func() {}, 0},
		{"a rule", func() {
			w.a.LoadBalancers[50].Listeners[0].Rules[0].Actions[0].FixedResponse.StatusCode = 404
		}, 1},
		{"a target group of four", func() { w.a.TargetGroups[0].Targets = w.a.TargetGroups[0].Targets[:1] }, 4},
		{"a node's phase", func() { w.a.Nodes[0].Phase = snapshot.NodeDraining }, 1},
		{"a load balancer that goes", func() { w.a.LoadBalancers, w.a.Nodes = w.a.LoadBalancers[:200], w.a.Nodes[:200] }, 1},
	} {
		before := w.proxy.Planned()
		step.edit()
		w.apply()
		if got := w.proxy.Planned() - before; got != step.want {
			t.Errorf("%s: %d load balancers planned, want %d", step.name, got, step.want)
		}
	}
}
