package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Timeout is how long a provider may take, from the look-up of its name to the last
// byte of its answer (ALB user guide, "Authenticate users": 5 seconds).
const Timeout = 5 * time.Second

const (
	maxHeader    = 32 << 10         // bytes of an answer's head
	maxRedirects = 3                // of a provider to itself
	maxIdle      = 4                // connections to a provider that are kept
	idleTimeout  = 30 * time.Second // for how long they are
)

// What is refused before anything has been sent.
var (
	ErrScheme  = errors.New("the URL is not https")
	ErrAddress = errors.New("the address is not a public one")
)

// ErrTooLong is an answer that is longer than it may be.
var ErrTooLong = errors.New("the answer is too long")

// Options are what the operator says about providers. The zero value is ready.
type Options struct {
	// Roots are believed about who a provider is; nil: those of the system.
	Roots *x509.CertPool

	// Addresses may be connected to beside those of the public internet.
	Addresses []netip.Prefix

	// Plain has URLs with http work too.
	Plain bool
}

// New returns a client for providers. It follows no redirect of a request with a
// body, and no other one to another host: the answer is the redirect then. It uses no
// proxy, as that would resolve names in our stead. Who has made it calls
// CloseIdleConnections in the end.
func New(o Options) *http.Client {
	d := net.Dialer{Control: o.control}
	return &http.Client{
		Timeout:       Timeout,
		CheckRedirect: stay,
		Transport: &transport{plain: o.Plain, Transport: &http.Transport{
			DialContext:            d.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
			DisableCompression:     true, // a short answer could be a long one
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
		}},
	}
}

// transport refuses what isn't https, redirects included.
type transport struct {
	plain bool
	*http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && (!t.plain || r.URL.Scheme != "http") {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, fmt.Errorf("%w: it begins with %q", ErrScheme, r.URL.Scheme)
	}
	return t.Transport.RoundTrip(r)
}

// stay lets a provider redirect to itself.
func stay(next *http.Request, before []*http.Request) error {
	first := before[0]
	if len(before) > maxRedirects || first.Method != http.MethodGet || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// control refuses addresses that may not be connected to. The resolver's are not ours:
// nothing that a rule says chooses them.
func (o *Options) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	a := at.Addr().Unmap().WithZone("")
	if !public(a) && !slices.ContainsFunc(o.Addresses, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return fmt.Errorf("connect to %s: %w", a, ErrAddress)
	}
	return nil
}

// special are the blocks of global unicast addresses that are not of the public
// internet (IANA special-purpose address registries), with those in which another
// address hides.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by a provider's customers: RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // RFC 6890
	netip.MustParsePrefix("192.0.2.0/24"),    // RFC 5737
	netip.MustParsePrefix("192.88.99.0/24"),  // RFC 7526
	netip.MustParsePrefix("198.18.0.0/15"),   // RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // RFC 5737
	netip.MustParsePrefix("203.0.113.0/24"),  // RFC 5737
	netip.MustParsePrefix("240.0.0.0/4"),     // RFC 1112
	netip.MustParsePrefix("::/96"),           // IPv4-compatible: RFC 4291 §2.5.5.1
	netip.MustParsePrefix("64:ff9b::/96"),    // translated: RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"),  // RFC 8215
	netip.MustParsePrefix("100::/64"),        // RFC 6666
	netip.MustParsePrefix("2001::/23"),       // Teredo among them: RFC 2928, RFC 4380
	netip.MustParsePrefix("2001:db8::/32"),   // RFC 3849
	netip.MustParsePrefix("2002::/16"),       // 6to4: RFC 3056
	netip.MustParsePrefix("3fff::/20"),       // RFC 9637
	netip.MustParsePrefix("5f00::/16"),       // RFC 9602
	netip.MustParsePrefix("fec0::/10"),       // RFC 3879
}

// public says whether an address, unmapped, is one of the public internet.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Read returns the body of an answer, ErrTooLong if it has more bytes than most, and
// closes it.
func Read(r *http.Response, most int64) ([]byte, error) {
	defer r.Body.Close()
	if r.ContentLength > most {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLong, r.ContentLength, most)
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case int64(len(b)) > most:
		return nil, fmt.Errorf("%w: the limit is %d bytes", ErrTooLong, most)
	}
	return b, nil
}

// TimedOut says whether err, of a request or of Read, is that the provider has taken
// too long.
func TimedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
