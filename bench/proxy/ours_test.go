package proxy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/bucket"
	"github.com/fairlead/fairlead/internal/logship"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// rules20 is how many rules each proxy has; requests meet the last one.
const rules20 = 20

// The variables that make a process of this program a proxy.
const (
	envAddr   = "FAIRLEAD_BENCH_PROXY"
	envServer = "FAIRLEAD_BENCH_SERVER"
	envLoops  = "FAIRLEAD_BENCH_LOOPS" // "-1": goroutines
	envLogs   = "FAIRLEAD_BENCH_LOGS"  // a directory for access logs
	envGRPC   = "FAIRLEAD_BENCH_GRPC"  // the server takes calls
	envSwap   = "FAIRLEAD_BENCH_SWAP"  // how often another assignment comes
	envCert   = "FAIRLEAD_BENCH_CERT"  // a file with certificate and key: HTTPS
)

func TestMain(m *testing.M) {
	if os.Getenv(envAddr) == "" {
		os.Exit(m.Run())
	}
	if err := play(os.Getenv(envAddr)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play is what this program does as a part of a benchmark.
func play(addr string) error {
	switch {
	case os.Getenv(envTime) != "":
		d, err := time.ParseDuration(os.Getenv(envTime))
		if err != nil {
			return err
		}
		clients, err := strconv.Atoi(os.Getenv(envClients))
		if err != nil {
			return err
		}
		if dir := os.Getenv(envMutual); dir != "" {
			return visit(addr, dir, clients, d)
		}
		if how := os.Getenv(envShared); how != "" {
			return share(addr, clients, how == "slow", d)
		}
		if message, err := strconv.Atoi(os.Getenv(envMessage)); err == nil {
			return speak(addr, clients, message, d)
		}
		rate, err := strconv.Atoi(os.Getenv(envRate))
		if err != nil {
			return err
		}
		return pace(addr, rate, clients, d)
	case os.Getenv(envSize) != "":
		size, err := strconv.Atoi(os.Getenv(envSize))
		if err != nil {
			return err
		}
		return answer(addr, size)
	case os.Getenv(envCalls) != "":
		return called(addr)
	case os.Getenv(envReverse) != "":
		return reverse(addr, os.Getenv(envServer))
	}
	return serve(addr, os.Getenv(envServer))
}

// startOurs starts the proxy under test in a process of its own.
func startOurs(b *testing.B, to setup) *contestant { return startSelf(b, "fairlead", to) }

// startStreams starts it without its loops.
func startStreams(b *testing.B, to setup) *contestant {
	return startSelf(b, "streams", to, envLoops+"=-1")
}

// startSwapping starts it with changes of its rules all the time.
func startSwapping(b *testing.B, to setup) *contestant {
	return startSelf(b, "swapping", to, envSwap+"=100ms")
}

// startSelf starts this program as a proxy.
func startSelf(b *testing.B, name string, to setup, env ...string) *contestant {
	addr := freeAddr(b)
	env = append(env, envAddr+"="+addr, envServer+"="+to.server)
	if to.tls != nil {
		env = append(env, envCert+"="+to.tls.path)
	}
	if to.grpc {
		env = append(env, envGRPC+"=1")
	}
	if to.clients != "" {
		env = append(env, envMutual+"="+to.clients)
	}
	if to.logs != "" {
		env = append(env, envLogs+"="+to.logs)
	}
	return &contestant{name: name, addr: addr, ours: true, pid: start(b, 0, addr, env, os.Args[0])}
}

// serve carries one load balancer until it is interrupted.
func serve(addr, server string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(server)
	if err != nil {
		return err
	}
	loops, err := strconv.Atoi(os.Getenv(envLoops))
	if err != nil {
		loops = 1
	}
	openLog, err := keepLogs(os.Getenv(envLogs))
	if err != nil {
		return err
	}
	p := proxy.New(proxy.Options{
		Logs: openLog, Loops: loops, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		OpenKey: func(_ string, key []byte) ([]byte, error) { return bytes.Clone(key), nil },
	})
	forward := []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "tg", Weight: 1}}}}}
	l := snapshot.Listener{ARN: "listener", Port: at.Port(), Protocol: snapshot.HTTP}
	for i := range rules20 - 1 {
		l.Rules = append(l.Rules, snapshot.Rule{ARN: fmt.Sprintf("rule-%d", i), Priority: i + 1, Actions: forward,
			Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{fmt.Sprintf("/rule-%d/*", i)}}}})
	}
	l.Rules = append(l.Rules, snapshot.Rule{ARN: "default", Actions: forward})
	a := &snapshot.Assignment{
		Version: snapshot.Version, Revision: 1,
		LoadBalancers: []*snapshot.LoadBalancer{{ARN: "lb", Name: "lb", ID: "app/lb/1", IdleTimeout: time.Minute, ClientKeepAlive: time.Hour, CookieKey: make([]byte, 32), Listeners: []snapshot.Listener{l}}},
		TargetGroups:  []*snapshot.TargetGroup{{ARN: "tg", Protocol: snapshot.HTTP, Stickiness: snapshot.TargetStickiness{Duration: time.Hour}, Targets: []snapshot.Target{{Addr: target.Addr(), Port: target.Port()}}}},
		Nodes:         []*snapshot.Node{{ID: "node", LoadBalancerARN: "lb", Zone: "a", Private: at.Addr(), Phase: snapshot.NodeServing}},
	}
	if os.Getenv(envGRPC) != "" {
		a.TargetGroups[0].ProtocolVersion = snapshot.GRPC
	}
	if openLog != nil {
		a.LoadBalancers[0].Logs.Access.Name = "logs"
	}
	if path := os.Getenv(envCert); path != "" {
		c, err := readCertificate(path)
		if err != nil {
			return err
		}
		a.Certificates = []*snapshot.Certificate{c}
		a.LoadBalancers[0].Listeners[0].Protocol = snapshot.HTTPS
		a.LoadBalancers[0].Listeners[0].TLS = &snapshot.TLS{Protocols: []string{"TLSv1.2", "TLSv1.3"}, Ciphers: []string{"ECDHE-ECDSA-AES128-GCM-SHA256"}, Certificates: []string{c.ARN}}
	}
	if dir := os.Getenv(envMutual); dir != "" {
		if err := verifyClients(a, dir); err != nil {
			return err
		}
	}
	bound := func(string) (netip.Addr, bool) { return at.Addr(), true }
	if err := p.Apply(a, bound); err != nil {
		return err
	}
	for _, n := range p.Status() {
		if n.Error != "" {
			return fmt.Errorf("node: %s", n.Error)
		}
	}
	p.SetHealth("tg", target, snapshot.TargetHealthy)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	collect := make(chan os.Signal, 1)
	signal.Notify(collect, syscall.SIGUSR1)
	var swap <-chan time.Time
	if every, err := time.ParseDuration(os.Getenv(envSwap)); err == nil {
		swap = time.Tick(every)
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-collect:
			debug.FreeOSMemory()
		case <-swap:
			if err := p.Apply(changed(&a), bound); err != nil {
				return err
			}
		}
	}
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	p.Close(cut)
	return nil
}

// changed returns the assignment with another rule.
func changed(a **snapshot.Assignment) *snapshot.Assignment {
	next, lb := **a, *(*a).LoadBalancers[0]
	next.Revision++
	lb.Listeners = slices.Clone(lb.Listeners)
	rules := slices.Clone(lb.Listeners[0].Rules)
	rules[0].Conditions = []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{fmt.Sprintf("/swap-%d/*", next.Revision)}}}
	lb.Listeners[0].Rules = rules
	next.LoadBalancers = []*snapshot.LoadBalancer{&lb}
	*a = &next
	return &next
}

// keepLogs keeps access logs as a server does: in a spool, from which they go to a
// directory. With no directory there are none.
func keepLogs(dir string) (func(*snapshot.LoadBalancer, *snapshot.Node, proxy.LogKind) proxy.Lines, error) {
	if dir == "" {
		return nil, nil
	}
	buckets := &bucket.Writer{Others: dir}
	s, err := logship.New(logship.Options{Dir: filepath.Join(dir, "spool"), Threads: 2, Put: buckets.Put, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return nil, err
	}
	return func(b *snapshot.LoadBalancer, n *snapshot.Node, _ proxy.LogKind) proxy.Lines {
		return s.Log(logship.Destination{Kind: logship.Access, Bucket: "logs", Account: "1", Region: "r", LoadBalancer: b.ID, Node: n.Address()})
	}, nil
}
