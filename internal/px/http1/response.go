package http1

import "bytes"

// Response is a response's head. The zero value is ready to Parse.
type Response struct {
	buf    []byte
	lines  lines
	line   bool
	Minor  int
	Status int
	Reason Span
	Fields []Field

	Close    bool // the target closes the connection after the response
	nominees bool
	framing  framing
}

// Reset makes r ready for another head.
func (r *Response) Reset() { *r = Response{Fields: r.Fields[:0]} }

// Parse reads the head at the beginning of buf and returns its length; see
// Request.Parse. Every *Error has status 502.
func (r *Response) Parse(buf []byte) (int, error) {
	r.buf = buf
	for {
		line, ok, err := r.lines.next(buf)
		switch {
		case err != nil:
			return 0, errResponseHead
		case !ok && len(buf) > MaxResponseHead, r.lines.at > MaxResponseHead:
			return 0, errLongResponse
		case !ok:
			return 0, ErrIncomplete
		case line.Len() == 0 && !r.line:
			return 0, errStatusLine
		case line.Len() == 0:
			return r.lines.at, r.finish()
		case !r.line:
			if !r.parseLine(line) {
				return 0, errStatusLine
			}
			r.line = true
		default:
			f, err := parseField(buf, line)
			if err != nil || len(r.Fields) == maxFields {
				return 0, errResponseHead
			}
			f.kind = kindOf(f.Name.Of(buf))
			r.Fields = append(r.Fields, f)
		}
	}
}

// parseLine reads "HTTP/1.1 200 OK"; the reason may be missing (RFC 9112 §4).
func (r *Response) parseLine(line Span) bool {
	b := line.Of(r.buf)
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("HTTP/1.")) || b[8] != ' ' || (b[7] != '0' && b[7] != '1') {
		return false
	}
	r.Minor = int(b[7] - '0')
	for _, c := range b[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 || (len(b) > 12 && b[12] != ' ') {
		return false
	}
	r.Reason = Span{min(line.Start+13, line.End), line.End}
	for _, c := range r.Reason.Of(r.buf) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func (r *Response) finish() error {
	keepAlive, names := false, 0
	for i := range r.Fields {
		if r.Fields[i].kind != connection {
			continue
		}
		eachToken(r.Fields[i].Value.Of(r.buf), func(t []byte) {
			switch {
			case equalFold(t, "close"):
				r.Close = true
			case equalFold(t, "keep-alive"):
				keepAlive = true
			case equalFold(t, "upgrade"):
			default:
				names++
			}
		})
	}
	r.nominees = names > 0
	if r.Minor == 0 && !keepAlive {
		r.Close = true
	}
	f, err := frame(r.buf, r.Fields)
	if err != nil {
		return errResponseHead
	}
	r.framing = f
	return nil
}

// Interim says whether another response to the same request follows. 101 ends
// HTTP on the connection and isn't interim.
func (r *Response) Interim() bool { return r.Status < 200 && r.Status != 101 }

// Body returns the response's body, before its first byte, where head says that
// the request was a HEAD (RFC 9112 §6.3).
func (r *Response) Body(head bool) Body {
	switch {
	case head, r.Status < 200, r.Status == 204, r.Status == 304:
		return Body{}
	case r.framing.chunked:
		return Body{kind: Chunked}
	case r.framing.length == 0:
		return Body{}
	case r.framing.length > 0:
		return Body{kind: Length, left: r.framing.length}
	}
	return Body{kind: UntilClose}
}
