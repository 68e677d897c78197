package http1

import "bytes"

// Limits of heads (quotas of application load balancers).
const (
	MaxRequestLine  = 16 << 10
	MaxFieldLine    = 16 << 10
	MaxRequestHead  = 64 << 10
	MaxResponseHead = 32 << 10
	maxFields       = 256
)

// Span is a part of the buffer that a head was parsed from.
type Span struct{ Start, End int }

// Len returns the part's length.
func (s Span) Len() int { return s.End - s.Start }

// Of returns the part of the buffer.
func (s Span) Of(b []byte) []byte { return b[s.Start:s.End] }

// Field is one header line, its value without the white space around it.
type Field struct {
	Name, Value Span
	kind        kind
}

// kind says what a field means to us.
type kind uint8

const (
	other kind = iota
	host
	connection
	contentLength
	transferEncoding
	expect
	upgrade
	hopByHop // of no use beyond this hop (RFC 9110 §7.6.1)
	forwardedFor
	ours // written anew: X-Forwarded-Proto and its like
	traceID
)

var kinds = map[string]kind{
	"te": hopByHop, "host": host, "expect": expect, "upgrade": upgrade, "trailer": hopByHop, "connection": connection,
	"keep-alive": hopByHop, "content-length": contentLength, "x-forwarded-for": forwardedFor, "x-amzn-trace-id": traceID,
	"x-forwarded-port": ours, "proxy-connection": hopByHop, "transfer-encoding": transferEncoding, "x-forwarded-proto": ours,
	"proxy-authenticate": hopByHop, "proxy-authorization": hopByHop,
}

const longestKind = 19 // of the names in kinds

// kindOf classifies a field by name.
func kindOf(name []byte) kind {
	if len(name) > longestKind {
		return other
	}
	var low [longestKind]byte
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	return kinds[string(low[:len(name)])]
}

// lines takes a head apart, line by line, so that a head that arrives in pieces
// is not looked through again.
type lines struct {
	at int // where the line under way begins
}

// next returns the next whole line without its CRLF; ok is false when the buffer
// ends before the line does.
func (l *lines) next(buf []byte) (line Span, ok bool, err *Error) {
	i := bytes.IndexByte(buf[l.at:], '\n')
	if i < 0 {
		return Span{}, false, nil
	}
	end := l.at + i
	if i == 0 || buf[end-1] != '\r' {
		return Span{}, false, errBareLF
	}
	line = Span{l.at, end - 1}
	l.at = end + 1
	return line, true, nil
}

// tokenChar marks the characters of tokens (RFC 9110 §5.6.2).
var tokenChar = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenChar[c] {
			return false
		}
	}
	return len(b) > 0
}

// parseField reads one header line.
func parseField(buf []byte, line Span) (Field, *Error) {
	b := line.Of(buf)
	if b[0] == ' ' || b[0] == '\t' {
		return Field{}, errFold // RFC 9112 §5.2
	}
	colon := bytes.IndexByte(b, ':')
	if colon < 1 || !isToken(b[:colon]) {
		return Field{}, errFieldName // also white space before the colon: RFC 9112 §5.1
	}
	start, end := line.Start+colon+1, line.End
	for start < end && (buf[start] == ' ' || buf[start] == '\t') {
		start++
	}
	for end > start && (buf[end-1] == ' ' || buf[end-1] == '\t') {
		end--
	}
	for _, c := range buf[start:end] {
		if c < ' ' && c != '\t' || c == 0x7f {
			return Field{}, errFieldValue // RFC 9110 §5.5
		}
	}
	return Field{Name: Span{line.Start, line.Start + colon}, Value: Span{start, end}}, nil
}

// equalFold compares ASCII letters without case; name is in lower case.
func equalFold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range len(name) {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// eachToken calls f for every element of a comma-separated list.
func eachToken(value []byte, f func(token []byte)) {
	for len(value) > 0 {
		var part []byte
		if i := bytes.IndexByte(value, ','); i >= 0 {
			part, value = value[:i], value[i+1:]
		} else {
			part, value = value, nil
		}
		if part = bytes.Trim(part, " \t"); len(part) > 0 {
			f(part)
		}
	}
}

// parseLength reads a Content-Length (RFC 9110 §8.6); -1 if it isn't one.
func parseLength(b []byte) int64 {
	if len(b) == 0 || len(b) > 18 {
		return -1
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// framing is how a head's fields say that its body ends.
type framing struct {
	length  int64 // -1: not given
	chunked bool
}

// frame reads the fields of framing. Two that could be read differently are an
// error, whichever a careless reader would believe.
func frame(buf []byte, fields []Field) (f framing, err *Error) {
	f.length = -1
	codings := 0
	for i := range fields {
		switch fields[i].kind {
		case contentLength:
			n := parseLength(fields[i].Value.Of(buf))
			if n < 0 || f.length >= 0 {
				return f, errContentLength
			}
			f.length = n
		case transferEncoding:
			if codings++; codings > 1 || !equalFold(fields[i].Value.Of(buf), "chunked") {
				return f, errTransferCoding
			}
			f.chunked = true
		}
	}
	if f.chunked && f.length >= 0 {
		return f, errTEAndCL
	}
	return f, nil
}
