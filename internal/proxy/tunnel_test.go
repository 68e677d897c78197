package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

const (
	upgrade  = "GET /tunnel HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: echo\n\n"
	switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
)

// tunnelTarget starts a target that changes protocols, and serves what follows.
func (w *world) tunnelTarget(serve func(*net.TCPConn, *bufio.Reader)) {
	w.t.Helper()
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		if head(r) == "" {
			return
		}
		if _, err := io.WriteString(c, switched); err == nil {
			serve(c.(*net.TCPConn), r)
		}
	}))
}

func echo(c *net.TCPConn, r *bufio.Reader) { _, _ = io.Copy(c, r) }

// tunnel makes a connection a tunnel.
func (w *world) tunnel() *wire {
	w.t.Helper()
	c := w.dial()
	c.say(upgrade)
	if resp, err := http.ReadResponse(c.r, nil); err != nil || resp.StatusCode != 101 {
		w.t.Fatalf("upgrade: %v, %v, want 101", resp, err)
	}
	return c
}

// echoes says something and hears it.
func (c *wire) echoes(text string) {
	c.t.Helper()
	c.say("%s", text)
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c.r, b); err != nil || string(b) != text {
		c.t.Fatalf("got %q, %v, want %q", b, err, text)
	}
}

// wasReset says whether an error is that of a connection which the peer has reset.
func wasReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// target is the address of the first target.
func (w *world) target() netip.AddrPort { return w.a.TargetGroups[0].Targets[0].AddrPort() }

// over waits until no request is under way, and no connection is open.
func (w *world) over() {
	w.t.Helper()
	t := w.t.(*testing.T)
	eventually(t, "nothing under way", func() bool { return w.proxy.InFlight(tgARN, w.target()) == 0 })
	eventually(t, "no connection open", func() bool { return w.proxy.Status()[0].OpenConnections == 0 })
}

// Messages of all sizes, pings, and the end pass as a client and a server mean them.
func TestWebSocketsPassWhole(t *testing.T) {
	root := issuer.New(t, "Root")
	for _, tt := range []struct {
		name                         string
		clientSecure, targetSecure   bool
		clientVersion, targetVersion uint16
	}{
		{name: "in the clear"},
		{name: "from clients over TLS 1.3", clientSecure: true, clientVersion: tls.VersionTLS13},
		{name: "from clients over TLS 1.2", clientSecure: true, clientVersion: tls.VersionTLS12},
		{name: "to targets over TLS 1.3", targetSecure: true, targetVersion: tls.VersionTLS13},
		{name: "to targets over TLS 1.2", targetSecure: true, targetVersion: tls.VersionTLS12},
		{name: "over TLS on both sides", clientSecure: true, targetSecure: true, clientVersion: tls.VersionTLS13, targetVersion: tls.VersionTLS13},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newSecureWorldFor(t, root)
			dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10}
			scheme := "ws"
			if tt.clientSecure {
				scheme = "wss"
				dialer.TLSClientConfig = w.trusting("shop.example")
				dialer.TLSClientConfig.MaxVersion = tt.clientVersion
				w.certify("arn:1", w.root.Issue("shop.example"))
			} else {
				w.lb().Listeners[0].Protocol, w.lb().Listeners[0].TLS = snapshot.HTTP, nil
			}
			ended := make(chan error, 1)
			serve := func(rw http.ResponseWriter, r *http.Request) {
				u := websocket.Upgrader{Subprotocols: []string{"chat"}}
				c, err := u.Upgrade(rw, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				for {
					kind, b, err := c.ReadMessage()
					if err == nil {
						err = c.WriteMessage(kind, b)
					}
					if err != nil {
						ended <- err
						return
					}
				}
			}
			if tt.targetSecure {
				s := httptest.NewUnstartedServer(http.HandlerFunc(serve))
				s.TLS = &tls.Config{MaxVersion: tt.targetVersion}
				s.StartTLS()
				t.Cleanup(s.Close)
				w.a.TargetGroups[0].Protocol = snapshot.HTTPS
				w.register(s.Listener.Addr().String())
			} else {
				w.register(w.httpTarget(serve))
			}
			w.apply()

			dialer.Subprotocols = []string{"chat"}
			c, resp, err := dialer.Dial(scheme+"://"+w.address()+"/chat", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if resp.StatusCode != 101 || c.Subprotocol() != "chat" {
				t.Errorf("got %d, subprotocol %q", resp.StatusCode, c.Subprotocol())
			}
			pongs := make(chan string, 1)
			c.SetPongHandler(func(text string) error { pongs <- text; return nil })
			random := rand.New(rand.NewPCG(1, 2))
			for _, size := range []int{0, 1, 125, 126, 16 << 10, 65535, 65536, 100_000, 3 << 20} {
				sent := make([]byte, size)
				for i := range sent {
					sent[i] = byte(random.Uint32())
				}
				if err := c.WriteControl(websocket.PingMessage, fmt.Append(nil, size), time.Now().Add(time.Second)); err != nil {
					t.Fatal(err)
				}
				written := make(chan error, 1)
				go func() { written <- c.WriteMessage(websocket.BinaryMessage, sent) }()
				kind, got, err := c.ReadMessage()
				if err != nil || kind != websocket.BinaryMessage || !bytes.Equal(got, sent) {
					t.Fatalf("%d bytes came back as %d of kind %d, %v", size, len(got), kind, err)
				}
				if err := <-written; err != nil {
					t.Fatal(err)
				}
				if got := <-pongs; got != fmt.Sprint(size) {
					t.Errorf("pong %q, want %d", got, size)
				}
			}
			if err := c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "done")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.ReadMessage(); !websocket.IsCloseError(err, 4001) {
				t.Errorf("the client ends with %v, want 4001 back", err)
			}
			if err := <-ended; !websocket.IsCloseError(err, 4001) {
				t.Errorf("the server ends with %v, want 4001", err)
			}
			c.Close()
			w.over()
		})
	}
}

// What comes with the head of a request or response that changes the protocol belongs
// to the tunnel, in order, also where all of it is read at once.
func TestBytesAroundTheUpgradeKeepTheirOrder(t *testing.T) {
	root := issuer.New(t, "Root")
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("over TLS: ", secure), func(t *testing.T) {
			w := newSecureWorldFor(t, root)
			w.certify("arn:1", w.root.Issue("shop.example"))
			if !secure {
				w.lb().Listeners[0].Protocol, w.lb().Listeners[0].TLS = snapshot.HTTP, nil
			}
			long := strings.Repeat("0123456789", 10_000)
			w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
				if head(r) == "" {
					return
				}
				_, _ = io.WriteString(c, switched+"first "+long)
				_, _ = io.Copy(c, r)
			}))
			w.apply()
			var conn net.Conn = w.dial().Conn
			if secure {
				conn = tls.Client(conn, w.trusting("shop.example"))
			}
			go func() {
				_, _ = io.WriteString(conn, strings.ReplaceAll(upgrade, "\n", "\r\n")+"early ")
				_, _ = io.WriteString(conn, long+"late")
			}()
			r := bufio.NewReader(conn)
			if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
				t.Fatalf("upgrade: %v, %v", resp, err)
			}
			want := "first " + long + "early " + long + "late"
			got := make([]byte, len(want))
			if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
				t.Errorf("%d of %d bytes came, %v, equal %t", n, len(want), err, string(got) == want)
			}
		})
	}
}

// A target that doesn't change protocols answers as ever, and the connection goes on
// with what the client has sent behind its request.
func TestARefusedUpgradeIsAnOrdinaryResponse(t *testing.T) {
	w := newWorld(t)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			rw.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(rw, r.URL.Path)
	}))
	w.apply()
	c := w.dial()
	for range 2 {
		c.say(upgrade + "GET /next HTTP/1.1\nHost: a\n\n")
		if resp, body := c.hear("GET"); resp.StatusCode != 403 || body != "/tunnel" || resp.Close {
			t.Errorf("refused: %d %q, close %t", resp.StatusCode, body, resp.Close)
		}
		if resp, body := c.hear("GET"); resp.StatusCode != 200 || body != "/next" {
			t.Errorf("next: %d %q", resp.StatusCode, body)
		}
	}
}

// One side may end while the other goes on.
func TestEitherSideOfATunnelEndsAlone(t *testing.T) {
	w := newWorld(t)
	big := strings.Repeat("x", 5<<20)
	w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
		if b, _ := r.Peek(1); string(b) == "t" { // the target ends first
			_, _ = io.WriteString(c, big)
			_ = c.CloseWrite()
			b, err := io.ReadAll(r)
			if err != nil || len(b) != len("t")+len(big) {
				t.Errorf("the target got %d bytes, %v", len(b), err)
			}
			return
		}
		b, err := io.ReadAll(r)
		if err != nil || len(b) != len("c")+len(big) {
			t.Errorf("the target got %d bytes, %v", len(b), err)
		}
		_, _ = io.WriteString(c, big)
	})
	w.apply()
	for _, first := range []string{"t", "c"} {
		c := w.tunnel()
		c.say("%s", first)
		if first == "c" {
			c.say("%s", big)
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}
		if b, err := io.ReadAll(c.r); err != nil || string(b) != big {
			t.Errorf("%s first: %d bytes, %v", first, len(b), err)
		}
		if first == "t" {
			c.say("%s", big)
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}
		w.over()
	}
}

// A side that vanishes isn't taken for one that has said all.
func TestAResetPassesThroughATunnel(t *testing.T) {
	w := newWorld(t)
	heard := make(chan error, 1)
	w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
		line, err := r.ReadString('\n')
		if line == "reset\n" {
			_, _ = io.WriteString(c, "last")
			_, _ = r.ReadByte() // the client has it
			_ = c.SetLinger(0)
			return
		}
		if err == nil {
			_, err = r.ReadByte()
		}
		heard <- err
	})
	w.apply()
	c := w.tunnel()
	_, _ = io.WriteString(c, "reset\n")
	if _, err := io.ReadFull(c.r, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "!")
	if _, err := c.r.ReadByte(); !wasReset(err) {
		t.Errorf("the target has reset its side: the client sees %v, want a reset", err)
	}
	w.over()

	c = w.tunnel()
	_, _ = io.WriteString(c, "stay\n")
	c.reset()
	if err := <-heard; !wasReset(err) {
		t.Errorf("the client has reset its side: the target sees %v, want a reset", err)
	}
	w.over()
}

// What a target has said before it went is its client's, even while that speaks to it.
func TestTheLastWordsOfATargetArrive(t *testing.T) {
	w := newWorld(t)
	w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
		_, _ = r.ReadByte()
		_, _ = io.WriteString(c, "goodbye")
		// It is closed with something unread, which resets it.
	})
	w.apply()
	for range 20 {
		c := w.tunnel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, err := c.Write([]byte("x")); err == nil; _, err = c.Write(make([]byte, 1000)) {
			}
		}()
		b, err := io.ReadAll(c.r)
		if err != nil && !wasReset(err) || string(b) != "goodbye" {
			t.Errorf("got %q, %v", b, err)
		}
		c.Close()
		<-done
	}
	w.over()
}

// Either direction's bytes count, and a changed idle timeout is that of open tunnels too.
func TestTheIdleTimeoutOfATunnelIsThatOfTheListenerNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lb().IdleTimeout = 300 * time.Millisecond
	w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
		if kind, _ := r.ReadByte(); kind == 'c' { // the client's bytes alone
			_, _ = io.Copy(io.Discard, r)
			return
		}
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 8 {
			<-tick.C
			_, _ = io.WriteString(c, ".")
		}
		echo(c, r)
	})
	w.apply()
	c := w.tunnel()
	c.say("t")
	if _, err := io.ReadFull(c.r, make([]byte, 8)); err != nil {
		t.Fatalf("while the target speaks: %v", err)
	}
	w.lb().IdleTimeout = time.Hour
	w.apply()
	silence := time.NewTimer(600 * time.Millisecond)
	<-silence.C
	c.echoes("longer")

	d := w.tunnel()
	d.say("c")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 8 {
		<-tick.C
		if _, err := io.WriteString(d, "."); err != nil {
			t.Fatalf("while the client speaks: %v", err)
		}
	}
	w.lb().IdleTimeout = 100 * time.Millisecond
	w.apply()
	c.ended()
	d.ended()
	c.Close()
	d.Close()
	w.over()
}

// A target's deregistration lets tunnels be until its delay is over, and then cuts them.
func TestTunnelsEndWithTheDeregistrationDelay(t *testing.T) {
	w := newWorld(t)
	heard := make(chan error, 1)
	w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
		_, err := io.Copy(c, r)
		heard <- err
	})
	other := w.httpTarget(hello)
	target := w.target()
	w.apply()
	c := w.tunnel()
	w.a.TargetGroups[0].Targets[0].Draining = true
	w.apply()
	c.echoes("draining")
	w.register(other)
	w.apply()
	if b, err := io.ReadAll(c.r); !wasReset(err) || len(b) > 0 {
		t.Errorf("got %q, %v, want a reset", b, err)
	}
	<-heard
	eventually(t, "nothing under way", func() bool { return w.proxy.InFlight(tgARN, target) == 0 })
}

// Tunnels outlive their rule, their listener and their node's service.
func TestTunnelsGoOnWhileTheirListenerIsTakenAway(t *testing.T) {
	w := newWorld(t)
	w.tunnelTarget(echo)
	w.apply()
	c := w.tunnel()
	w.a.Nodes[0].Phase = snapshot.NodeDraining
	w.apply()
	c.echoes("draining")
	w.lb().Listeners[0].Rules[0].Actions = []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 404}}}
	w.apply()
	c.echoes("without its rule")
	w.lb().Listeners = nil
	w.apply()
	c.echoes("without its listener")
	if conn, err := net.Dial("tcp", w.address()); err == nil {
		conn.Close()
		t.Error("the listener still takes connections on")
	}
	w.a.Nodes = nil
	w.apply()
	c.echoes("without its node")
	if s := w.proxy.Status(); len(s) != 1 || s[0].OpenConnections != 1 {
		t.Errorf("%+v, want the node's connection in it", s)
	}
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	c.ended()
	eventually(t, "the node's end", func() bool { return len(w.proxy.Status()) == 0 })
}

// A side that doesn't read holds the other up, and next to no memory; nothing is lost.
func TestAFastWriterWaitsForASlowReader(t *testing.T) {
	w := newWorld(t)
	var written atomic.Int64
	stalled := func() {
		t.Helper()
		// The kernel's buffers of two connections are full, and so is our share.
		last, same := int64(-1), 0
		eventually(t, "the writer waits", func() bool {
			if n := written.Load(); n != last {
				last, same = n, 0
			} else {
				same++
			}
			return same == 300
		})
		if n := written.Load(); n == 0 || n > 48<<20 {
			t.Errorf("%d bytes were taken that nobody has read", n)
		}
	}
	// count writes numbered blocks, and check reads them.
	const blocks, size = 20 << 10, 4 << 10 // 80 MiB
	count := func(c io.Writer) {
		b := make([]byte, size)
		for n := range blocks {
			binary.BigEndian.PutUint64(b, uint64(n))
			k, err := c.Write(b)
			if written.Add(int64(k)); err != nil {
				return
			}
		}
	}
	check := func(r io.Reader) {
		t.Helper()
		b := make([]byte, size)
		for n := range blocks {
			if _, err := io.ReadFull(r, b); err != nil || binary.BigEndian.Uint64(b) != uint64(n) {
				t.Errorf("block %d: got %d, %v", n, binary.BigEndian.Uint64(b), err)
				return
			}
		}
	}
	read := make(chan struct{})
	w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
		if kind, _ := r.ReadByte(); kind == 'w' {
			count(c)
			return
		}
		<-read
		check(r)
		_, _ = c.Write([]byte("."))
	})
	w.apply()
	c := w.tunnel()
	c.say("w")
	stalled()
	check(c.r)
	c.Close()

	written.Store(0)
	c = w.tunnel()
	c.say("r")
	done := make(chan struct{})
	go func() { defer close(done); count(c) }()
	stalled()
	close(read)
	if _, err := c.r.ReadByte(); err != nil {
		t.Error(err)
	}
	<-done
	c.Close()
	w.over()
}

// Readers that are slow together hold less each, and none is given up for it.
func TestSlowReadersShareTheMemory(t *testing.T) {
	w := newWorldWith(t, proxy.Options{Loops: 1, Memory: 3 << 19})
	const size = 12 << 20
	var written [50]atomic.Int64
	var next atomic.Int32
	w.tunnelTarget(func(c *net.TCPConn, _ *bufio.Reader) {
		own, b := &written[next.Add(1)-1], bytes.Repeat([]byte("x"), 64<<10)
		for range size / len(b) {
			if n, err := c.Write(b); err != nil || n < len(b) {
				return
			}
			own.Add(int64(len(b)))
		}
		_ = c.CloseWrite()
	})
	w.apply()
	conns := make([]*wire, len(written))
	for i := range conns {
		conns[i] = w.tunnel()
	}
	sum, same := int64(0), 0
	eventually(t, "all writers wait", func() bool {
		var now int64
		for i := range written {
			now += written[i].Load()
		}
		if same++; now != sum {
			sum, same = now, 0
		}
		return same == 100
	})
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			if n, err := io.Copy(io.Discard, c.r); n != size || err != nil {
				t.Errorf("%d of %d bytes, %v", n, size, err)
			}
			c.Close()
		})
	}
	all.Wait()
	w.over()
}

// many opens tunnels to targets that echo.
func (w *world) many(n int) []*wire {
	w.t.Helper()
	out := make([]*wire, n)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for ; i < n; i += 8 {
				c, err := net.Dial("tcp", w.address())
				if err != nil {
					w.t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(40 * time.Second))
				out[i] = &wire{t: w.t, Conn: c, r: bufio.NewReaderSize(c, 512)}
				_, _ = io.WriteString(c, strings.ReplaceAll(upgrade, "\n", "\r\n"))
				if resp, err := http.ReadResponse(out[i].r, nil); err != nil || resp.StatusCode != 101 {
					w.t.Errorf("upgrade: %v, %v", resp, err)
					return
				}
			}
		})
	}
	all.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	w.t.Cleanup(func() {
		for _, c := range out {
			c.Close()
		}
	})
	return out
}

func TestThousandsOfTunnelsEndAtOnce(t *testing.T) {
	n := 2000
	if raceDetector {
		n = 300
	}
	for _, who := range []string{"the clients", "the target", "the deregistration"} {
		t.Run(who, func(t *testing.T) {
			w := newWorld(t)
			end := make(chan struct{})
			w.tunnelTarget(func(c *net.TCPConn, r *bufio.Reader) {
				if who == "the target" {
					<-end
					return
				}
				echo(c, r)
			})
			target := w.target()
			w.apply()
			conns := w.many(n)
			if got := w.proxy.InFlight(tgARN, target); got != n {
				t.Errorf("%d under way, want %d", got, n)
			}
			switch who {
			case "the clients":
				for i, c := range conns {
					if i%2 == 0 {
						_ = c.Conn.(*net.TCPConn).SetLinger(0)
					}
					c.Close()
				}
			case "the target":
				close(end)
				for _, c := range conns { // as they hear of it
					c.ended()
					c.Close()
				}
			case "the deregistration":
				w.register("127.0.0.1:1")
				w.apply()
			}
			eventually(t, "nothing under way", func() bool { return w.proxy.InFlight(tgARN, target) == 0 })
			eventually(t, "no connection open", func() bool { return w.proxy.Status()[0].OpenConnections == 0 })
		})
	}
}

// I9: tunnels don't notice that what decides about requests is swapped.
func TestChangesDropNoTunnel(t *testing.T) {
	w := newWorld(t)
	w.tunnelTarget(echo)
	w.apply()
	conns := w.many(64)
	stop := make(chan struct{})
	var all sync.WaitGroup
	var echoes atomic.Int64
	for i, c := range conns {
		all.Go(func() {
			sent, got := bytes.Repeat([]byte{byte(i)}, 1+i*100), make([]byte, 1+i*100)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Write(sent); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("got %d bytes, %v", len(got), err)
					return
				}
				echoes.Add(1)
			}
		})
	}
	base := w.lb().Listeners[0].Rules[0]
	for i := range 100 {
		w.lb().IdleTimeout = time.Duration(30+i%7) * time.Second
		w.lb().Listeners[0].Rules = []snapshot.Rule{base}
		if i%2 == 0 {
			w.lb().Listeners[0].Rules = []snapshot.Rule{pathRule("other", 1, "/tunnel", forwardTo(tgARN)), base}
		}
		w.a.TargetGroups[0].Targets = w.a.TargetGroups[0].Targets[:1]
		w.a.TargetGroups[0].Targets[0].Draining = i%3 == 0
		if i%5 == 0 {
			w.a.TargetGroups[0].Targets = append(w.a.TargetGroups[0].Targets, snapshot.Target{Addr: netip.MustParseAddr("127.0.0.1"), Port: uint16(i + 1)})
		}
		before := echoes.Load()
		w.apply()
		eventually(t, "an echo", func() bool { return echoes.Load() > before })
	}
	close(stop)
	all.Wait()
}

// When hardly any connections are left, silent ones are ended: tunnels aren't, which
// are silent for as long as they like.
func TestSilentTunnelsAreSpared(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, proxy.Options{Loops: 1, MaxConnections: 16})
	w.tunnelTarget(echo)
	w.apply()
	c := w.tunnel()
	silence := time.NewTimer(5500 * time.Millisecond) // longer than anybody may hold a connection up
	<-silence.C
	for range 13 {
		w.dial()
	}
	w.tunnel() // by when whoever isn't spared has been ended
	c.echoes("spared")
}

// A tunnel's line is written when it ends, with all that has gone through it.
func TestSecureTunnelsAreLogged(t *testing.T) {
	book := &logBook{}
	w := newSecureWorldWith(t, proxy.Options{Logs: book.open})
	w.lb().Logs.Access.Name = "logs"
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.tunnelTarget(echo)
	w.apply()
	conn := &countingConn{Conn: tls.Client(w.dial().Conn, w.trusting("shop.example"))}
	c := &wire{t: t, Conn: conn, r: bufio.NewReader(conn)}
	c.say(upgrade + "early")
	if resp, err := http.ReadResponse(c.r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	if _, err := io.ReadFull(c.r, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	c.echoes(strings.Repeat("x", 100_000))
	c.Close()
	line := book.take(t, w.world, proxy.AccessLog)
	if !strings.HasPrefix(line, "wss ") || !strings.Contains(line, " 101 101 "+conn.bytes()+" ") {
		t.Errorf("got %s, want wss with %s", line, conn.bytes())
	}
}
