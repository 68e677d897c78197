package http2

import (
	"strconv"
	"strings"
)

// maxHeaderList is the largest header list that a client may send, by the count
// of RFC 9113 §6.5.2: names, values, and 32 bytes for each field. ALB's limit for
// all of a request's headers is the same number, by its own count.
const maxHeaderList = 64 << 10

const fieldOverhead = 32

// translation makes the head of an HTTP/1.1 request of a header list, or of a response
// (reply.go), and of trailers a header block. What RFC
// 9113 §8 calls malformed is found out here, and by this alone what is written
// can't be read as anything but what came: one request line, one Host, no line end
// within a field. What HTTP/1.1 would refuse is left to http1.
type translation struct {
	head []byte // nil: what comes is checked and left out
	of   listKind

	method, scheme, path, authority, status string
	has                                     pseudo
	line                                    bool   // the request line is written
	crumbs                                  []byte // of Cookie, joined
	length                                  int64  // as declared, -1: it isn't
	size                                    int    // of the list, so far
	wrong                                   string // why it is malformed, "" while it isn't
}

// pseudo is a set of pseudo-header fields.
type pseudo uint8

const (
	hasMethod pseudo = 1 << iota
	hasScheme
	hasPath
	hasAuthority
	hasStatus
)

// listKind is what a header list is of.
type listKind uint8

const (
	ofRequest listKind = iota
	ofResponse
	ofTrailers
)

// reset prepares for a header list that is written to head.
func (t *translation) reset(of listKind, head []byte) {
	*t = translation{head: head, of: of, crumbs: t.crumbs[:0], length: -1}
}

// tooLarge says whether the list is larger than it may be. The head isn't whole
// then.
func (t *translation) tooLarge() bool {
	if t.of == ofResponse {
		return t.size > maxResponseList
	}
	return t.size > maxHeaderList
}

// field takes the next field.
func (t *translation) field(name, value string) {
	if t.size += len(name) + len(value) + fieldOverhead; t.wrong != "" || t.tooLarge() {
		return
	}
	switch {
	case !validValue(value):
		t.wrong = "invalid value of a field"
	case name != "" && name[0] == ':':
		t.pseudo(name, value)
	case !validName(name):
		t.wrong = "invalid name of a field"
	case ofConnection(name):
		t.wrong = "field of a connection"
	case name == "te" && value != "trailers": // RFC 9113 §8.2.2
		t.wrong = "TE with more than trailers"
	case t.of == ofTrailers:
		t.trailer(name, value)
	case t.of == ofResponse:
		t.ofResponse(name, value)
	default:
		t.regular(name, value)
	}
}

// pseudo takes a pseudo-header field (RFC 9113 §8.3).
func (t *translation) pseudo(name, value string) {
	if t.line || t.of == ofTrailers {
		t.wrong = "pseudo-header field behind others"
		return
	}
	if t.of == ofResponse {
		t.statusOf(name, value)
		return
	}
	var which pseudo
	switch name {
	case ":method":
		which, t.method = hasMethod, value
	case ":scheme":
		which, t.scheme = hasScheme, value
	case ":path":
		which, t.path = hasPath, value
	case ":authority":
		which, t.authority = hasAuthority, value
	default: // :protocol too, as extended CONNECT isn't offered (RFC 8441 §3)
		t.wrong = "unknown pseudo-header field"
		return
	}
	if t.has&which != 0 {
		t.wrong = "pseudo-header field twice"
	}
	t.has |= which
}

// start writes the request line and Host.
func (t *translation) start() {
	if t.line || t.wrong != "" {
		return
	}
	t.line = true
	connect := t.method == "CONNECT"
	switch {
	case t.has&hasMethod == 0 || !validToken(t.method):
		t.wrong = "no valid :method"
	case connect && (t.has&(hasScheme|hasPath) != 0 || t.has&hasAuthority == 0): // RFC 9113 §8.5
		t.wrong = "CONNECT with more than :authority"
	case connect:
		t.path = t.authority
	case t.scheme != "https" && t.scheme != "http":
		t.wrong = "no valid :scheme"
	case t.path == "" || t.path[0] != '/' && (t.path != "*" || t.method != "OPTIONS"): // RFC 9113 §8.3.1
		t.wrong = "no valid :path"
	}
	if t.wrong == "" && strings.ContainsAny(t.path, " \t") {
		t.wrong = "blank in :path" // the line would have one part more
	}
	if t.wrong != "" {
		return
	}
	t.head = append(t.head, t.method...)
	t.head = append(t.head, ' ')
	t.head = append(t.head, t.path...)
	t.head = append(t.head, " HTTP/1.1\r\n"...)
	if t.has&hasAuthority != 0 {
		t.add("Host", t.authority)
	}
}

// recased are names as HTTP/1.1 has them, where targets may have come to rely on
// it (ELB user guide, "HTTP headers and Application Load Balancers").
var recased = map[string]string{
	"host": "Host", "x-forwarded-for": "X-Forwarded-For", "x-forwarded-proto": "X-Forwarded-Proto",
	"x-forwarded-port": "X-Forwarded-Port", "x-amzn-trace-id": "X-Amzn-Trace-Id",
}

// regular takes a field that isn't a pseudo-header field.
func (t *translation) regular(name, value string) {
	t.start()
	if t.wrong != "" {
		return
	}
	switch name {
	case "cookie": // RFC 9113 §8.2.3
		if len(t.crumbs) > 0 {
			t.crumbs = append(t.crumbs, "; "...)
		}
		t.crumbs = append(t.crumbs, value...)
		return
	case "host":
		switch {
		case t.has&hasAuthority == 0:
			t.has |= hasAuthority
			t.authority = value
		case !strings.EqualFold(value, t.authority):
			t.wrong = "Host differs from :authority"
			return
		default:
			return // it is there already
		}
	case "content-length":
		if !t.declare(value) {
			return
		}
	}
	if usual, ok := recased[name]; ok {
		name = usual
	}
	t.add(name, value)
}

func (t *translation) add(name, value string) {
	t.head = append(t.head, name...)
	t.head = append(t.head, ": "...)
	t.head = append(t.head, value...)
	t.head = append(t.head, "\r\n"...)
}

// finish ends the head. ended says that no body follows.
func (t *translation) finish(ended bool) {
	switch t.of {
	case ofTrailers:
		return
	case ofResponse:
		t.finishResponse()
		return
	case ofRequest:
	}
	t.start()
	switch {
	case t.wrong != "":
		return
	case ended && t.length > 0:
		t.wrong = "Content-Length without a body"
		return
	case !ended && t.length < 0:
		t.head = append(t.head, "Transfer-Encoding: chunked\r\n"...)
	}
	if len(t.crumbs) > 0 {
		t.head = append(t.head, "Cookie: "...)
		t.head = append(t.head, t.crumbs...)
		t.head = append(t.head, "\r\n"...)
	}
	t.head = append(t.head, "\r\n"...)
}

// declare takes a Content-Length; false: it is wrong, or there already.
func (t *translation) declare(value string) bool {
	n, ok := parseLength(value)
	if !ok || t.length >= 0 && t.length != n {
		t.wrong = "invalid Content-Length"
		return false
	}
	first := t.length < 0
	t.length = n
	return first
}

// parseLength reads a Content-Length: digits alone.
func parseLength(s string) (int64, bool) {
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// validName says whether a name is a token without capitals (RFC 9110 §5.1, RFC
// 9113 §8.2).
func validName(s string) bool { return validToken(s) && !strings.ContainsFunc(s, capital) }

func capital(r rune) bool { return 'A' <= r && r <= 'Z' }

func validToken(s string) bool {
	for i := range len(s) {
		if !token[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue says whether a value can be one line's: no control character but
// tabs, no blank around it (RFC 9113 §8.2.1, RFC 9110 §5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return s == "" || !blank(s[0]) && !blank(s[len(s)-1])
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

var token [256]bool // tchar, RFC 9110 §5.6.2

func init() {
	for i := range token {
		c := byte(i)
		token[i] = '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
	}
}
