package http1_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// crlf turns a readable message into one of the wire.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

var hop = http1.Hop{
	Client: netip.MustParseAddrPort("203.0.113.7:4321"),
	Port:   80,
	Host:   []byte("127.64.0.9"),
	Time:   0x5e6722a7,
	Random: [12]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0xab},
}

const newTrace = "1-5e6722a7-0102030405060708090a0bab"

func TestRequestGoesOnInCanonicalForm(t *testing.T) {
	added := "X-Forwarded-For: 203.0.113.7\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Amzn-Trace-Id: Root=" + newTrace + "\n"
	tests := []struct {
		name     string
		port     uint16
		in, want string
	}{
		{"a plain request gets what the load balancer adds", 80,
			"GET /a?b=c HTTP/1.1\nHost: example.com\nAccept: */*\n\n",
			"GET /a?b=c HTTP/1.1\nHost: example.com\n" + added + "Accept: */*\n\n"},
		{"one empty line before a request is skipped", 80,
			"\nGET / HTTP/1.1\nHost: a.b\n\n", "GET / HTTP/1.1\nHost: a.b\n" + added + "\n"},
		{"HTTP/1.0 becomes 1.1, a missing Host the node's address", 80,
			"GET / HTTP/1.0\n\n", "GET / HTTP/1.1\nHost: 127.64.0.9\n" + added + "\n"},
		{"white space around values goes, obs-text stays", 80,
			"GET / HTTP/1.1\nHost:  a.b\t\nX:\t caf\xe9 x \n\n", "GET / HTTP/1.1\nHost: a.b\n" + added + "X: caf\xe9 x\n\n"},
		{"the absolute form's authority outranks Host", 80,
			"GET http://DNS.name/x HTTP/1.1\nHost: example.com\n\n", "GET /x HTTP/1.1\nHost: dns.name\n" + added + "\n"},
		{"the absolute form without a path", 80,
			"GET http://a.b?q HTTP/1.1\nHost: a.b\n\n", "GET /?q HTTP/1.1\nHost: a.b\n" + added + "\n"},
		{"OPTIONS for the whole server", 80,
			"OPTIONS * HTTP/1.1\nHost: a.b\n\n", "OPTIONS * HTTP/1.1\nHost: a.b\n" + added + "\n"},
		{"OPTIONS for the whole server in absolute form", 80,
			"OPTIONS http://a.b HTTP/1.1\nHost: a.b\n\n", "OPTIONS * HTTP/1.1\nHost: a.b\n" + added + "\n"},
		{"an empty query keeps its question mark", 80,
			"GET /? HTTP/1.1\nHost: a.b\n\n", "GET /? HTTP/1.1\nHost: a.b\n" + added + "\n"},
		{"hop-by-hop fields go, those that Connection names too", 80,
			"GET / HTTP/1.1\nHost: a.b\nConnection: keep-alive, X-Mine\nKeep-Alive: 5\nX-Mine: 1\nProxy-Connection: x\nProxy-Authorization: y\nTE: trailers\nTrailer: z\nUpgrade: websocket\nCookie: c\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + added + "Cookie: c\n\n"},
		{"Connection can't take away what the load balancer says", 80,
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1\nConnection: x-forwarded-for, host, content-length\nContent-Length: 3\n\n",
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1, 203.0.113.7\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Amzn-Trace-Id: Root=" + newTrace + "\nContent-Length: 3\n\n"},
		{"X-Forwarded-For is appended to, the others replaced", 80,
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1\nX-Forwarded-For: 10.0.0.2\nX-Forwarded-Proto: https\nX-Forwarded-Port: 1\n\n",
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1, 10.0.0.2, 203.0.113.7\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Amzn-Trace-Id: Root=" + newTrace + "\n\n"},
		{"what only the load balancer may say is taken from clients", 80,
			"GET / HTTP/1.1\nHost: a.b\nX-Amzn-Mtls-Clientcert-Subject: root\nx-amzn-tls-version: 9\nX-Amzn-Oidc-Identity: me\nX-Amzn-Other: ok\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + added + "X-Amzn-Other: ok\n\n"},
		{"chunked is said once", 80,
			"POST / HTTP/1.1\nHost: a.b\nTransfer-Encoding: identity, Chunked\n\n", "POST / HTTP/1.1\nHost: a.b\n" + added + "Transfer-Encoding: chunked\n\n"},
		{"the same length twice is said once", 80,
			"POST / HTTP/1.1\nHost: a.b\nContent-Length: 7\nContent-Length: 007\n\n", "POST / HTTP/1.1\nHost: a.b\n" + added + "Content-Length: 7\n\n"},
		{"the expectation is answered here", 80,
			"PUT / HTTP/1.1\nHost: a.b\nExpect: 100-Continue\nContent-Length: 7\n\n", "PUT / HTTP/1.1\nHost: a.b\n" + added + "Content-Length: 7\n\n"},
		{"a trace root is kept, we are Self", 80,
			"GET / HTTP/1.1\nHost: a.b\nX-Amzn-Trace-Id: Self=1-1-1;Root=1-67891233-abcdef012345678912345678;CalledFrom=app\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + strings.Replace(added, "Root="+newTrace, "Self="+newTrace+";Root=1-67891233-abcdef012345678912345678;CalledFrom=app", 1) + "\n"},
		{"a trace without a root starts anew", 80,
			"GET / HTTP/1.1\nHost: a.b\nX-Amzn-Trace-Id: Self=1-1-1\n\n", "GET / HTTP/1.1\nHost: a.b\n" + added + "\n"},
		{"a large head starts its trace anew", 80,
			"GET / HTTP/1.1\nHost: a.b\nX: " + strings.Repeat("x", 8000) + "\nX-Amzn-Trace-Id: Root=1-1-1\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + added + "X: " + strings.Repeat("x", 8000) + "\n\n"},
		{"custom methods pass", 80, "PURGE /x HTTP/1.1\nHost: a.b\n\n", "PURGE /x HTTP/1.1\nHost: a.b\n" + added + "\n"},

		{"the usual port goes", 80, "GET / HTTP/1.1\nHost: Example.com:80\n\n", "GET / HTTP/1.1\nHost: example.com\n" + added + "\n"},
		{"another port stays at the usual one", 80, "GET / HTTP/1.1\nHost: example.com:8080\n\n", "GET / HTTP/1.1\nHost: example.com:8080\n" + added + "\n"},
		{"an unusual port is added", 8080, "GET / HTTP/1.1\nHost: example.com\n\n", "GET / HTTP/1.1\nHost: example.com:8080\n" + strings.Replace(added, "Port: 80", "Port: 8080", 1) + "\n"},
		{"an unusual port stays", 8080, "GET / HTTP/1.1\nHost: [2001:DB8::1]:8080\n\n", "GET / HTTP/1.1\nHost: [2001:db8::1]:8080\n" + strings.Replace(added, "Port: 80", "Port: 8080", 1) + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			buf := crlf(tt.in)
			var r http1.Request
			n, err := r.Parse(append(buf, "GET"...))
			if err != nil || n != len(buf) {
				t.Fatalf("Parse(%q) = %d, %v, want %d", buf, n, err, len(buf))
			}
			h := hop
			h.Port = tt.port
			h.Upgrade = r.Upgrade(buf)
			if got, want := string(http1.AppendRequest(nil, buf, &r, &h)), string(crlf(tt.want)); got != want {
				t.Errorf("request %q\ngoes on as %q\nwant       %q", buf, got, want)
			}
		})
	}
}

// In the strictest mode all that isn't compliant is refused.
func TestRequestIsRefused(t *testing.T) {
	long := strings.Repeat("x", 16<<10)
	many := strings.Repeat("X-Filler: "+strings.Repeat("y", 1000)+"\r\n", 66)
	tests := []struct {
		name   string
		in     string // as on the wire
		status int
	}{
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		{"bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
		{"bare LF as the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
		{"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
		{"bare CR in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400},
		{"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\x00: ab\r\n\r\n", 400},
		{"DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", 400},
		{"folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
		{"folded first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		{"space in a name", "GET / HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n", 400},
		{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
		{"empty name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400},
		{"Content-Length and Transfer-Encoding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"Transfer-Encoding and Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
		{"identity and Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n", 400},
		{"lengths that differ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
		{"a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400},
		{"a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400},
		{"a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", 400},
		{"an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
		{"a length beyond 63 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", 400},
		{"an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"a misspelt coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400},
		{"chunked isn't last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501},
		{"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"an empty coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400},
		{"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"an underscore in place of a hyphen", "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n", 400},
		{"no hyphen in the length", "POST / HTTP/1.1\r\nHost: a\r\nContentLength: 3\r\n\r\n", 400},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"Hosts that differ", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"user information in Host", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", 400},
		{"a path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"a list in Host", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
		{"letters in Host's port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
		{"user information in the target", "GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a relative target", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"an asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a tab as separator", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"an invalid method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"HTTP/0.9", "GET /\r\n", 400},
		{"no target", "GET HTTP/1.1\r\n\r\n", 400},
		{"a TLS hello", "\x16\x03\x01", 400},
		{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n", 400},
		{"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400},
		{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"two digits of version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"an unknown expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417},
		{"31 addresses", "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + strings.Repeat("a,", 30) + "b\r\n\r\n", 463},
		{"a long request line", "GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"a long request line that doesn't end", "GET /" + long, 414},
		{"a long header", "GET / HTTP/1.1\r\nHost: a\r\nX: " + long + "\r\n\r\n", 400},
		{"a long header that doesn't end", "GET / HTTP/1.1\r\nHost: a\r\nX: " + long, 400},
		{"many headers", "GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n", 400},
		{"many headers that don't end", "GET / HTTP/1.1\r\nHost: a\r\n" + many, 400},
		{"many connection options", "GET / HTTP/1.1\r\nHost: a\r\nConnection: " + strings.Repeat("x,", 40) + "\r\n\r\n", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, parse := range map[string]func(http1.Mode, []byte) (int, error){"at once": parseWhole, "byte by byte": parseBytewise} {
				_, err := parse(http1.Strictest, []byte(tt.in))
				refusal, ok := errors.AsType[*http1.Refusal](err)
				if !ok {
					t.Fatalf("%s: %.80q gives %v, want status %d", how, tt.in, err, tt.status)
				}
				if refusal.Status != tt.status {
					t.Errorf("%s: %.80q gives %d (%v), want %d", how, tt.in, refusal.Status, err, tt.status)
				}
			}
		})
	}
}

func parseWhole(m http1.Mode, b []byte) (int, error) {
	r := http1.Request{Policy: http1.Policy{Mode: m}}
	return r.Parse(b)
}

func parseBytewise(m http1.Mode, b []byte) (n int, err error) {
	r := http1.Request{Policy: http1.Policy{Mode: m}}
	for i := range b {
		if n, err = r.Parse(b[:i+1]); !errors.Is(err, http1.ErrIncomplete) {
			return n, err
		}
	}
	return n, err
}

func TestRequestTellsWhatTheConnectionNeeds(t *testing.T) {
	tests := []struct {
		name      string
		in        string
		keepAlive bool
		expect    bool
		upgrade   string
		body      http1.Body
	}{
		{"HTTP/1.1 persists", "GET / HTTP/1.1\nHost: a\n\n", true, false, "", http1.Body{}},
		{"HTTP/1.1 with close ends", "GET / HTTP/1.1\nHost: a\nConnection: x, Close\n\n", false, false, "", http1.Body{}},
		{"HTTP/1.0 ends", "GET / HTTP/1.0\n\n", false, false, "", http1.Body{}},
		{"HTTP/1.0 with keep-alive persists", "GET / HTTP/1.0\nConnection: keep-alive\n\n", true, false, "", http1.Body{}},
		{"an expectation in HTTP/1.0 is nothing", "PUT / HTTP/1.0\nExpect: 100-continue\n\n", false, false, "", http1.Body{}},
		{"an expectation", "PUT / HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 3\n\n", true, true, "", http1.Body{Framing: http1.ByLength, Length: 3}},
		{"an upgrade", "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n\n", true, false, "websocket", http1.Body{}},
		{"Upgrade alone is nothing", "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\n\n", true, false, "", http1.Body{}},
		{"an upgrade to HTTP/2 is not passed on", "GET / HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n\n", true, false, "", http1.Body{}},
		{"an upgrade with a body is not passed on", "POST / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nContent-Length: 1\n\n", true, false, "", http1.Body{Framing: http1.ByLength, Length: 1}},
		{"chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n", true, false, "", http1.Body{Framing: http1.Chunked}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			buf := crlf(tt.in)
			var r http1.Request
			if _, err := r.Parse(buf); err != nil {
				t.Fatal(err)
			}
			if r.KeepAlive() != tt.keepAlive || r.Expect100 != tt.expect || string(r.Upgrade(buf)) != tt.upgrade || r.Body != tt.body {
				t.Errorf("%q: keep-alive %t, expects %t, upgrade %q, body %+v; want %t, %t, %q, %+v", buf,
					r.KeepAlive(), r.Expect100, r.Upgrade(buf), r.Body, tt.keepAlive, tt.expect, tt.upgrade, tt.body)
			}
		})
	}
}
