package proxy

import (
	"crypto/tls"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// modernSuites are the cipher suites of TLS 1.2 that HTTP/2 may be spoken within, of
// those that policies have: the others are in RFC 9113's Appendix A.
var modernSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
}

// allowsHTTP2 says whether HTTP/2 may be spoken within such TLS (RFC 9113 §9.2).
func allowsHTTP2(version, suite uint16) bool {
	return version >= tls.VersionTLS13 || version == tls.VersionTLS12 && slices.Contains(modernSuites, suite)
}

// offer has HTTP/2 offered to the clients that can speak it as it must be: to others
// it isn't known that their TLS won't do, and they are better served in HTTP/1.1 than
// told INADEQUATE_SECURITY. The config mustn't change any more, but for its tickets.
func (s *secure) offer() {
	if s.from.HTTP1Only {
		s.config.NextProtos = []string{"http/1.1"}
		return
	}
	s.config.NextProtos = []string{"h2", "http/1.1"}
	old := sync.OnceValue(func() *tls.Config {
		c := s.config.Clone()
		c.GetConfigForClient, c.NextProtos = nil, []string{"http/1.1"}
		return c
	})
	s.config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !slices.Contains(hello.SupportedProtos, "h2") || s.fitsHTTP2(hello) {
			return nil, nil
		}
		return old(), nil
	}
}

// fitsHTTP2 says whether what will be negotiated with a client allows HTTP/2. Of
// several suites crypto/tls prefers those that do.
func (s *secure) fitsHTTP2(hello *tls.ClientHelloInfo) bool {
	if s.config.MaxVersion >= tls.VersionTLS13 && slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
		return true
	}
	if s.config.MaxVersion < tls.VersionTLS12 || !slices.Contains(hello.SupportedVersions, tls.VersionTLS12) {
		return false
	}
	cert, err := s.choose(hello)
	if err != nil {
		return false
	}
	with := *hello
	with.ServerName = "" // the certificate is chosen, whatever it is for
	with.CipherSuites = nil
	for _, suite := range hello.CipherSuites {
		if slices.Contains(modernSuites, suite) {
			with.CipherSuites = append(with.CipherSuites, suite)
		}
	}
	return with.SupportsCertificate(cert) == nil
}

// begin returns a session of HTTP/2 within the TLS. It is over at once if that won't
// do, as when the client has gone on with a TLS session from before it could do better.
func (s *session) begin() *http2.Session {
	out := http2.NewSession()
	if s.weak {
		out.Distrust()
	}
	return out
}
