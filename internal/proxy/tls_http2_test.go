package proxy_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// oldPolicy lets the listener negotiate what HTTP/2 may be spoken within, and what not.
func (w *secureWorld) oldPolicy() {
	t := w.lb().Listeners[0].TLS
	t.Protocols = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	t.Ciphers = []string{
		"TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA",
		"AES128-GCM-SHA256", "AES128-SHA",
	}
}

// RFC 9113 §9.2: HTTP/2 isn't offered to a client with whom the version and the cipher
// suite of TLS will be ones that it mustn't be spoken within.
func TestHTTP2IsOfferedWithinTLSThatItAllows(t *testing.T) {
	root := issuer.New(t, "Root")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ofRSA := root.IssueFor(key, func(c *x509.Certificate) {
		c.DNSNames, c.KeyUsage = []string{"shop.example"}, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment
	})
	const (
		ecdsaModern, ecdsaOld = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA
		rsaModern, rsaOld     = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
		static                = tls.TLS_RSA_WITH_AES_128_GCM_SHA256
	)
	for _, tt := range []struct {
		name   string
		pair   issuer.Pair
		most   uint16
		suites []uint16
		want   string
	}{
		{"TLS 1.3", root.Issue("shop.example"), tls.VersionTLS13, nil, "h2"},
		{"TLS 1.2", root.Issue("shop.example"), tls.VersionTLS12, nil, "h2"},
		{"TLS 1.2, of whose suites some won't do", root.Issue("shop.example"), tls.VersionTLS12, []uint16{ecdsaOld, ecdsaModern}, "h2"},
		{"TLS 1.2, of whose suites none will do", root.Issue("shop.example"), tls.VersionTLS12, []uint16{ecdsaOld}, "http/1.1"},
		{"TLS 1.2, whose suite that would do isn't for the certificate", root.Issue("shop.example"), tls.VersionTLS12, []uint16{ecdsaOld, rsaModern}, "http/1.1"},
		{"TLS 1.2, with an RSA key", ofRSA, tls.VersionTLS12, []uint16{rsaModern, ecdsaModern, rsaOld}, "h2"},
		{"TLS 1.2, with an RSA key and no suite for it that would do", ofRSA, tls.VersionTLS12, []uint16{rsaOld, ecdsaModern}, "http/1.1"},
		{"TLS 1.2, with keys that aren't ephemeral", ofRSA, tls.VersionTLS12, []uint16{static}, "http/1.1"},
		{"TLS 1.1", root.Issue("shop.example"), tls.VersionTLS11, nil, "http/1.1"},
		{"TLS 1.0", root.Issue("shop.example"), tls.VersionTLS10, nil, "http/1.1"},
	} {
		w := newSecureWorldFor(t, root)
		w.oldPolicy()
		w.certify("arn:1", tt.pair)
		w.apply()
		cfg := w.trusting("shop.example")
		cfg.NextProtos, cfg.MinVersion, cfg.MaxVersion, cfg.CipherSuites = []string{"h2", "http/1.1"}, tls.VersionTLS10, tt.most, tt.suites
		s, err := w.shake(cfg)
		if err != nil || s.NegotiatedProtocol != tt.want {
			t.Errorf("%s: got %q in %s, %v, want %q", tt.name, s.NegotiatedProtocol, tls.CipherSuiteName(s.CipherSuite), err, tt.want)
		}
		if cfg.NextProtos = []string{"h2"}; tt.want != "h2" {
			if _, err := w.shake(cfg); err == nil {
				t.Errorf("%s: a client that speaks nothing but HTTP/2 is let in", tt.name)
			}
		}
	}
}

// A TLS session keeps its cipher suite when a client goes on with it, though by now
// the client could do better.
func TestHTTP2EndsWithinTLSThatItForbids(t *testing.T) {
	w := newHTTP2World(t)
	w.oldPolicy()
	w.apply()
	cfg := w.trusting("shop.example")
	cfg.NextProtos, cfg.MaxVersion, cfg.ClientSessionCache = []string{"h2", "http/1.1"}, tls.VersionTLS12, tls.NewLRUClientSessionCache(1)
	cfg.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	if s, err := w.shake(cfg); err != nil || s.NegotiatedProtocol != "http/1.1" {
		t.Fatalf("got %q, %v", s.NegotiatedProtocol, err)
	}
	cfg.CipherSuites = append(cfg.CipherSuites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
	c, err := tls.Dial("tcp", w.address(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if s := c.ConnectionState(); !s.DidResume || s.NegotiatedProtocol != "h2" || s.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA {
		t.Fatalf("resumed %t, %q in %s", s.DidResume, s.NegotiatedProtocol, tls.CipherSuiteName(s.CipherSuite))
	}
	f := http2.NewFramer(c, c)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	_ = f.WriteSettings()
	for {
		got, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := got.(*http2.GoAwayFrame); ok {
			if g.ErrCode != http2.ErrCodeInadequateSecurity {
				t.Errorf("got %v", g.ErrCode)
			}
			break
		}
	}
	if _, err := f.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("then %v", err)
	}
}
