package http1

import (
	"bytes"
	"errors"
)

// maxForwardedFor is how many addresses X-Forwarded-For may have.
const maxForwardedFor = 30

// What is refused in requests.
var (
	errRequestLine   = bad("malformed request line")
	errMethodByte    = bad("invalid byte in the method")
	errTarget        = bad("invalid request target")
	errTargetByte    = bad("invalid byte in the request target")
	errHostMissing   = bad("no Host")
	errHostDiffers   = bad("several Host headers that differ")
	errHostSyntax    = bad("invalid Host")
	errEmptyLines    = bad("empty lines in place of a request")
	errRequestTooBig = &Refusal{Status: 414, Reason: "request line longer than 16 KiB"}
	errTrace         = &Refusal{Status: 405, Reason: "TRACE is not allowed"}
	errConnect       = &Refusal{Status: 405, Reason: "CONNECT is not allowed"}
	errExpectation   = &Refusal{Status: 417, Reason: "unknown expectation"}
	errForwardedFor  = &Refusal{Status: 463, Reason: "more than 30 addresses in X-Forwarded-For"}
)

// Request is a request's head. All spans point into the buffer that it was
// parsed from. The zero value is ready; Reset before the next request.
type Request struct {
	head

	Method Span
	Path   Span // as sent, without the query; empty stands for "/"
	Query  Span // without the question mark; empty if there is none
	Host   Span // with its port if one was sent; empty if HTTP/1.0 left it out
	Minor  int  // of HTTP/1.x: 0 or 1
	Size   int  // of the head, in bytes

	// Expect100: the client waits for 100 Continue before it sends the body.
	Expect100 bool

	// Policy is how the request is to be read. Reset keeps it.
	Policy Policy

	// Verdict is what the request has been found to be, Drops and Odd how many
	// fields with invalid names it had that were left out, and that go on.
	Verdict    Verdict
	Drops, Odd int

	repaired    []byte // the head as it is to be read; nil: as it came
	repairing   bool   // it isn't plainly compliant
	hasQuery    bool   // "?" with nothing behind it is passed on too
	absolute    bool   // absolute-form: its authority outranks Host
	asterisk    bool   // OPTIONS *
	getHead     bool   // GET or HEAD
	first       int    // where the request line begins
	started     bool   // the request line is parsed
	forwardedBy int    // addresses in X-Forwarded-For
}

// Reset prepares for the next request.
func (r *Request) Reset() {
	h := r.head
	h.reset()
	*r = Request{head: h, Policy: r.Policy, repaired: r.repaired[:0]}
}

// Source returns what the spans point into, given the head's bytes: those, or what
// was written anew in their place.
func (r *Request) Source(head []byte) []byte {
	if r.repairing {
		return r.repaired
	}
	return head
}

// Parts says whether both connections end with the request: parsers could have
// differed about where it ends.
func (r *Request) Parts() bool {
	return r.Verdict.Tier >= Ambiguous && r.Policy.Mode == Defensive
}

// Parse parses the head at the start of buf and returns its length. While the
// head isn't complete it returns ErrIncomplete, and goes on from there when it
// is called again with the same bytes and more. Any other error is a *Refusal;
// the connection can't be used for another request after it. After it, Source tells
// what the request's spans point into.
func (r *Request) Parse(buf []byte) (n int, err error) {
	if !r.repairing {
		if n, err = r.parse(buf); err == nil {
			return n, r.judge()
		}
		if refusal, refused := errors.AsType[*Refusal](err); !refused || !r.repairable(buf, refusal) {
			return 0, err
		}
		r.repairing = true
	}
	return r.repair(buf)
}

// repairable says whether a head that was refused may be one that only isn't
// compliant.
func (r *Request) repairable(buf []byte, refusal *Refusal) bool {
	switch refusal {
	case errTrace, errConnect, errRequestTooBig, errHeadSize, errFieldSize, errForwardedFor, errExpectation, errOptions, errEmptyLines:
		return false
	}
	return r.begun && token[buf[r.first]]
}

// repair reads a head that isn't plainly compliant, once all of it is there.
func (r *Request) repair(buf []byte) (n int, err error) {
	raw := buf[r.first:]
	size := headEnd(raw)
	if size == 0 || size > maxRequestHead {
		if len(raw) > maxRequestHead {
			return 0, errHeadSize
		}
		return 0, ErrIncomplete
	}
	v := Verdict{}
	repaired, refusal := repair(r.repaired[:0], raw[:size], &v)
	if refusal != nil {
		if r.Verdict = v; r.Policy.Mode.refuses(v.Tier) && refusal != errVersion {
			refusal = &refusals[v.Reason]
		}
		return 0, refusal
	}
	n = int(r.first) + size
	r.Reset()
	r.repairing, r.repaired, r.Verdict = true, repaired, v
	if _, err := r.parse(repaired); err != nil {
		if errors.Is(err, ErrIncomplete) {
			err = errRequestLine
		}
		return 0, err
	}
	r.Size = n
	return n, r.judge()
}

// judge classifies a request that could be read, and refuses it if the mode does.
func (r *Request) judge() error {
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.high {
			r.Verdict.raise(NonCompliantHeader)
		}
		if !f.odd {
			continue
		}
		if r.Policy.DropInvalid {
			f.kind = dropped
			r.Drops++
		} else {
			r.Odd++
		}
	}
	if r.lengths > 0 || r.codings > 0 {
		classifyFraming(&r.Verdict, r.getHead, r.Minor, r.lengths, r.length, r.codings > 0)
	}
	if r.Policy.Mode.refuses(r.Verdict.Tier) {
		return &refusals[r.Verdict.Reason]
	}
	return nil
}

func (r *Request) parse(buf []byte) (n int, err error) {
	if !r.started {
		if err := r.parseStart(buf); err != nil {
			return 0, err
		}
	}
	done, err := r.parseFields(buf, maxRequestHead)
	if err != nil {
		return 0, err
	}
	if !done {
		return 0, ErrIncomplete
	}
	r.Size = r.line
	return r.line, r.check(buf)
}

// Begun says whether a byte of the request has come, in what Parse has seen; an
// empty line before it doesn't count.
func (r *Request) Begun() bool { return r.begun }

func (r *Request) parseStart(buf []byte) error {
	// A client may send one empty line too many after a body (RFC 9112 §2.2).
	if !r.begun {
		switch {
		case len(buf) == 0:
			return ErrIncomplete
		case buf[0] != '\r':
		case len(buf) == 1:
			return ErrIncomplete
		case buf[1] != '\n':
			return errRequestLine
		case len(buf) == 2:
			return ErrIncomplete
		default:
			if buf[2] == '\r' || buf[2] == '\n' {
				return errEmptyLines
			}
			r.line, r.seen = 2, 2
			r.first = 2
		}
		r.begun = true
		if !token[buf[r.line]] { // for example a TLS ClientHello
			return errMethodByte
		}
	}
	start := r.line
	line, ok, err := r.nextLine(buf, maxRequestLine, errRequestTooBig)
	if err != nil {
		return err
	}
	if !ok {
		return ErrIncomplete
	}
	r.started = true
	return r.parseLine(line, start)
}

// parseLine parses the request line (RFC 9112 §3).
func (r *Request) parseLine(line []byte, start int) error {
	method := bytes.IndexByte(line, ' ')
	version := bytes.LastIndexByte(line, ' ')
	if method <= 0 || version <= method+1 {
		return errRequestLine
	}
	for _, c := range line[:method] {
		if !token[c] {
			return errMethodByte
		}
	}
	minor, err := parseVersion(line[version+1:])
	if err != nil {
		return err
	}
	r.Minor = minor
	r.Method = Span{int32(start), int32(start + method)}
	switch m := line[:method]; {
	case bytes.Equal(m, getMethod), bytes.Equal(m, headMethod):
		r.getHead = true
	case bytes.Equal(m, traceMethod):
		return errTrace
	case bytes.Equal(m, connectMethod):
		return errConnect
	}
	for _, c := range line[method+1 : version] {
		if !targetByte[c] {
			return errTargetByte
		}
	}
	return r.parseTarget(line[method+1:version], start+method+1, bytes.Equal(line[:method], optionsMethod))
}

var (
	traceMethod   = []byte("TRACE")
	connectMethod = []byte("CONNECT")
	optionsMethod = []byte("OPTIONS")
	headMethod    = []byte("HEAD")
)

// parseVersion accepts HTTP/1.0 and HTTP/1.1 (RFC 9112 §2.3).
func parseVersion(b []byte) (minor int, err error) {
	const prefix = "HTTP/"
	if len(b) != len(prefix)+3 || string(b[:len(prefix)]) != prefix || b[6] != '.' || !digit(b[5]) || !digit(b[7]) {
		return 0, errVersionSyntax
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, errVersion
	}
	return int(b[7] - '0'), nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// parseTarget parses the forms of RFC 9112 §3.2 but for that of CONNECT.
func (r *Request) parseTarget(target []byte, start int, options bool) error {
	switch {
	case target[0] == '/':
	case len(target) == 1 && target[0] == '*':
		if !options {
			return errTarget
		}
		r.asterisk = true
	default:
		n := schemeLen(target)
		if n == 0 {
			return errTarget
		}
		r.absolute = true
		target, start = target[n:], start+n
		end := bytes.IndexAny(target, "/?")
		if end < 0 {
			end = len(target)
		}
		if !validHost(target[:end]) {
			return errHostSyntax
		}
		r.Host = Span{int32(start), int32(start + end)}
		target, start = target[end:], start+end
		r.asterisk = options && len(target) == 0 // RFC 9112 §3.2.4
	}
	end := len(target)
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		end = i
		r.hasQuery = true
		r.Query = Span{int32(start + i + 1), int32(start + len(target))}
	}
	r.Path = Span{int32(start), int32(start + end)}
	return nil
}

// schemeLen returns the length of "http://" or "https://" at the start, 0 if
// there is neither.
func schemeLen(target []byte) int {
	for _, n := range [...]int{len("http://"), len("https://")} {
		if len(target) > n && (is(target[:n], "http://") || is(target[:n], "https://")) {
			return n
		}
	}
	return 0
}

// validHost says whether b is uri-host [":" port] (RFC 9110 §7.2), not empty.
func validHost(b []byte) bool {
	name, port, hasPort := splitHost(b)
	if len(name) == 0 {
		return false
	}
	if name[0] == '[' {
		if len(name) < 4 || name[len(name)-1] != ']' {
			return false
		}
		for _, c := range name[1 : len(name)-1] {
			if !alphanumeric[c] && c != ':' && c != '.' {
				return false
			}
		}
	} else {
		for _, c := range name {
			if !hostByte[c] {
				return false
			}
		}
	}
	if !hasPort {
		return true
	}
	for _, c := range port {
		if !digit(c) {
			return false
		}
	}
	return len(port) <= 5
}

// splitHost splits a host from its port. The brackets of an IPv6 address stay.
func splitHost(b []byte) (name, port []byte, hasPort bool) {
	from := 0
	if len(b) > 0 && b[0] == '[' {
		from = bytes.IndexByte(b, ']') + 1
	}
	i := bytes.IndexByte(b[from:], ':')
	if i < 0 {
		return b, nil, false
	}
	return b[:from+i], b[from+i+1:], true
}

// check decides what only the whole head of a request tells.
func (r *Request) check(buf []byte) error {
	if r.codings > 0 && r.Minor == 0 && !r.repairing {
		return errCodingVersion
	}
	var first Span
	for i := range r.Fields {
		f := &r.Fields[i]
		switch f.kind {
		case host:
			if first.End == 0 {
				first = f.Value
				if first.Len() > 0 && !validHost(first.Of(buf)) {
					return errHostSyntax
				}
			} else if !equalFold(first.Of(buf), f.Value.Of(buf)) {
				return errHostDiffers
			}
		case expect:
			if r.Minor == 0 { // RFC 9110 §10.1.1
				continue
			}
			if !is(f.Value.Of(buf), "100-continue") {
				return errExpectation
			}
			r.Expect100 = true
		case forwardedFor:
			for range elements(f.Value.Of(buf)) {
				r.forwardedBy++
			}
		}
	}
	if r.forwardedBy > maxForwardedFor {
		return errForwardedFor
	}
	if !r.absolute {
		r.Host = first
	}
	if r.Host.Len() == 0 && r.Minor == 1 {
		return errHostMissing
	}
	return nil
}

// IsHead says whether the method is HEAD: the response has no body.
func (r *Request) IsHead(buf []byte) bool { return bytes.Equal(r.Method.Of(buf), headMethod) }

// Idempotent says whether the request may be sent twice (RFC 9110 §9.2.2).
func (r *Request) Idempotent(buf []byte) bool {
	switch string(r.Method.Of(buf)) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

// KeepAlive says whether the client wants to use the connection again
// (RFC 9112 §9.3).
func (r *Request) KeepAlive() bool {
	return !r.close && !r.Parts() && (r.Minor == 1 || r.keepAlive)
}

// HostName returns the host without its port.
func (r *Request) HostName(buf []byte) []byte {
	name, _, _ := splitHost(r.Host.Of(buf))
	return name
}

// Upgrade returns the protocol that the client wants to change to, nil if none.
// A change to HTTP/2 isn't passed on: it would carry requests past the rules. A
// request with a body doesn't change protocols here either.
func (r *Request) Upgrade(buf []byte) []byte {
	if !r.upgrades || r.upgrade.Len() == 0 || r.Minor == 0 || r.Body.Framing != NoBody && r.Body.Length != 0 || r.Body.Framing == Chunked {
		return nil
	}
	protocols := r.upgrade.Of(buf)
	for p := range elements(protocols) {
		if is(p, "h2c") || is(p, "h2") {
			return nil
		}
	}
	return protocols
}

// Header yields the values of a field that rules may look at, in order. name is
// in lower case.
func (r *Request) Header(buf []byte, name string) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := range r.Fields {
			if f := &r.Fields[i]; f.kind != dropped && is(f.Name.Of(buf), name) && !yield(f.Value.Of(buf)) {
				return
			}
		}
	}
}
