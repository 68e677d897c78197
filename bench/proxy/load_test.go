package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

var (
	countLine = regexp.MustCompile(`(\d+) requests in`)
	rateLine  = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p99Line   = regexp.MustCompile(`(?m)^\s+99%\s+(\S+)`)
	failures  = regexp.MustCompile(`(?m)^\s*(Socket errors|Non-2xx).*$`)
)

// load has clients ask for a while and returns what they counted: wrk, or clients
// of our own where the rate is given, which wrk can't keep.
func (s scenario) load(b *testing.B, c *contestant, d time.Duration) (n, rate float64, p99 string) {
	b.Helper()
	args := []string{"wrk", "-t1", "-c", strconv.Itoa(s.connections), "-d", d.String(), "--latency"}
	if s.anew {
		args = append(args, "-H", "Connection: close")
	}
	scheme := "http"
	if s.tls {
		scheme = "https"
	}
	args = append(args, scheme+"://"+c.addr+"/")
	cmd := exec.Command("taskset", append([]string{"-c", "1"}, args...)...)
	if s.streams > 0 {
		return s.loadHTTP2(b, c, d)
	}
	if s.rate > 0 {
		cmd = exec.Command("taskset", "-c", "1", os.Args[0])
		cmd.Env = append(os.Environ(), envRate+"="+strconv.Itoa(s.rate), envAddr+"="+c.addr, envTime+"="+d.String(), envClients+"="+strconv.Itoa(s.connections))
	}
	if s.message > 0 {
		cmd = exec.Command("taskset", "-c", "1", os.Args[0])
		cmd.Env = append(os.Environ(), envMessage+"="+strconv.Itoa(s.message), envAddr+"="+c.addr, envTime+"="+d.String(), envClients+"="+strconv.Itoa(s.connections))
	}
	if s.mutual {
		cmd = exec.Command("taskset", "-c", "1", os.Args[0])
		cmd.Env = append(os.Environ(), envMutual+"="+c.visitors, envAddr+"="+c.addr, envTime+"="+d.String(), envClients+"="+strconv.Itoa(s.connections))
	}
	if s.shared {
		how := "even"
		if c.slowed {
			how = "slow"
		}
		cmd = exec.Command("taskset", "-c", "1", os.Args[0])
		cmd.Env = append(os.Environ(), envShared+"="+how, envAddr+"="+c.addr, envTime+"="+d.String(), envClients+"="+strconv.Itoa(s.connections))
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %v\n%s", cmd.Args, err, out)
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

var (
	finishedLine  = regexp.MustCompile(`finished in .*, ([\d.]+) req/s`)
	requestsLine  = regexp.MustCompile(`requests: .* (\d+) done, .* (\d+) failed`)
	requestMaxRow = regexp.MustCompile(`time for request: +\S+ +(\S+) `)
)

// sessionRequests is how many requests each session of HTTP/2 has: fewer than ours end
// after, as h2load doesn't begin another one.
const sessionRequests = 9000

// loadHTTP2 is load by h2load, for as many requests as there may be. It knows of no
// percentiles: in their place it tells the longest that a request took.
func (s scenario) loadHTTP2(b *testing.B, c *contestant, d time.Duration) (n, rate float64, longest string) {
	b.Helper()
	requests := sessionRequests * s.connections
	if d < turnTime {
		requests /= 4
	}
	if s.grpc {
		requests /= 4 // the server is what is slow
	}
	cmd := exec.Command("taskset", "-c", "1", "h2load", "-t1", "-c", strconv.Itoa(s.connections), "-m", strconv.Itoa(s.streams),
		"-n", strconv.Itoa(requests), "https://"+c.addr+"/")
	if s.grpc {
		cmd.Args = append(cmd.Args, "-d", write(b, "message", string(calledWith)), "-H", "content-type: application/grpc", "-H", "te: trailers")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	finished, counts, times := finishedLine.FindSubmatch(out), requestsLine.FindSubmatch(out), requestMaxRow.FindSubmatch(out)
	if finished == nil || counts == nil || times == nil {
		b.Fatalf("h2load says\n%s", out)
	}
	if string(counts[2]) != "0" {
		b.Errorf("%s: %s requests failed", c.name, counts[2])
	}
	if n, err = strconv.ParseFloat(string(counts[1]), 64); err == nil {
		rate, err = strconv.ParseFloat(string(finished[1]), 64)
	}
	if err != nil {
		b.Fatal(err)
	}
	return n, rate, string(times[1])
}

// The variables that make a process of this program a load.
const (
	envRate    = "FAIRLEAD_BENCH_RATE" // requests a second
	envTime    = "FAIRLEAD_BENCH_TIME"
	envClients = "FAIRLEAD_BENCH_CLIENTS"
)

// pace asks for a while at a rate, on kept connections that have their turns at
// equal distances, and says what it counted as wrk does. A request that can't be
// sent at its time, as the one before isn't answered, is as late as it is.
func pace(addr string, rate, clients int, d time.Duration) error {
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	var failed error
	gap := time.Second * time.Duration(clients) / time.Duration(rate)
	begin := time.Now().Add(50 * time.Millisecond)
	for i := range clients {
		wg.Go(func() {
			mine, err := paceOne(addr, begin.Add(gap*time.Duration(i)/time.Duration(clients)), gap, begin.Add(d))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	slices.Sort(took)
	fmt.Printf("  50%% %v\n  99%% %v\n%d requests in %v\nRequests/sec: %.2f\n", took[len(took)/2], took[len(took)*99/100], len(took), d, float64(len(took))/d.Seconds())
	return nil
}

func paceOne(addr string, at time.Time, gap time.Duration, until time.Time) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	request := []byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
	for ; at.Before(until); at = at.Add(gap) {
		time.Sleep(time.Until(at))
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}
