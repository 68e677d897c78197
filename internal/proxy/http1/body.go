package http1

import (
	"bytes"
	"io"
)

// Framing is how the end of a body is known (RFC 9112 §6).
type Framing uint8

// The framings. The zero value is a message without a body.
const (
	NoBody     Framing = iota
	ByLength           // Content-Length
	Chunked            // Transfer-Encoding: chunked
	UntilClose         // responses only
)

// Body is how one body is delimited.
type Body struct {
	Framing Framing
	Length  int64 // ByLength: in bytes
}

// Empty says whether no byte of body follows the head.
func (b Body) Empty() bool {
	return b.Framing == NoBody || b.Framing == ByLength && b.Length == 0
}

// maxChunkLine bounds the line before a chunk, its extensions included.
const maxChunkLine = 4 << 10

// What is refused in chunked bodies.
var (
	errChunkSize = bad("invalid chunk size")
	errChunkLine = bad("chunk extensions longer than 4 KiB")
	errChunkEnd  = bad("chunk longer than its size says")
	errTrailer   = bad("invalid trailer")
)

// Decoder takes a body out of a stream of bytes. The zero value is the end of a
// body; Reset before use. It never reads past the body's end.
type Decoder struct {
	state decoderState
	left  int64 // of the body, or of the present chunk
	line  int   // bytes of the present chunk line, or of all trailers
	name  int   // bytes of the present trailer's name; -1 behind the colon
}

type decoderState uint8

const (
	ended       decoderState = iota
	inBody                   // left more bytes
	inRest                   // all that comes
	sizeFirst                // the first digit of a chunk size
	size                     // further digits
	extension                // up to the end of the line
	sizeEnd                  // LF after the size line
	inChunk                  // left more bytes
	chunkCR                  // CR after the chunk
	chunkLF                  // LF after it
	trailerLine              // the first byte of a trailer line
	trailer                  // in a trailer line
	trailerLF                // LF after a trailer line
	lastLF                   // LF of the empty line
)

// Reset prepares for a body.
func (d *Decoder) Reset(b Body) {
	*d = Decoder{}
	switch b.Framing {
	case NoBody:
	case ByLength:
		if d.left = b.Length; d.left > 0 {
			d.state = inBody
		}
	case Chunked:
		d.state = sizeFirst
	case UntilClose:
		d.state = inRest
	}
}

// Done says whether the body is at its end. One that lasts until close never is.
func (d *Decoder) Done() bool { return d.state == ended }

// Left returns how many bytes of the body, or of its present chunk, are known to
// follow.
func (d *Decoder) Left() int64 { return d.left }

// Skip notes that n bytes of the body, of those that Left counts, went past.
func (d *Decoder) Skip(n int) {
	if d.left -= int64(n); d.left > 0 {
		return
	}
	switch d.state {
	case inBody:
		d.state = ended
	case inChunk:
		d.state = chunkCR
	}
}

// EOF returns io.ErrUnexpectedEOF if the stream may not end here.
func (d *Decoder) EOF() error {
	if d.state == ended || d.state == inRest {
		return nil
	}
	return io.ErrUnexpectedEOF
}

// Next returns the first run of body bytes in the input, a part of it, and how
// many bytes of the input are dealt with. Call it until all are, or until Done.
// An error is a *Refusal; the stream can't be used after it. Chunk extensions
// and trailers are checked and left out (RFC 9112 §7.1.1, §7.1.2).
func (d *Decoder) Next(in []byte) (data []byte, n int, err error) {
	for n < len(in) {
		switch d.state {
		case ended:
			return nil, n, nil
		case inRest:
			return in[n:], len(in), nil
		case inBody, inChunk:
			run := len(in) - n
			if int64(run) > d.left {
				run = int(d.left)
			}
			if d.left -= int64(run); d.left == 0 {
				if d.state == inBody {
					d.state = ended
				} else {
					d.state = chunkCR
				}
			}
			return in[n : n+run], n + run, nil
		case trailer:
			// Field values are long and dull: look for their end at once.
			if d.name < 0 {
				run := bytes.IndexByte(in[n:], '\r')
				if run < 0 {
					run = len(in) - n
				}
				for _, c := range in[n : n+run] {
					if !fieldValue[c] {
						return nil, n, errTrailer
					}
				}
				if d.line += run; d.line > maxRequestHead {
					return nil, n, errTrailer
				}
				if n += run; n == len(in) {
					return nil, n, nil
				}
			}
			fallthrough
		case sizeFirst, size, extension, sizeEnd, chunkCR, chunkLF, trailerLine, trailerLF, lastLF:
			if err := d.step(in[n]); err != nil {
				return nil, n, err
			}
			n++
		}
	}
	return nil, n, nil
}

// step takes one byte that isn't content.
func (d *Decoder) step(c byte) error {
	switch d.state {
	case sizeFirst, size:
		v, ok := hexDigit(c)
		switch {
		case ok:
			if d.left > (1<<62)>>4 {
				return errChunkSize
			}
			d.left, d.state = d.left<<4|int64(v), size
			return d.lineByte()
		case d.state == sizeFirst:
			return errChunkSize
		case c == ';':
			d.state = extension
		case c == '\r':
			d.state = sizeEnd
		default:
			return errChunkSize
		}
	case extension:
		if c == '\r' {
			d.state = sizeEnd
			return nil
		}
		if !fieldValue[c] {
			return errChunkSize
		}
		return d.lineByte()
	case sizeEnd:
		if c != '\n' {
			return errChunkSize
		}
		d.line = 0
		if d.state = inChunk; d.left == 0 {
			d.state = trailerLine
		}
	case chunkCR:
		if c != '\r' {
			return errChunkEnd
		}
		d.state = chunkLF
	case chunkLF:
		if c != '\n' {
			return errChunkEnd
		}
		d.state = sizeFirst
	case trailerLine:
		if c == '\r' {
			d.state = lastLF
			return nil
		}
		d.state, d.name = trailer, 0
		return d.trailerByte(c)
	case trailer:
		return d.trailerByte(c)
	case trailerLF:
		if c != '\n' {
			return errTrailer
		}
		d.state = trailerLine
	case lastLF:
		if c != '\n' {
			return errTrailer
		}
		d.state = ended
	case ended, inBody, inRest, inChunk:
	}
	return nil
}

// lineByte counts one byte of a chunk line, so that neither endless zeros nor
// endless extensions hold a connection for nothing.
func (d *Decoder) lineByte() error {
	if d.line++; d.line > maxChunkLine {
		return errChunkLine
	}
	return nil
}

func (d *Decoder) trailerByte(c byte) error {
	if d.line++; d.line > maxRequestHead {
		return errTrailer
	}
	switch {
	case d.name < 0:
		if c != '\r' {
			return errTrailer // the values are dealt with in Next
		}
		d.state = trailerLF
	case c == ':' && d.name > 0:
		d.name = -1
	case token[c]:
		d.name++
	default:
		return errTrailer
	}
	return nil
}

func hexDigit(c byte) (v byte, ok bool) {
	switch c := lowerOf[c]; {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
