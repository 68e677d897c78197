package proxy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/testkit"
)

// turnTime is how long each has the load in a round.
const turnTime = 4 * time.Second

// BenchmarkHTTP is HTTP/1.1 on kept connections, in the clear. Rounds are
// -benchtime Nx.
func BenchmarkHTTP(b *testing.B) {
	for _, s := range []scenario{
		{name: "128B-64", size: 128, connections: 64},
		{name: "128B-512", size: 128, connections: 512},
		{name: "10KiB-64", size: 10 << 10, connections: 64},
		{name: "1MiB-16", size: 1 << 20, connections: 16},
	} {
		b.Run(s.name, s.run)
	}
}

// BenchmarkLogged is the same with an access log each: HAProxy's and nginx's own lines,
// a quarter as long as ours, and lines of nginx with the same fields.
func BenchmarkLogged(b *testing.B) {
	scenario{size: 128, connections: 64, logged: true, against: []starter{startHAProxy, startNginx, startNginxFields}}.run(b)
}

// BenchmarkHTTPS is HTTP/1.1 within TLS 1.3.
func BenchmarkHTTPS(b *testing.B) {
	for _, s := range []scenario{
		{name: "128B-64", size: 128, connections: 64, tls: true},
		{name: "10KiB-64", size: 10 << 10, connections: 64, tls: true},
	} {
		b.Run(s.name, s.run)
	}
}

// BenchmarkHandshake is a new TLS 1.3 connection for each request, without
// resumption.
func BenchmarkHandshake(b *testing.B) {
	scenario{size: 128, connections: 16, tls: true, anew: true}.run(b)
}

// BenchmarkHTTP2 is HTTP/2 within TLS 1.3: 16 streams on each of 16 connections, as
// requests of HTTP/1.1 to the server.
func BenchmarkHTTP2(b *testing.B) {
	for _, s := range []scenario{
		{name: "128B-16x16", size: 128, connections: 16, streams: 16, tls: true},
		{name: "10KiB-16x16", size: 10 << 10, connections: 16, streams: 16, tls: true},
		{name: "128B-16x16-Go", size: 128, connections: 16, streams: 16, tls: true, against: []starter{startReverseProxy, startStreams}},
	} {
		b.Run(s.name, s.run)
	}
}

// BenchmarkRate is a rate that no proxy is busy with: what waking up costs.
func BenchmarkRate(b *testing.B) {
	scenario{size: 128, connections: 64, rate: 6000}.run(b)
}

// BenchmarkGo is against proxies written in Go, which are far behind.
func BenchmarkGo(b *testing.B) {
	scenario{size: 128, connections: 64, against: []starter{startReverseProxy, startCaddy}}.run(b)
}

// BenchmarkStreams is the other shell against the loops.
func BenchmarkStreams(b *testing.B) {
	scenario{size: 128, connections: 64, against: []starter{startStreams}}.run(b)
}

// BenchmarkSwap is against the same proxy with another assignment ten times a
// second: what a change costs those who ask meanwhile.
func BenchmarkSwap(b *testing.B) {
	scenario{size: 128, connections: 64, against: []starter{startSwapping}}.run(b)
}

// scenario is one kind of load.
type scenario struct {
	name        string
	size        int // of a response's body
	connections int
	streams     int // of HTTP/2 on each connection; 0: HTTP/1.1
	message     int // of what is said through tunnels; 0: there are none
	tls         bool
	grpc        bool      // calls
	shared      bool      // one connection is, of HTTP/2, by as many streams as there would be connections
	anew        bool      // a connection for each request
	mutual      bool      // by clients with certificates
	unasked     bool      // which nobody looks at
	logged      bool      // each request is
	rate        int       // requests a second; 0: all that can be had
	against     []starter // nil: HAProxy and nginx
}

// setup is what each proxy is to do.
type setup struct {
	server  string // address of the server behind it
	tls     *certificate
	http2   bool
	grpc    bool   // the server takes calls
	tunnels bool   // the server changes protocols
	clients string // a directory with what clients are verified by; "": they aren't
	logs    string // a directory for access logs; "": there are none
	format  string // of nginx's, with a space before; "": its own
}

// starter starts a proxy.
type starter func(*testing.B, setup) *contestant

// contestant is a proxy in front of the same server.
type contestant struct {
	name string
	addr string
	pid  int
	ours bool // this program

	slowed bool // one more stream isn't read

	visitors string // the files of clients with certificates; "": they have none

	micros []float64 // CPU time of a request, by round
	user   []float64 // of that, not the kernel's
	rate   []float64 // requests a second
	p99    []string
}

func (s scenario) run(b *testing.B) {
	for _, program := range []string{"wrk", "haproxy", "nginx", "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("%s isn't installed", program)
		}
	}
	all := s.start(b)
	for _, c := range all {
		s.load(b, c, time.Second) // connections to the server, and what else is made once
	}
	for round := 0; b.Loop(); round++ {
		order := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			user, system := ticks(b, c.pid)
			n, rate, p99 := s.load(b, c, turnTime)
			userAfter, systemAfter := ticks(b, c.pid)
			c.micros = append(c.micros, float64(userAfter+systemAfter-user-system)*10_000/n)
			c.user = append(c.user, float64(userAfter-user)*10_000/n)
			c.rate, c.p99 = append(c.rate, rate), append(c.p99, p99)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(all[0].micros), "µs-CPU")
	for _, c := range all {
		b.Logf("%-12s µs CPU %.1f, of which the program's own %.1f; requests/s %.0f; p99 %s", c.name, c.micros, c.user, c.rate, strings.Join(c.p99, " "))
		if c == all[0] {
			continue
		}
		var ratios []float64
		for i := range c.micros {
			ratios = append(ratios, all[0].micros[i]/c.micros[i])
		}
		b.ReportMetric(median(ratios), "of-"+c.name)
		b.Logf("against %s: %.2f (%.2f to %.2f)", c.name, median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
}

// start starts a server and the proxies in front of it, ours first.
func (s scenario) start(b *testing.B) []*contestant {
	to := setup{http2: s.streams > 0 || s.shared, tunnels: s.message > 0, grpc: s.grpc}
	if to.grpc {
		to.server = startCalled(b)
	} else if to.tunnels {
		to.server = startServer(b, echoes)
	} else {
		to.server = startServer(b, s.size)
	}
	if s.tls {
		to.tls = newCertificate(b)
	}
	dir := ""
	if s.mutual {
		dir = newClients(b)
	}
	if !s.unasked {
		to.clients = dir
	}
	if s.logged {
		to.logs = b.TempDir()
	}
	against := s.against
	if against == nil {
		against = []starter{startHAProxy, startNginx}
	}
	all := []*contestant{startOurs(b, to)}
	for _, start := range against {
		all = append(all, start(b, to))
	}
	for _, c := range all {
		c.visitors = dir
	}
	return all
}

// protocol is what clients within TLS are to speak, by its name of ALPN.
func (s setup) protocol() string {
	if s.http2 {
		return "h2"
	}
	return "http/1.1"
}

// ticks returns the CPU time of a process, in hundredths of a second.
func ticks(b *testing.B, pid int) (user, system int) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	if user, err = strconv.Atoi(fields[11]); err == nil {
		system, err = strconv.Atoi(fields[12])
	}
	if err != nil {
		b.Fatal(err)
	}
	return user, system
}

func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[len(sorted)/2]
}

// start runs a program, which has one process, on a core until the benchmark ends,
// and returns its ID once it accepts connections.
func start(b *testing.B, core int, addr string, env []string, args ...string) (pid int) {
	b.Helper()
	cmd := exec.Command("taskset", append([]string{"-c", strconv.Itoa(core)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // a shell's background jobs ignore interrupts, and so would it
		_ = cmd.Wait()
	})
	testkit.Eventually(b, args[0]+" listens", func() error {
		return dial(addr)
	})
	return cmd.Process.Pid
}

func write(b *testing.B, name, content string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}
