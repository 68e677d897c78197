package outbound_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/proxy/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// provider starts a server over TLS, and returns who vouches for it.
func provider(t *testing.T, h http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, roots
}

func client(t *testing.T, o outbound.Options) *http.Client {
	c := outbound.New(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Who makes a rule can't have us ask what only we can reach.
func TestAddressesThatAreNotPublicAreRefusedUnlessAllowed(t *testing.T) {
	asked := false
	s, roots := provider(t, func(http.ResponseWriter, *http.Request) { asked = true })
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	for _, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0", "[::]", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "[fe80::1]",
		"[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "224.0.0.1", "255.255.255.255",
	} {
		_, err := client(t, outbound.Options{Roots: roots}).Get("https://" + host + ":" + port + "/")
		if !errors.Is(err, outbound.ErrAddress) {
			t.Errorf("%s: got %v, want %v", host, err, outbound.ErrAddress)
		}
	}
	if asked {
		t.Error("the server was asked")
	}
	r, err := client(t, outbound.Options{Roots: roots, Addresses: loopback}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

func TestAProviderIsWhoItsCertificateSays(t *testing.T) {
	s, _ := provider(t, func(http.ResponseWriter, *http.Request) {})
	s.Config.ErrorLog = nil
	_, err := client(t, outbound.Options{Roots: x509.NewCertPool(), Addresses: loopback}).Get(s.URL)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v, want an unknown authority", err)
	}
}

func TestOnlyHTTPSIsSpokenUnlessPlainIsAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	if _, err := client(t, outbound.Options{Addresses: loopback}).Get(s.URL); !errors.Is(err, outbound.ErrScheme) {
		t.Errorf("got %v, want %v", err, outbound.ErrScheme)
	}
	if _, err := client(t, outbound.Options{Addresses: loopback}).Post(s.URL, "text/plain", strings.NewReader("x")); !errors.Is(err, outbound.ErrScheme) {
		t.Errorf("a body: got %v, want %v", err, outbound.ErrScheme)
	}
	r, err := client(t, outbound.Options{Addresses: loopback, Plain: true}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

func TestRedirectsLeadNowhereElse(t *testing.T) {
	var elsewhere *httptest.Server
	s, roots := provider(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/", http.StatusTemporaryRedirect)
		case "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/here", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/self":
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		case "/here":
			_, _ = io.WriteString(w, "here")
		}
	})
	elsewhere, others := provider(t, func(http.ResponseWriter, *http.Request) { t.Error("somebody else was asked") })
	_ = others
	roots.AddCert(elsewhere.Certificate())
	c := client(t, outbound.Options{Roots: roots, Addresses: loopback})
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/away", 307}, {"GET", "/plain", 302}, {"GET", "/round", 302}, {"GET", "/self", 200},
		{"POST", "/self", 307}, {"POST", "/away", 307},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, strings.NewReader("secret"))
		r, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != tt.status {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.path, r.StatusCode, tt.status)
		}
	}
}

func TestAnswersAreReadToALimit(t *testing.T) {
	s, roots := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 100))
	})
	c := client(t, outbound.Options{Roots: roots, Addresses: loopback})
	for _, path := range []string{"/", "/chunked"} {
		for most, want := range map[int64]error{100: nil, 99: outbound.ErrTooLong} {
			r, err := c.Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := outbound.Read(r, most)
			if !errors.Is(err, want) || want == nil && len(b) != 100 {
				t.Errorf("%s: at most %d: got %d bytes, %v; want %v", path, most, len(b), err, want)
			}
		}
	}
}

func TestAProviderThatIsSilentTimesOut(t *testing.T) {
	done := make(chan struct{})
	s, roots := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.(http.Flusher).Flush()
		}
		<-done
	})
	t.Cleanup(func() { close(done) })
	c := client(t, outbound.Options{Roots: roots, Addresses: loopback})
	c.Timeout /= 20 // as it would be, sooner
	if _, err := c.Get(s.URL + "/head"); !outbound.TimedOut(err) {
		t.Errorf("head: got %v, want a timeout", err)
	}
	r, err := c.Get(s.URL + "/body")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := outbound.Read(r, 10); !outbound.TimedOut(err) {
		t.Errorf("body: got %v, want a timeout", err)
	}
	if outbound.TimedOut(outbound.ErrAddress) {
		t.Error("an address that is refused has not timed out")
	}
}
