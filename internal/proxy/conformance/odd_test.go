package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// count is the variable with the number of requests; a soak has 20,000.
const count = "FAIRLEAD_ODD_REQUESTS"

// inTest is how many there are otherwise: a tenth of that where the race detector is on.
var inTest = 2000

// startProxy starts a proxy with a node for each target, on addresses of their own
// and the same port.
func startProxy(t *testing.T, targets []netip.AddrPort, options proxy.Options) (nodes []string) {
	t.Helper()
	return carry(t, targets, options, &snapshot.Assignment{}, snapshot.Listener{Protocol: snapshot.HTTP})
}

// startSecureProxy does so, with listeners that speak TLS and, within, HTTP/2. What
// it returns besides is what clients begin with.
func startSecureProxy(t *testing.T, targets []netip.AddrPort, options proxy.Options) (nodes []string, client *tls.Config) {
	t.Helper()
	root := issuer.New(t, "Root")
	pair := root.Issue("a.test")
	key, _ := pem.Decode(pair.Key)
	options.OpenKey = func(string, []byte) ([]byte, error) { return bytes.Clone(key.Bytes), nil }
	a := &snapshot.Assignment{Certificates: []*snapshot.Certificate{{ARN: "arn", Hosts: []string{"a.test"}, PEM: string(pair.Certificate)}}}
	l := snapshot.Listener{Protocol: snapshot.HTTPS, TLS: &snapshot.TLS{Protocols: []string{"TLSv1.3"}, Certificates: []string{"arn"}}}
	return carry(t, targets, options, a, l), &tls.Config{RootCAs: root.Pool(), ServerName: "a.test", NextProtos: []string{"h2"}}
}

// carry starts a proxy with the assignment, once it has a node for each target, with
// a listener like that.
func carry(t *testing.T, targets []netip.AddrPort, options proxy.Options, a *snapshot.Assignment, l snapshot.Listener) (nodes []string) {
	t.Helper()
	const port = 28080
	options.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	p := proxy.New(options)
	a.Version, a.Revision = snapshot.Version, 1
	at := map[string]netip.Addr{}
	for i, target := range targets {
		arn := fmt.Sprint(i)
		l.ARN, l.Port = arn, port
		l.Rules = []snapshot.Rule{{
			ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionForward, Forward: &snapshot.Forward{TargetGroups: []snapshot.WeightedTargetGroup{{ARN: arn, Weight: 1}}}}},
		}}
		a.LoadBalancers = append(a.LoadBalancers, &snapshot.LoadBalancer{
			ARN: arn, ID: "app/lb/1", DNSName: "lb.test", IdleTimeout: 5 * time.Second, ClientKeepAlive: time.Hour, Listeners: []snapshot.Listener{l},
		})
		a.TargetGroups = append(a.TargetGroups, &snapshot.TargetGroup{ARN: arn, Protocol: snapshot.HTTP, Targets: []snapshot.Target{{Addr: target.Addr(), Port: target.Port()}}})
		at[arn] = netip.AddrFrom4([4]byte{127, 80 + byte(i), byte(os.Getpid()), byte(os.Getpid()>>8)&127 + 1})
		a.Nodes = append(a.Nodes, &snapshot.Node{ID: arn, LoadBalancerARN: arn, Private: at[arn], Phase: snapshot.NodeServing})
		nodes = append(nodes, netip.AddrPortFrom(at[arn], port).String())
	}
	if err := p.Apply(a, func(id string) (netip.Addr, bool) { addr, ok := at[id]; return addr, ok }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p.Close(ctx)
	})
	return nodes
}

// ask sends an odd request and one behind it on a connection of its own, and waits
// for what is answered until the connection ends.
func ask(addr string, n int) error {
	// From several addresses, as one has not enough ports for all that come in a minute.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n%8)+1)}}
	c, err := d.Dial("tcp", addr)
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

// No server takes what goes on for more requests, or for others, than were sent
// (RFC 9112 §11.2).
func TestOddRequestsAreReadAlikeByOthers(t *testing.T) {
	n := inTest
	if v, err := strconv.Atoi(os.Getenv(count)); err == nil {
		n = v
	}
	for name, loops := range map[string]int{"loops": 1, "streams": -1} {
		t.Run(name, func(t *testing.T) {
			r := startRecorder(t, true)
			servers := startServers(t)
			targets := []netip.AddrPort{r.addr}
			for _, s := range servers {
				targets = append(targets, s.addr)
			}
			listeners := startProxy(t, targets, proxy.Options{Loops: loops})
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
			sent := r.sights()
			for _, w := range sent.wrong {
				t.Errorf("what goes on is odd: %s", w)
			}
			t.Logf("%d of %d requests and canaries go on, and %d in part", sent.count, 2*n, len(sent.cut))
			if sent.count < n {
				t.Errorf("only %d", sent.count)
			}
			broken := map[string]part{}
			for id, c := range sent.cut {
				broken[id] = part{c.body, -1}
			}
			for _, s := range servers {
				compare(t, s, sent, broken, func(number int) string { return string(odd(number)) })
			}
		})
	}
}

// presumes says whether a server takes a body that breaks off for whole: Varnish
// ends the chunks that it sends on, whatever came of those that it gets. Nothing that
// is said to it before can change that.
func (s server) presumes() bool { return s.name == "varnishd" }

// rewrites says whether a server passes such a target on as another one: Apache what
// begins with two slashes, H2O an asterisk.
func (s server) rewrites(target string) bool {
	return s.name == "apache2" && strings.HasPrefix(target, "//") || s.name == "h2o" && target == "*"
}

// part is the body of a request that may go on in part.
type part struct {
	body   string
	length int // that was declared: a target that has as much has all; -1: none
}

// passes says whether it may be what a server passes on as the body.
func (p part) passes(s server, body string) bool {
	return strings.HasPrefix(p.body, body) && (len(body) == p.length || s.presumes())
}

// compare says in what a server has understood something else than was sent, for
// what a client said. broken are those requests that may have gone
// on in part, or not at all.
func compare(t *testing.T, s server, sent sights, broken map[string]part, said func(number int) string) {
	t.Helper()
	n, least := 0, sent.count
	for id := range broken {
		if _, ok := sent.seen[id]; ok {
			least--
		}
	}
	testkit.Eventually(t, s.name+"'s requests", func() error { // it counts them when they have ended
		if n = s.count(); n < least {
			return fmt.Errorf("%d of %d", n, least)
		}
		return nil
	})
	if n > sent.count+len(broken) {
		t.Errorf("%s has seen %d requests, we have sent %d", s.name, n, sent.count)
	}
	own := s.origin.sights()
	for _, w := range own.wrong {
		t.Errorf("%s: %s", s.name, w)
	}
	t.Logf("%s: %d requests, of which it passes %d on", s.name, n, own.count)
	if own.count < sent.count*8/10 {
		t.Errorf("%s passes only %d of %d requests on", s.name, own.count, sent.count)
	}
	mistaken := 0
	for id, g := range own.seen {
		w, ok := sent.seen[id]
		if p, cut := broken[id]; cut && p.passes(s, g.body) {
			continue
		}
		if !ok {
			t.Errorf("%s has seen %s, which wasn't sent: %+v", s.name, id, g)
			continue
		}
		if s.rewrites(w.target) {
			g.target = w.target
		}
		if d := differences(w, g); len(d) > 0 && mistaken < 20 {
			mistaken++
			number, _ := strconv.Atoi(id[strings.IndexByte(id, '-')+1:])
			t.Errorf("%s has understood %s otherwise: %.500s\nsent for %.500s", s.name, id, strings.Join(d, "; "), said(number))
		}
	}
}

// hops are the fields that a server has for itself, or writes anew.
var hops = map[string]bool{
	"connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true, "proxy-connection": true, "expect": true, "http2-settings": true,
	"content-length": true, // the body is compared
	"via":            true, "x-varnish": true,
	"x-amzn-trace-id": true, // another one each time
}

// list returns a field's value without what proxies may change about a list, as when
// they join fields: blanks around its commas, and empty members (RFC 9110 §5.6.1).
func list(value string) string {
	var members []string
	for m := range strings.SplitSeq(value, ",") {
		if m = strings.TrimSpace(m); m != "" {
			members = append(members, m)
		}
	}
	return strings.Join(members, ",")
}

// differences returns what was understood of a request otherwise than was sent.
func differences(sent, got sight) (out []string) {
	if got.method != sent.method {
		out = append(out, fmt.Sprintf("method %q for %q", got.method, sent.method))
	}
	if got.target != sent.target {
		out = append(out, fmt.Sprintf("target %q for %q", got.target, sent.target))
	}
	if got.body != sent.body {
		out = append(out, fmt.Sprintf("body %q for %q", got.body, sent.body))
	}
	all := maps.Clone(sent.fields)
	maps.Copy(all, got.fields)
	for name := range all {
		g, s := list(got.fields[name]), list(sent.fields[name])
		switch {
		case name == "x-forwarded-for" && g != s:
			g = strings.TrimSuffix(g, ",127.0.0.1") // some add who is before them: the proxy
		case name == "cookie":
			g, s = list(strings.ReplaceAll(g, ";", ",")), list(strings.ReplaceAll(s, ";", ",")) // joined as RFC 9113 §8.2.3 says
		}
		if !hops[name] && g != s {
			out = append(out, fmt.Sprintf("%s: %q for %q", name, g, s))
		}
	}
	return out
}

// The two shells answer alike, request by request.
func TestBothShellsAnswerOddRequestsAlike(t *testing.T) {
	target := startRecorder(t, true)
	var answers [2][]string
	for i, loops := range []int{1, -1} {
		t.Run(fmt.Sprint("loops ", loops), func(t *testing.T) {
			addr := startProxy(t, []netip.AddrPort{target.addr}, proxy.Options{Loops: loops})[0]
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

// method returns that of a request to which the i-th response is: of the odd one, or
// of one before or behind it.
func method(n, i int) string {
	at := 0
	if bytes.HasPrefix(odd(n), []byte("GET /before-")) {
		at = 1
	}
	if i == at && bytes.Contains(odd(n), []byte("HEAD ")) {
		return http.MethodHead
	}
	return http.MethodGet
}

// What is compared is worth it: no request is there twice but for its number.
func TestOddRequestsAreDistinct(t *testing.T) {
	const n = 22_000
	for version, request := range map[string]func(int) string{
		"HTTP/1.1": func(i int) string { return string(odd(i)) },
		"HTTP/2":   func(i int) string { return translated(i).String() },
	} {
		seen := map[string]bool{}
		size := 0
		for i := range n {
			b := request(i)
			size += len(b)
			seen[strings.ReplaceAll(b, fmt.Sprintf("-%d", i), "")] = true
		}
		t.Logf("%s: %d of %d are distinct, %d bytes in the mean", version, len(seen), n, size/n)
		if len(seen) < 20_000 {
			t.Errorf("%s: %d of %d are distinct", version, len(seen), n)
		}
	}
}
