package demo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/demo"
	"github.com/fairlead/fairlead/internal/server"
	shapes "github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

// patience bounds every wait; on a quiet machine they take a second or two.
const patience = 45 * time.Second

// Story S1: what the demo prints is true, and true again after a restart.
func TestWhatTheDemoPrintsWorksAndOutlivesARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two servers")
	}
	o := options(t)

	first := start(t, o)
	page := first.waitFor("Ctrl-C ends")
	name, addrs := read(t, page)
	if want := []netip.Addr{o.CIDR.Addr(), o.CIDR.Addr().Next(), o.CIDR.Addr().Next().Next()}; !slices.Equal(addrs, want) {
		t.Errorf("got addresses %v, want the lowest of the pool in the order of the zones, %v", addrs, want)
	}
	seen := map[string]bool{}
	for _, a := range addrs {
		for range 6 { // each node has a turn of its own
			seen[get(t, name, netip.AddrPortFrom(a, o.Port))] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(seen)), []string{"target-1", "target-2", "target-3"}; !slices.Equal(got, want) {
		t.Errorf("got answers of %v, want of %v", got, want)
	}
	resolves(t, page, name, addrs)
	pasteWorks(t, page)
	first.stop()

	o.Live = true
	second := start(t, o)
	page = second.waitFor("Ctrl-C ends")
	if againName, againAddrs := read(t, page); againName != name || !slices.Equal(againAddrs, addrs) {
		t.Errorf("after a restart: got %s on %v, want %s on %v (I5)", againName, againAddrs, name, addrs)
	}
	for _, a := range addrs {
		get(t, name, netip.AddrPortFrom(a, o.Port))
	}
	c := client(t, o.Config)
	onlyHealthy(t, c)
	deleteLoadBalancer(t, c)
	second.waitFor("The load balancer is gone")
	if screens := strings.Count(second.output(), "\x1b[2J"); screens < 2 {
		t.Errorf("got %d screens, want a new one for each change", screens)
	}
	second.stop()
}

func TestAPortThatIsTakenEndsTheDemoAtOnce(t *testing.T) {
	o := options(t)
	other, err := net.Listen("tcp4", netip.AddrPortFrom(o.CIDR.Addr(), o.Port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	err = demo.Run(t.Context(), o)
	taken, ok := errors.AsType[*server.ListenError](err)
	if !ok || taken.Flag != "port" || taken.Addr != other.Addr().String() || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want that %s is in use and that --port chooses another", err, other.Addr())
	}
	if _, err := os.Stat(filepath.Join(o.Config.DataDir, "store")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for the store, want that no server was started", err)
	}
}

// options returns options with addresses that no other process of this machine
// has in its tests, and a directory whose name a shell would trip over.
func options(t *testing.T) demo.Options {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "it's here")
	cfg.APIAddr, cfg.DNSAddr, cfg.OpsAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DNS.TTL = time.Second
	pid := os.Getpid()
	cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 193 + byte(pid>>8%32), byte(pid), 16}), 29)
	return demo.Options{
		Config: cfg, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		CIDR: cidr, Port: freePort(t, cidr.Addr()),
	}
}

func freePort(t *testing.T, a netip.Addr) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Skipf("this system doesn't serve %s on its loopback interface: %v", a, err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// running is a demo under way.
type running struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error

	mu      sync.Mutex
	out     bytes.Buffer
	written chan struct{} // has an element after a write
}

func start(t *testing.T, o demo.Options) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, cancel: cancel, ended: make(chan error, 1), written: make(chan struct{}, 1)}
	o.Out = r
	go func() { r.ended <- demo.Run(ctx, o) }()
	return r
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.written <- struct{}{}:
	default:
	}
	return r.out.Write(b)
}

func (r *running) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// waitFor returns the output once it has the text.
func (r *running) waitFor(text string) string {
	r.t.Helper()
	late := time.After(patience)
	for {
		if out := r.output(); strings.Contains(out, text) {
			return out
		}
		select {
		case <-r.written:
		case err := <-r.ended:
			r.t.Fatalf("the demo ended with %v before %q was in\n%s", err, text, r.output())
		case <-late:
			r.t.Fatalf("%q is not in\n%s", text, r.output())
		}
	}
}

func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("stopped: got %v, want no error", err)
		}
	case <-time.After(patience):
		r.t.Fatal("the demo doesn't stop")
	}
}

var (
	headLine = regexp.MustCompile(`demo active\s+(\S+)`)
	nodeLine = regexp.MustCompile(`(?m)^local-1[abc]\s+([0-9.]+)\s+ipam-pool-[0-9a-f]+\s+in-service`)
	digLine  = regexp.MustCompile(`dig @(\S+) -p (\d+) (\S+) \+short`)
	curlLine = regexp.MustCompile(`curl --resolve (\S+):(\d+):([0-9.]+) http://(\S+)/`)
	awsLine  = regexp.MustCompile(`(AWS_CONFIG_FILE=.* AWS_SHARED_CREDENTIALS_FILE=.*) aws elbv2 describe-load-balancers`)
)

// read returns the name and the addresses on a page.
func read(t *testing.T, page string) (name string, addrs []netip.Addr) {
	t.Helper()
	head := headLine.FindStringSubmatch(page)
	if head == nil {
		t.Fatalf("no active load balancer on\n%s", page)
	}
	for _, n := range nodeLine.FindAllStringSubmatch(page, -1) {
		addrs = append(addrs, netip.MustParseAddr(n[1]))
	}
	if len(addrs) != 3 {
		t.Fatalf("got addresses %v, want three, on\n%s", addrs, page)
	}
	curl := curlLine.FindStringSubmatch(page)
	if curl == nil || curl[1] != head[1] || curl[3] != addrs[0].String() || curl[4] != head[1]+":"+curl[2] {
		t.Errorf("got curl command %q, want one to %s on %s", curl, head[1], addrs[0])
	}
	return head[1], addrs
}

// get asks a node for the named site, and returns the target that answered.
func get(t *testing.T, name string, node netip.AddrPort) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+node.String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = fmt.Sprintf("%s:%d", name, node.Port())
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(body), "\n")
	want := []string{lines[0], "Host: " + req.Host, "X-Forwarded-For: 127.0.0.1", ""}
	if diff := cmp.Diff(want, lines); resp.StatusCode != http.StatusOK || diff != "" {
		t.Errorf("%s: got %s, want 200; body (-want +got):\n%s", node, resp.Status, diff)
	}
	return lines[0]
}

// resolves asks the DNS server of the page's command for the name until it
// answers the addresses: names follow the nodes at a little distance.
func resolves(t *testing.T, page, name string, want []netip.Addr) {
	t.Helper()
	dig := digLine.FindStringSubmatch(page)
	if dig == nil || dig[3] != name {
		t.Fatalf("got dig command %q, want one for %s", dig, name)
	}
	var got []netip.Addr
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !slices.Equal(got, want) && ctx.Err() == nil {
		q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
		reply, err := dns.ExchangeContext(ctx, q, net.JoinHostPort(dig[1], dig[2]))
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, rr := range reply.Answer {
			if a, ok := rr.(*dns.A); ok {
				addr, _ := netip.AddrFromSlice(a.A)
				got = append(got, addr.Unmap())
			}
		}
		slices.SortFunc(got, netip.Addr.Compare)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v (I4)", name, got, want)
	}
}

// pasteWorks has a shell find the files that the page's command names.
func pasteWorks(t *testing.T, page string) {
	t.Helper()
	line := awsLine.FindStringSubmatch(page)
	if line == nil {
		t.Fatalf("no command for the AWS CLI on\n%s", page)
	}
	out, err := exec.Command("sh", "-c", line[1]+` sh -c 'cat "$AWS_CONFIG_FILE" "$AWS_SHARED_CREDENTIALS_FILE"'`).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "endpoint_url") || !strings.Contains(string(out), "aws_secret_access_key") {
		t.Errorf("%s: got %v and %q, want the client's configuration and credentials", line[1], err, out)
	}
}

// client returns a client as the files that the server writes configure it.
func client(t *testing.T, cfg config.Config) *wire.Client {
	t.Helper()
	return &wire.Client{
		Spec: elbv2.Spec, Region: cfg.Regions[0].Name, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Endpoint:    setting(t, cfg, "config", "endpoint_url"),
		AccessKeyID: setting(t, cfg, "credentials", "aws_access_key_id"),
		Secret:      setting(t, cfg, "credentials", "aws_secret_access_key"),
	}
}

// onlyHealthy checks that the targets of an earlier start are gone or leave.
func onlyHealthy(t *testing.T, c *wire.Client) {
	t.Helper()
	var groups shapes.DescribeTargetGroupsOutput
	if err := c.Do(t.Context(), "DescribeTargetGroups", &shapes.DescribeTargetGroupsInput{}, &groups); err != nil {
		t.Fatal(err)
	}
	if len(groups.TargetGroups) != 1 {
		t.Fatalf("got %d target groups, want the one of both starts", len(groups.TargetGroups))
	}
	var health shapes.DescribeTargetHealthOutput
	in := &shapes.DescribeTargetHealthInput{TargetGroupArn: groups.TargetGroups[0].TargetGroupArn}
	if err := c.Do(t.Context(), "DescribeTargetHealth", in, &health); err != nil {
		t.Fatal(err)
	}
	states := map[shapes.TargetHealthStateEnum]int{}
	for _, h := range health.TargetHealthDescriptions {
		states[h.TargetHealth.State]++
	}
	delete(states, shapes.TargetHealthStateEnumDraining)
	delete(states, shapes.TargetHealthStateEnumUnhealthyDraining)
	if diff := cmp.Diff(map[shapes.TargetHealthStateEnum]int{shapes.TargetHealthStateEnumHealthy: 3}, states); diff != "" {
		t.Errorf("targets that don't leave (-want +got):\n%s", diff)
	}
}

// deleteLoadBalancer deletes the demo's load balancer as any client could.
func deleteLoadBalancer(t *testing.T, c *wire.Client) {
	t.Helper()
	var found shapes.DescribeLoadBalancersOutput
	if err := c.Do(t.Context(), "DescribeLoadBalancers", &shapes.DescribeLoadBalancersInput{}, &found); err != nil {
		t.Fatal(err)
	}
	if len(found.LoadBalancers) != 1 {
		t.Fatalf("got %d load balancers, want the one of both starts", len(found.LoadBalancers))
	}
	in := &shapes.DeleteLoadBalancerInput{LoadBalancerArn: found.LoadBalancers[0].LoadBalancerArn}
	if err := c.Do(t.Context(), "DeleteLoadBalancer", in, &shapes.DeleteLoadBalancerOutput{}); err != nil {
		t.Fatal(err)
	}
}

// setting returns a setting of the client files that the server writes.
func setting(t *testing.T, cfg config.Config, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cfg.DataDir, "aws", file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), name+" = ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}
