package http1

// What is refused in responses.
var (
	errStatusLine = bad("malformed status line")
	errSwitch     = bad("protocol change that wasn't asked for")
)

// Response is a response's head. All spans point into the buffer that it was
// parsed from. The zero value is ready; Reset before the next response.
type Response struct {
	head

	Status int
	Reason Span
	Minor  int
	Size   int // of the head, in bytes

	started bool
}

// Reset prepares for the next response.
func (r *Response) Reset() {
	h := r.head
	h.reset()
	*r = Response{head: h}
}

// Parse parses the head at the start of buf, as Request.Parse does. An error
// other than ErrIncomplete means 502, whatever its status says.
func (r *Response) Parse(buf []byte) (n int, err error) {
	if !r.started {
		start := r.line
		line, ok, err := r.nextLine(buf, maxResponseHead, errHeadSize)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, ErrIncomplete
		}
		if err := r.parseLine(line, start); err != nil {
			return 0, err
		}
		r.started = true
	}
	done, err := r.parseFields(buf, maxResponseHead)
	if err != nil {
		return 0, err
	}
	if !done {
		return 0, ErrIncomplete
	}
	if r.codings > 0 && r.Minor == 0 {
		return 0, errCodingVersion
	}
	if r.codings == 0 && r.lengths == 0 {
		r.Body = Body{Framing: UntilClose}
	} else if r.codings > 0 && !r.chunked {
		r.Body = Body{Framing: UntilClose} // identity alone
	}
	if r.Status == 101 && (!r.upgrades || r.upgrade.Len() == 0) {
		return 0, errSwitch
	}
	r.Size = r.line
	return r.line, nil
}

// parseLine parses the status line (RFC 9112 §4). The blank before an empty
// reason may be missing, as many targets leave it out.
func (r *Response) parseLine(line []byte, start int) error {
	const status = len("HTTP/1.1 ")
	if len(line) < status+3 || line[status-1] != ' ' {
		return errStatusLine
	}
	minor, err := parseVersion(line[:status-1])
	if err != nil {
		return err
	}
	for _, c := range line[status : status+3] {
		if !digit(c) {
			return errStatusLine
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 || r.Status > 599 {
		return errStatusLine
	}
	from := status + 3
	if from < len(line) {
		if line[from] != ' ' {
			return errStatusLine
		}
		from++
	}
	for _, c := range line[from:] {
		if !fieldValue[c] {
			return errStatusLine
		}
	}
	r.Minor = minor
	r.Reason = Span{int32(start + from), int32(start + len(line))}
	return nil
}

// Interim says whether another response follows (RFC 9110 §15.2). The answer to
// a protocol change is final.
func (r *Response) Interim() bool { return r.Status < 200 && r.Status != 101 }

// BodyTo returns how the body is delimited in the response to a request, by
// RFC 9112 §6.3.
func (r *Response) BodyTo(head bool) Body {
	if head || r.Status < 200 || r.Status == 204 || r.Status == 304 {
		return Body{}
	}
	return r.Body
}

// KeepAlive says whether the target lets its connection be used again.
func (r *Response) KeepAlive() bool {
	return !r.close && (r.Minor == 1 || r.keepAlive)
}
