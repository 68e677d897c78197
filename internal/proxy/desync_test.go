package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// desyncTarget notes what it is sent, and on how many connections.
type desyncTarget struct {
	mu    sync.Mutex
	seen  []string
	conns int
}

func (d *desyncTarget) serve(c net.Conn, r *bufio.Reader) {
	d.mu.Lock()
	d.conns++
	d.mu.Unlock()
	for {
		text := head(r)
		if text == "" {
			return
		}
		if strings.Contains(text, "chunked") {
			for { // chunks, whose content has no line that is "0"
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if text += line; line == "0\r\n" {
					end, _ := r.ReadString('\n')
					text += end
					break
				}
			}
		}
		d.mu.Lock()
		d.seen = append(d.seen, text)
		d.mu.Unlock()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// take returns what was seen since.
func (d *desyncTarget) take() ([]string, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen, conns := d.seen, d.conns
	d.seen, d.conns = nil, 0
	return seen, conns
}

// ELB user guide, "Desync mitigation mode": what becomes of a request of each tier
// in each mode, and that what another request could be hidden in never is one.
func TestDesyncMitigation(t *testing.T) {
	const canary = "GET /canary HTTP/1.1\r\nHost: a\r\n\r\n"
	requests := map[string]string{
		"compliant":  "GET /r HTTP/1.1\r\nHost: a\r\n\r\n",
		"acceptable": "GET /r HTTP/1.1\nHost: a\n\n",
		"ambiguous":  "POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"severe":     "GET /r HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
		"hopeless":   "POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
	}
	tests := []struct {
		mode    snapshot.DesyncMode
		refused string // the tiers
		ends    string // the tiers after which connections end, though they are let through
	}{
		{snapshot.DesyncMonitor, "hopeless", ""},
		{snapshot.DesyncDefensive, "severe hopeless", "ambiguous"},
		{snapshot.DesyncStrictest, "acceptable ambiguous severe hopeless", ""},
	}
	for _, tt := range tests {
		for tier, request := range requests {
			t.Run(string(tt.mode)+" "+tier, func(t *testing.T) {
				target := &desyncTarget{}
				w := newWorldWith(t, proxy.Options{Loops: 1})
				w.lb().Desync = tt.mode
				w.register(w.rawTarget(target.serve))
				w.apply()
				c := w.dial()
				if _, err := io.WriteString(c, request+canary); err != nil {
					t.Fatal(err)
				}
				resp, _ := c.hear("GET")
				refused, ends := strings.Contains(tt.refused, tier), strings.Contains(tt.ends, tier)
				if want := map[bool]int{true: 400, false: 200}[refused]; resp.StatusCode != want || resp.Close != (refused || ends) {
					t.Errorf("got %d, close %t; want %d, %t", resp.StatusCode, resp.Close, want, refused || ends)
				}
				if refused || ends {
					_ = c.Conn.(*net.TCPConn).CloseWrite()
					c.ended()
					get(t, newClient(t), w.url("/canary")) // on a connection of its own
				} else if resp, _ := c.hear("GET"); resp.StatusCode != http.StatusOK {
					t.Errorf("the next request: %d", resp.StatusCode)
				}
				seen, conns := target.take()
				if want := map[bool]int{true: 1, false: 2}[refused]; len(seen) != want {
					t.Fatalf("the target saw %q", seen)
				}
				if want := map[bool]int{true: 2, false: 1}[ends]; conns != want {
					t.Errorf("on %d connections, want %d", conns, want)
				}
				if last := seen[len(seen)-1]; !strings.HasPrefix(last, "GET /canary HTTP/1.1\r\n") {
					t.Errorf("the last request is %q", last)
				}
				for _, s := range seen {
					if strings.Contains(s, "\x00") || strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\n") || strings.Contains(s, "Content-Length") {
						t.Errorf("the target saw %q", s)
					}
				}
			})
		}
	}
}

func TestFieldsOfInvalidNames(t *testing.T) {
	for _, drop := range []bool{false, true} {
		target := &desyncTarget{}
		w := newWorld(t)
		w.lb().DropInvalidHeaders = drop
		w.register(w.rawTarget(target.serve))
		w.apply()
		c := w.dial()
		c.say("GET / HTTP/1.1\nHost: a\nX_Under: 1\nX-Hyphen: 2\n\n")
		c.hear("GET")
		seen, _ := target.take()
		if has := strings.Contains(seen[0], "X_Under: 1\r\n"); has == drop || !strings.Contains(seen[0], "X-Hyphen: 2\r\n") {
			t.Errorf("dropping %t: the target saw %q", drop, seen[0])
		}
		name := map[bool]string{true: "DroppedInvalidHeaderRequestCount", false: "ForwardedInvalidHeaderRequestCount"}[drop]
		if n := w.counted()[name]; n != 1 {
			t.Errorf("dropping %t: %s is %d", drop, name, n)
		}
	}
}
