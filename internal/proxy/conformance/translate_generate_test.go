package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// field is one of a header list, or of trailers.
type field struct{ name, value string }

// message is a request of HTTP/2.
type message struct {
	list     []field
	data     []string // a DATA frame each
	trailers []field  // nil: there are none
	padding  int      // of DATA
}

func (m *message) String() string {
	var b strings.Builder
	for _, f := range m.list {
		fmt.Fprintf(&b, "%q: %q, ", f.name, f.value)
	}
	fmt.Fprintf(&b, "%q", m.data)
	for _, f := range m.trailers {
		fmt.Fprintf(&b, ", %q: %q", f.name, f.value)
	}
	return b.String()
}

// translated returns the n-th request of HTTP/2 that is odd, with its number in the
// path. The same n gives the same request.
func translated(n int) *message {
	g := &generator{n: n, r: rand.New(rand.NewPCG(uint64(n), 9))}
	g.calm = []int{1, 4, 16, 16, 64}[g.r.IntN(5)]
	m := &message{}
	bodied := g.rarely(2)
	if bodied {
		m.data = g.frames()
		m.padding = g.r.IntN(3) * 7
	}
	regular := g.regular(strings.Join(m.data, ""), bodied)
	pseudo := g.pseudo(bodied)
	m.list = append(pseudo, regular...)
	if slices.Contains(m.list, field{":path", "*"}) {
		m.list = append(m.list, field{"x-number", fmt.Sprintf("odd-%d", n)})
	}
	if g.strangely(40) { // the order that they come in matters
		g.r.Shuffle(len(m.list), func(i, j int) { m.list[i], m.list[j] = m.list[j], m.list[i] })
	}
	if bodied && g.rarely(8) {
		m.trailers = []field{}
		for range 1 + g.r.IntN(2) {
			m.trailers = append(m.trailers, g.trailer())
		}
	}
	return m
}

// hostile are values that hold more than one line of HTTP/1.1, or look like it.
func (g *generator) hostile() string {
	smuggled := fmt.Sprintf("GET /smuggled-%d HTTP/1.1", g.n)
	return g.pick("\r\nX-Injected: y", "\nX-Injected: y", "\rX-Injected: y", "\r\n\r\n"+smuggled+"\r\nHost: a.test\r\n\r\n", "\n\n"+smuggled+"\n\n",
		"\x00", " ", "\t", "\x0b", "\x0c", "\x7f", "\x01", "\xe5\x98\x8a\xe5\x98\x8d", "\xc4\x8d\xc4\x8a", "\x85", "\xe2\x80\xa8", " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", ":", "\r\n", "\r\n folded")
}

// spoilt returns the text with something hostile in it.
func (g *generator) spoilt(text string) string {
	at := g.pick("front", "back", "back", "middle")
	switch {
	case at == "front":
		return g.hostile() + text
	case at == "middle" && len(text) > 1:
		i := 1 + g.r.IntN(len(text)-1)
		return text[:i] + g.hostile() + text[i:]
	}
	return text + g.hostile()
}

// pseudo returns the pseudo-header fields.
func (g *generator) pseudo(bodied bool) []field {
	method := g.pick("GET", "GET", "DELETE", "HEAD", "OPTIONS", "PATCH")
	if bodied {
		method = g.pick("POST", "POST", "PUT", "PATCH", "GET", "DELETE", "OPTIONS")
	}
	path := fmt.Sprintf("/odd-%d", g.n)
	if g.rarely(5) {
		path += g.pick("/../x", "/./x", "//x", "?a=b&c", "?", "?/../", "/%2e%2e/x", "/%00", "/%0d%0a", "/|", "/\"", "/<>", "/\\x", ";x=1", "/%zz", "?q="+strings.Repeat("q", 7000), "/*", "/:x", "/@", "/{}", "/^`")
	}
	scheme, authority := "https", "a.test"
	if g.rarely(8) {
		authority = g.pick("a.test:443", "A.Test", "[::1]", "[::1]:8443", "127.0.0.1", "b.test", "a.test.", "xn--bcher-kva.test")
	}
	switch g.r.IntN(16 * g.calm) {
	case 0:
		method = g.pick(g.spoilt(method), "", "get", "TRACE", "CONNECT", "PRI", "PROPFIND", "M-SEARCH", "G@T", "A:B", strings.Repeat("M", 300), "\xc3\xa9")
	case 1, 2, 3:
		path = g.pick(g.hostile()+path, path+g.hostile(), path+"/"+g.spoilt("xyz"), "", "*", path[1:], "http://other.test"+path, "//other.test"+path, path+"#x", path+"\xc3\xa9", path+" HTTP/1.0", path+"?"+strings.Repeat("q", g.near(maxLine)))
	case 4:
		scheme = g.pick(g.spoilt(scheme), "http", "", "ftp", "HTTPS", "javascript")
	case 5, 6:
		authority = g.pick(g.spoilt(authority), "", "a test", "u@a.test", "a.test/x", "a.test, b.test", "a.test:x", "a.test:99999", "a.test#x", "a.test?x", "\xc3\xa9.test")
	}
	out := []field{{":method", method}, {":scheme", scheme}, {":path", path}, {":authority", authority}}
	g.r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	i := g.r.IntN(len(out))
	switch g.r.IntN(20 * g.calm) {
	case 0:
		out = append(out[:i], out[i+1:]...)
	case 1:
		out = append(out, out[i])
	case 2:
		out = append(out, field{out[i].name, g.pick("/other", "POST", "b.test", "http")})
	case 3:
		out = append(out, field{g.pick(":protocol", ":status", ":x", ":", ":Path", ": path", ":path ", ":path:", ":host"), g.pick("websocket", "200", "/x")})
	case 4:
		out[i].name = g.pick(strings.ToUpper(out[i].name), out[i].name[1:])
	}
	return out
}

// regular returns the other fields, those that frame the body among them.
func (g *generator) regular(body string, bodied bool) (out []field) {
	for range g.r.IntN(5) {
		out = append(out, g.plainField())
	}
	if g.rarely(6) {
		for range 1 + g.r.IntN(3) {
			out = append(out, field{"cookie", g.pick("a=1", "b=2; c=3", "d", "", "e=\"x;y\"", "f=1,2")})
		}
	}
	if g.strangely(12) {
		out = append(out, g.pickField(field{"transfer-encoding", "chunked"}, field{"transfer-encoding", "identity"}, field{"connection", "close"}, field{"connection", "x-a"}, field{"keep-alive", "timeout=5"},
			field{"proxy-connection", "keep-alive"}, field{"upgrade", "websocket"}, field{"upgrade", "h2c"}, field{"http2-settings", "AAMAAABk"}))
	}
	if g.rarely(12) {
		out = append(out, field{"te", g.pick("trailers", "trailers", "gzip", "trailers, deflate", "Trailers", "")})
	}
	if g.rarely(12) {
		out = append(out, field{"host", g.pick("a.test", "a.test", "A.TEST", "b.test", "", "a.test:443", "a.test\r\nX: y")})
	}
	if g.strangely(10) {
		out = append(out, g.pickField(field{"transfer_encoding", "chunked"}, field{"content_length", "5"}, field{"transfer-encoding ", "chunked"}, field{" transfer-encoding", "chunked"}, field{"transfer-encoding:", "chunked"},
			field{"content-length:5\r\nx", "y"}, field{"Transfer-Encoding", "chunked"}, field{"contentlength", "5"}, field{"tran\xc5\xbffer-encoding", "chunked"}, field{"transfer-encoding\x00", "chunked"}, field{"x-transfer-encoding", "chunked"}))
	}
	if bodied && g.rarely(2) || g.strangely(20) {
		out = append(out, field{"content-length", strconv.Itoa(len(body))})
	}
	if g.strangely(6) {
		n := len(body)
		out = append(out, field{"content-length", g.pick(strconv.Itoa(n), strconv.Itoa(n), strconv.Itoa(n+1), strconv.Itoa(max(0, n-1)), "0", "5", "+5", "-1", "0x5", "5,5", "5 5", fmt.Sprintf("0%d", n), fmt.Sprintf(" %d", n), fmt.Sprintf("%d ", n), "99999999999999999999", "18446744073709551616", "", "5\x0b", "5\r\n", "1e3")})
	}
	g.r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (g *generator) pickField(values ...field) field { return values[g.r.IntN(len(values))] }

// plainField returns a field that has to do with neither the body nor the connection.
func (g *generator) plainField() field {
	f := field{
		g.pick("x-a", "x-b", "accept", "user-agent", "x_under", "range", "content-type", "x-forwarded-for", "x-forwarded-proto", "x-amzn-trace-id", "forwarded", "via", "x.dot", "x!", "x-injected", "expect", "trailer", "proxy-authorization", "priority", "x-method-override"),
		g.pick("a", "b, c", "", "caf\xe9", "\"quoted\"", "a:b", strings.Repeat("v", 1000), "chunked", "close", "10.0.0.1", "trailers", "a b", "a\tb", "100-continue"),
	}
	switch g.r.IntN(16 * g.calm) {
	case 0, 1:
		f.value = g.spoilt(f.value)
	case 2:
		f.name = g.spoilt(f.name)
	case 3:
		f.name = g.pick("X-A", "", "x a", "x:a", "\xc3\xa9", "x-\xff", "(x)", "x,y", "x/y", "x=y", "\"x\"")
	case 4:
		f.value = g.pick(" a", "a ", "\ta", "a\t", " ", "  ")
	case 5:
		f = field{"x-long", strings.Repeat("w", g.near(maxLine))}
	}
	return f
}

// trailer returns a field behind the body.
func (g *generator) trailer() field {
	switch g.r.IntN(4) {
	case 0:
		return g.plainField()
	case 1:
		return g.pickField(field{":path", "/other"}, field{":status", "200"}, field{":method", "GET"}, field{":authority", "b.test"})
	case 2:
		return g.pickField(field{"content-length", "5"}, field{"transfer-encoding", "chunked"}, field{"host", "b.test"}, field{"connection", "close"}, field{"te", "gzip"})
	}
	return field{g.pick("x-trailer", "grpc-status", "x-checksum"), g.pick("0", "y", "")}
}

// frames returns what a body says, in as many parts as it has frames.
func (g *generator) frames() (out []string) {
	text := g.pick(fmt.Sprintf("GET /smuggled-%d HTTP/1.1\r\nHost: a.test\r\n\r\n", g.n), fmt.Sprintf("0\r\n\r\nGET /smuggled-%d HTTP/1.1\r\nHost: a.test\r\n\r\n", g.n), "abc", "", "\r\n", "5\r\nhello\r\n0\r\n\r\n",
		strings.Repeat("x", 300), strings.Repeat("y", 20_000), fmt.Sprintf("\r\n\r\nPOST /smuggled-%d HTTP/1.1\r\nContent-Length: 5\r\n\r\n", g.n))
	for len(text) > 0 {
		n := min(len(text), 1+g.r.IntN(len(text)), 16_000)
		out, text = append(out, text[:n]), text[n:]
		if g.rarely(6) {
			out = append(out, "")
		}
	}
	if len(out) == 0 || g.rarely(6) {
		out = append(out, "")
	}
	return out
}

var (
	fieldName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+$")
	fieldValue = regexp.MustCompile("^([^\x00\r\n \t]([^\x00\r\n]*[^\x00\r\n \t])?)?$")
	connected  = regexp.MustCompile("^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$")
)

// malformed says what RFC 9113 §8 forbids about a request, "" for nothing. It shares
// no code with what decides about it.
func (m *message) malformed() string {
	count := map[string]int{}
	value := map[string]string{}
	regular := false
	for _, f := range m.list {
		if strings.HasPrefix(f.name, ":") {
			switch f.name {
			case ":method", ":scheme", ":path", ":authority":
			default:
				return "unknown pseudo-header field"
			}
			if regular {
				return "pseudo-header field behind others"
			}
			if count[f.name]++; count[f.name] > 1 {
				return "pseudo-header field twice"
			}
			value[f.name] = f.value
			if !fieldValue.MatchString(f.value) {
				return "value of a pseudo-header field"
			}
			continue
		}
		regular = true
		if why := f.malformed(); why != "" {
			return why
		}
		if f.name == "content-length" {
			n, err := strconv.ParseUint(f.value, 10, 63)
			if err != nil || n != uint64(len(strings.Join(m.data, ""))) {
				return "Content-Length isn't the body's"
			}
		}
	}
	for _, f := range m.trailers {
		if why := f.malformed(); why != "" || strings.HasPrefix(f.name, ":") {
			return "trailers: " + why
		}
	}
	connect := value[":method"] == "CONNECT"
	switch {
	case count[":method"] == 0 || value[":method"] == "":
		return "no method"
	case connect && (count[":scheme"]+count[":path"] > 0 || count[":authority"] == 0):
		return "CONNECT with more than an authority"
	case !connect && (count[":scheme"] == 0 || value[":path"] == ""):
		return "no scheme, or no path"
	}
	return ""
}

// declared returns the body's length as it is told before it, -1 if it isn't.
func (m *message) declared() int {
	for _, f := range m.list {
		if n, err := strconv.Atoi(f.value); f.name == "content-length" && err == nil {
			return n
		}
	}
	return -1
}

// malformed says what is wrong with a field that isn't a pseudo-header field.
func (f field) malformed() string {
	switch {
	case !fieldName.MatchString(f.name):
		return "name of a field"
	case !fieldValue.MatchString(f.value):
		return "value of a field"
	case connected.MatchString(f.name):
		return "field of a connection"
	case f.name == "te" && f.value != "trailers":
		return "TE"
	}
	return ""
}
