package http1

import (
	"bytes"
	"errors"
)

// Limits of ALB on heads, in bytes without the line ends.
const (
	maxRequestLine  = 16 << 10
	maxField        = 16 << 10
	maxRequestHead  = 64 << 10 // all lines, with their ends
	maxResponseHead = 32 << 10 // likewise
)

// maxConnectionOptions bounds the fields that one message names as hop-by-hop.
// Each costs a pass over all fields; no known client names more than three.
const maxConnectionOptions = 32

// ErrIncomplete says that the head isn't complete yet: read more, parse again.
var ErrIncomplete = errors.New("http1: incomplete head")

// Refusal is a message that is not accepted. Refusals are package variables, so
// that refusing allocates nothing either.
type Refusal struct {
	Status int // to answer with
	Reason string
}

func (r *Refusal) Error() string { return "http1: " + r.Reason }

func bad(reason string) *Refusal { return &Refusal{Status: 400, Reason: reason} }

// What is refused in requests and responses alike. A response is answered with
// 502, whatever the refusal says.
var (
	errBareLF          = bad("line ends with LF alone")
	errFold            = bad("folded header line")
	errNoColon         = bad("header line without a colon")
	errFieldName       = bad("invalid byte in a header name")
	errFieldValue      = bad("control character in a header value")
	errFieldSize       = bad("header longer than 16 KiB")
	errHeadSize        = bad("headers longer than the limit")
	errVersionSyntax   = bad("invalid HTTP version")
	errLengthSyntax    = bad("invalid Content-Length")
	errLengthDiffers   = bad("several Content-Length headers that differ")
	errLengthAndCoding = bad("both Content-Length and Transfer-Encoding")
	errCodingTwice     = bad("chunked more than once")
	errCodingEmpty     = bad("empty Transfer-Encoding")
	errCodingVersion   = bad("Transfer-Encoding in HTTP/1.0")
	errLookalike       = bad("header that can be taken for Content-Length or Transfer-Encoding")
	errOptions         = bad("too many connection options")

	errCodingUnknown = &Refusal{Status: 501, Reason: "unknown transfer coding"}
	errVersion       = &Refusal{Status: 505, Reason: "HTTP version not supported"}
)

// Span is a piece of the buffer that a head was parsed from. It stays right when
// the buffer's content moves to the same place of another one.
type Span struct{ Start, End int32 }

// Of returns the piece.
func (s Span) Of(buf []byte) []byte { return buf[s.Start:s.End] }

// Len returns the length in bytes.
func (s Span) Len() int { return int(s.End - s.Start) }

// Field is one header line.
type Field struct {
	Name, Value Span // Value without white space around it
	kind        kind
	odd         bool // the name has more than letters, digits and hyphens
	high        bool // the value has bytes beyond ASCII
}

// kind is what the proxy knows of a field's meaning.
type kind uint8

const (
	plain            kind = iota // passed on
	hopByHop                     // of this connection only (RFC 9110 §7.6.1)
	connection                   // Connection
	upgrade                      // Upgrade
	contentLength                // Content-Length
	transferEncoding             // Transfer-Encoding
	host                         // Host
	expect                       // Expect
	forwardedFor                 // X-Forwarded-For
	forwarded                    // X-Forwarded-Proto and -Port: ours replace them
	traceID                      // X-Amzn-Trace-Id
	ours                         // what only a load balancer may say: X-Amzn-Tls-…, X-Amzn-Mtls-…, X-Amzn-Oidc-…
	date                         // Date
	dropped                      // left out, as its name isn't valid
)

// classify returns what a field of this name means.
func classify(name []byte) kind {
	switch len(name) {
	case 2:
		if is(name, "te") {
			return hopByHop
		}
	case 4:
		if is(name, "host") {
			return host
		}
		if is(name, "date") {
			return date
		}
	case 6:
		if is(name, "expect") {
			return expect
		}
	case 7:
		if is(name, "upgrade") {
			return upgrade
		}
		if is(name, "trailer") {
			return hopByHop
		}
	case 10:
		if is(name, "connection") {
			return connection
		}
		if is(name, "keep-alive") {
			return hopByHop
		}
	case 14:
		if is(name, "content-length") {
			return contentLength
		}
	case 15:
		if is(name, "x-forwarded-for") {
			return forwardedFor
		}
		if is(name, "x-amzn-trace-id") {
			return traceID
		}
	case 16:
		if is(name, "x-forwarded-port") {
			return forwarded
		}
		if is(name, "proxy-connection") {
			return hopByHop
		}
	case 17:
		if is(name, "transfer-encoding") {
			return transferEncoding
		}
		if is(name, "x-forwarded-proto") {
			return forwarded
		}
	case 18:
		if is(name, "proxy-authenticate") {
			return hopByHop
		}
	case 19:
		if is(name, "proxy-authorization") {
			return hopByHop
		}
	}
	if len(name) > 11 && (name[0]|0x20) == 'x' &&
		(is(name[:11], "x-amzn-tls-") || is(name[:12], "x-amzn-mtls-") || is(name[:12], "x-amzn-oidc-")) {
		return ours
	}
	return plain
}

// is compares a token with a lower-case name.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowerOf[c] != lower[i] {
			return false
		}
	}
	return true
}

// head is what requests and responses have in common while they are parsed.
type head struct {
	Fields []Field

	// Body is how the message's body is delimited. In a response it is so for a
	// GET; see Response.BodyTo.
	Body Body

	line    int // where the present line starts
	seen    int // up to here there is no more line end in the present line
	begun   bool
	options int // named in Connection, without close, keep-alive and upgrade

	lengths, codings int   // fields of the kind seen
	length           int64 // the last one
	chunked          bool  // the last coding is chunked
	close, keepAlive bool
	upgrades         bool // Connection: upgrade
	upgrade          Span // Upgrade's value
	hasDate          bool
}

// reset prepares for the next message and keeps the memory of the fields, unless
// that is much more than messages need.
func (h *head) reset() {
	fields := h.Fields[:0]
	if cap(fields) > 256 {
		fields = nil
	}
	*h = head{Fields: fields}
}

// nextLine returns the next line without its end, its offset, and whether there
// is one. limit is the line's largest length, tooLong what it breaks.
func (h *head) nextLine(buf []byte, limit int, tooLong *Refusal) (line []byte, ok bool, err error) {
	i := bytes.IndexByte(buf[h.seen:], '\n')
	if i < 0 {
		h.seen = len(buf)
		if len(buf)-h.line > limit+1 {
			return nil, false, tooLong
		}
		return nil, false, nil
	}
	end := h.seen + i
	line = buf[h.line:end]
	h.line, h.seen = end+1, end+1
	if len(line) == 0 || line[len(line)-1] != '\r' {
		return nil, false, errBareLF
	}
	line = line[:len(line)-1]
	if len(line) > limit {
		return nil, false, tooLong
	}
	return line, true, nil
}

// parseFields parses header lines up to the empty one; done says that it was there.
func (h *head) parseFields(buf []byte, limit int) (done bool, err error) {
	for {
		start := h.line
		line, ok, err := h.nextLine(buf, maxField, errFieldSize)
		if err != nil {
			return false, err
		}
		if !ok {
			if len(buf) > limit {
				return false, errHeadSize
			}
			return false, nil
		}
		if h.line > limit {
			return false, errHeadSize
		}
		if len(line) == 0 {
			return true, h.finish(buf)
		}
		f, err := parseField(line, start)
		if err != nil {
			return false, err
		}
		if err := h.note(buf, f); err != nil {
			return false, err
		}
		h.Fields = append(h.Fields, f)
	}
}

// parseField parses one header line that starts at the offset (RFC 9112 §5).
func parseField(line []byte, start int) (Field, error) {
	if line[0] == ' ' || line[0] == '\t' {
		return Field{}, errFold
	}
	n, names := 0, inToken|inPlainName
	for n < len(line) && nameByte[line[n]]&inToken != 0 {
		names &= nameByte[line[n]]
		n++
	}
	switch {
	case n == len(line):
		return Field{}, errNoColon
	case n == 0 || line[n] != ':': // white space before the colon included
		return Field{}, errFieldName
	}
	from, to := n+1, len(line)
	for from < to && blank(line[from]) {
		from++
	}
	for to > from && blank(line[to-1]) {
		to--
	}
	high := byte(0)
	for _, c := range line[from:to] {
		if !fieldValue[c] {
			return Field{}, errFieldValue
		}
		high |= c
	}
	f := Field{
		Name:  Span{int32(start), int32(start + n)},
		Value: Span{int32(start + from), int32(start + to)},
		kind:  classify(line[:n]),
		odd:   names&inPlainName == 0,
		high:  high >= 0x80,
	}
	if f.kind == plain && suspicious(line[:n]) {
		return Field{}, errLookalike
	}
	return f, nil
}

// note folds a field into what the head says of body and connection.
func (h *head) note(buf []byte, f Field) error {
	value := f.Value.Of(buf)
	switch f.kind {
	case contentLength:
		n, ok := parseLength(value)
		if !ok {
			return errLengthSyntax
		}
		if h.lengths > 0 && n != h.Body.Length {
			return errLengthDiffers
		}
		h.lengths++
		h.length = n
		h.Body = Body{Framing: ByLength, Length: n}
	case transferEncoding:
		return h.noteCodings(value)
	case connection:
		return h.noteOptions(value)
	case upgrade:
		h.upgrade = f.Value
	case date:
		h.hasDate = true
	}
	return nil
}

// parseLength reads a Content-Length: digits alone, no list (RFC 9110 §8.6).
func parseLength(b []byte) (n int64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n > (1<<63-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// noteCodings accepts chunked once, and identity, which says nothing.
func (h *head) noteCodings(value []byte) error {
	h.codings++
	empty := true
	for item := range elements(value) {
		empty = false
		switch {
		case is(item, "chunked"):
			if h.chunked {
				return errCodingTwice
			}
			h.chunked = true
		case is(item, "identity"):
			if h.chunked { // chunked has to be the last one
				return errCodingUnknown
			}
		default:
			return errCodingUnknown
		}
	}
	if empty {
		return errCodingEmpty
	}
	return nil
}

func (h *head) noteOptions(value []byte) error {
	for option := range elements(value) {
		switch {
		case is(option, "close"):
			h.close = true
		case is(option, "keep-alive"):
			h.keepAlive = true
		case is(option, "upgrade"):
			h.upgrades = true
		default:
			if h.options++; h.options > maxConnectionOptions {
				return errOptions
			}
		}
	}
	return nil
}

// finish decides what only the whole head tells.
func (h *head) finish(buf []byte) error {
	if h.codings > 0 {
		if h.lengths > 0 {
			return errLengthAndCoding
		}
		if h.chunked {
			h.Body = Body{Framing: Chunked}
		}
	}
	if h.options == 0 {
		return nil
	}
	for i := range h.Fields {
		if h.Fields[i].kind != connection {
			continue
		}
		for option := range elements(h.Fields[i].Value.Of(buf)) {
			for j := range h.Fields {
				f := &h.Fields[j]
				if (f.kind == plain || f.kind == date) && equalFold(f.Name.Of(buf), option) {
					f.kind = hopByHop
				}
			}
		}
	}
	return nil
}

// elements yields the non-empty members of a list value (RFC 9110 §5.6.1).
func elements(value []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(value) > 0 {
			item := value
			if i := bytes.IndexByte(value, ','); i >= 0 {
				item, value = value[:i], value[i+1:]
			} else {
				value = nil
			}
			for len(item) > 0 && blank(item[0]) {
				item = item[1:]
			}
			for len(item) > 0 && blank(item[len(item)-1]) {
				item = item[:len(item)-1]
			}
			if len(item) > 0 && !yield(item) {
				return
			}
		}
	}
}

func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lowerOf[a[i]] != lowerOf[b[i]] {
			return false
		}
	}
	return true
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// What a byte in a name can be, in nameByte.
const (
	inToken     uint8 = 1 << iota // tchar, RFC 9110 §5.6.2
	inPlainName                   // letter, digit or hyphen
)

// Classes of bytes.
var (
	alphanumeric [256]bool
	token        [256]bool // tchar, RFC 9110 §5.6.2
	nameByte     [256]uint8
	fieldValue   [256]bool // VCHAR, obs-text, SP and HTAB, RFC 9110 §5.5
	targetByte   [256]bool // in a request target: visible, not a fragment's mark
	hostByte     [256]bool // reg-name and IP-literal, RFC 3986 §3.2.2
	lowerOf      [256]byte
)

func init() {
	for i := range 256 {
		c := byte(i)
		lowerOf[i] = c
		if 'A' <= c && c <= 'Z' {
			lowerOf[i] = c + 'a' - 'A'
		}
		alphanumeric[i] = '0' <= c && c <= '9' || 'a' <= lowerOf[i] && lowerOf[i] <= 'z'
		token[i] = alphanumeric[i] || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
		if token[i] {
			nameByte[i] = inToken
		}
		if alphanumeric[i] || c == '-' {
			nameByte[i] |= inPlainName
		}
		fieldValue[i] = c >= 0x20 && c != 0x7f || c == '\t'
		targetByte[i] = c > 0x20 && c != 0x7f && c != '#'
		hostByte[i] = alphanumeric[i] || bytes.IndexByte([]byte("-._~%!$&'()*+;="), c) >= 0
	}
}
