package snapshot

// ForwardedFor is what becomes of X-Forwarded-For in requests (ELBv2
// LoadBalancerAttribute, routing.http.xff_header_processing.mode).
type ForwardedFor string

// The modes.
const (
	AppendForwardedFor   ForwardedFor = "" // also that of assignments that name none
	PreserveForwardedFor ForwardedFor = "preserve"
	RemoveForwardedFor   ForwardedFor = "remove"
)

// RequestHeaders is what targets are told by the headers of requests, in all of a
// load balancer's listeners.
type RequestHeaders struct {
	ForwardedFor ForwardedFor `json:",omitempty"`
	ClientPort   bool         `json:",omitempty"` // in what is appended to X-Forwarded-For
	PreserveHost bool         `json:",omitempty"` // Host as it was sent
	TLS          bool         `json:",omitempty"` // version and cipher suite of the client's TLS
}

// HeaderNames are the names that an HTTPS listener gives to headers which it adds
// to requests; "" for those by which ELB knows them. No client can send a header of
// these names.
type HeaderNames struct {
	TLSVersion     string `json:",omitempty"`
	TLSCipherSuite string `json:",omitempty"`

	// Of the client's certificate.
	ClientCertificate  string `json:",omitempty"`
	ClientLeaf         string `json:",omitempty"`
	ClientSerialNumber string `json:",omitempty"`
	ClientIssuer       string `json:",omitempty"`
	ClientSubject      string `json:",omitempty"`
	ClientValidity     string `json:",omitempty"`
}

// ResponseHeaders is what a listener makes of the headers of responses.
type ResponseHeaders struct {
	// Set are headers that every response has once, the listener's own ones too,
	// in place of what a target says.
	Set []Header `json:",omitempty"`

	// Anonymous: the listener's own responses have no Server.
	Anonymous bool `json:",omitempty"`
}

// Header is a header with its value.
type Header struct{ Name, Value string }
