package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/clientcert"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// trust is a trust store, compiled. It never changes.
type trust struct {
	*clientcert.Trust
	err error // why nobody can be verified by it
}

// openTrust compiles a trust store. Where that fails, the reason is in what it returns.
func (p *Proxy) openTrust(from *snapshot.TrustStore) *trust {
	for _, r := range from.Revocations {
		if r.Error != "" {
			p.log.Error("revocation list can't be relied on, clients that its issuer has certified are refused (put the issuer into the bundle, or remove the list)",
				"trust store", from.ARN, "revocation", r.ID, "error", r.Error)
		}
	}
	t, err := clientcert.New(from)
	return &trust{t, err}
}

// noTrust is in place of a trust store that the assignment doesn't have.
var noTrust = &trust{err: errNotAssigned}

// trust returns a trust store as it will be.
func (pl *plan) trust(arn string) *trust {
	t, changes := pl.trusts[arn]
	if !changes {
		t = pl.proxy.trusts[arn]
	}
	if t == nil {
		t = noTrust
	}
	return t
}

// authenticate finds what the listener's clients are verified by. An error says why
// the port can't be open.
func (s *secure) authenticate(find func(arn string) *trust) error {
	m := s.from.Mutual
	if m == nil {
		return nil
	}
	switch m.Mode {
	case snapshot.MutualPassthrough:
	case snapshot.MutualVerify:
		s.trust = find(m.TrustStore)
	default:
		return fmt.Errorf("the listener has clients authenticate themselves in mode %q, which this host doesn't know (choose another mode)", m.Mode)
	}
	return nil
}

// closed says why nobody is let in, with the remedy; nil: clients are.
func (s *secure) closed() error {
	if s.trust == nil || s.trust.err == nil {
		return nil
	}
	return fmt.Errorf("trust store %s can't be used, every client is refused: %w", s.from.Mutual.TrustStore, s.trust.err)
}

// demand has clients authenticate themselves as the listener says. crypto/tls only
// asks for certificates, and has clients prove that they have the keys; no session
// goes on without that, by whatever the assignment says of resumption.
func (s *secure) demand() {
	m := s.from.Mutual
	if m == nil {
		return
	}
	s.config.SessionTicketsDisabled = true
	if why := s.closed(); why != nil {
		s.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, why }
		return
	}
	s.config.ClientAuth = tls.RequestClientCert
	s.config.VerifyConnection = func(c tls.ConnectionState) error { return refusal(clientcert.Measure(c.PeerCertificates)) }
	if s.trust == nil {
		return
	}
	s.config.ClientAuth = tls.RequireAnyClientCert
	s.config.VerifyConnection = func(c tls.ConnectionState) error {
		if len(c.PeerCertificates) == 0 { // crypto/tls has refused the client before
			return refusal(clientcert.Rejected)
		}
		return refusal(s.trust.Verify(c.PeerCertificates, time.Now(), m.IgnoreExpiry))
	}
	if m.Advertise {
		s.config.ClientCAs = s.trust.Authorities()
	}
}

func refusal(code clientcert.Code) error {
	if code == clientcert.Accepted {
		return nil
	}
	return &clientcert.Refusal{Code: code}
}

// failureOf returns the code for the end of a handshake.
func failureOf(m *memory, err error) clientcert.Code {
	var refused *clientcert.Refusal
	switch {
	case err == nil:
		return clientcert.Accepted
	case errors.As(err, &refused):
		return refused.Code
	case m.mutual():
		return clientcert.CodeOf(err)
	}
	return clientcert.Unmapped
}

// mutual says whether the client was asked for a certificate.
func (m *memory) mutual() bool { return m != nil && m.by != nil && m.by.from.Mutual != nil }

// identity is a client's certificate, and what targets are told of it.
type identity struct {
	*clientcert.Identity
	fields http1.CertificateFields
}

// told returns what targets are told, nil for nothing.
func (i *identity) told() *http1.CertificateFields {
	if i == nil {
		return nil
	}
	return &i.fields
}

// identify returns who the client is, which is found out once for a connection.
func (m *memory) identify(s *tls.ConnectionState) *identity {
	if !m.mutual() || len(s.PeerCertificates) == 0 {
		return nil
	}
	if m.client != nil {
		return m.client
	}
	leaf := s.PeerCertificates[0]
	id := clientcert.Identify(leaf)
	m.client = &identity{Identity: id}
	switch {
	case !s.HandshakeComplete: // nobody is told but logs
	case m.by.trust == nil:
		m.client.fields = http1.CertificateFields{clientcert.PEM(s.PeerCertificates...)}
	default:
		m.client.fields = http1.CertificateFields{"", clientcert.PEM(leaf), id.Serial, id.Issuer, id.Subject, id.Validity}
	}
	return m.client
}
