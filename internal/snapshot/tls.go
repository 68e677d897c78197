package snapshot

// TLS is how an HTTPS listener speaks TLS with clients.
type TLS struct {
	Protocols    []string // "TLSv1.2", oldest first, without gaps
	Ciphers      []string // OpenSSL names, of all protocols
	PostQuantum  bool     `json:",omitempty"` // ML-KEM hybrids are offered for key exchange too
	FIPS         bool     `json:",omitempty"` // the host must run in the mode of FIPS 140-3
	NoResumption bool     `json:",omitempty"` // every connection shakes hands in whole, as where clients authenticate themselves
	HTTP1Only    bool     `json:",omitempty"` // clients aren't offered HTTP/2
	Certificates []string // ARNs, each once; the first is the default one
	Mutual       *Mutual  `json:",omitempty"` // nil: clients aren't asked for a certificate
}

// TargetTLS is how the targets of a group are spoken to within TLS. The zero value
// believes any target.
type TargetTLS struct {
	Verify      bool   `json:",omitempty"` // by the certification authorities that the host believes
	ServerName  string `json:",omitempty"` // that targets are asked for, and verified as; "": the host that a request is for
	PostQuantum bool   `json:",omitempty"` // ML-KEM hybrids are offered for key exchange too
}

// Certificate is what a listener shows to clients, and the key that proves it.
type Certificate struct {
	ARN   string
	Hosts []string // names that clients may ask for it by, in lower case; "*" for a first label
	PEM   string   // the certificate and what certifies it, in order

	// Key is the private key as PKCS #8, encrypted: an assignment is written to
	// disk. Who serves it opens it with a key of the host's.
	Key []byte
}
