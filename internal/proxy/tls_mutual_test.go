package proxy_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

const storeARN = "arn:aws:elasticloadbalancing:local-1:000000000000:truststore/clients/0123456789abcdef"

// mutualWorld is a world whose listener asks clients for certificates, with the logs
// that it keeps. Its target answers with what it is told of them.
type mutualWorld struct {
	*secureWorld
	book   *logBook
	people *issuer.Issuer // issues clients' certificates
}

func newMutualWorld(t *testing.T, m snapshot.Mutual) *mutualWorld {
	t.Helper()
	book := &logBook{}
	w := &mutualWorld{newSecureWorldWith(t, proxy.Options{Logs: book.open}), book, issuer.New(t, "People")}
	w.lb().Logs.Connections.Name = "logs"
	w.certify("arn:1", w.root.Issue("shop.example"))
	l := &w.lb().Listeners[0]
	l.TLS.Mutual, l.TLS.NoResumption = &m, true
	l.TLS.Ciphers = append(l.TLS.Ciphers, "AES128-GCM-SHA256")
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		for _, name := range slices.Sorted(mapsKeys(r.Header)) {
			if strings.HasPrefix(name, "X-Amzn-Mtls-") || strings.HasPrefix(name, "X-My-") {
				fmt.Fprintf(rw, "%s: %s\n", name, strings.Join(r.Header[name], " | "))
			}
		}
	}))
	w.trust()
	return w
}

func mapsKeys(h http.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range h {
			if !yield(k) {
				return
			}
		}
	}
}

// trust puts the trust store into the assignment, in the former one's place.
func (w *mutualWorld) trust(lists ...*snapshot.Revocations) {
	w.a.TrustStores = []*snapshot.TrustStore{{ARN: storeARN, Authorities: [][]byte{w.people.Certificate.Raw}, Revocations: lists}}
}

func verifying() snapshot.Mutual {
	return snapshot.Mutual{Mode: snapshot.MutualVerify, TrustStore: storeARN}
}

// with is a client with the certificate, and what certifies it.
func (w *mutualWorld) with(version uint16, p *issuer.Pair, also ...*issuer.Issuer) *tls.Config {
	cfg := w.trusting("shop.example")
	cfg.MinVersion, cfg.MaxVersion = version, version
	if p != nil {
		text := p.Certificate
		for _, a := range also {
			text = append(slices.Clone(text), a.PEM...)
		}
		pair, err := tls.X509KeyPair(text, p.Key)
		if err != nil {
			w.t.Fatal(err)
		}
		// Sent whatever the listener asks for.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return cfg
}

// request makes a request on a connection of its own, with more headers. A client of
// TLS 1.3 learns that it was refused only with the answer.
func (w *mutualWorld) request(cfg *tls.Config, headers string) (string, error) {
	conn, err := tls.Dial("tcp", w.address(), cfg)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+headers+"\r\n"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		return "", errors.New(head)
	}
	return body, nil
}

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

func TestTargetsLearnWhoTheVerifiedClientIs(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			w := newMutualWorld(t, verifying())
			middle := w.people.Intermediate("Middle")
			client := middle.IssueClient("x", func(c *x509.Certificate) {
				c.Subject = pkix.Name{CommonName: "till-7", Organization: []string{"Example Shop"}, Country: []string{"NL"}}
				c.SerialNumber = big.NewInt(0xa1b2c)
			})
			w.apply()
			const forged = "X-Amzn-Mtls-Clientcert: x\r\nX-Amzn-Mtls-Clientcert-Subject: CN=root\r\nx-amzn-mtls-other: 1\r\n"
			got, err := w.request(w.with(version, &client, middle), forged)
			if err != nil {
				t.Fatal(err)
			}
			valid := fmt.Sprintf("NotBefore=%s;NotAfter=%s", client.Leaf.NotBefore.Format(time.RFC3339), client.Leaf.NotAfter.Format(time.RFC3339))
			want := "X-Amzn-Mtls-Clientcert-Issuer: CN=Middle\nX-Amzn-Mtls-Clientcert-Leaf: " + escaped(client.Certificate) +
				"\nX-Amzn-Mtls-Clientcert-Serial-Number: 0A1B2C\nX-Amzn-Mtls-Clientcert-Subject: CN=till-7,O=Example Shop,C=NL\nX-Amzn-Mtls-Clientcert-Validity: " + valid + "\n"
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			line := w.book.take(t, w.world, proxy.ConnectionLog)
			if want := ` SECONDS "CN=till-7,O=Example Shop,C=NL" ` + valid + ` 0A1B2C Success TID `; !strings.Contains(line, want) {
				t.Errorf("logged %s, want %s", line, want)
			}
		})
	}
}

func escaped(text []byte) string {
	return strings.ReplaceAll(strings.ReplaceAll(string(text), " ", "%20"), "\n", "%0A")
}

func TestTargetsLearnTheCertificatesThatPassThrough(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			w := newMutualWorld(t, snapshot.Mutual{Mode: snapshot.MutualPassthrough})
			w.a.TrustStores = nil
			stranger := issuer.New(t, "Stranger")
			middle := stranger.Intermediate("Middle")
			client := middle.IssueClient("x", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			w.apply()
			got, err := w.request(w.with(version, &client, middle, stranger), "X-Amzn-Mtls-Clientcert-Subject: CN=root\r\n")
			if err != nil {
				t.Fatal(err)
			}
			if want := "X-Amzn-Mtls-Clientcert: " + escaped(slices.Concat(client.Certificate, middle.PEM, stranger.PEM)) + "\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if line := w.book.take(t, w.world, proxy.ConnectionLog); !strings.Contains(line, ` "CN=x" NotBefore=`) || !strings.Contains(line, " Success TID ") {
				t.Errorf("logged %s", line)
			}
			got, err = w.request(w.with(version, nil), "X-Amzn-Mtls-Clientcert: x\r\n")
			if err != nil || got != "" {
				t.Errorf("a client without a certificate: target told %q, %v", got, err)
			}
			if line := w.book.take(t, w.world, proxy.ConnectionLog); !strings.Contains(line, ` "-" - - Success TID `) {
				t.Errorf("a client without a certificate: logged %s", line)
			}
		})
	}
}

// Names that a listener gives to the headers are the ones that targets see, and that
// clients can't say; ELB's own can't be said either.
func TestHeadersOfCertificatesAreRenamed(t *testing.T) {
	names := snapshot.HeaderNames{
		ClientCertificate: "X-My-Chain", ClientLeaf: "X-My-Leaf", ClientSerialNumber: "X-My-Serial", ClientIssuer: "X-My-Issuer", ClientSubject: "X-My-Subject", ClientValidity: "X-My-Validity",
	}
	forged := ""
	for _, name := range []string{"Chain", "Leaf", "Serial", "Issuer", "Subject", "Validity"} {
		forged += "x-MY-" + name + ": forged\r\n"
	}
	for _, tt := range []struct {
		mode snapshot.Mutual
		want string
	}{
		{verifying(), "X-My-Issuer X-My-Leaf X-My-Serial X-My-Subject X-My-Validity"},
		{snapshot.Mutual{Mode: snapshot.MutualPassthrough}, "X-My-Chain"},
	} {
		t.Run(string(tt.mode.Mode), func(t *testing.T) {
			w := newMutualWorld(t, tt.mode)
			w.lb().Listeners[0].HeaderNames = names
			client := w.people.IssueClient("x")
			w.apply()
			got, err := w.request(w.with(0, &client), forged+"X-Amzn-Mtls-Clientcert-Subject: forged\r\n")
			if err != nil {
				t.Fatal(err)
			}
			var seen []string
			for line := range strings.Lines(got) {
				name, _, _ := strings.Cut(line, ":")
				seen = append(seen, name)
			}
			if strings.Join(seen, " ") != tt.want || strings.Contains(got, "forged") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// Each refusal has its code in the connection log, and is counted. A client of TLS 1.2
// learns it during the handshake, one of TLS 1.3 when it reads.
func TestClientsAreRefused(t *testing.T) {
	w := newMutualWorld(t, verifying())
	stranger := issuer.New(t, "Stranger")
	good, taken := w.people.IssueClient("good"), w.people.IssueClient("taken")
	chain := []*issuer.Issuer{w.people.Intermediate("1")}
	for i := range 3 {
		chain = append([]*issuer.Issuer{chain[0].Intermediate(fmt.Sprint(i + 2))}, chain...)
	}
	w.trust(&snapshot.Revocations{Issuer: w.people.Certificate.RawSubject, Serials: snapshot.NewSerialSet([][]byte{taken.Leaf.SerialNumber.Bytes()})},
		&snapshot.Revocations{Issuer: chain[0].Certificate.RawSubject, Error: "its signature is wrong"},
		&snapshot.Revocations{Issuer: chain[3].Certificate.RawSubject, Error: "its signature is wrong"})
	w.apply()
	sized := func(size int) issuer.Pair {
		return w.people.IssueClient("large", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: make([]byte, size)}}
		})
	}
	keyed := func(public crypto.PublicKey) issuer.Pair { // with a key that isn't that one's
		p := w.people.IssueFor(onlyPublic{public}, func(*x509.Certificate) {})
		return issuer.Pair{Leaf: p.Leaf, Key: good.Key}
	}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8999, 1), E: 65537}
	edwards := keyed(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	agreement := issuer.Pair{Key: good.Key, Leaf: &x509.Certificate{ // X25519 in the place of Ed25519
		Raw: bytes.Replace(edwards.Leaf.Raw, []byte{6, 3, 43, 101, 112}, []byte{6, 3, 43, 101, 110}, 1)}}
	refused := uint64(0)
	for _, tt := range []struct {
		name   string
		client issuer.Pair
		also   []*issuer.Issuer
		want   string
		silent bool // the log doesn't say whose it is
	}{
		{"of somebody else", stranger.IssueClient("a"), nil, "ClientCertUntrusted", false},
		{"expired", w.people.IssueClient("a", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), nil, "ClientCertExpired", false},
		{"not valid yet", w.people.IssueClient("a", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), nil, "ClientCertNotYetValid", false},
		{"for servers", w.people.Issue("a.example"), nil, "ClientCertPurposeInvalid", false},
		{"version 1", w.people.WithVersion1(good), nil, "ClientCertTypeUnsupported", false},
		{"revoked", taken, nil, "ClientCertCrlHit", false},
		{"not known whether revoked", chain[3].IssueClient("a"), chain[3:], "ClientCertCrlProcessingError", false},
		{"too deep", chain[0].IssueClient("a"), chain, "ClientCertMaxChainDepthExceeded", false},
		{"too large", sized(17 << 10), nil, "ClientCertMaxSizeExceeded", false},
		{"too large for crypto/tls", sized(300 << 10), nil, "ClientCertMaxSizeExceeded", true},
		{"no certificate at all, but bytes", issuer.Pair{Leaf: &x509.Certificate{Raw: []byte("certificate")}, Key: good.Key}, nil, "ClientCertInvalid", true},
		{"RSA of 9000 bits", keyed(huge), nil, "ClientCertTypeUnsupported", true},
		{"a key that can't sign", agreement, nil, "ClientCertTypeUnsupported", false},
		{"a key of another certificate", issuer.Pair{Leaf: good.Leaf, Key: taken.Key}, nil, "ClientCertInvalid", false},
	} {
		for name, version := range versions {
			t.Run(tt.name+" in "+name, func(t *testing.T) {
				cfg := w.with(version, &good)
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return unchecked(t, tt.client, tt.also...), nil
				}
				if got, err := w.request(cfg, ""); err == nil {
					t.Errorf("got %q, want an error", got)
				}
				refused++
				line := w.book.take(t, w.world, proxy.ConnectionLog)
				if !strings.Contains(line, " Failed:"+tt.want+" TID ") {
					t.Errorf("logged %s, want %s", line, tt.want)
				}
				told := regexp.MustCompile(`TLSv1.[23] \S+ - "\S+" NotBefore=\S+;NotAfter=\S+ [0-9A-F]+ Failed`).MatchString(line)
				if tt.silent == told {
					t.Errorf("logged %s", line)
				}
			})
		}
	}
	t.Run("no certificate", func(t *testing.T) {
		for name, version := range versions {
			if got, err := w.request(w.with(version, nil), ""); err == nil {
				t.Errorf("%s: got %q, want an error", name, got)
			}
			refused++
			if line := w.book.take(t, w.world, proxy.ConnectionLog); !strings.Contains(line, ` - "-" - - Failed:UnmappedConnectionError TID `) {
				t.Errorf("%s: logged %s", name, line)
			}
		}
	})
	if got := w.counted()["ClientTLSNegotiationErrorCount"]; got != refused {
		t.Errorf("counted %d refusals, want %d", got, refused)
	}
	if got, err := w.request(w.with(0, &good), ""); err != nil || got == "" {
		t.Errorf("a good client after all of them: %q, %v", got, err)
	}
}

// onlyPublic is a key that nobody has.
type onlyPublic struct{ public crypto.PublicKey }

func (k onlyPublic) Public() crypto.PublicKey { return k.public }

func (k onlyPublic) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("nobody has the key")
}

// unchecked is a certificate with a key that need not be its own.
func unchecked(t *testing.T, p issuer.Pair, also ...*issuer.Issuer) *tls.Certificate {
	t.Helper()
	out := &tls.Certificate{Certificate: [][]byte{p.Leaf.Raw}}
	for _, a := range also {
		out.Certificate = append(out.Certificate, a.Certificate.Raw)
	}
	block, _ := pem.Decode(p.Key)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	out.PrivateKey = key
	return out
}

// What is changed about a trust store goes for the next handshake; connections that
// there are go on, and no other part of the listener is made anew.
func TestATrustStoreChangesAtOnce(t *testing.T) {
	w := newMutualWorld(t, verifying())
	client, other := w.people.IssueClient("a"), issuer.New(t, "Other")
	w.apply()
	before, err := tls.Dial("tcp", w.address(), w.with(0, &client))
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	say := func() string {
		t.Helper()
		_ = before.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(before, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 8192)
		n, err := before.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	say()
	revoked := &snapshot.Revocations{Issuer: w.people.Certificate.RawSubject, Serials: snapshot.NewSerialSet([][]byte{client.Leaf.SerialNumber.Bytes()})}
	for _, step := range []struct {
		name   string
		change func()
		let    bool
	}{
		{"as it was", func() {}, true},
		{"revoked", func() { w.trust(revoked) }, false},
		{"no longer revoked", func() { w.trust() }, true},
		{"another bundle", func() { w.a.TrustStores[0].Authorities = [][]byte{other.Certificate.Raw} }, false},
		{"both", func() { w.a.TrustStores[0].Authorities = [][]byte{other.Certificate.Raw, w.people.Certificate.Raw} }, true},
		{"not in the assignment", func() { w.a.TrustStores = nil }, false},
		{"there again", func() { w.trust() }, true},
		{"not to be read", func() { w.a.TrustStores[0].Error = "a content is missing (add it again)" }, false},
		{"to be read again", func() { w.trust() }, true},
	} {
		step.change()
		w.apply()
		for name, version := range versions {
			if _, err := w.request(w.with(version, &client), ""); (err == nil) != step.let {
				t.Errorf("%s, %s: %v", step.name, name, err)
			}
		}
		said := w.proxy.Status()[0].Listeners[0].Error
		if broken := strings.HasPrefix(step.name, "not "); (said != "") != broken || broken && !strings.Contains(said, storeARN) {
			t.Errorf("%s: status %q", step.name, said)
		}
		if got := say(); !strings.Contains(got, "Clientcert-Subject: CN=a") {
			t.Errorf("%s: the connection that there was: %q", step.name, got)
		}
	}
}

func TestAnUnknownModeOfAuthenticationIsNotServed(t *testing.T) {
	w := newMutualWorld(t, snapshot.Mutual{Mode: "later"})
	w.apply()
	if s := w.proxy.Status()[0]; s.Ready || !strings.Contains(s.Listeners[0].Error, `"later"`) {
		t.Errorf("got %+v", s)
	}
}

// Clients are told whom the trust store believes where the listener says so.
func TestAuthoritiesAreAdvertised(t *testing.T) {
	for _, advertise := range []bool{false, true} {
		m := verifying()
		m.Advertise = advertise
		w := newMutualWorld(t, m)
		client := w.people.IssueClient("a")
		w.apply()
		cfg := w.with(0, &client)
		pair, _ := cfg.GetClientCertificate(nil)
		var told [][]byte
		cfg.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			told = r.AcceptableCAs
			return pair, nil
		}
		if _, err := w.request(cfg, ""); err != nil {
			t.Error(err)
		}
		if is := len(told) == 1 && bytes.Equal(told[0], w.people.Certificate.RawSubject); is != advertise || !advertise && told != nil {
			t.Errorf("advertise %v: told %q", advertise, told)
		}
	}
}

func TestExpiryCanBeIgnored(t *testing.T) {
	m := verifying()
	m.IgnoreExpiry = true
	w := newMutualWorld(t, m)
	client := w.people.IssueClient("a", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	w.apply()
	if got, err := w.request(w.with(0, &client), ""); err != nil || !strings.Contains(got, "Subject: CN=a") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A session that went on would be one whose certificate nobody has looked at again.
func TestClientsWithCertificatesDoNotGoOnWithSessions(t *testing.T) {
	for _, m := range []snapshot.Mutual{verifying(), {Mode: snapshot.MutualPassthrough}} {
		for name, version := range versions {
			w := newMutualWorld(t, m)
			w.lb().Listeners[0].TLS.NoResumption = false // said by the mode alone
			client := w.people.IssueClient("a")
			w.apply()
			cfg := w.with(version, &client)
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			for range 2 {
				conn, err := tls.Dial("tcp", w.address(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "Clientcert") {
					t.Errorf("%s, %s: %q, %v", m.Mode, name, b, err)
				}
				if conn.ConnectionState().DidResume {
					t.Errorf("%s, %s: resumed", m.Mode, name)
				}
				conn.Close()
			}
		}
	}
}

// Requests of HTTP/2, and those that another shell carries on, come with the same
// headers.
func TestOtherWaysOfRequestsHaveTheHeadersToo(t *testing.T) {
	w := newMutualWorld(t, verifying())
	client := w.people.IssueClient("till-7")
	w.apply()
	for name, make := range map[string]func(*http.Client) (*http.Response, error){
		"a GET": func(c *http.Client) (*http.Response, error) { return c.Get(w.https()) },
		"a body that isn't gathered": func(c *http.Client) (*http.Response, error) {
			return c.Post(w.https(), "text/plain", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))))
		},
	} {
		for _, two := range []bool{false, true} {
			tr := &http.Transport{TLSClientConfig: w.with(0, &client), ForceAttemptHTTP2: two}
			if !two {
				tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
			}
			resp, err := make(&http.Client{Transport: tr, Timeout: 20 * time.Second})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			tr.CloseIdleConnections()
			if err != nil || strings.Count(string(b), "X-Amzn-Mtls-Clientcert-Subject: CN=till-7\n") != 1 || (resp.ProtoMajor == 2) != two {
				t.Errorf("%s, HTTP/2 %v: %s %s, %v", name, two, resp.Proto, b, err)
			}
		}
	}
}

// OpenSSL sees what crypto/tls sees.
func TestCurlShowsACertificate(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	w := newMutualWorld(t, verifying())
	client := w.people.IssueClient("till-7")
	w.apply()
	dir := t.TempDir()
	for name, text := range map[string][]byte{"root.pem": w.root.PEM, "client.pem": client.Certificate, "client.key": client.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(w.https())
	if err != nil {
		t.Fatal(err)
	}
	base := []string{"--silent", "--show-error", "--max-time", "20", "--cacert", filepath.Join(dir, "root.pem"),
		"--connect-to", "::" + u.Host, "https://shop.example:" + u.Port() + "/"}
	key := []string{"--cert", filepath.Join(dir, "client.pem"), "--key", filepath.Join(dir, "client.key")}
	for _, version := range []string{"1.2", "1.3"} {
		args := append([]string{"--tlsv" + version, "--tls-max", version}, base...)
		out, err := exec.CommandContext(t.Context(), "curl", append(args, key...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Clientcert-Subject: CN=till-7") {
			t.Errorf("TLS %s: %s, %v", version, out, err)
		}
		if out, err := exec.CommandContext(t.Context(), "curl", args...).CombinedOutput(); err == nil {
			t.Errorf("TLS %s, no certificate: %s", version, out)
		}
	}
}
