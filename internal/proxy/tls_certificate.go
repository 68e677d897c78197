package proxy

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// certificate is a certificate with its private key opened. It never changes.
type certificate struct {
	from *snapshot.Certificate
	tls  tls.Certificate
	err  error // why it can't be served
}

// openCertificate opens a certificate's private key. Where that fails, the reason is
// in what it returns.
func (p *Proxy) openCertificate(c *snapshot.Certificate) *certificate {
	out := &certificate{from: c}
	out.tls, out.err = p.keyPair(c)
	return out
}

// errNoOpenKey says that Options.OpenKey is missing.
var errNoOpenKey = errors.New("this host has no key to open private keys with")

func (p *Proxy) keyPair(c *snapshot.Certificate) (out tls.Certificate, err error) {
	if p.openKey == nil {
		return out, errNoOpenKey
	}
	for text := []byte(c.PEM); ; {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		out.Certificate, text = append(out.Certificate, block.Bytes), rest
	}
	if len(out.Certificate) == 0 {
		return out, errors.New("it is empty")
	}
	leaf, err := x509.ParseCertificate(out.Certificate[0])
	if err != nil {
		return out, err
	}
	der, err := p.openKey(c.ARN, c.Key)
	if err != nil {
		return out, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	clear(der)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return out, errors.New("its private key can't be read")
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(signer.Public()) {
		return out, errors.New("its private key is another certificate's")
	}
	out.Leaf, out.PrivateKey = leaf, signer
	return out, nil
}

// directory finds a listener's certificates by the names that clients ask for. It
// never changes.
type directory struct {
	byHost   map[string][]*certificate // all that are for the host, the best first
	byDomain map[string][]*certificate // those for one more label before the domain, for hosts that aren't above
}

func newDirectory(certs []*certificate) directory {
	d := directory{map[string][]*certificate{}, map[string][]*certificate{}}
	for _, c := range certs {
		for _, host := range c.from.Hosts {
			if domain, wild := strings.CutPrefix(host, "*."); wild {
				d.byDomain[domain] = append(d.byDomain[domain], c)
			} else {
				d.byHost[host] = append(d.byHost[host], c)
			}
		}
	}
	for host, certs := range d.byHost {
		if _, domain, ok := strings.Cut(host, "."); ok {
			certs = append(certs, d.byDomain[domain]...)
		}
		d.byHost[host] = ranked(certs)
	}
	for domain, certs := range d.byDomain {
		d.byDomain[domain] = ranked(certs)
	}
	return d
}

// ranked returns each certificate once, the best first.
func ranked(certs []*certificate) []*certificate {
	var out []*certificate
	for _, c := range certs {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b *certificate) int { return b.compare(a) })
	return out
}

// of returns the certificates for a host, the best first; none for no host.
func (d *directory) of(host string) []*certificate {
	host = strings.ToLower(host)
	if certs := d.byHost[host]; certs != nil {
		return certs
	}
	label, domain, _ := strings.Cut(host, ".")
	if label == "" {
		return nil
	}
	return d.byDomain[domain]
}

// choose picks the certificate for a client: the one with the name that it asks for;
// of several the best that it supports; without any the default one (ELB user guide,
// "SNI").
func (s *secure) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certs := s.names.of(hello.ServerName)
	chosen := s.certs[0]
	if len(certs) > 0 {
		chosen = certs[0] // also if it supports none of them: no other has the name
	}
	if len(certs) > 1 {
		for _, c := range certs {
			if hello.SupportsCertificate(&c.tls) == nil {
				chosen = c
				break
			}
		}
	}
	if m, ok := hello.Conn.(*memory); ok {
		m.by, m.chosen, m.named = s, chosen, len(certs) > 0
	}
	return &chosen.tls, nil
}

// compare says which is preferred: by public-key algorithm, then by length of key,
// then by validity. AWS looks at the hash of the signature in between, to have any
// before MD5, which no certificate in an assignment has.
func (c *certificate) compare(o *certificate) int {
	kind, size := strength(c.tls.Leaf.PublicKey)
	otherKind, otherSize := strength(o.tls.Leaf.PublicKey)
	return cmp.Or(cmp.Compare(kind, otherKind), cmp.Compare(size, otherSize), c.tls.Leaf.NotAfter.Compare(o.tls.Leaf.NotAfter))
}

func strength(key crypto.PublicKey) (kind, bits int) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return 2, key.Curve.Params().BitSize
	case *rsa.PublicKey:
		return 1, key.N.BitLen()
	}
	return 0, 0
}
