package proxy

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// benched is a listener's TLS with a default certificate, one for shop.example, one for
// a wildcard, and one each of RSA and ECDSA for both.example.
func benched(b testing.TB) *secure {
	b.Helper()
	root := issuer.New(b, "Root")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	p := &Proxy{log: slog.New(slog.DiscardHandler), openKey: func(_ string, key []byte) ([]byte, error) { return slices.Clone(key), nil }}
	s := &secure{listener: "l", secret: make([]byte, 32), from: &snapshot.TLS{Protocols: []string{"TLSv1.2", "TLSv1.3"},
		Ciphers: []string{"TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"}}}
	for i, pair := range []issuer.Pair{
		root.Issue("default.example"), root.Issue("shop.example"), root.Issue("*.wild.example"), root.Issue("both.example"),
		root.IssueFor(key, func(c *x509.Certificate) { c.DNSNames = []string{"both.example"} }),
	} {
		block, _ := pem.Decode(pair.Key)
		c := p.openCertificate(&snapshot.Certificate{ARN: fmt.Sprint(i), Hosts: pair.Leaf.DNSNames, PEM: string(pair.Certificate), Key: block.Bytes})
		if c.err != nil {
			b.Fatal(c.err)
		}
		s.certs = append(s.certs, c)
	}
	if err := s.compile(); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkHandshake is both sides of a new connection of TLS 1.3 (P-256, X25519), in
// memory: what is ours of it is BenchmarkChooseCertificate, and the ticket.
func BenchmarkHandshake(b *testing.B) {
	s := benched(b)
	for _, host := range []string{"shop.example", "both.example"} {
		b.Run(host, func(b *testing.B) {
			client := &tls.Config{ServerName: host, InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}
			b.ReportAllocs()
			for b.Loop() {
				near, far := net.Pipe()
				done := make(chan error, 1)
				go func() {
					done <- tls.Server(&memory{below: far}, s.config).Handshake()
					_ = far.Close()
				}()
				conn := tls.Client(near, client)
				if err := conn.Handshake(); err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, conn) // the ticket
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				near.Close()
			}
		})
	}
}

// BenchmarkChooseCertificate is what a handshake costs beyond that of crypto/tls.
func BenchmarkChooseCertificate(b *testing.B) {
	s := benched(b)
	for _, host := range []string{"", "shop.example", "a.wild.example", "other.example", "both.example"} {
		b.Run("name="+host, func(b *testing.B) {
			hello := &tls.ClientHelloInfo{ServerName: host, SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.PSSWithSHA256, tls.ECDSAWithP256AndSHA256}, Conn: &memory{}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.choose(hello); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
