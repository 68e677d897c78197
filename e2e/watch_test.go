package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/testkit"
)

// fairlead is a command of the program against the world's server.
func (w *world) fairlead(args ...string) *exec.Cmd {
	cmd := exec.Command(testkit.Program(w.T), args...)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+w.API, "AWS_REGION="+w.Region, "AWS_ACCESS_KEY_ID="+w.Key.ID, "AWS_SECRET_ACCESS_KEY="+w.Key.Secret,
		"FAIRLEAD_OPS_ADDR="+strings.TrimPrefix(w.Ops, "http://"))
	return cmd
}

// says runs a command and reads the JSON that it writes.
func (w *world) says(v any, args ...string) error {
	out, err := w.fairlead(args...).Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // it is exec's own
			return fmt.Errorf("fairlead %v: %s", args, exit.Stderr)
		}
		return err
	}
	return json.Unmarshal(out, v)
}

// follow runs a command that goes on, and returns what reads its lines so far.
func (w *world) follow(args ...string) (lines func() []string) {
	w.Helper()
	cmd := w.fairlead(args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			mu.Lock()
			all = append(all, scan.Text())
			mu.Unlock()
		}
	}()
	w.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		if err := cmd.Wait(); err != nil {
			w.Errorf("fairlead %v, interrupted: %v", args, err)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// hold opens a connection to an address, and asks over it when it is told to.
func (w *world) hold(at netip.Addr, port uint16, name string) (ask func() error, end func()) {
	w.Helper()
	conn, err := net.Dial("tcp", netip.AddrPortFrom(at, port).String())
	if err != nil {
		w.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	return func() error {
		if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name); err != nil {
			return err
		}
		length := 0
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				return err
			}
			_, _ = fmt.Sscanf(strings.ToLower(line), "content-length: %d", &length)
			if line == "\r\n" {
				_, err := io.CopyN(io.Discard, answers, int64(length))
				return err
			}
		}
	}, func() { _ = conn.Close() }
}

// B4, B5: a migration is watched, cancelled and made again; what was decided is
// told while it happens; and who asked for it is on record, also after a kill.
func TestAMigrationIsWatchedCancelledAndOnRecord(t *testing.T) {
	p := testkit.StartProcess(t, filepath.Join(t.TempDir(), "data"))
	w := clients(t, p.Server)
	w.network()
	pool := w.pool("127.192.15.0/29")
	group := w.targetGroup("web", testkit.StartTarget(t, "web", nil))
	events := w.follow("events", "--follow", "--json")
	lb := w.balancer("watched", "")
	port := testkit.FreePort(t)
	w.listener(lb, port, group)
	old := sortAddrs(w.Resolve(t, *lb.DNSName))
	var asks []func() error
	var ends []func()
	for _, a := range old {
		testkit.Eventually(t, "the first answer", func() error {
			status, body, err := w.get(lb, a, port, "/")
			if err == nil && status != 200 {
				err = fmt.Errorf("got %d %q", status, body)
			}
			return err
		})
		ask, end := w.hold(a, port, *lb.DNSName)
		asks, ends = append(asks, ask), append(ends, end)
	}
	alive := func(when string) {
		t.Helper()
		for i, ask := range asks {
			if err := ask(); err != nil {
				t.Errorf("%s: the connection to %s: %v", when, old[i], err)
			}
		}
	}
	alive("before")
	move := func() {
		t.Helper()
		if _, err := w.elb.ModifyIpPools(t.Context(), &elb.ModifyIpPoolsInput{LoadBalancerArn: lb.LoadBalancerArn, IpamPools: &elbtypes.IpamPools{Ipv4IpamPoolId: &pool}}); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(state string, check func(status.Migration) error) {
		t.Helper()
		testkit.Eventually(t, "a migration that is "+state, func() error {
			var m status.Migration
			if err := w.says(&m, "migration", "watched", "--json"); err != nil {
				return err
			}
			if m.State != state {
				return fmt.Errorf("it is %s", m.State)
			}
			return check(m)
		})
	}
	move()
	seen("draining", func(m status.Migration) error {
		if len(m.Old) != 3 || len(m.New) != 3 || m.ToPool != pool || !m.Cancellable || m.EndsBy.Sub(m.At).Minutes() < 60 {
			return fmt.Errorf("got %+v", m)
		}
		for i := range m.Old {
			if o := m.Old[i]; o.InDNS || o.Connections == nil || *o.Connections < 1 || o.Pool != "" {
				return fmt.Errorf("old: got %+v", o)
			}
			if n := m.New[i]; !n.InDNS || n.Pool != pool {
				return fmt.Errorf("new: got %+v", n)
			}
		}
		return nil
	})
	if out, err := w.fairlead("migration", "watched").Output(); err != nil || !strings.Contains(string(out), "DNS names the new addresses alone") || !strings.Contains(string(out), old[0].String()) {
		t.Errorf("for people: got %s, %v", out, err)
	}
	for range 2 { // twice is as good as once
		var m status.Migration
		if err := w.says(&m, "migration", *lb.LoadBalancerArn, "--cancel", "--json"); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "DNS names the old addresses", func() error {
		if got := sortAddrs(w.Resolve(t, *lb.DNSName)); !slices.Equal(got, old) {
			return fmt.Errorf("got %v, want %v", got, old)
		}
		return nil
	})
	alive("after the cancellation")
	seen("cancelled", func(m status.Migration) error {
		if len(m.New) != 0 || len(w.holders(pool)) != 0 {
			return fmt.Errorf("got %+v, the pool's holders %v", m.New, w.holders(pool))
		}
		return nil
	})
	move()
	watched := w.follow("migration", "watched", "--watch")
	seen("draining", func(status.Migration) error { return nil })
	for _, end := range ends {
		end()
	}
	testkit.Eventually(t, "the end of the watch", func() error {
		lines := watched()
		if len(lines) == 0 || !strings.Contains(lines[len(lines)-1], "watched completed; old: gone; new: 3 of 3 in DNS") {
			return fmt.Errorf("got %q", lines)
		}
		return nil
	})
	if err := w.says(nil, "migration", "watched", "--cancel"); err == nil || !strings.Contains(err.Error(), "its old addresses were given back") {
		t.Errorf("cancelled when it is over: got %v", err)
	}

	kinds := map[string]int{}
	testkit.Eventually(t, "the events", func() error {
		clear(kinds)
		for _, line := range events() {
			var e status.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			kinds[e.Kind]++
		}
		for kind, want := range map[string]int{"migration.begun": 2, "migration.cancelled": 1, "migration.ended": 2, "address.drawn": 9, "address.returned": 6, "load-balancer.active": 1, "pool.provisioned": 1} {
			if kinds[kind] != want {
				return fmt.Errorf("got %d of %s, want %d; all: %v", kinds[kind], kind, want, kinds)
			}
		}
		return nil
	})
	if kinds["migration.moved"] != 3 || kinds["listener.bound"] < 9 || kinds["target.health"] < 1 {
		t.Errorf("got %v", kinds)
	}

	p.Kill()
	p = testkit.StartProcess(t, p.Dir)
	w.Server = p.Server
	var on status.Audit
	if err := w.says(&on, "audit", "--resource", "watched", "--since", "1h", "--json"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range on.Records {
		got = append(got, r.Action+" "+r.Code)
		if r.Account != "000000000000" || r.AccessKeyID != p.Key.ID || !strings.HasPrefix(r.Source, "127.0.0.1:") || r.UserAgent == "" || r.RequestID == "" {
			t.Errorf("got %+v, want who and from where", r)
		}
	}
	want := []string{"CreateLoadBalancer OK", "CreateListener OK", "ModifyIpPools OK", "CancelMigration OK", "CancelMigration OK", "ModifyIpPools OK"}
	if !slices.Equal(got, want) { // the last one named the load balancer by its name
		t.Errorf("on record: got %q, want %q", got, want)
	}
	if err := w.says(&on, "audit", "--errors", "--json"); err != nil || len(on.Records) != 1 || on.Records[0].Action != "CancelMigration" || on.Records[0].Code != "OperationNotPermitted" {
		t.Errorf("what failed: got %+v, %v", on.Records, err)
	}
}
