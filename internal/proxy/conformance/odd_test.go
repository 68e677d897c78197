package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count is the variable with the number of requests; a soak has 20,000.
const count = "FAIRLEAD_ODD_REQUESTS"

const inTest = 3000

// recorder is a target that reads requests strictly and notes their request lines.
type recorder struct {
	mu    sync.Mutex
	lines []string
	wrong []string
}

func (r *recorder) serve(c net.Conn) {
	defer c.Close()
	var buf []byte
	for {
		var request http1.Request
		n, err := request.Parse(buf)
		for ; errors.Is(err, http1.ErrIncomplete); n, err = request.Parse(buf) {
			if !more(c, &buf) {
				return
			}
		}
		text := buf[:n]
		if err != nil || request.Verdict.Tier > http1.Acceptable && request.Verdict.Reason != http1.UndefinedContentLengthSemantics && request.Verdict.Reason != http1.UndefinedTransferEncodingSemantics {
			r.note(&r.wrong, fmt.Sprintf("%q: %v, %s", buf, err, request.Verdict.Reason))
			return
		}
		r.note(&r.lines, string(request.Method.Of(text))+" "+string(request.AppendTarget(nil, text)))
		var d http1.Decoder
		d.Reset(request.Body)
		for buf = buf[n:]; !d.Done(); {
			if len(buf) == 0 && !more(c, &buf) {
				return
			}
			_, n, err := d.Next(buf)
			if err != nil {
				r.note(&r.wrong, fmt.Sprintf("body %q: %v", buf, err))
				return
			}
			buf = buf[n:]
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

func more(c net.Conn, buf *[]byte) bool {
	b := make([]byte, 64<<10)
	n, err := c.Read(b)
	*buf = append(*buf, b[:n]...)
	return err == nil
}

func (r *recorder) note(to *[]string, s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*to = append(*to, s)
}

func (r *recorder) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// startRecorder starts the target whose word counts.
func startRecorder(t *testing.T) (*recorder, server) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return r, server{"recorder", l.Addr().(*net.TCPAddr).AddrPort(), r.log}
}

// startProxy starts a proxy with a listener for each server, on consecutive ports.
func startProxy(t *testing.T, servers []server, options proxy.Options) (listeners []string) {
	t.Helper()
	options.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	p := proxy.New(options)
	node := netip.AddrFrom4([4]byte{127, 94, byte(os.Getpid()), byte(os.Getpid()>>8)&127 + 1})
	lb := &snapshot.LoadBalancer{ARN: "lb", ID: "app/lb/1", IdleTimeout: 5 * time.Second, ClientKeepAlive: time.Hour}
	a := &snapshot.Assignment{Version: snapshot.Version, Revision: 1, LoadBalancers: []*snapshot.LoadBalancer{lb},
		Nodes: []*snapshot.Node{{ID: "node", LoadBalancerARN: "lb", Private: node, Phase: snapshot.NodeServing}}}
	for i, s := range servers {
		port := uint16(28080 + i)
		arn := fmt.Sprintf("group-%d", i)
		lb.Listeners = append(lb.Listeners, snapshot.Listener{ARN: fmt.Sprintf("listener-%d", i), Port: port, Protocol: snapshot.HTTP, Rules: []snapshot.Rule{{
			ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: arn, Weight: 1}}}}},
		}}})
		a.TargetGroups = append(a.TargetGroups, &snapshot.TargetGroup{ARN: arn, Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: s.addr.Addr(), Port: s.addr.Port()}}})
		listeners = append(listeners, netip.AddrPortFrom(node, port).String())
	}
	if err := p.Apply(a, func(string) (netip.Addr, bool) { return node, true }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p.Close(ctx)
	})
	return listeners
}

// ask sends an odd request and one behind it on a connection of its own, and waits
// for what is answered until the connection ends.
func ask(addr string, n int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write(append(odd(n), fmt.Sprintf("GET /canary-%d HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", n)...)); err != nil {
		return nil // it was refused before it was all said
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return nil //nolint:nilerr // likewise
	}
	_, err = io.Copy(io.Discard, c)
	if nerr, ok := err.(net.Error); ok && nerr.Timeout() { //nolint:errorlint // straight from the connection
		return fmt.Errorf("request %d: no end: %q", n, odd(n))
	}
	return nil
}

var numbered = regexp.MustCompile(`/(odd|canary|smuggled)-(\d+)`)

// tally counts what a log has of each request and of each canary.
func tally(log string) (seen map[string]int, lines int, strange []string) {
	seen = map[string]int{}
	for line := range strings.Lines(log) {
		lines++
		m := numbered.FindStringSubmatch(line)
		if m == nil {
			strange = append(strange, line)
			continue
		}
		seen[m[1]+"-"+m[2]]++
	}
	return seen, lines, strange
}

// No server takes what goes on for more requests, or for others, than were sent
// (RFC 9112 §11.2).
func TestOddRequestsAreReadAlikeByOthers(t *testing.T) {
	n := inTest
	if v, err := strconv.Atoi(os.Getenv(count)); err == nil {
		n = v
	}
	for name, loops := range map[string]int{"loops": 1, "streams": -1} {
		t.Run(name, func(t *testing.T) {
			r, recorder := startRecorder(t)
			servers := append([]server{recorder}, startServers(t)...)
			listeners := startProxy(t, servers, proxy.Options{Loops: loops})
			var wg sync.WaitGroup
			for _, addr := range listeners {
				wg.Go(func() {
					for i := range n {
						if err := ask(addr, i); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			for _, w := range r.wrong {
				t.Errorf("what goes on is odd: %s", w)
			}
			want, sent, strange := tally(r.log())
			for _, s := range strange {
				t.Errorf("a request that nobody has sent goes on: %s", s)
			}
			t.Logf("%d of %d requests and canaries go on", sent, 2*n)
			if sent < n/2 {
				t.Errorf("only %d", sent)
			}
			for _, s := range servers[1:] {
				compare(t, s, want, sent)
			}
		})
	}
}

func compare(t *testing.T, s server, want map[string]int, sent int) {
	t.Helper()
	var got map[string]int
	var lines int
	var strange []string
	testkit.Eventually(t, s.name+"'s log", func() error { // it is written when a request has ended
		if got, lines, strange = tally(s.log()); lines < sent {
			return fmt.Errorf("it has %d lines of %d", lines, sent)
		}
		return nil
	})
	if lines != sent {
		t.Errorf("%s has seen %d requests, we have sent %d", s.name, lines, sent)
	}
	for id, n := range got {
		if n != want[id] {
			number, _ := strconv.Atoi(id[strings.IndexByte(id, '-')+1:])
			t.Errorf("%s has seen %s %d times, it was sent %d times: %q", s.name, id, n, want[id], odd(number))
		}
	}
	t.Logf("%s: %d requests; of %d it tells no target: %.300q", s.name, lines, len(strange), strange)
}

// The two shells answer alike, request by request.
func TestBothShellsAnswerOddRequestsAlike(t *testing.T) {
	_, target := startRecorder(t)
	var answers [2][]string
	for i, loops := range []int{1, -1} {
		t.Run(fmt.Sprint("loops ", loops), func(t *testing.T) {
			addr := startProxy(t, []server{target}, proxy.Options{Loops: loops})[0]
			for n := range inTest {
				answers[i] = append(answers[i], statuses(t, addr, n))
			}
		})
	}
	for n := range answers[0] {
		if answers[0][n] != answers[1][n] {
			t.Errorf("loops answer %s, goroutines %s: %q", answers[0][n], answers[1][n], odd(n))
		}
	}
}

// statuses returns those of the answers to an odd request and the one behind it.
func statuses(t *testing.T, addr string, n int) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = c.Write(append(odd(n), "GET /canary HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"...))
	_ = c.(*net.TCPConn).CloseWrite()
	var out []string
	raw, _ := io.ReadAll(c)
	for r := bufio.NewReader(bytes.NewReader(raw)); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method(n, len(out))})
		if err != nil {
			return strings.Join(out, " ")
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if out = append(out, strconv.Itoa(resp.StatusCode)); resp.StatusCode == http.StatusContinue {
			out = out[:len(out)-1]
		}
	}
}

// method returns that of the odd request, or of the one behind it.
func method(n, i int) string {
	if i == 0 && bytes.HasPrefix(odd(n), []byte("HEAD ")) {
		return http.MethodHead
	}
	return http.MethodGet
}
