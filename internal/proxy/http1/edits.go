package http1

import "strings"

// ForwardedFor is what becomes of X-Forwarded-For in requests
// (routing.http.xff_header_processing.mode).
type ForwardedFor uint8

// The modes of ELBv2 LoadBalancerAttribute.
const (
	AppendForwardedFor   ForwardedFor = iota // the client's address is appended
	PreserveForwardedFor                     // it stays as it was sent
	RemoveForwardedFor                       // targets get none
)

// RequestEdits is what a listener makes of requests' heads, beside what is the same
// for all. The zero value is ELB's default. It doesn't change while it is used.
type RequestEdits struct {
	ForwardedFor ForwardedFor
	ClientPort   bool // what is appended to X-Forwarded-For has the client's port
	PreserveHost bool // Host is what was sent, not a form of it

	// TLSVersion and TLSCipher are the names of the fields that tell what Hop has
	// of the same; "" for a field that isn't added.
	TLSVersion, TLSCipher string

	// Certificate are the names of the fields that tell what Hop has of the client's
	// certificate.
	Certificate CertificateFields

	// Ours are fields that a client can't say, beside those by which ELB knows
	// them: the names that the listener gives to what it adds.
	Ours Names
}

// CertificateFields are what there is for the fields about a client's certificate: their
// names, or their values; where either is "" the field is left out. They are, in this order: the chain,
// and of the leaf itself, the serial number, issuer, subject and validity.
type CertificateFields [6]string

// ResponseEdits is what a listener makes of responses' heads, its own ones too. The
// zero value is ELB's default. It doesn't change while it is used.
type ResponseEdits struct {
	// Anonymous leaves Server out of the responses that the load balancer makes
	// itself; a target's stays (routing.http.response.server.enabled).
	Anonymous bool

	names Names
	lines []byte
}

// Set has all responses but interim ones have the field once, with the value,
// whatever a target says.
func (e *ResponseEdits) Set(name, value string) {
	e.names.Add(name)
	e.lines = append(e.lines, name+": "+value+"\r\n"...)
}

// Names is a set of fields' names. The zero value is empty.
type Names struct {
	lengths uint64 // a bit for each length that a name has, modulo 64
	names   []string
}

// Add adds a name.
func (n *Names) Add(name string) {
	n.lengths |= 1 << (len(name) % 64)
	n.names = append(n.names, strings.ToLower(name))
}

// has says whether the name is there. Most names are found out by their length.
func (n *Names) has(name []byte) bool {
	if n.lengths>>(len(name)%64)&1 == 0 {
		return false
	}
	for _, s := range n.names {
		if is(name, s) {
			return true
		}
	}
	return false
}
