package http2_test

import (
	"slices"
	"strings"
	"testing"

	xhttp2 "golang.org/x/net/http2"
)

// RFC 9113 §8.1.1: a malformed request is a stream error, whatever could be made of
// it, and the session goes on. Each of these has been a way past a proxy.
func TestMalformedRequestsEndTheirStream(t *testing.T) {
	with := func(fields ...string) []string { return append(slices.Clone(get), fields...) }
	for name, fields := range map[string][]string{
		"capital in a name":                    with("X-Upper", "y"),
		"name with a line end":                 with("a\r\nb", "y"),
		"name with a colon":                    with("a:b", "y"),
		"name with a blank":                    with("transfer-encoding ", "chunked"),
		"name with NUL":                        with("a\x00", "y"),
		"empty name":                           with("", "y"),
		"value with CR LF":                     with("a", "b\r\nTransfer-Encoding: chunked"),
		"value with LF":                        with("a", "b\nc: d"),
		"value with CR":                        with("a", "b\rc"),
		"value with NUL":                       with("a", "b\x00"),
		"value with DEL":                       with("a", "b\x7f"),
		"blank before a value":                 with("a", " b"),
		"tab behind a value":                   with("a", "b\t"),
		"cookie with CR LF":                    with("cookie", "a\r\nb: c"),
		"Transfer-Encoding":                    with("transfer-encoding", "chunked"),
		"Connection":                           with("connection", "close"),
		"Proxy-Connection":                     with("proxy-connection", "close"),
		"Keep-Alive":                           with("keep-alive", "1"),
		"Upgrade":                              with("upgrade", "h2c"),
		"TE with more than trailers":           with("te", "trailers, gzip"),
		"Host that isn't the authority":        with("host", "b.test"),
		"two Hosts":                            {":method", "GET", ":scheme", "https", ":path", "/", "host", "a.test", "host", "b.test"},
		"Content-Length without a body":        with("content-length", "1"),
		"Content-Length that is no number":     with("content-length", "+0"),
		"Content-Lengths that differ":          with("content-length", "0", "content-length", "1"),
		"Content-Length that is a list":        with("content-length", "0, 0"),
		"unknown pseudo-header field":          with(":foo", "y"),
		"pseudo-header field behind others":    {":method", "GET", ":scheme", "https", "a", "b", ":path", "/"},
		"pseudo-header field twice":            append([]string{":method", "GET"}, get...),
		"pseudo-header field of a response":    append([]string{":status", "200"}, get...),
		"no :method":                           get[2:],
		"empty :method":                        append([]string{":method", ""}, get[2:]...),
		":method of two words":                 append([]string{":method", "GET / HTTP/1.1\r\nA: b\r\n\r\nGET"}, get[2:]...),
		"no :scheme":                           append(slices.Clone(get[:2]), get[4:]...),
		"unknown :scheme":                      {":method", "GET", ":scheme", "http://x/?", ":path", "/", ":authority", "a.test"},
		"no :path":                             {":method", "GET", ":scheme", "https", ":authority", "a.test"},
		"empty :path":                          {":method", "GET", ":scheme", "https", ":path", "", ":authority", "a.test"},
		":path in absolute-form":               {":method", "GET", ":scheme", "https", ":path", "https://b.test/", ":authority", "a.test"},
		":path without a slash":                {":method", "GET", ":scheme", "https", ":path", "@b.test/", ":authority", "a.test"},
		":path with a request line's end":      {":method", "GET", ":scheme", "https", ":path", "/ HTTP/1.1\r\nHost: b.test\r\n\r\nGET /", ":authority", "a.test"},
		":path with a blank":                   {":method", "GET", ":scheme", "https", ":path", "/ x", ":authority", "a.test"},
		":path with a tab":                     {":method", "GET", ":scheme", "https", ":path", "/\tx", ":authority", "a.test"},
		"asterisk for more than OPTIONS":       {":method", "GET", ":scheme", "https", ":path", "*", ":authority", "a.test"},
		":authority with CR LF":                {":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a.test\r\nX: y"},
		"CONNECT with a :path":                 {":method", "CONNECT", ":scheme", "https", ":path", "/", ":authority", "a.test"},
		"extended CONNECT, that isn't offered": {":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/", ":authority", "a.test"},
	} {
		p := newPeer(t)
		p.ask(1, true, fields...)
		p.ask(3, true, get...)
		if err := p.send(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(p.begun) != 1 || p.begun[0].ID() != 3 {
			t.Errorf("%s: %d requests have begun, want the other one", name, len(p.begun))
		}
		if got := p.frames(); !slices.Equal(got, []string{"RST_STREAM 1 PROTOCOL_ERROR"}) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// RFC 9113 §8.1.1: what a body is said to be, it is.
func TestBodiesAreAsLongAsTheySay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		length string
		data   []string
		ok     bool
	}{
		{"as long", "5", []string{"he", "llo"}, true},
		{"longer", "5", []string{"hello", "x"}, false},
		{"longer at once", "5", []string{"hello!"}, false},
		{"shorter", "5", []string{"he", "ll"}, false},
		{"empty", "5", []string{""}, false},
		{"as empty", "0", []string{""}, true},
	} {
		for _, trailers := range []bool{false, true} {
			p := newPeer(t)
			p.ask(1, false, ":method", "POST", ":scheme", "https", ":path", "/", ":authority", "a.test", "content-length", tt.length)
			for i, d := range tt.data {
				p.framer.WriteData(1, !trailers && i == len(tt.data)-1, []byte(d))
			}
			if trailers {
				p.ask(1, true, "x-trailer", "y")
			}
			if err := p.send(); err != nil {
				t.Fatal(err)
			}
			if err := p.begun[0].Err(); (err == nil) != tt.ok {
				t.Errorf("%s, trailers %t: %v", tt.name, trailers, err)
			}
		}
	}
}

// What makes a request malformed does so behind its body, too (RFC 9113 §8.1, §8.2.2).
func TestMalformedTrailersEndTheirStream(t *testing.T) {
	for name, fields := range map[string][]string{
		"a pseudo-header field":          {":path", "/"},
		"a capital":                      {"X-Trailer", "y"},
		"a line end":                     {"x-trailer", "y\r\nz: a"},
		"Connection":                     {"connection", "close"},
		"Transfer-Encoding":              {"x", "y", "transfer-encoding", "chunked"},
		"Upgrade":                        {"upgrade", "h2c"},
		"TE with more than trailers":     {"te", "gzip"},
		"a name that is no token at all": {"x y", "z"},
	} {
		p := newPeer(t)
		p.ask(1, false, ":method", "POST", ":scheme", "https", ":path", "/", ":authority", "a.test")
		p.framer.WriteData(1, false, []byte("hello"))
		p.ask(1, true, fields...)
		if err := p.send(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := p.begun[0].Err(); err == nil || p.begun[0].Ended() {
			t.Errorf("%s: %v, ended %t", name, err, p.begun[0].Ended())
		}
	}
}

func TestHeadsAreThoseOfHTTP1(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []string
		end    bool
		want   string
	}{
		{"a plain one", get, true, "GET / HTTP/1.1\nHost: a.test\n"},
		{"Host in place of :authority", []string{":method", "GET", ":scheme", "https", ":path", "/", "a", "b", "host", "a.test"}, true, "GET / HTTP/1.1\na: b\nHost: a.test\n"},
		{"both", append(slices.Clone(get), "host", "A.test"), true, "GET / HTTP/1.1\nHost: a.test\n"},
		{"asterisk", []string{":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "a.test"}, true, "OPTIONS * HTTP/1.1\nHost: a.test\n"},
		{"CONNECT, which http1 refuses", []string{":method", "CONNECT", ":authority", "a.test:80"}, true, "CONNECT a.test:80 HTTP/1.1\nHost: a.test:80\n"},
		{"crumbs of cookies", append(slices.Clone(get), "cookie", "a=1", "x", "", "cookie", "b=2; c=3"), true, "GET / HTTP/1.1\nHost: a.test\nx: \nCookie: a=1; b=2; c=3\n"},
		{"names in HTTP/1.1's case", append(slices.Clone(get), "x-forwarded-for", "1.1.1.1", "x-amzn-trace-id", "Root=1"), true, "GET / HTTP/1.1\nHost: a.test\nX-Forwarded-For: 1.1.1.1\nX-Amzn-Trace-Id: Root=1\n"},
		{"a body of a length", append(slices.Clone(get), "content-length", "5", "content-length", "5"), false, "GET / HTTP/1.1\nHost: a.test\ncontent-length: 5\n"},
		{"a body of any length", append(slices.Clone(get), "te", "trailers"), false, "GET / HTTP/1.1\nHost: a.test\nte: trailers\nTransfer-Encoding: chunked\n"},
	} {
		p := newPeer(t)
		p.ask(1, tt.end, tt.fields...)
		if err := p.send(); err != nil || len(p.begun) != 1 {
			t.Fatalf("%s: %v, %q", tt.name, err, p.frames())
		}
		if got := strings.ReplaceAll(string(p.begun[0].Head), "\r\n", "\n"); got != tt.want+"\n" {
			t.Errorf("%s: got\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

// ELB user guide: 64 K for all headers of a request. What comes behind it is passed
// over without being kept, and the session goes on.
func TestHeaderListsAreBounded(t *testing.T) {
	p := newPeer(t)
	fields := slices.Clone(get)
	for range 6 {
		fields = append(fields, "x", strings.Repeat("y", 12_000))
	}
	block := p.encode(fields...)
	p.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:16000], EndStream: true})
	for block = block[16000:]; len(block) > 16000; block = block[16000:] {
		p.framer.WriteContinuation(1, false, block[:16000])
	}
	p.framer.WriteContinuation(1, true, block)
	p.ask(3, true, get...)
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	if len(p.begun) != 2 || p.begun[0].Head != nil || !strings.HasPrefix(string(p.begun[1].Head), "GET / ") {
		t.Errorf("got %d requests; the first has a head of %d bytes", len(p.begun), len(p.begun[0].Head))
	}
}
