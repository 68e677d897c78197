package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// odd returns the n-th request, with the body that it seems to have, and its number
// in the target. The same n gives the same request.
func odd(n int) []byte {
	g := &generator{n: n, r: rand.New(rand.NewPCG(uint64(n), 7))}
	// What is odd in every place is refused for the first of them. Most are so in few.
	g.calm = []int{1, 4, 16, 16}[g.r.IntN(4)]
	if g.rarely(4) {
		fmt.Fprintf(&g.b, "GET /before-%d HTTP/1.1\r\nHost: a.test\r\n\r\n", n)
	}
	return g.request()
}

type generator struct {
	n    int
	calm int // how much rarer than in the worst of requests oddities are
	r    *rand.Rand
	b    strings.Builder
}

// pick returns one of the values.
func (g *generator) pick(values ...string) string { return values[g.r.IntN(len(values))] }

// rarely is true once in n times.
func (g *generator) rarely(n int) bool { return g.r.IntN(n) == 0 }

// strangely is true once in n times in the worst of requests.
func (g *generator) strangely(n int) bool { return g.rarely(n * g.calm) }

func (g *generator) end() string {
	if g.strangely(12) {
		return g.pick("\n", "\r\n", "\r\r\n")
	}
	return "\r\n"
}

func (g *generator) request() []byte {
	method := g.pick("GET", "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
	if g.strangely(8) {
		method = g.pick("PROPFIND", "get", "G-T", "TRACE", "CONNECT", "X", "GE\x00T", "G T", "G@T", "\xc3\xa9", "GET\r", "PRI", "CONNECT", "M-SEARCH", strings.Repeat("M", 300))
	}
	g.b.WriteString(method)
	g.b.WriteString(g.blank())
	g.b.WriteString(g.target())
	g.b.WriteString(g.blank())
	g.b.WriteString(g.version())
	g.b.WriteString(g.end())

	body, framing := g.framing()
	lines := append([]string{g.host()}, framing...)
	for range g.r.IntN(4) {
		lines = append(lines, g.field())
	}
	if g.rarely(20) {
		lines = append(lines, g.upgrade()...)
	}
	if g.rarely(150) {
		size := maxHead/4 + 100
		if g.rarely(2) { // with room for what we add, as the recorder has the same limit
			size -= 600
		}
		for range 4 {
			lines = append(lines, "X-Long: "+strings.Repeat("w", size))
		}
	}
	g.r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for _, l := range lines {
		g.b.WriteString(l)
		g.b.WriteString(g.end())
	}
	g.b.WriteString(g.end())
	g.b.WriteString(body)
	return []byte(g.b.String())
}

// The limits of what ALB takes, in bytes: a line or field, and all of a head.
const (
	maxLine = 16 << 10
	maxHead = 64 << 10
)

// near returns about as many bytes as make a line of that size, more or less.
func (g *generator) near(limit int) int { return limit - 60 + g.r.IntN(70) }

// upgrade returns the fields that ask for another protocol.
func (g *generator) upgrade() []string {
	return g.pickLines(
		[]string{"Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
		[]string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
		[]string{"Connection: upgrade", "Upgrade: h2c"},
		[]string{"Connection: close, upgrade", "Upgrade: x, y/1"},
		[]string{"Upgrade: websocket"},
		[]string{"Connection: upgrade"},
	)
}

func (g *generator) pickLines(values ...[]string) []string { return values[g.r.IntN(len(values))] }

func (g *generator) blank() string {
	if g.strangely(40) {
		return g.pick("  ", "\t", " \t", "\x0b", "\x0c", "")
	}
	return " "
}

func (g *generator) version() string {
	if g.strangely(15) {
		return g.pick("HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/0.9", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/1.10", "", "HTTP", "HTTP/1", "HTTP/01.1", "HTTP/1,1")
	}
	return "HTTP/1.1"
}

func (g *generator) target() string {
	t := fmt.Sprintf("/odd-%d", g.n)
	if g.rarely(6) {
		t += g.pick("/../x", "/./x", "//x", "?a=b&c", "?", "#x", "/%2e%2e/x", "/%00", "/\xc3\xa9", "/a b", "/a\tb", "/\x01", "/\x7f", "/\x00", "/|", "/\"", "/<>", "/\\x", ";x=1", "/%zz", "?x=\r", "/"+strings.Repeat("l", 7000))
	}
	if g.rarely(150) {
		t += "?" + strings.Repeat("q", g.near(maxLine))
	}
	if g.rarely(20) {
		return g.pick("http://other.test", "HTTPS://other.test:1", "http://u@other.test", "ftp://other.test", "http://", "other.test") + t
	}
	return t
}

func (g *generator) host() string {
	if g.strangely(15) {
		return g.pick("Host: a.test\r\nHost: a.test", "Host: a.test\r\nHost: b.test", "Host:", "Host : a.test", "X: y", "Host: a.test:80", "Host: [::1]", "Host: a test", "host:a.test", "Host: a.test/x", "\tHost: a.test")
	}
	return "Host: a.test"
}

// framing returns a body and the fields that say where it ends, which may disagree.
func (g *generator) framing() (body string, fields []string) {
	hidden := g.pick(fmt.Sprintf("GET /smuggled-%d HTTP/1.1\r\nHost: a.test\r\n\r\n", g.n), "abc", "0\r\n\r\n", strings.Repeat("x", 300))
	length := func() string {
		name := g.pick("Content-Length: ", "content-length:", "Content-Length:\t", "CONTENT-LENGTH: ")
		if !g.strangely(2) {
			return name + fmt.Sprint(len(body))
		}
		return name + g.pick(fmt.Sprint(len(body)), fmt.Sprint(len(body)), fmt.Sprint(len(body)), "0", "5", "+5", "-1", "0x5", "5,5", "5 5", "05", "99999999999999999999", "", "5\x0b")
	}
	coding := func() string {
		name := g.pick("Transfer-Encoding: ", "transfer-encoding:", "Transfer-Encoding:\t", "TRANSFER-ENCODING: ")
		if !g.strangely(2) {
			return name + "chunked"
		}
		return name + g.pick("chunked", "chunked", "chunked", "CHUNKED", "chunked ", "identity", "identity, chunked", "chunked, identity", "gzip, chunked", "xchunked", "chunked;x=y", "\"chunked\"", "chunked,", ",chunked", "chunked, chunked", "chu\x00nked", "")
	}
	lookalike := func() string {
		return g.pick("Transfer_Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding\x0b: chunked", "\x01Transfer-Encoding: chunked", "Transfer Encoding: chunked", "X: y\rTransfer-Encoding: chunked",
			"Content_Length: 5", "Content-Length : 5", "ContentLength: 5", "X: y\n Content-Length: 5", "Content-Length\x00: 5", "Tran\xc5\xbffer-Encoding: chunked", "X:\r\n Transfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "Content-Length:\r\n 5")
	}
	switch g.r.IntN(10) {
	case 0, 1, 2: // none
		if g.rarely(10) {
			body = hidden // all the same
		}
	case 3, 4:
		body = hidden
		fields = append(fields, length())
	case 5, 6:
		body = g.chunks(hidden)
		fields = append(fields, coding())
	case 7:
		body = g.chunks(hidden)
		fields = append(fields, coding(), length())
	case 8:
		body = hidden
		fields = append(fields, length(), length())
	default:
		body = g.chunks(hidden)
		fields = append(fields, lookalike())
		if g.rarely(2) {
			fields = append(fields, g.pick(length(), coding()))
		}
	}
	return body, fields
}

// chunks returns the text in chunks, oddly framed at times.
func (g *generator) chunks(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := min(len(text), 1+g.r.IntN(100))
		size := fmt.Sprintf("%x", n)
		if g.strangely(10) {
			size = g.pick("0"+size, strings.ToUpper(size), size+" ", size+";x", size+";x=\"\r\"", size+";\x00", "+"+size, "0x"+size, size+"\t;y", size+";"+strings.Repeat("z", 3000), size+";"+strings.Repeat("z", g.near(4<<10)), fmt.Sprintf("%020x", n), fmt.Sprintf("1%016x", n), fmt.Sprintf("%x00000000", n), "ffffffffffffffff", "7fffffffffffffff")
		}
		b.WriteString(size)
		b.WriteString(g.end())
		b.WriteString(text[:n])
		b.WriteString(g.end())
		text = text[n:]
	}
	b.WriteString(g.pick("0", "0", "0", "00", "0;x", "0 ", "-0"))
	b.WriteString(g.end())
	if g.strangely(5) {
		b.WriteString(g.pick("X-Trailer: y", "X-Trailer: y\r\nX-Other: z", "X-Trailer: y\r\n folded", "X-\x00: y", "GET /smuggled-0 HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked", "bad", "Host: b.test", ": x"))
		b.WriteString(g.end())
	}
	b.WriteString(g.end())
	return b.String()
}

func (g *generator) field() string {
	name := g.pick("X-A", "X-B", "Accept", "Cookie", "User-Agent", "X_Under", "Connection", "Expect", "Range", "TE", "Upgrade", "Content-Type", "Keep-Alive", "Proxy-Connection", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via")
	value := g.pick("a", "b, c", "", " spaced ", "caf\xe9", "\"quoted\"", "a:b", strings.Repeat("v", 1000), "chunked", "close", "keep-alive", "10.0.0.1")
	switch {
	case name == "Connection":
		value = g.pick("close", "keep-alive", "X-A", "Content-Length", "Transfer-Encoding", "Host", "upgrade", "close, X-B", "x-forwarded-for", "X-Forwarded-Proto, X-Amzn-Trace-Id", ",close,", "\"close\"", "keep-alive, close", "close\tX-A")
	case name == "Expect":
		value = g.pick("100-continue", "100-Continue", "100-continue, 100-continue", "100-continue;x", "200-ok", "")
	case name == "Upgrade":
		value = g.pick("h2c", "websocket", "TLS/1.0")
	case g.rarely(12):
		return g.pick("X-Null: a\x00b", "X-CR: a\rb", "X-Fold: a\r\n b", "X-Fold: a\r\n\tContent-Length: 5", ": empty", "NoColon", "X-DEL: \x7f", "X-Ctl\x01: a", "\xffX: a", "X Y: a", "X-Long: "+strings.Repeat("w", g.near(maxLine)), "[X]: a", "X-\xc3\xa9: a", "X-\xe2\x80\x8b: a", "\xef\xbc\xb8-Wide: a", "Host\xc2\xa0: b.test")
	}
	return name + ":" + g.pick(" ", " ", "", "\t", "  ") + value
}
