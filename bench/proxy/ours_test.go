package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"testing"
	"time"

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
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(envAddr); addr != "" {
		if err := serve(addr, os.Getenv(envServer)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// startOurs starts the proxy under test in a process of its own.
func startOurs(b *testing.B, server string) *contestant {
	addr := freeAddr(b)
	return &contestant{name: "fairlead", url: "http://" + addr + "/", pid: start(b, 0, addr, []string{envAddr + "=" + addr, envServer + "=" + server}, os.Args[0])}
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
	p := proxy.New(proxy.Options{Loops: loops, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	forward := []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: "tg", Weight: 1}}}}}
	l := snapshot.Listener{ARN: "listener", Port: at.Port(), Protocol: snapshot.HTTP}
	for i := range rules20 - 1 {
		l.Rules = append(l.Rules, snapshot.Rule{ARN: fmt.Sprintf("rule-%d", i), Priority: i + 1, Actions: forward,
			Conditions: []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{fmt.Sprintf("/rule-%d/*", i)}}}})
	}
	l.Rules = append(l.Rules, snapshot.Rule{ARN: "default", Actions: forward})
	err = p.Apply(&snapshot.Assignment{
		Version: snapshot.Version, Revision: 1,
		LoadBalancers: []*snapshot.LoadBalancer{{ARN: "lb", Name: "lb", ID: "app/lb/1", IdleTimeout: time.Minute, ClientKeepAlive: time.Hour, Listeners: []snapshot.Listener{l}}},
		TargetGroups:  []*snapshot.TargetGroup{{ARN: "tg", Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: target.Addr(), Port: target.Port()}}}},
		Nodes:         []*snapshot.Node{{ID: "node", LoadBalancerARN: "lb", Zone: "a", Private: at.Addr(), Phase: snapshot.NodeServing}},
	}, func(string) (netip.Addr, bool) { return at.Addr(), true })
	if err != nil {
		return err
	}
	for _, n := range p.Status() {
		if n.Error != "" {
			return fmt.Errorf("node: %s", n.Error)
		}
	}
	p.SetHealth("tg", target, snapshot.TargetHealthy)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-ctx.Done()
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	p.Close(cut)
	return nil
}
