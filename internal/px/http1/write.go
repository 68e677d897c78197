package http1

import (
	"bytes"
	"net/netip"
	"strconv"
)

// maxForwardedFor is how many addresses X-Forwarded-For may name before ours.
const maxForwardedFor = 30

// Forwarding is what a request carries to its target beyond what its client sent.
type Forwarding struct {
	Client  netip.Addr
	Proto   string // http or https
	Port    uint16 // of the listener
	Host    []byte // for a client that named none
	TraceID string // a new id: "1-" + 8 hex + "-" + 24 hex
}

// AppendRequest appends the request as a target gets it: HTTP/1.1, framed by what
// was understood, without what concerns this hop only.
func AppendRequest(dst []byte, r *Request, f *Forwarding) ([]byte, error) {
	dst = append(dst, r.Bytes(r.Method)...)
	dst = append(dst, ' ')
	if r.Path.Len() == 0 {
		dst = append(dst, '/')
	}
	dst = append(dst, r.Bytes(r.Path)...)
	if r.query {
		dst = append(dst, '?')
		dst = append(dst, r.Bytes(r.Query)...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = appendHost(dst, r, f)
	dst = append(dst, "\r\n"...)

	forwarded := 0 // addresses named before ours
	var trace []byte
	for i := range r.Fields {
		fd := &r.Fields[i]
		v := fd.Value.Of(r.buf)
		switch fd.kind {
		case other:
			if r.nominees && nominated(r.buf, r.Fields, fd.Name.Of(r.buf)) {
				continue
			}
			dst = appendField(dst, fd.Name.Of(r.buf), v)
		case forwardedFor:
			eachToken(v, func([]byte) { forwarded++ })
		case traceID:
			trace = v
		}
	}
	if forwarded > maxForwardedFor {
		return dst, errForwardedFor
	}
	dst = append(dst, "X-Forwarded-For: "...)
	for i := range r.Fields {
		if fd := &r.Fields[i]; fd.kind == forwardedFor && fd.Value.Len() > 0 {
			dst = append(dst, fd.Value.Of(r.buf)...)
			dst = append(dst, ", "...)
		}
	}
	dst = f.Client.AppendTo(dst)
	dst = append(dst, "\r\nX-Forwarded-Proto: "...)
	dst = append(dst, f.Proto...)
	dst = append(dst, "\r\nX-Forwarded-Port: "...)
	dst = strconv.AppendUint(dst, uint64(f.Port), 10)
	dst = append(dst, "\r\nX-Amzn-Trace-Id: "...)
	dst = appendTrace(dst, trace, f.TraceID)
	dst = append(dst, "\r\n"...)
	dst = appendRequestFraming(dst, r)
	return append(dst, "\r\n"...), nil
}

func appendRequestFraming(dst []byte, r *Request) []byte {
	switch {
	case r.framing.chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case r.framing.length >= 0:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, r.framing.length, 10)
		dst = append(dst, "\r\n"...)
	}
	if r.Upgrade {
		dst = append(dst, "Connection: Upgrade\r\n"...)
		for i := range r.Fields {
			if r.Fields[i].kind == upgrade {
				dst = appendField(dst, []byte("Upgrade"), r.Fields[i].Value.Of(r.buf))
			}
		}
	}
	return dst
}

// appendHost writes the host as targets get it: lower case, with the listener's
// port unless that is 80 or 443, when any port is taken off.
func appendHost(dst []byte, r *Request, f *Forwarding) []byte {
	h := r.Host()
	if len(h) == 0 {
		h = f.Host
	}
	name, port := SplitHost(h)
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	switch {
	case f.Port == 80 || f.Port == 443:
	case len(port) > 0:
		dst = append(dst, ':')
		dst = append(dst, port...)
	default:
		dst = append(dst, ':')
		dst = strconv.AppendUint(dst, uint64(f.Port), 10)
	}
	return dst
}

// SplitHost takes the port, without its colon, off a host.
func SplitHost(h []byte) (name, port []byte) {
	i := bytes.LastIndexByte(h, ':')
	if i < 0 || bytes.IndexByte(h[i:], ']') >= 0 {
		return h, nil
	}
	return h[:i], h[i+1:]
}

// appendTrace writes X-Amzn-Trace-Id: a Root that came stays, with our Self
// before it; otherwise the new id is the Root.
func appendTrace(dst, came []byte, id string) []byte {
	root := bytes.Index(came, []byte("Root="))
	if root < 0 {
		dst = append(dst, "Root="...)
		return append(dst, id...)
	}
	dst = append(dst, "Self="...)
	dst = append(dst, id...)
	for len(came) > 0 {
		part := came
		if i := bytes.IndexByte(came, ';'); i >= 0 {
			part, came = came[:i], came[i+1:]
		} else {
			came = nil
		}
		if part = bytes.Trim(part, " \t"); len(part) > 0 && !bytes.HasPrefix(part, []byte("Self=")) {
			dst = append(dst, ';')
			dst = append(dst, part...)
		}
	}
	return dst
}

func appendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// nominated says whether a Connection header names the field as this hop's
// (RFC 9110 §7.6.1).
func nominated(buf []byte, fields []Field, name []byte) (yes bool) {
	for i := range fields {
		if fields[i].kind == connection {
			eachToken(fields[i].Value.Of(buf), func(t []byte) { yes = yes || bytes.EqualFold(t, name) })
		}
	}
	return yes
}

// ToClient is what a response needs to know of the client it goes to.
type ToClient struct {
	Minor int  // of the client's HTTP/1.x
	Close bool // the connection ends with this response
	Head  bool // the request was a HEAD
}

// AppendResponse appends the response as a client gets it. chunked says that the
// body must be written in chunks; a body of unknown length to an HTTP/1.0 client
// ends with the connection, which the caller must then close.
func AppendResponse(dst []byte, r *Response, c ToClient) (out []byte, chunked bool) {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, r.Reason.Of(r.buf)...)
	dst = append(dst, "\r\n"...)
	for i := range r.Fields {
		fd := &r.Fields[i]
		switch fd.kind {
		case other, traceID, forwardedFor, ours, host, expect:
			if r.nominees && nominated(r.buf, r.Fields, fd.Name.Of(r.buf)) {
				continue
			}
			dst = appendField(dst, fd.Name.Of(r.buf), fd.Value.Of(r.buf))
		case upgrade:
			if r.Status == 101 || r.Status == 426 {
				dst = appendField(dst, fd.Name.Of(r.buf), fd.Value.Of(r.buf))
			}
		}
	}
	if r.Interim() {
		return append(dst, "\r\n"...), false
	}
	b := r.Body(c.Head)
	switch {
	case r.Status == 101:
		return append(dst, "Connection: Upgrade\r\n\r\n"...), false
	case r.framing.length >= 0 && r.Status != 204:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, r.framing.length, 10)
		dst = append(dst, "\r\n"...)
	case (b.kind == Chunked || b.kind == UntilClose) && c.Minor == 1:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		chunked = true
	}
	return append(appendConnection(dst, c.Close), "\r\n"...), chunked
}

func appendConnection(dst []byte, end bool) []byte {
	if end {
		return append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "Connection: keep-alive\r\n"...)
}

// NeedsClose says whether the response's body can reach the client only by
// closing the connection.
func (r *Response) NeedsClose(c ToClient) bool {
	b := r.Body(c.Head)
	return c.Minor == 0 && (b.kind == Chunked || b.kind == UntilClose)
}
