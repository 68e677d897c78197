package proxy_test

import (
	"crypto/tls"
	"io"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// BenchmarkTLSConnection is a client that connects, asks once and goes, from the
// same process: with a whole handshake (P-256, X25519) and with a session that it
// has kept.
func BenchmarkTLSConnection(b *testing.B) {
	root := issuer.New(b, "Root")
	w := newSecureWorldFor(b, root)
	w.certify("arn:1", root.Issue("shop.example"))
	w.apply()
	for name, cache := range map[string]tls.ClientSessionCache{"whole": nil, "resumed": tls.NewLRUClientSessionCache(1)} {
		b.Run(name, func(b *testing.B) {
			cfg := w.trusting("shop.example")
			cfg.ClientSessionCache, cfg.CurvePreferences = cache, []tls.CurveID{tls.X25519}
			for b.Loop() {
				conn, err := tls.Dial("tcp", w.address(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, conn); err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}
