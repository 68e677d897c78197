package dnsserver_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dnsserver"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

// listening is a server like answered that listens on addr until the test ends.
func listening(t *testing.T, o dnsserver.Options, addr string) *dnsserver.Server {
	t.Helper()
	s := dnsserver.New(o)
	s.Reset([]snapshot.Zone{parentZone, childZone}, []snapshot.Name{
		name("one.elb.fairlead.test.", "192.0.2.144"),
		name("text.elb.fairlead.test.", strings.Repeat("x", 250), strings.Repeat("y", 250), strings.Repeat("z", 250)),
	})
	if err := s.Listen(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func dialTCP(t *testing.T, addr netip.AddrPort) *dns.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &dns.Conn{Conn: c}
}

// S1: the same port answers over UDP and TCP, on IPv4 and IPv6.
func TestListenAnswersOverBothProtocols(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := listening(t, dnsserver.Options{}, addr)
		if s.Addr().Port() == 0 {
			t.Fatalf("Addr: got %v, want a port", s.Addr())
		}
		for _, network := range []string{"udp", "tcp"} {
			c := dns.Client{Net: network, Timeout: patience}
			got, _, err := c.Exchange(question("One.elb.fairlead.test.", dns.TypeA), s.Addr().String())
			if err != nil {
				t.Fatalf("%s %s: %v", network, addr, err)
			}
			want := []string{"One.elb.fairlead.test. 60 IN A 192.0.2.144"}
			if diff := cmp.Diff(want, lines(got.Answer)); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", network, addr, diff)
			}
		}
		if got := s.Stats(); got.Responses["NOERROR"] != 2 || got.TCPAccepted != 1 {
			t.Errorf("Stats: got %+v, want two NOERROR and one connection", got)
		}
	}
}

// RFC 2181 §4: an answer comes from the address that was asked, on a server for
// all of the host's addresses. A connected socket hears no other.
func TestWildcardServerAnswersFromTheAddressAsked(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0"} {
		s := listening(t, dnsserver.Options{}, listen)
		for _, host := range []string{"127.0.0.1", "127.9.8.7", "::1"} {
			c := dns.Client{Net: "udp", Timeout: patience}
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), s.Addr().Port())
			if _, _, err := c.Exchange(question("one.elb.fairlead.test.", dns.TypeA), addr.String()); err != nil {
				t.Errorf("listening on %s, asked at %s: %v", listen, host, err)
			}
		}
	}
}

func TestTruncatedAnswerIsWholeOverTCP(t *testing.T) {
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	q := question("text.elb.fairlead.test.", dns.TypeTXT)
	udp, _, err := (&dns.Client{Net: "udp", Timeout: patience}).Exchange(q, s.Addr().String())
	if err != nil || !udp.Truncated || len(udp.Answer) != 0 {
		t.Fatalf("udp: got %v, %v, want TC", udp, err)
	}
	tcp, _, err := (&dns.Client{Net: "tcp", Timeout: patience}).Exchange(q, s.Addr().String())
	if err != nil || tcp.Truncated || len(tcp.Answer) != 3 {
		t.Fatalf("tcp: got %v, %v, want three records", tcp, err)
	}
}

func TestTCPAnswersPipelinedQueriesInOrder(t *testing.T) {
	const queries = 1000
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	c := dialTCP(t, s.Addr())
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for id := range queries {
			q := question("one.elb.fairlead.test.", dns.TypeA)
			q.Id = uint16(id)
			if err := c.WriteMsg(q); err != nil {
				t.Errorf("query %d: %v", id, err)
				return
			}
		}
	})
	for id := range queries {
		m, err := c.ReadMsg()
		if err != nil {
			t.Fatalf("response %d: %v", id, err)
		}
		if int(m.Id) != id || len(m.Answer) != 1 {
			t.Fatalf("got %v, want the answer to query %d", m, id)
		}
	}
}

// A query in many segments is still one query, and what gets no answer (here a
// response) doesn't end the connection.
func TestTCPReadsFragmentsAndPassesOverResponses(t *testing.T) {
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	c := dialTCP(t, s.Addr())
	foreign := question("one.elb.fairlead.test.", dns.TypeA)
	foreign.Response = true
	if err := c.WriteMsg(foreign); err != nil {
		t.Fatal(err)
	}
	packet, err := question("one.elb.fairlead.test.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...) {
		if _, err := c.Conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := c.ReadMsg(); err != nil || len(m.Answer) != 1 {
		t.Errorf("got %v, %v, want an answer", m, err)
	}
	if got := s.Stats().Dropped; got != 1 {
		t.Errorf("got %d dropped, want 1", got)
	}
}

// An answer that is ready doesn't wait for the rest of the next query.
func TestTCPAnswersAQueryThatArrivesWithHalfOfAnother(t *testing.T) {
	s := listening(t, dnsserver.Options{TCPIdleTimeout: time.Hour}, "127.0.0.1:0")
	c := dialTCP(t, s.Addr())
	packet, err := question("one.elb.fairlead.test.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	for _, cut := range []int{1, 2, len(framed) / 2} {
		if _, err := c.Conn.Write(append(framed[:len(framed):len(framed)], framed[:cut]...)); err != nil {
			t.Fatal(err)
		}
		if m, err := c.ReadMsg(); err != nil || len(m.Answer) != 1 {
			t.Fatalf("a query and %d bytes: got %v, %v, want an answer", cut, m, err)
		}
		if _, err := c.Conn.Write(framed[cut:]); err != nil {
			t.Fatal(err)
		}
		if m, err := c.ReadMsg(); err != nil || len(m.Answer) != 1 {
			t.Fatalf("the rest after %d bytes: got %v, %v, want an answer", cut, m, err)
		}
	}
}

func TestTCPConnectionWithoutAHeaderIsClosed(t *testing.T) {
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	for _, sent := range []string{"\x00\x00", "\x00\x0bshort of it"} {
		c := dialTCP(t, s.Addr())
		if _, err := c.Conn.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, c.Conn); err != nil || n != 0 {
			t.Errorf("%q: got %d bytes, %v, want the end of the connection", sent, n, err)
		}
	}
}

// RFC 7766 §6.2.3: silence ends a connection, and so does half a query.
func TestTCPConnectionIsClosedAfterIdleTimeout(t *testing.T) {
	s := listening(t, dnsserver.Options{TCPIdleTimeout: 20 * time.Millisecond}, "127.0.0.1:0")
	for _, sent := range []string{"", "\x00", "\x00\x20half"} {
		c := dialTCP(t, s.Addr())
		if _, err := io.WriteString(c.Conn, sent); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Conn.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Errorf("%q: got %d bytes, %v, want the server to close", sent, n, err)
		}
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func TestTCPConnectionsAreBounded(t *testing.T) {
	s := listening(t, dnsserver.Options{MaxTCPConnections: 2}, "127.0.0.1:0")
	works := func(c *dns.Conn) bool {
		if err := c.WriteMsg(question("one.elb.fairlead.test.", dns.TypeA)); err != nil {
			return false
		}
		_, err := c.ReadMsg()
		return err == nil
	}
	first, second := dialTCP(t, s.Addr()), dialTCP(t, s.Addr())
	if !works(first) || !works(second) {
		t.Fatal("two connections: got no answer")
	}
	if third := dialTCP(t, s.Addr()); works(third) {
		t.Fatal("third connection: got an answer, want it closed")
	}
	if !works(first) {
		t.Error("the third connection ended the first")
	}
	if got := s.Stats(); got.TCPRefused != 1 || got.TCPAccepted != 2 {
		t.Errorf("got %+v, want 2 accepted, 1 refused", got)
	}
	// Room is made once the server has seen the end of one: ask until it has.
	first.Close()
	for deadline := time.Now().Add(patience); !works(dialTCP(t, s.Addr())); {
		if time.Now().After(deadline) {
			t.Fatal("no room after a connection ended")
		}
	}
}

func TestCloseEndsConnectionsAndFreesThePort(t *testing.T) {
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	addr := s.Addr()
	c := dialTCP(t, addr)
	if err := c.WriteMsg(question("one.elb.fairlead.test.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadMsg(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if _, err := c.ReadMsg(); err == nil || isTimeout(err) {
		t.Errorf("connection after Close: got %v, want it ended", err)
	}
	if err := s.Listen(t.Context(), addr.String()); !errors.Is(err, dnsserver.ErrListening) {
		t.Errorf("Listen after Close: got %v, want %v", err, dnsserver.ErrListening)
	}
	listening(t, dnsserver.Options{}, addr.String())
}

func TestEndOfContextClosesTheServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := dnsserver.New(dnsserver.Options{TCPIdleTimeout: time.Hour})
	if err := s.Listen(ctx, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c := dialTCP(t, s.Addr())
	cancel()
	if _, err := c.ReadMsg(); err == nil || isTimeout(err) {
		t.Errorf("connection after the context's end: got %v, want it ended", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestListenRefusesWhatItCannotHave(t *testing.T) {
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	other := dnsserver.New(dnsserver.Options{})
	defer other.Close()
	for _, addr := range []string{s.Addr().String(), "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0"} {
		if err := other.Listen(t.Context(), addr); err == nil || !strings.Contains(err.Error(), "listen on "+addr) {
			t.Errorf("Listen(%q): got %v, want an error that names it", addr, err)
		}
	}
	if got := other.Addr(); got.IsValid() {
		t.Errorf("Addr before Listen: got %v, want none", got)
	}
	if err := other.Listen(t.Context(), "127.0.0.1:0"); err != nil {
		t.Errorf("Listen after errors: %v", err)
	}
	if err := other.Listen(t.Context(), "127.0.0.1:0"); !errors.Is(err, dnsserver.ErrListening) {
		t.Errorf("second Listen: got %v, want %v", err, dnsserver.ErrListening)
	}
}

// A client of another make: dig, with its own idea of EDNS (a cookie), TCP and
// what a malformed answer is.
func TestDig(t *testing.T) {
	dig, err := exec.LookPath("dig")
	if err != nil {
		t.Skip("SKIPPED: dig is not installed; nothing but our own library has read these answers")
	}
	s := listening(t, dnsserver.Options{}, "127.0.0.1:0")
	tests := []struct {
		args  string
		want  []string // each somewhere in the output
		never string
	}{
		{"one.elb.fairlead.test A", []string{"status: NOERROR", "flags: qr aa rd;", "udp: 1232", "one.elb.fairlead.test.\t60\tIN\tA\t192.0.2.144"}, "WARNING: recursion available"},
		{"+tcp one.elb.fairlead.test A", []string{"status: NOERROR", "192.0.2.144", "(TCP)"}, ""},
		{"+dnssec one.elb.fairlead.test AAAA", []string{"status: NOERROR", "flags: do", "ANSWER: 0, AUTHORITY: 1", "SOA\tns1.elb.fairlead.test."}, ""},
		{"gone.elb.fairlead.test A", []string{"status: NXDOMAIN", "elb.fairlead.test.\t30\tIN\tSOA"}, ""},
		{"www.example.org A", []string{"status: REFUSED"}, ""},
		{"+bufsize=512 text.elb.fairlead.test TXT", []string{"status: NOERROR", "(TCP)", "ANSWER: 3"}, ""},
		{"+edns=1 +noednsnegotiation one.elb.fairlead.test A", []string{"status: BADVERS", "EDNS: version: 0"}, ""},
		{"+opcode=notify one.elb.fairlead.test SOA", []string{"status: NOTIMP"}, ""},
		{"+notcp one.elb.fairlead.test ANY", []string{`HINFO` + "\t" + `"RFC8482" ""`}, ""},
		{"-c CH version.bind TXT", []string{"status: REFUSED"}, ""},
		{"elb.fairlead.test AXFR", []string{"Transfer failed"}, ""},
	}
	for _, tt := range tests {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		args := append([]string{"-r", "@127.0.0.1", "-p", fmt.Sprint(s.Addr().Port()), "+time=5", "+tries=1"}, strings.Fields(tt.args)...)
		out, err := exec.CommandContext(ctx, dig, args...).CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("dig %s: %v\n%s", tt.args, err, out)
			continue
		}
		for _, want := range tt.want {
			if !bytes.Contains(out, []byte(want)) {
				t.Errorf("dig %s: want %q in\n%s", tt.args, want, out)
			}
		}
		for _, never := range []string{tt.never, "malformed", "Warning", "Got bad packet", "unexpected source"} {
			if never != "" && bytes.Contains(out, []byte(never)) {
				t.Errorf("dig %s: got %q in\n%s", tt.args, never, out)
			}
		}
	}
}
