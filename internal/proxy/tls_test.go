package proxy_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// secureWorld is a world whose listener speaks TLS. Private keys are "sealed" by
// a byte in front of them.
type secureWorld struct {
	*world
	root *issuer.Issuer
}

func newSecureWorld(t *testing.T) *secureWorld {
	t.Helper()
	return newSecureWorldFor(t, issuer.New(t, "Root"))
}

func newSecureWorldWith(t *testing.T, o proxy.Options) *secureWorld {
	t.Helper()
	return newSecureWorldOf(t, issuer.New(t, "Root"), o)
}

func newSecureWorldFor(t testing.TB, root *issuer.Issuer) *secureWorld {
	t.Helper()
	return newSecureWorldOf(t, root, proxy.Options{})
}

func newSecureWorldOf(t testing.TB, root *issuer.Issuer, o proxy.Options) *secureWorld {
	t.Helper()
	o.OpenKey = func(_ string, sealed []byte) ([]byte, error) {
		if len(sealed) == 0 || sealed[0] != 7 {
			return nil, errors.New("it was altered")
		}
		return append([]byte{}, sealed[1:]...), nil
	}
	w := &secureWorld{newWorldFor(t, o), root}
	l := &w.lb().Listeners[0]
	l.Protocol = snapshot.HTTPS
	l.TLS = &snapshot.TLS{Protocols: []string{"TLSv1.2", "TLSv1.3"}, Ciphers: []string{
		"TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"}}
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%s %s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Port"))
	}))
	return w
}

// certify puts a certificate into the assignment, in the place of the ARN's former
// one, and gives it to the listener.
func (w *secureWorld) certify(arn string, p issuer.Pair) {
	w.t.Helper()
	block, _ := pem.Decode(p.Key)
	c := &snapshot.Certificate{ARN: arn, Hosts: p.Leaf.DNSNames, PEM: string(p.Certificate), Key: append([]byte{7}, block.Bytes...)}
	for i := range w.a.Certificates {
		if w.a.Certificates[i].ARN == arn {
			w.a.Certificates[i] = c
			return
		}
	}
	w.a.Certificates = append(w.a.Certificates, c)
	slices.SortFunc(w.a.Certificates, func(a, b *snapshot.Certificate) int { return strings.Compare(a.ARN, b.ARN) })
	t := w.lb().Listeners[0].TLS
	t.Certificates = append(t.Certificates, arn)
}

// trusting is what a client of the listener begins with.
func (w *secureWorld) trusting(host string) *tls.Config {
	return &tls.Config{RootCAs: w.root.Pool(), ServerName: host}
}

// shake connects and returns what was negotiated.
func (w *secureWorld) shake(cfg *tls.Config) (tls.ConnectionState, error) {
	w.t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", w.address(), cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// client is an HTTP client of the listener.
func (w *secureWorld) client(host string) *http.Client {
	tr := &http.Transport{TLSClientConfig: w.trusting(host)}
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *secureWorld) https() string { return "https://" + w.address() + "/" }

func TestAnHTTPSListenerServes(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	redirecting := w.lb().Listeners[0].Rules[0]
	redirecting.ARN, redirecting.Priority = "redirect", 1
	redirecting.Conditions = []snapshot.Condition{{Field: snapshot.FieldPathPattern, Values: []string{"/old"}}}
	redirecting.Actions = []snapshot.Action{{Type: snapshot.ActionRedirect, Redirect: &snapshot.Redirect{
		StatusCode: 301, Protocol: "#{protocol}", Host: "new.example", Port: "#{port}", Path: "/#{path}", Query: "#{query}"}}}
	w.lb().Listeners[0].Rules = []snapshot.Rule{redirecting, w.lb().Listeners[0].Rules[0]}
	w.apply()
	c := w.client("shop.example")
	for range 3 { // one connection
		if status, body := get(t, c, w.https()); status != 200 || body != fmt.Sprintf("https %d", port) {
			t.Errorf("got %d %q", status, body)
		}
	}
	resp, err := c.Get(w.https() + "old")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the client keeps its connection
	resp.Body.Close()
	if got, want := resp.Header.Get("Location"), fmt.Sprintf("https://new.example:%d/old", port); got != want {
		t.Errorf("redirect: got %s, want %s", got, want)
	}
	if s := w.proxy.Status()[0]; !s.Ready || s.OpenConnections != 1 || s.Listeners[0].Error != "" {
		t.Errorf("status %+v", s)
	}

	// Who speaks no TLS is shown the door, and nobody else.
	raw := w.dial()
	if _, err := io.WriteString(raw, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(raw); strings.Contains(string(b), "200 OK") {
		t.Errorf("without TLS: got %q", b)
	}
	if _, body := get(t, c, w.https()); !strings.HasPrefix(body, "https") {
		t.Errorf("after that: got %q", body)
	}
}

func TestClientsChooseACertificateByName(t *testing.T) {
	w := newSecureWorld(t)
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	named := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	w.certify("arn:default", w.root.Issue("default.example"))
	w.certify("arn:shop-rsa", w.root.IssueFor(short, named("shop.example")))
	w.certify("arn:shop", w.root.Issue("shop.example", "www.shop.example"))
	w.certify("arn:wild", w.root.IssueFor(issuer.Key(t), func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"*.shop.example"}, time.Now().Add(12*time.Hour)
	}))
	w.certify("arn:later", w.root.IssueFor(issuer.Key(t), func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"api.shop.example"}, time.Now().Add(48*time.Hour)
	}))
	w.certify("arn:long", w.root.IssueFor(longer, named("api.shop.example")))
	w.certify("arn:both", w.root.Issue("both.example", "*.both.example"))
	w.apply()
	rsaOnly := func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	p256Only := func(c *tls.Config) {
		c.MaxVersion, c.CurvePreferences = tls.VersionTLS12, []tls.CurveID{tls.CurveP256}
	}
	for name, c := range map[string]struct {
		host string
		edit func(*tls.Config)
		want string
	}{
		"no name":                             {"", nil, "arn:default"},
		"an unknown name":                     {"other.example", nil, "arn:default"},
		"the default one's":                   {"default.example", nil, "arn:default"},
		"two have it: ECDSA over RSA":         {"shop.example", nil, "arn:shop"},
		"in capitals":                         {"SHOP.example", nil, "arn:shop"},
		"two have it, the client knows RSA":   {"shop.example", rsaOnly, "arn:shop-rsa"},
		"a wildcard":                          {"cart.shop.example", nil, "arn:wild"},
		"a wildcard is one label":             {"a.cart.shop.example", nil, "arn:default"},
		"three have it: the longer key":       {"api.shop.example", nil, "arn:long"},
		"a wildcard and a name: valid longer": {"api.shop.example", p256Only, "arn:later"},
		"a name and a wildcard: valid longer": {"www.shop.example", nil, "arn:shop"},
		"a name and a wildcard of one":        {"www.both.example", nil, "arn:both"},
		"a wildcard isn't for no label":       {".shop.example", nil, "arn:default"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &tls.Config{ServerName: c.host, InsecureSkipVerify: true}
			if c.edit != nil {
				c.edit(cfg)
			}
			state, err := w.shake(cfg)
			if err != nil {
				t.Fatal(err)
			}
			got := state.PeerCertificates[0]
			for _, a := range w.a.Certificates {
				if block, _ := pem.Decode([]byte(a.PEM)); string(block.Bytes) == string(got.Raw) && a.ARN != c.want {
					t.Errorf("got %s, want %s", a.ARN, c.want)
				}
			}
		})
	}
}

// A name that only one certificate has is that one's, whether the client supports it
// or not: with another one it would be led to a site that isn't what it asked for.
func TestTheOnlyCertificateWithANameIsShown(t *testing.T) {
	w := newSecureWorld(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w.certify("arn:default", w.root.IssueFor(key, func(c *x509.Certificate) { c.DNSNames = []string{"default.example"} }))
	w.certify("arn:shop", w.root.Issue("shop.example"))
	w.apply()
	for host, want := range map[string]bool{"default.example": true, "other.example": true, "shop.example": false} {
		_, err := w.shake(&tls.Config{ServerName: host, InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}})
		if got := err == nil; got != want {
			t.Errorf("%s, from a client that knows RSA alone: got %v, want a handshake: %v", host, err, want)
		}
	}
}

// Clients of TLS 1.3 say what they support by signature algorithms, which Go's can't
// choose.
func TestClientsChooseACertificateBySignatureAlgorithms(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("needs openssl (Debian: openssl)")
	}
	w := newSecureWorld(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.certify("arn:default", w.root.Issue("default.example"))
	for arn, key := range map[string]crypto.Signer{"arn:rsa": key, "arn:p256": issuer.Key(t), "arn:p384": longer} {
		w.certify(arn, w.root.IssueFor(key, func(c *x509.Certificate) { c.DNSNames = []string{arn, "shop.example"} }))
	}
	w.apply()
	for _, c := range []struct{ algorithms, version, want string }{
		{"ecdsa_secp384r1_sha384:rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "-tls1_3", "arn:p384"},
		{"rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "-tls1_3", "arn:p256"},
		{"rsa_pss_rsae_sha256", "-tls1_3", "arn:rsa"},
		{"rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "-tls1_2", "arn:p384"}, // of any curve (RFC 8422 §5.1.3)
		{"rsa_pss_rsae_sha256", "-tls1_2", "arn:rsa"},
	} {
		out, err := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", w.address(), "-servername", "shop.example", c.version, "-sigalgs", c.algorithms).CombinedOutput()
		shown, _ := pem.Decode(out)
		if err != nil || shown == nil {
			t.Fatalf("%s: %v: %s", c.algorithms, err, out)
		}
		leaf, err := x509.ParseCertificate(shown.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if got := leaf.DNSNames[0]; got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.version, c.algorithms, got, c.want)
		}
	}
}

// I9: a certificate that is imported again is served to who connects next, and
// ends nobody's connection.
func TestAReimportedCertificateIsServedAtOnce(t *testing.T) {
	w := newSecureWorld(t)
	first, second := w.root.Issue("shop.example"), w.root.Issue("shop.example")
	w.certify("arn:1", first)
	w.apply()
	kept := w.client("shop.example")
	get(t, kept, w.https())
	serving := func() *ecdsa.PublicKey {
		t.Helper()
		state, err := w.shake(w.trusting("shop.example"))
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].PublicKey.(*ecdsa.PublicKey)
	}
	if !serving().Equal(first.Leaf.PublicKey) {
		t.Error("the first isn't served")
	}
	w.certify("arn:1", second)
	w.apply()
	if !serving().Equal(second.Leaf.PublicKey) {
		t.Error("the second isn't served")
	}
	resp, err := kept.Get(w.https())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if !resp.TLS.PeerCertificates[0].Equal(first.Leaf) {
		t.Error("the connection from before was ended")
	}
}

// What changes nothing of a listener's TLS leaves clients their sessions.
func TestSessionsOutliveAssignments(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.apply()
	cfg := w.trusting("shop.example")
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	visit := func() bool {
		t.Helper()
		conn, err := tls.Dial("tcp", w.address(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") { // tickets come before it
			t.Fatalf("got %q, %v", b, err)
		}
		return conn.ConnectionState().DidResume
	}
	if visit() {
		t.Fatal("resumed nothing")
	}
	w.lb().IdleTimeout++
	w.apply()
	if !visit() {
		t.Error("after an assignment that changes something else: not resumed")
	}
}

func TestWhatAPolicyLeavesOutIsRefused(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.lb().Listeners[0].TLS.Protocols = []string{"TLSv1.2"}
	w.apply()
	only := func(min, max uint16, suites ...uint16) *tls.Config {
		c := w.trusting("shop.example")
		c.MinVersion, c.MaxVersion, c.CipherSuites = min, max, suites
		return c
	}
	if s, err := w.shake(only(tls.VersionTLS12, tls.VersionTLS13)); err != nil || s.Version != tls.VersionTLS12 || s.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 || s.NegotiatedProtocol != "" {
		t.Errorf("got %+v, %v", s, err)
	}
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.3 alone":  only(tls.VersionTLS13, tls.VersionTLS13),
		"TLS 1.1":        only(tls.VersionTLS10, tls.VersionTLS11),
		"another cipher": only(tls.VersionTLS12, tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
	} {
		if s, err := w.shake(cfg); err == nil {
			t.Errorf("%s: got %+v", name, s)
		}
	}
	w.lb().Listeners[0].TLS.PostQuantum = true
	w.lb().Listeners[0].TLS.Protocols = []string{"TLSv1.3"}
	w.apply()
	hybrid := w.trusting("shop.example")
	hybrid.CurvePreferences = []tls.CurveID{tls.SecP384r1MLKEM1024}
	if s, err := w.shake(hybrid); err != nil || s.CurveID != tls.SecP384r1MLKEM1024 {
		t.Errorf("hybrid key exchange: got %v, %v", s.CurveID, err)
	}
}

func TestACertificateThatCantBeServedIsTold(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.certify("arn:2", w.root.Issue("other.example"))
	for name, c := range map[string]struct {
		edit func(l *snapshot.Listener, certs []*snapshot.Certificate)
		want string
	}{
		"altered":                  {func(_ *snapshot.Listener, c []*snapshot.Certificate) { c[0].Key[0] = 8 }, "certificate arn:1 can't be served: it was altered"},
		"another's key":            {func(_ *snapshot.Listener, c []*snapshot.Certificate) { c[0].Key = c[1].Key }, "another certificate's"},
		"no key at all":            {func(_ *snapshot.Listener, c []*snapshot.Certificate) { c[0].Key = []byte{7, 1} }, "can't be read"},
		"empty":                    {func(_ *snapshot.Listener, c []*snapshot.Certificate) { c[0].PEM = "" }, "it is empty"},
		"not in the assignment":    {func(l *snapshot.Listener, _ []*snapshot.Certificate) { l.TLS.Certificates[0] = "arn:3" }, "arn:3 can't be served: it isn't in the assignment"},
		"none":                     {func(l *snapshot.Listener, _ []*snapshot.Certificate) { l.TLS.Certificates = nil }, "need a certificate"},
		"a cipher of later times":  {func(l *snapshot.Listener, _ []*snapshot.Certificate) { l.TLS.Ciphers = append(l.TLS.Ciphers, "X") }, `cipher "X"`},
		"a version of later times": {func(l *snapshot.Listener, _ []*snapshot.Certificate) { l.TLS.Protocols = []string{"TLSv1.4"} }, `protocol "TLSv1.4"`},
		"FIPS":                     {func(l *snapshot.Listener, _ []*snapshot.Certificate) { l.TLS.FIPS = true }, "start it with GODEBUG=fips140=on"},
		"no version":               {func(l *snapshot.Listener, _ []*snapshot.Certificate) { l.TLS.Protocols = nil }, "no protocols"},
	} {
		t.Run(name, func(t *testing.T) {
			good, err := w.a.Encode()
			if err != nil {
				t.Fatal(err)
			}
			c.edit(&w.lb().Listeners[0], w.a.Certificates)
			w.apply()
			s := w.proxy.Status()[0]
			if s.Ready || !strings.Contains(s.Listeners[0].Error, c.want) || !strings.Contains(s.Error, c.want) {
				t.Errorf("got %+v, want not ready and %q", s, c.want)
			}
			revision := w.a.Revision
			if w.a, err = snapshot.DecodeAssignment(good); err != nil {
				t.Fatal(err)
			}
			w.a.Revision = revision
			w.apply()
			if s := w.proxy.Status()[0]; !s.Ready {
				t.Errorf("when it is right again: %+v", s)
			}
		})
	}
	t.Run("one of several", func(t *testing.T) {
		w.a.Certificates[1].Key = nil
		w.apply()
		if s := w.proxy.Status()[0]; !s.Ready {
			t.Errorf("got %+v, want the listener open", s)
		}
		if _, err := w.shake(w.trusting("shop.example")); err != nil {
			t.Errorf("the others: %v", err)
		}
	})
}

// A listener changes its protocol: who is connected goes on as before.
func TestAListenerBecomesHTTPS(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	l := &w.lb().Listeners[0]
	secure := l.TLS
	l.Protocol, l.TLS = snapshot.HTTP, nil
	w.apply()
	c := newClient(t)
	if _, body := get(t, c, w.url("/")); body != fmt.Sprintf("http %d", port) {
		t.Errorf("got %q", body)
	}
	l.Protocol, l.TLS = snapshot.HTTPS, secure
	w.apply()
	if _, body := get(t, c, w.url("/")); body != fmt.Sprintf("http %d", port) {
		t.Errorf("on the connection from before: got %q", body)
	}
	if _, body := get(t, w.client("shop.example"), w.https()); body != fmt.Sprintf("https %d", port) {
		t.Errorf("on a new one: got %q", body)
	}
}

// A response that its target breaks off isn't taken for whole, although only the
// connection's end tells.
func TestABrokenResponseIsSeenThroughTLS(t *testing.T) {
	w := newSecureWorld(t)
	w.certify("arn:1", w.root.Issue("shop.example"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			_, _ = c.Read(buf)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhalf of")
			time.AfterFunc(50*time.Millisecond, func() { // a reset must not overtake the bytes
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
			})
		}
	}()
	w.register(l.Addr().String())
	w.apply()
	conn, err := tls.Dial("tcp", w.address(), w.trusting("shop.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil { // which knows no chunks
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err == nil {
		t.Errorf("got %q as if it were whole", b)
	}
}

// A client that leaves in the middle of a handshake, wherever that is, holds nobody
// up, on its own loop neither.
func TestClientsThatLeaveAHandshakeHoldNobodyUp(t *testing.T) {
	w := newSecureWorldWith(t, proxy.Options{Loops: 1})
	w.certify("arn:1", w.root.Issue("shop.example"))
	w.register(w.httpTarget(func(http.ResponseWriter, *http.Request) {}))
	w.apply()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for heard := range 3 { // reads of what the server says, before the client leaves
			cfg := w.trusting("shop.example")
			cfg.MinVersion, cfg.MaxVersion = version, version
			raw := w.dial().Conn
			_ = tls.Client(&leaving{Conn: raw, reads: heard}, cfg).HandshakeContext(t.Context()) // fails but in the last case
			raw.Close()
			if _, err := w.shake(w.trusting("shop.example")); err != nil {
				t.Fatalf("%s, after a client that left at read %d: %v", tls.VersionName(version), heard, err)
			}
		}
	}
}

// leaving is a connection that is closed instead of a read.
type leaving struct {
	net.Conn
	reads int // before that
}

func (c *leaving) Read(b []byte) (int, error) {
	if c.reads == 0 {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	c.reads--
	return c.Conn.Read(b)
}
