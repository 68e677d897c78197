package http1

import "bytes"

// repair classifies the head of a request that isn't plainly compliant, and writes
// it anew so that there is one way to read it. raw is all of it, with the line ends
// that it has. dst gets the repaired head. A
// refusal says that there is no such form.
//
// What can be understood in one way only stays: folded lines become one, lines get
// their CR, bytes that a target can't have are written in hexadecimal, one of
// several lengths stays, and chunked outranks a length (RFC 9112 §6.3). What can't
// be passed on without risk is left out: fields without a colon or a name, with
// bytes that names or values can't have, and those whose names could be taken for
// one that frames the message.
func repair(dst, raw []byte, v *Verdict) ([]byte, *Refusal) {
	p := repairer{out: dst, verdict: v}
	line, rest := p.line(raw)
	if refusal := p.start(line); refusal != nil {
		return nil, refusal
	}
	if p.minor < 0 { // HTTP/0.9 has no fields
		return append(p.out, "\r\n"...), nil
	}
	for len(rest) > 0 {
		line, rest = p.line(rest)
		if len(line) == 0 {
			break
		}
		for len(rest) > 0 && blank(rest[0]) {
			line, rest = p.unfold(line, rest)
		}
		if refusal := p.field(line); refusal != nil {
			return nil, refusal
		}
	}
	if refusal := p.frame(); refusal != nil {
		return nil, refusal
	}
	return append(p.out, "\r\n"...), nil
}

// repairer writes a head anew.
type repairer struct {
	out     []byte
	verdict *Verdict

	getHead bool
	minor   int // of HTTP/1.x; -1: HTTP/0.9
	lengths int
	length  int64
	codings bool
	last    []byte // the last coding
	chunked bool
	unknown bool // a coding that we don't have
}

// line returns the first line without its end, and what follows it.
func (p *repairer) line(raw []byte) (line, rest []byte) {
	i := bytes.IndexByte(raw, '\n')
	if i < 0 {
		return raw, nil
	}
	line, rest = raw[:i], raw[i+1:]
	if i == 0 || line[i-1] != '\r' {
		p.verdict.raise(NonCRLFLineTermination)
		return line, rest
	}
	return line[:i-1], rest
}

// unfold appends a folded line to the one before (RFC 9112 §5.2).
func (p *repairer) unfold(line, rest []byte) (whole, after []byte) {
	if i := bytes.IndexByte(line, ':'); i < 0 || !is(bytes.TrimSpace(line[:i]), "content-type") {
		p.verdict.raise(MultilineHeader)
	}
	next, rest := p.line(rest)
	whole = append(append([]byte(nil), line...), ' ')
	return append(whole, bytes.TrimLeft(next, " \t")...), rest
}

var errNoTarget = &refusals[MissingURI]

// start repairs the request line.
func (p *repairer) start(line []byte) *Refusal {
	end := bytes.IndexByte(line, ' ')
	if end < 0 {
		end = len(line)
	}
	method := line[:end]
	for _, c := range method {
		if !token[c] {
			p.verdict.raise(BadMethod)
			return &refusals[BadMethod]
		}
	}
	p.getHead = bytes.Equal(method, getMethod) || bytes.Equal(method, headMethod)
	rest := bytes.TrimRight(line[end:], " \t")
	if end+len(rest) < len(line) {
		p.verdict.raise(NonCompliantVersion)
	}
	var target, version []byte
	if last := bytes.LastIndexAny(rest, " \t"); last > 0 {
		target, version = rest[1:last], rest[last+1:]
		if trimmed := bytes.TrimLeft(target, " \t"); len(trimmed) < len(target) {
			p.verdict.raise(SpaceInURI)
			target = trimmed
		}
		if trimmed := bytes.TrimRight(target, " \t"); len(trimmed) < len(target) {
			p.verdict.raise(NonCompliantVersion)
			target = trimmed
		}
	} else if last == 0 && !looksLikeVersion(rest[1:]) {
		target = rest[1:] // HTTP/0.9
	}
	if len(target) == 0 {
		p.verdict.raise(MissingURI)
		return errNoTarget
	}
	p.out = append(append(p.out, method...), ' ')
	if refusal := p.target(target); refusal != nil {
		return refusal
	}
	return p.version(version)
}

// looksLikeVersion says whether a word is meant as one.
func looksLikeVersion(b []byte) bool { return len(b) >= 5 && is(b[:5], "http/") }

func (p *repairer) target(target []byte) *Refusal {
	for _, c := range target {
		switch {
		case c == 0 || c == '\r':
			p.verdict.raise(BadURI)
			return &refusals[BadURI]
		case c == ' ':
			p.verdict.raise(SpaceInURI)
		case !targetByte[c]:
			p.verdict.raise(AmbiguousURI)
		default:
			p.out = append(p.out, c)
			continue
		}
		const digits = "0123456789ABCDEF"
		p.out = append(p.out, '%', digits[c>>4], digits[c&15])
	}
	return nil
}

func (p *repairer) version(version []byte) *Refusal {
	switch {
	case len(version) == 0:
		p.verdict.raise(NonCompliantVersion)
		p.minor = -1
		p.out = append(p.out, " HTTP/1.0\r\n"...)
		return nil
	case len(version) != len("HTTP/1.1") || string(version[:5]) != "HTTP/" || version[6] != '.' || !digit(version[5]) || !digit(version[7]):
		p.verdict.raise(BadVersion)
		return &refusals[BadVersion]
	case version[5] != '1':
		p.verdict.raise(BadVersion)
		return errVersion
	}
	p.minor = min(int(version[7]-'0'), 1)
	if version[7] > '1' {
		p.verdict.raise(NonCompliantVersion)
	}
	p.out = append(p.out, " HTTP/1."...)
	p.out = append(p.out, byte('0'+p.minor))
	p.out = append(p.out, "\r\n"...)
	return nil
}

// field repairs one line, unfolded.
func (p *repairer) field(line []byte) *Refusal {
	colon := bytes.IndexByte(line, ':')
	if bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		p.verdict.raise(BadHeader)
		if colon < 0 || framing(bytes.TrimSpace(line[:colon])) || suspicious(line[:colon]) {
			return &refusals[BadHeader]
		}
		return nil
	}
	if colon < 0 {
		p.verdict.raise(MissingHeaderColon)
		return nil
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	if len(bytes.TrimSpace(name)) == 0 {
		p.verdict.raise(EmptyHeader)
		return nil
	}
	if suspicious(name) {
		p.verdict.raise(SuspiciousHeader)
		return nil
	}
	fits := true
	for _, c := range name {
		fits = fits && token[c]
	}
	for _, c := range value {
		if c >= 0x80 {
			p.verdict.raise(NonCompliantHeader)
		}
		fits = fits && fieldValue[c]
	}
	if !fits {
		p.verdict.raise(NonCompliantHeader)
		return nil
	}
	switch {
	case is(name, "content-length"):
		return p.noteLength(value)
	case is(name, "transfer-encoding"):
		return p.noteCodings(value)
	}
	p.out = append(p.out, name...)
	p.out = append(p.out, ": "...)
	p.out = append(p.out, value...)
	p.out = append(p.out, "\r\n"...)
	return nil
}

// framing says whether a name is one that frames the message.
func framing(name []byte) bool { return is(name, "content-length") || is(name, "transfer-encoding") }

func (p *repairer) noteLength(value []byte) *Refusal {
	n, ok := parseLength(value)
	switch {
	case !ok:
		p.verdict.raise(BadContentLength)
		return &refusals[BadContentLength]
	case p.lengths > 0 && n != p.length:
		p.verdict.raise(MultipleContentLength)
		return &refusals[MultipleContentLength]
	case p.lengths > 0:
		p.verdict.raise(DuplicateContentLength)
	}
	p.lengths++
	p.length = n
	return nil
}

func (p *repairer) noteCodings(value []byte) *Refusal {
	p.codings = true
	empty := true
	for item := range elements(value) {
		empty = false
		if i := bytes.IndexByte(item, ';'); i >= 0 {
			item = bytes.TrimSpace(item[:i])
		}
		switch {
		case is(item, "chunked"):
			if is(p.last, "chunked") {
				p.verdict.raise(MultipleTransferEncodingChunked)
				return &refusals[MultipleTransferEncodingChunked]
			}
			p.chunked = true
		case is(item, "identity"):
		case is(item, "compress"), is(item, "deflate"), is(item, "gzip"):
			p.unknown = true
		default:
			p.verdict.raise(BadTransferEncoding)
			p.unknown = true
		}
		p.last = item
	}
	if empty {
		p.verdict.raise(BadTransferEncoding)
		return &refusals[BadTransferEncoding]
	}
	return nil
}

// frame writes the one field that frames the body.
func (p *repairer) frame() *Refusal {
	classifyFraming(p.verdict, p.getHead, p.minor, p.lengths, p.length, p.codings)
	switch {
	case p.unknown || p.chunked && !is(p.last, "chunked"):
		return errCodingUnknown
	case p.chunked:
		// HTTP/1.0 has no chunks; said so, they can be meant in one way only.
		p.out = append(p.out, "Transfer-Encoding: chunked\r\n"...)
	case p.lengths > 0:
		p.out = appendFraming(p.out, Body{Framing: ByLength, Length: p.length})
	}
	return nil
}

// classifyFraming judges what fields that frame a message say together.
func classifyFraming(v *Verdict, getHead bool, minor, lengths int, length int64, codings bool) {
	if lengths > 0 {
		if lengths > 1 {
			v.raise(DuplicateContentLength)
		}
		switch {
		case getHead && length > 0 || minor < 0:
			v.raise(UndefinedContentLengthSemantics)
		case getHead:
			v.raise(GetHeadZeroContentLength)
		}
	}
	if !codings {
		return
	}
	if getHead || minor < 1 {
		v.raise(UndefinedTransferEncodingSemantics)
	}
	if lengths > 0 {
		v.raise(BothTEAndCLPresent)
	}
}

var getMethod = []byte("GET")

// headEnd returns the length of a head whose last line is empty, whatever its lines
// end with; 0 if it isn't there yet. One of HTTP/0.9 is a line alone.
func headEnd(buf []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(buf[i:], '\n')
		if n < 0 {
			return 0
		}
		line := bytes.TrimSuffix(buf[i:i+n], []byte{'\r'})
		if i > 0 && len(line) == 0 || i == 0 && simple(line) {
			return i + n + 1
		}
		i += n + 1
	}
}

// simple says whether a request line is one of HTTP/0.9: GET and a target.
func simple(line []byte) bool {
	method, target, ok := bytes.Cut(line, []byte{' '})
	return ok && bytes.Equal(method, getMethod) && len(target) > 0 && target[0] == '/' && bytes.IndexByte(target, ' ') < 0
}

// Examine classifies the head at the start of a connection's last bytes: whole, or
// as far as it had come when the connection ended.
func Examine(raw []byte) (v Verdict) {
	if n := headEnd(raw); n > 0 {
		raw = raw[:n]
	} else {
		defer func() {
			if len(raw) > 0 && raw[len(raw)-1] == '\n' {
				v.raise(MissingLastEmptyLine)
			} else {
				v.raise(PartialHeaderLine)
			}
		}()
	}
	_, _ = repair(nil, raw, &v) // a refusal is in the verdict, or isn't about it
	return v
}
