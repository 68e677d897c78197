package http1

import "bytes"

// Request is a request's head. The zero value is ready to Parse.
type Request struct {
	buf    []byte // that it was parsed from; valid until the caller reuses it
	lines  lines
	line   bool // the request line has been read
	Minor  int  // of HTTP/1.x
	Fields []Field

	Method Span
	Path   Span // with the leading slash; "*" for OPTIONS *; may be empty, which means "/"
	Query  Span // without the question mark
	query  bool // a question mark was there
	host   Span // from the target in absolute form, else the Host header; empty if there is none

	Close    bool // the client wants the connection closed after the response
	Expect   bool // 100-continue
	Upgrade  bool // to the protocol in the Upgrade header
	nominees bool // Connection names headers beside the known ones
	framing  framing
}

// Reset makes r ready for another head.
func (r *Request) Reset() { *r = Request{Fields: r.Fields[:0]} }

// Parse reads the head at the beginning of buf and returns its length. With
// ErrIncomplete call it again with more behind the same bytes; with any other
// error, an *Error, answer its status and close.
func (r *Request) Parse(buf []byte) (int, error) {
	r.buf = buf
	for {
		line, ok, err := r.lines.next(buf)
		switch {
		case err != nil:
			return 0, err
		case !ok && !r.line && len(buf)-r.lines.at > MaxRequestLine:
			return 0, errLongLine
		case !ok && len(buf) > MaxRequestHead, ok && r.lines.at > MaxRequestHead:
			return 0, errLongHead
		case !ok && len(buf)-r.lines.at > MaxFieldLine:
			return 0, errLongField
		case !ok:
			return 0, ErrIncomplete
		case line.Len() == 0 && !r.line:
			if line.Start > 0 {
				return 0, errRequestLine // one empty line may come first, for old clients (RFC 9112 §2.2)
			}
		case line.Len() == 0:
			return r.lines.at, r.finish()
		case !r.line:
			if err := r.parseLine(line); err != nil {
				return 0, err
			}
			r.line = true
		default:
			if err := r.addField(line); err != nil {
				return 0, err
			}
		}
	}
}

func (r *Request) addField(line Span) error {
	if line.Len() > MaxFieldLine {
		return errLongField
	}
	f, err := parseField(r.buf, line)
	if err != nil {
		return err
	}
	if len(r.Fields) == maxFields {
		return errManyFields
	}
	f.kind = kindOf(f.Name.Of(r.buf))
	r.Fields = append(r.Fields, f)
	return nil
}

func (r *Request) parseLine(line Span) error {
	if line.Len() > MaxRequestLine {
		return errLongLine
	}
	b := line.Of(r.buf)
	first := bytes.IndexByte(b, ' ')
	last := bytes.LastIndexByte(b, ' ')
	if first < 0 || first == last {
		return errRequestLine
	}
	method, target, version := b[:first], b[first+1:last], b[last+1:]
	if !isToken(method) {
		return errMethod
	}
	switch {
	case bytes.Equal(version, []byte("HTTP/1.1")):
		r.Minor = 1
	case bytes.Equal(version, []byte("HTTP/1.0")):
		r.Minor = 0
	case bytes.HasPrefix(version, []byte("HTTP/")):
		return errVersion
	default:
		return errRequestLine
	}
	switch string(method) {
	case "CONNECT":
		return errConnect
	case "TRACE":
		return errTrace
	}
	for _, c := range target {
		if c <= ' ' || c == 0x7f || c == '#' { // a fragment is never sent (RFC 9110 §7.1)
			return errTarget
		}
	}
	r.Method = Span{line.Start, line.Start + first}
	return r.parseTarget(Span{line.Start + first + 1, line.Start + last}, string(method) == "OPTIONS")
}

// parseTarget reads the target in origin, absolute or asterisk form (RFC 9112 §3.2).
func (r *Request) parseTarget(t Span, options bool) error {
	b := t.Of(r.buf)
	switch {
	case len(b) == 0:
		return errTarget
	case b[0] == '/':
	case options && len(b) == 1 && b[0] == '*':
		r.Path = t
		return nil
	default:
		i := bytes.Index(b, []byte("://"))
		if i < 0 || (!equalFold(b[:i], "http") && !equalFold(b[:i], "https")) {
			return errTarget
		}
		begin := i + 3
		n := bytes.IndexAny(b[begin:], "/?")
		if n < 0 {
			n = len(b) - begin
		}
		r.host = Span{t.Start + begin, t.Start + begin + n}
		if !validHost(r.host.Of(r.buf)) {
			return errTarget
		}
		t.Start += begin + n
		b = t.Of(r.buf)
	}
	if i := bytes.IndexByte(b, '?'); i >= 0 {
		r.Query, r.query = Span{t.Start + i + 1, t.End}, true
		t.End = t.Start + i
	}
	r.Path = t
	return nil
}

// validHost checks the characters of a host with an optional port (RFC 3986
// §3.2.2); it names, it isn't looked up.
func validHost(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case bytes.IndexByte([]byte("-._~:[]%!$&'()*+,;="), c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

// finish draws the conclusions from the fields.
func (r *Request) finish() error {
	absolute := r.host.Len() > 0
	hosts, names := 0, 0
	var upgradeTo, wantsUpgrade, keepAlive bool
	for i := range r.Fields {
		f := &r.Fields[i]
		v := f.Value.Of(r.buf)
		switch f.kind {
		case host:
			if hosts++; hosts > 1 || (len(v) > 0 && !validHost(v)) {
				return errHost
			}
			if !absolute {
				r.host = f.Value
			}
		case connection:
			eachToken(v, func(t []byte) {
				switch {
				case equalFold(t, "close"):
					r.Close = true
				case equalFold(t, "keep-alive"):
					keepAlive = true
				case equalFold(t, "upgrade"):
					wantsUpgrade = true
				default:
					names++
				}
			})
		case expect:
			r.Expect = equalFold(v, "100-continue") && r.Minor == 1
		case upgrade:
			upgradeTo = len(v) > 0
		}
	}
	if r.Minor == 1 && (hosts == 0 || r.host.Len() == 0) {
		return errNoHost // RFC 9112 §3.2
	}
	r.nominees = names > 0
	r.Upgrade = wantsUpgrade && upgradeTo && r.Minor == 1
	if r.Minor == 0 && !keepAlive {
		r.Close = true
	}
	f, err := frame(r.buf, r.Fields)
	if err != nil {
		return err
	}
	if f.chunked && r.Minor == 0 {
		return errTEVersion
	}
	r.framing = f
	return nil
}

// Bytes returns a part of the head.
func (r *Request) Bytes(s Span) []byte { return s.Of(r.buf) }

// Host returns the host as the client sent it, with its port if it sent one;
// empty in HTTP/1.0 without a Host header.
func (r *Request) Host() []byte { return r.host.Of(r.buf) }

// Header calls f with each value of the header, whose name is in lower case,
// until f returns false.
func (r *Request) Header(name string, f func(value []byte) bool) {
	for i := range r.Fields {
		if equalFold(r.Fields[i].Name.Of(r.buf), name) && !f(r.Fields[i].Value.Of(r.buf)) {
			return
		}
	}
}

// Body returns the request's body, before its first byte.
func (r *Request) Body() Body {
	switch {
	case r.framing.chunked:
		return Body{kind: Chunked}
	case r.framing.length > 0:
		return Body{kind: Length, left: r.framing.length}
	}
	return Body{}
}

// Idempotent says whether the request may be sent twice (RFC 9110 §9.2.2).
func (r *Request) Idempotent() bool {
	switch string(r.Bytes(r.Method)) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}

// Head says whether the request is a HEAD, whose response has no body.
func (r *Request) Head() bool { return string(r.Bytes(r.Method)) == "HEAD" }
