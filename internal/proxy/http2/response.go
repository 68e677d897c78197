package http2

import (
	"bytes"
	"strings"
)

// AppendHead appends the header block (RFC 7541) of the response whose HTTP/1.1
// head it is given, without what belongs to a connection. The head must be one
// that http1 has written: its lines are taken for well-formed.
func AppendHead(dst, head []byte) []byte {
	// A client that has allowed us less of a dynamic table than before waits to
	// hear that we use no more than that (RFC 7541 §4.2): we use none.
	dst = append(dst, noTable)
	line, rest := cutLine(head)
	dst = appendStatus(dst, line[len("HTTP/1.1 "):][:3])
	for line, rest = cutLine(rest); len(line) > 0; line, rest = cutLine(rest) {
		i := bytes.IndexByte(line, ':')
		name, value := line[:i], bytes.TrimLeft(line[i+1:], " ")
		if !ofConnection(name) {
			dst = AppendField(dst, name, value)
		}
	}
	return dst
}

func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\r')
	if i < 0 {
		return nil, nil
	}
	return b[:i], b[i+2:]
}

// ofConnection says whether a field, by its name in any case, means something to one
// HTTP/1.1 connection only (RFC 9113 §8.2.2).
func ofConnection[T string | []byte](name T) bool {
	switch len(name) {
	case 7:
		return equalFold(name, "upgrade")
	case 10:
		return equalFold(name, "connection") || equalFold(name, "keep-alive")
	case 16:
		return equalFold(name, "proxy-connection")
	case 17:
		return equalFold(name, "transfer-encoding")
	}
	return false
}

func equalFold[T string | []byte](name T, lower string) bool {
	for i := range len(name) {
		if lowerOf(name[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowerOf(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// statuses are the places of statuses in the static table (RFC 7541 A).
var statuses = map[string]byte{"200": 8, "204": 9, "206": 10, "304": 11, "400": 12, "404": 13, "500": 14}

func appendStatus(dst, status []byte) []byte {
	if i, ok := statuses[string(status)]; ok {
		return append(dst, 0x80|i)
	}
	dst = append(dst, 8) // not indexed, the name of ":status: 200"
	return appendString(dst, status)
}

// AppendField appends a field to a header block, not indexed (RFC 7541 §6.2.2), its
// name in lower case.
func AppendField[N, V string | []byte](dst []byte, name N, value V) []byte {
	var room [32]byte
	lower := append(room[:0], name...)
	for i, c := range lower {
		lower[i] = lowerOf(c)
	}
	if i, ok := names[string(lower)]; ok {
		dst = appendInt(dst, 0, 4, int(i))
	} else {
		dst = appendString(append(dst, 0), lower)
	}
	return appendString(dst, value)
}

// names are the places of names that responses have in the static table.
var names = func() map[string]uint8 {
	out := map[string]uint8{}
	const first = 15 // those before are pseudo-header fields
	for i, name := range strings.Fields(`accept-charset accept-encoding accept-language accept-ranges accept
		access-control-allow-origin age allow authorization cache-control content-disposition content-encoding
		content-language content-length content-location content-range content-type cookie date etag expect expires
		from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location
		max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
		strict-transport-security transfer-encoding user-agent vary via www-authenticate`) {
		out[name] = uint8(first + i)
	}
	return out
}()

// appendString appends a string literal without Huffman code (RFC 7541 §5.2).
func appendString[T string | []byte](dst []byte, s T) []byte {
	return append(appendInt(dst, 0, 7, len(s)), s...)
}

// appendInt appends an integer with a prefix of so many bits, behind the pattern
// (RFC 7541 §5.1).
func appendInt(dst []byte, pattern byte, bits, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(dst, pattern|byte(n))
	}
	dst = append(dst, pattern|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}
