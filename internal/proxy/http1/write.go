package http1

import (
	"bytes"
	"net/netip"
	"strconv"
)

// Hop is what the proxy says of itself and the client in a request.
type Hop struct {
	Client  netip.AddrPort // X-Forwarded-For
	HTTPS   bool           // the listener's protocol: X-Forwarded-Proto
	Port    uint16         // the listener's: X-Forwarded-Port
	Host    []byte         // for a request that has none
	Time    int64          // of receipt, seconds since the epoch: X-Amzn-Trace-Id
	Random  [12]byte       // likewise; fresh in each request
	Upgrade []byte         // the protocol to change to, nil for none

	// TLSVersion and TLSCipher are those of the client's connection, where the
	// edits have names for them.
	TLSVersion, TLSCipher string

	// Certificate is what is said of the client's certificate, by the names that the
	// edits have; nil: it has shown none.
	Certificate *CertificateFields

	Edits *RequestEdits // nil: ELB's default

	// Fields are more of the load balancer's own, each with its line end.
	Fields []byte

	// Target and Authority are what a rule has made of the request's path and
	// query, and of its host; nil: as the client sent them.
	Target, Authority []byte

	// Trace is where in the request the trace ID was written, by AppendRequest.
	Trace Span
}

// maxTraced is how large the fields of a request may be together, with their line
// ends, for its trace ID to be continued; beyond that it starts anew (ALB user
// guide, request tracing).
const maxTraced = 7 << 10

// What a rewritten request may have, in bytes: a target that fits the limit on
// request lines with any method and version, and a host that fits a DNS name.
const (
	maxTarget = maxRequestLine - 256
	maxHost   = 255
)

// AppendRequest appends the head of the request to a target: HTTP/1.1,
// origin-form, without what belongs to the client's connection, with what the
// load balancer adds. The body's framing is the request's own.
func AppendRequest(dst, buf []byte, r *Request, hop *Hop) []byte {
	dst = append(dst, r.Method.Of(buf)...)
	dst = append(dst, ' ')
	if hop.Target != nil {
		dst = append(dst, hop.Target...)
	} else {
		dst = r.AppendTarget(dst, buf)
	}
	dst = append(dst, " HTTP/1.1\r\n"...)
	edits := hop.Edits
	if edits == nil {
		edits = &defaultEdits
	}
	dst = appendHostLines(dst, buf, r, hop, edits.PreserveHost)
	if edits.ForwardedFor == AppendForwardedFor {
		dst = appendForwardedFor(dst, buf, r, hop.Client, edits.ClientPort)
	}
	if hop.HTTPS {
		dst = append(dst, "X-Forwarded-Proto: https\r\nX-Forwarded-Port: "...)
	} else {
		dst = append(dst, "X-Forwarded-Proto: http\r\nX-Forwarded-Port: "...)
	}
	dst = strconv.AppendUint(dst, uint64(hop.Port), 10)
	dst = append(dst, "\r\nX-Amzn-Trace-Id: "...)
	hop.Trace.Start = int32(len(dst))
	dst = appendTrace(dst, r.trace(buf), hop)
	hop.Trace.End = int32(len(dst))
	dst = append(dst, "\r\n"...)
	if edits.TLSVersion != "" {
		dst = appendLine(dst, edits.TLSVersion, hop.TLSVersion)
	}
	if edits.TLSCipher != "" {
		dst = appendLine(dst, edits.TLSCipher, hop.TLSCipher)
	}
	if hop.Certificate != nil {
		for i, value := range hop.Certificate {
			if name := edits.Certificate[i]; name != "" && value != "" {
				dst = appendLine(dst, name, value)
			}
		}
	}
	dst = append(dst, hop.Fields...)

	for i := range r.Fields {
		switch f := &r.Fields[i]; f.kind {
		case plain, date:
			if !edits.Ours.has(f.Name.Of(buf)) {
				dst = appendField(dst, buf, f)
			}
		case forwardedFor:
			if edits.ForwardedFor == PreserveForwardedFor {
				dst = appendField(dst, buf, f)
			}
		}
	}
	if hop.Upgrade != nil {
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
		dst = append(dst, hop.Upgrade...)
		dst = append(dst, "\r\n"...)
	}
	dst = appendFraming(dst, r.Body)
	return append(dst, "\r\n"...)
}

var defaultEdits RequestEdits

// appendHostLines writes Host. preserve keeps it as the client sent it: each of
// several, and not the host of a target in absolute-form.
func appendHostLines(dst, buf []byte, r *Request, hop *Hop, preserve bool) []byte {
	if preserve && hop.Authority == nil {
		start := len(dst)
		for i := range r.Fields {
			if f := &r.Fields[i]; f.kind == host && f.Value.Len() > 0 {
				dst = append(dst, "Host: "...)
				dst = append(dst, f.Value.Of(buf)...)
				dst = append(dst, "\r\n"...)
			}
		}
		if len(dst) > start {
			return dst
		}
	}
	dst = append(dst, "Host: "...)
	switch {
	case hop.Authority != nil:
		dst = append(dst, hop.Authority...)
	case r.Host.Len() == 0:
		dst = append(dst, hop.Host...)
	case preserve:
		dst = append(dst, r.Host.Of(buf)...)
	default:
		dst = appendHost(dst, r.Host.Of(buf), hop)
	}
	return append(dst, "\r\n"...)
}

// appendForwardedFor writes the addresses that the client sent, and behind them its
// own: in one line, whatever number of lines they came in.
func appendForwardedFor(dst, buf []byte, r *Request, client netip.AddrPort, port bool) []byte {
	dst = append(dst, "X-Forwarded-For: "...)
	for i := range r.Fields {
		if f := &r.Fields[i]; f.kind == forwardedFor && f.Value.Len() > 0 {
			dst = append(dst, f.Value.Of(buf)...)
			dst = append(dst, ", "...)
		}
	}
	addr := client.Addr().Unmap().WithZone("")
	if port {
		dst = netip.AddrPortFrom(addr, client.Port()).AppendTo(dst)
	} else {
		dst = addr.AppendTo(dst)
	}
	return append(dst, "\r\n"...)
}

// trace returns the trace ID to continue, nil if there is none.
func (r *Request) trace(buf []byte) []byte {
	for i := range r.Fields {
		if r.Fields[i].kind != traceID {
			continue
		}
		if r.Size-int(r.Fields[0].Name.Start) > maxTraced {
			return nil
		}
		return r.Fields[i].Value.Of(buf)
	}
	return nil
}

func appendLine(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendTarget appends the path and query that the request asks for, in
// origin-form, or "*".
func (r *Request) AppendTarget(dst, buf []byte) []byte {
	switch {
	case r.asterisk:
		dst = append(dst, '*')
	case r.Path.Len() == 0:
		dst = append(dst, '/')
	default:
		dst = append(dst, r.Path.Of(buf)...)
	}
	if r.hasQuery {
		dst = append(dst, '?')
		dst = append(dst, r.Query.Of(buf)...)
	}
	return dst
}

// ValidTarget says whether b is a path, with a query or without, that a request
// can be sent for.
func ValidTarget(b []byte) bool {
	if len(b) == 0 || b[0] != '/' || len(b) > maxTarget {
		return false
	}
	for _, c := range b {
		if !targetByte[c] {
			return false
		}
	}
	return true
}

// ValidHost says whether b is a host, with a port or without.
func ValidHost(b []byte) bool { return len(b) <= maxHost && validHost(b) }

func appendField(dst, buf []byte, f *Field) []byte {
	dst = append(dst, f.Name.Of(buf)...)
	dst = append(dst, ": "...)
	dst = append(dst, f.Value.Of(buf)...)
	return append(dst, "\r\n"...)
}

func appendFraming(dst []byte, b Body) []byte {
	switch b.Framing {
	case ByLength:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, b.Length, 10)
		dst = append(dst, "\r\n"...)
	case Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case NoBody, UntilClose:
	}
	return dst
}

// appendHost writes the host as ALB does by default: in lower case, without the
// listener's port where that is a protocol's own, with it where it isn't and the
// client left it out.
func appendHost(dst, host []byte, hop *Hop) []byte {
	name, port, _ := splitHost(host)
	for _, c := range name {
		dst = append(dst, lowerOf[c])
	}
	usual := hop.Port == 80 || hop.Port == 443
	var own [5]byte
	listener := strconv.AppendUint(own[:0], uint64(hop.Port), 10)
	switch {
	case len(port) > 0 && !(usual && bytes.Equal(port, listener)):
		dst = append(dst, ':')
		dst = append(dst, port...)
	case len(port) == 0 && !usual:
		dst = append(dst, ':')
		dst = append(dst, listener...)
	}
	return dst
}

// appendTrace continues the client's trace ID: Root and custom members stay,
// Self becomes ours.
func appendTrace(dst, trace []byte, hop *Hop) []byte {
	root := false
	for m := range members(trace) {
		root = root || len(m) > 5 && is(m[:5], "root=")
	}
	if !root {
		return appendTraceNumber(append(dst, "Root="...), hop)
	}
	dst = appendTraceNumber(append(dst, "Self="...), hop)
	for m := range members(trace) {
		if len(m) >= 5 && is(m[:5], "self=") {
			continue
		}
		dst = append(dst, ';')
		dst = append(dst, m...)
	}
	return dst
}

// members yields the non-empty parts between semicolons.
func members(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			m := b
			if i := bytes.IndexByte(b, ';'); i >= 0 {
				m, b = b[:i], b[i+1:]
			} else {
				b = nil
			}
			if m = bytes.TrimSpace(m); len(m) > 0 && !yield(m) {
				return
			}
		}
	}
}

const hexDigits = "0123456789abcdef"

func appendTraceNumber(dst []byte, hop *Hop) []byte {
	dst = append(dst, "1-"...)
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[uint32(hop.Time)>>shift&15])
	}
	dst = append(dst, '-')
	for _, b := range hop.Random {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// Delivery is how a response goes to its client.
type Delivery struct {
	Body  Body   // as the client gets it; see Deliver
	Close bool   // the connection ends with the response
	Date  []byte // in IMF-fixdate, for a response that has none

	Edits *ResponseEdits // nil: ELB's default

	// Fields are of the load balancer's own, each with its line end; no interim
	// response has them.
	Fields []byte

	// Keep tells an HTTP/1.0 client that the connection stays (RFC 9112 §9.3).
	Keep bool
}

// Deliver decides how a body from a target is delimited to the client of the
// request, and whether the client's connection must end with it. A client that
// doesn't know chunks gets a body of unknown length until close.
func Deliver(from Body, clientMinor int) (to Body, closes bool) {
	switch {
	case from.Framing != Chunked && from.Framing != UntilClose:
		return from, false
	case clientMinor == 0:
		return Body{Framing: UntilClose}, true
	}
	return Body{Framing: Chunked}, false
}

// AppendResponse appends the head of a target's response to the client, without
// what belongs to the target's connection. head says that it answers HEAD: the
// target's length is passed on though no body follows.
func AppendResponse(dst, buf []byte, r *Response, head bool, d *Delivery) []byte {
	dst = appendStatus(dst, buf, r)
	for i := range r.Fields {
		f := &r.Fields[i]
		if !f.kind.endToEnd() || d.Edits != nil && d.Edits.names.has(f.Name.Of(buf)) {
			continue
		}
		dst = appendField(dst, buf, f)
	}
	if r.Interim() {
		return append(dst, "\r\n"...)
	}
	if !r.hasDate {
		dst = appendDate(dst, d.Date)
	}
	if d.Edits != nil {
		dst = append(dst, d.Edits.lines...)
	}
	dst = append(dst, d.Fields...)
	switch {
	case r.Status == 101:
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: "...)
		dst = append(dst, r.upgrade.Of(buf)...)
		return append(dst, "\r\n\r\n"...)
	case head || r.Status == 304:
		if r.lengths > 0 {
			dst = appendFraming(dst, r.Body)
		}
	default:
		dst = appendFraming(dst, d.Body)
	}
	dst = appendConnection(dst, d.Close, d.Keep)
	return append(dst, "\r\n"...)
}

// endToEnd says whether a field of a response is the client's to see. What only
// means something in a request passes.
func (k kind) endToEnd() bool {
	switch k {
	case hopByHop, connection, upgrade, contentLength, transferEncoding:
		return false
	}
	return true
}

func appendStatus(dst, buf []byte, r *Response) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, r.Reason.Of(buf)...)
	return append(dst, "\r\n"...)
}

func appendDate(dst, date []byte) []byte {
	dst = append(dst, "Date: "...)
	dst = append(dst, date...)
	return append(dst, "\r\n"...)
}

func appendConnection(dst []byte, close, keep bool) []byte {
	switch {
	case close:
		return append(dst, "Connection: close\r\n"...)
	case keep:
		return append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}

// Continue is the interim response that makes a client send its body.
const Continue = "HTTP/1.1 100 Continue\r\n\r\n"

// ChunkRoom is how many bytes before a chunk its size line takes at most.
const ChunkRoom = 10

// LastChunk ends a chunked body.
const LastChunk = "0\r\n\r\n"

// PutChunkSize writes the size line of a chunk of n bytes, less than 4 GiB, so
// that it ends where room ends, and returns its length. room is ChunkRoom long.
func PutChunkSize(room []byte, n int) int {
	i := len(room) - 2
	room[i], room[i+1] = '\r', '\n'
	for {
		i--
		room[i] = hexDigits[n&15]
		if n >>= 4; n == 0 {
			return len(room) - i
		}
	}
}
