package node_test

import (
	"context"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/node"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// lines are those of one log.
type lines chan string

func (l lines) Line(_ int, line []byte) { l <- string(line) }

// ELB user guide, health check logs: what the host finds out about a target is in
// the log of the node.
func TestChecksAreLogged(t *testing.T) {
	p, dir, checks := newPlane(), t.TempDir(), make(lines, 16)
	a, err := node.New(node.Options{
		Host: "host-1", Dir: dir, Driver: loopback(t, dir), ControlPlane: p, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Logs: func(b *snapshot.LoadBalancer, n *snapshot.Node, kind proxy.LogKind) proxy.Lines {
			if b.ARN != "lb" || n.ID != "node-1" || kind != proxy.HealthCheckLog {
				t.Errorf("log %d of %s is opened, for %s", kind, b.ARN, n.ID)
			}
			return checks
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	defer func() { cancel(); <-done }()

	next := assignment(7, newAddress(), echoTarget(t, "hello"))
	next.LoadBalancers[0].ID, next.LoadBalancers[0].Logs.HealthChecks.Name = "app/shop/1", "logs"
	next.TargetGroups[0].ARN = "arn:aws:elasticloadbalancing:local-1:000000000000:targetgroup/cart/0123456789abcdef"
	next.LoadBalancers[0].Listeners[0].Rules[0].Actions[0].Forward.TargetGroups[0].ARN = next.TargetGroups[0].ARN
	p.assignments <- next
	select {
	case line := <-checks:
		want := regexp.MustCompile(`^http \S+Z 0\.\d{9} ` + regexp.QuoteMeta(next.TargetGroups[0].Targets[0].AddrPort().String()) + ` cart PASS 200 - app/shop/1 ` + next.Nodes[0].Address().String() + "\n$")
		if !want.MatchString(line) {
			t.Errorf("got %q, want %s", line, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no check was logged")
	}
}
