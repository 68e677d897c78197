package http1

// Kind is how a body ends.
type Kind uint8

// The ends of a body.
const (
	None Kind = iota
	Length
	Chunked
	UntilClose
)

// Body takes a body's framing off. It is a state machine over the bytes as they
// come; the zero Body has ended.
type Body struct {
	kind  Kind
	left  int64 // Length: of the body; Chunked: of the chunk
	state chunkState
	line  int // bytes of the line under way, or of all trailers
	size  bool
}

type chunkState uint8

const (
	chunkSize chunkState = iota // hex digits
	chunkExt                    // an extension, skipped
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart // at the beginning of a trailer line
	trailerLine
	trailerLF
	endLF
	ended
)

// Bounds on what a chunked body may hold beside its data.
const (
	maxChunkLine = 4 << 10
	maxTrailers  = 16 << 10
)

// Kind returns how the body ends.
func (b *Body) Kind() Kind { return b.kind }

// Left returns how many bytes a Length body has left.
func (b *Body) Left() int64 { return b.left }

// Done says whether the body has ended. One of kind UntilClose ends with its
// connection only.
func (b *Body) Done() bool {
	switch b.kind {
	case None:
		return true
	case Length:
		return b.left == 0
	case Chunked:
		return b.state == ended
	}
	return false
}

// Take takes the next piece of the body's data off the front of in. It returns
// the piece, a part of in that may be empty, and how much of in it used. Call it
// until it uses nothing or Done. An error is an *Error.
func (b *Body) Take(in []byte) (data []byte, used int, err error) {
	switch b.kind {
	case None:
		return nil, 0, nil
	case UntilClose:
		return in, len(in), nil
	case Length:
		n := int(min(int64(len(in)), b.left))
		b.left -= int64(n)
		return in[:n], n, nil
	}
	return b.takeChunk(in)
}

func (b *Body) takeChunk(in []byte) (data []byte, used int, err error) {
	for used < len(in) && b.state != ended {
		c := in[used]
		switch b.state {
		case chunkData:
			n := int(min(int64(len(in)-used), b.left))
			b.left -= int64(n)
			if b.left == 0 {
				b.state = chunkDataCR
			}
			return in[used : used+n], used + n, nil
		case chunkSize, chunkExt:
			if b.line++; b.line > maxChunkLine {
				return nil, used, errChunk
			}
			if err := b.sizeLine(c); err != nil {
				return nil, used, err
			}
		case chunkSizeLF:
			if c != '\n' {
				return nil, used, errChunk
			}
			b.line, b.size = 0, false
			b.state = chunkData
			if b.left == 0 {
				b.state = trailerStart
			}
		case chunkDataCR:
			if c != '\r' {
				return nil, used, errChunk
			}
			b.state = chunkDataLF
		case chunkDataLF:
			if c != '\n' {
				return nil, used, errChunk
			}
			b.state = chunkSize
		case trailerStart, trailerLine, trailerLF, endLF:
			if err := b.trailer(c); err != nil {
				return nil, used, err
			}
		}
		used++
	}
	return nil, used, nil
}

// sizeLine reads "1a2b;extension" up to its CR (RFC 9112 §7.1).
func (b *Body) sizeLine(c byte) error {
	if c == '\r' {
		if !b.size {
			return errChunk
		}
		b.state = chunkSizeLF
		return nil
	}
	if b.state == chunkExt {
		if c < ' ' && c != '\t' || c == 0x7f {
			return errChunk
		}
		return nil
	}
	if c == ';' && b.size {
		b.state = chunkExt
		return nil
	}
	d := hexDigit(c)
	if d < 0 || b.left > 1<<55 {
		return errChunk
	}
	b.left = b.left<<4 | int64(d)
	b.size = true
	return nil
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// trailer skips trailers: they may be dropped (RFC 9112 §7.1.2), and a header
// that arrives after the decision it was for is best dropped.
func (b *Body) trailer(c byte) error {
	if b.line++; b.line > maxTrailers {
		return errTrailer
	}
	switch b.state {
	case trailerStart:
		if c == '\r' {
			b.state = endLF
			return nil
		}
		if !tokenChar[c] {
			return errTrailer
		}
		b.state = trailerLine
	case trailerLine:
		switch {
		case c == '\r':
			b.state = trailerLF
		case c < ' ' && c != '\t', c == 0x7f:
			return errTrailer
		}
	case trailerLF:
		if c != '\n' {
			return errTrailer
		}
		b.state = trailerStart
	case endLF:
		if c != '\n' {
			return errTrailer
		}
		b.state = ended
	}
	return nil
}

// AppendChunk appends data as one chunk; nothing for no data, which would end
// the body.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = appendHex(dst, len(data))
	dst = append(dst, '\r', '\n')
	dst = append(dst, data...)
	return append(dst, '\r', '\n')
}

// LastChunk ends a chunked body.
const LastChunk = "0\r\n\r\n"

func appendHex(dst []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 0
	for n>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}
