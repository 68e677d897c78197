package http2

import "bytes"

// noTable begins a header block: we use no dynamic table (RFC 7541 §4.2, §6.3).
const noTable = 0x20

// Places in the static table (RFC 7541 A).
const (
	placeAuthority = 1
	placeGet       = 2
	placePost      = 3
	placeRoot      = 4
	placeHTTP      = 6
	placeHTTPS     = 7
)

// AppendRequest appends the header block (RFC 7541) of the request whose HTTP/1.1 head
// it is given, without what belongs to a connection. The head must be one that http1
// has written: its lines are taken for well-formed, the first field is Host. https is
// the scheme that the server is asked in.
func AppendRequest(dst, head []byte, https bool) []byte {
	dst = append(dst, noTable)
	line, rest := cutLine(head)
	i := bytes.IndexByte(line, ' ')
	method, path := line[:i], line[i+1:len(line)-len(" HTTP/1.1")]
	switch string(method) {
	case "GET":
		dst = append(dst, 0x80|placeGet)
	case "POST":
		dst = append(dst, 0x80|placePost)
	default:
		dst = appendString(append(dst, placeGet), method)
	}
	if https {
		dst = append(dst, 0x80|placeHTTPS)
	} else {
		dst = append(dst, 0x80|placeHTTP)
	}
	if len(path) == 1 && path[0] == '/' {
		dst = append(dst, 0x80|placeRoot)
	} else {
		dst = appendString(append(dst, placeRoot), path)
	}
	line, rest = cutLine(rest)
	dst = appendString(append(dst, placeAuthority), bytes.TrimLeft(line[len("Host:"):], " "))
	for line, rest = cutLine(rest); len(line) > 0; line, rest = cutLine(rest) {
		i := bytes.IndexByte(line, ':')
		name, value := line[:i], bytes.TrimLeft(line[i+1:], " ")
		if !ofConnection(name) && !(len(name) == 4 && equalFold(name, "host")) {
			dst = AppendField(dst, name, value)
		}
	}
	return dst
}
