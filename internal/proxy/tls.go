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
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// handshakeTimeout is how long a client may take for its TLS handshake. AWS says
// nothing of it; this is what it gives targets for theirs.
const handshakeTimeout = 10 * time.Second

// secure is how a listener speaks TLS, compiled. It never changes.
type secure struct {
	config *tls.Config
	from   *snapshot.TLS
	certs  []*certificate // in the order of from.Certificates, those that can be served
	byHost map[string][]*certificate
}

// certificate is a certificate with its private key opened. It never changes.
type certificate struct {
	from *snapshot.Certificate
	tls  tls.Certificate
	err  error // why it can't be served
}

// protocols and cipherSuites are what policies name. The suites of TLS 1.3 can't
// be chosen from (crypto/tls has all three), and no policy leaves any out.
var protocols = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

var cipherSuites = map[string]uint16{
	"TLS_AES_128_GCM_SHA256":        tls.TLS_AES_128_GCM_SHA256,
	"TLS_AES_256_GCM_SHA384":        tls.TLS_AES_256_GCM_SHA384,
	"TLS_CHACHA20_POLY1305_SHA256":  tls.TLS_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"DES-CBC3-SHA":                  tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
}

var (
	classicalGroups = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	hybridGroups    = append([]tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}, classicalGroups...)
)

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

// planTLS compiles a listener's TLS. It is the former one if nothing of it has
// changed, so that clients can go on with their sessions. An error says why the
// port can't be open, with the remedy.
func (pl *plan) planTLS(b *balancer, l *snapshot.Listener) (*secure, error) {
	if l.TLS == nil || len(l.TLS.Certificates) == 0 {
		return nil, errors.New("HTTPS listeners need a certificate, and the assignment has none for this one")
	}
	if s := b.secured[l.ARN]; s != nil {
		return s, nil // another node's
	}
	s := &secure{from: l.TLS}
	leftOut := map[string]error{}
	for i, arn := range l.TLS.Certificates {
		c := pl.certificate(arn)
		err := errNotAssigned
		if c != nil {
			err = c.err
		}
		switch {
		case err == nil:
			s.certs = append(s.certs, c)
		case i == 0:
			return nil, fmt.Errorf("certificate %s can't be served: %w (import it again, or give the listener another one)", arn, err)
		default: // its clients are served by the default one
			leftOut[arn] = err
		}
	}
	var old *secure
	if was := pl.proxy.balancers[b.from.ARN]; was != nil {
		old = was.secured[l.ARN]
	}
	if old != nil && reflect.DeepEqual(old.from, s.from) && slices.Equal(old.certs, s.certs) {
		s = old
	} else if err := s.compile(); err != nil {
		return nil, err
	} else {
		for arn, err := range leftOut { // not again with each change of something else
			pl.proxy.log.Error("certificate left out", "listener", l.ARN, "certificate", arn, "error", err)
		}
	}
	b.secured[l.ARN] = s
	return s, nil
}

var errNotAssigned = errors.New("it isn't in the assignment")

func (s *secure) compile() error {
	s.byHost = map[string][]*certificate{}
	for _, c := range s.certs {
		for _, host := range c.from.Hosts {
			s.byHost[host] = append(s.byHost[host], c)
		}
	}
	s.config = &tls.Config{
		GetCertificate: s.choose, CurvePreferences: classicalGroups,
		NextProtos: []string{"http/1.1"}, // routing.http2.enabled has no effect yet
		// A record costs more than the moments that a client would have the first
		// bytes of a large one sooner.
		DynamicRecordSizingDisabled: true,
	}
	if s.from.PostQuantum {
		s.config.CurvePreferences = hybridGroups
	}
	for _, name := range s.from.Protocols {
		v, ok := protocols[name]
		if !ok {
			return fmt.Errorf("the listener's security policy has protocol %q, which this host doesn't know (choose another policy)", name)
		}
		if s.config.MinVersion == 0 {
			s.config.MinVersion = v
		}
		s.config.MaxVersion = v
	}
	if s.config.MinVersion == 0 {
		return errors.New("the listener's security policy has no protocols (choose another policy)")
	}
	for _, name := range s.from.Ciphers {
		id, ok := cipherSuites[name]
		if !ok {
			return fmt.Errorf("the listener's security policy has cipher %q, which this host doesn't know (choose another policy)", name)
		}
		s.config.CipherSuites = append(s.config.CipherSuites, id)
	}
	return nil
}

// choose picks the certificate for a client: of those with the name that it asks
// for, the best one that it supports; else the default one (ELB user guide, "SNI").
func (s *secure) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var best *certificate
	host := strings.ToLower(hello.ServerName)
	_, domain, _ := strings.Cut(host, ".")
	for _, named := range [][]*certificate{s.byHost[host], s.byHost["*."+domain]} {
		for _, c := range named {
			if (best == nil || c.better(best)) && hello.SupportsCertificate(&c.tls) == nil {
				best = c
			}
		}
	}
	m, _ := hello.Conn.(*memory)
	if m != nil {
		m.named = best != nil
	}
	if best == nil {
		best = s.certs[0]
	}
	if m != nil {
		m.chosen = best
	}
	return &best.tls, nil
}

// better says whether c is preferred to o by public-key algorithm, then by length
// of key, then by validity.
func (c *certificate) better(o *certificate) bool {
	kind, size := strength(c.tls.Leaf.PublicKey)
	otherKind, otherSize := strength(o.tls.Leaf.PublicKey)
	return cmp.Or(cmp.Compare(kind, otherKind), cmp.Compare(size, otherSize), c.tls.Leaf.NotAfter.Compare(o.tls.Leaf.NotAfter)) > 0
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

// handshake brings a client's TLS connection up; false if that failed. Nothing has
// a deadline afterwards.
func (c *client) handshake(conn *tls.Conn) bool {
	done := conn.ConnectionState().HandshakeComplete
	err := conn.SetDeadline(time.Now().Add(handshakeTimeout))
	if err == nil {
		err = conn.Handshake()
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		c.port.node.meter.Add(c.thread, meter.TLSErrors, 1)
		c.port.table.Load().connected(c.thread, c.peer, c.trace, new(session), -1, time.Now())
		c.port.proxy.log.Debug("TLS handshake failed", "node", c.port.node.id, "port", c.port.number, "peer", c.peer, "error", err)
		return false
	}
	c.tls = sessionOf(conn)
	if !done { // otherwise a loop has told
		c.port.table.Load().connected(c.thread, c.peer, c.trace, &c.tls, time.Since(c.born), time.Now())
	}
	return true
}

// socket returns what is below a connection's TLS, if it has any.
func socket(conn net.Conn) net.Conn {
	for {
		above, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = above.NetConn()
	}
}
