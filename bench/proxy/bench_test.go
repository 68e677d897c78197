package proxy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	} {
		b.Run(s.name, s.run)
	}
}

// scenario is one kind of load.
type scenario struct {
	name        string
	size        int // of a response's body
	connections int
}

// contestant is a proxy in front of the same server.
type contestant struct {
	name string
	url  string
	pid  int

	micros []float64 // CPU time of a request, by round
	rate   []float64 // requests a second
	p99    []string
}

func (s scenario) run(b *testing.B) {
	for _, program := range []string{"wrk", "haproxy", "nginx", "taskset"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("%s isn't installed", program)
		}
	}
	server := startServer(b, s.size)
	all := []*contestant{startOurs(b, server), startHAProxy(b, server), startNginx(b, server)}
	for _, c := range all {
		s.load(b, c, time.Second) // connections to the server, and what else is made once
	}
	for round := 0; b.Loop(); round++ {
		order := slices.Clone(all)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, c := range order {
			before := ticks(b, c.pid)
			n, rate, p99 := s.load(b, c, turnTime)
			c.micros = append(c.micros, float64(ticks(b, c.pid)-before)*10_000/n)
			c.rate, c.p99 = append(c.rate, rate), append(c.p99, p99)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(all[0].micros), "µs-CPU")
	for _, c := range all {
		b.Logf("%-8s µs CPU %.1f; requests/s %.0f; p99 %s", c.name, c.micros, c.rate, strings.Join(c.p99, " "))
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

var (
	countLine = regexp.MustCompile(`(\d+) requests in`)
	rateLine  = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p99Line   = regexp.MustCompile(`99%\s+(\S+)`)
	failures  = regexp.MustCompile(`(?m)^\s*(Socket errors|Non-2xx).*$`)
)

// load has wrk ask for a while and returns what it counted.
func (s scenario) load(b *testing.B, c *contestant, d time.Duration) (n, rate float64, p99 string) {
	b.Helper()
	out, err := exec.Command("taskset", "-c", "1", "wrk", "-t1", "-c", strconv.Itoa(s.connections), "-d", d.String(), "--latency", c.url).CombinedOutput()
	if err != nil {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	if f := failures.Find(out); f != nil {
		b.Errorf("%s: %s", c.name, f)
	}
	number := func(r *regexp.Regexp) float64 {
		m := r.FindSubmatch(out)
		if m == nil {
			b.Fatalf("wrk says\n%s", out)
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	if m := p99Line.FindSubmatch(out); m != nil {
		p99 = string(m[1])
	}
	return number(countLine), number(rateLine), p99
}

// ticks returns the CPU time of a process, in hundredths of a second.
func ticks(b *testing.B, pid int) int {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	sum := 0
	for _, f := range strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))[11:13] { // utime and stime
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return sum
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
		_ = cmd.Process.Signal(os.Interrupt)
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
