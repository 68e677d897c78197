package acme_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/certs/acme"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/testkit/pebble"
)

// What certmagic and pebble begin and never end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).permit"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
		goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"),
	)
}

const (
	tenant   = "111122223333"
	stranger = "444455556666"
)

type world struct {
	*acme.Authority
	t      *testing.T
	ca     *pebble.CA
	dns    *pebble.Resolver
	engine store.Engine
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dns: pebble.Resolve(t), engine: memstore.New()}
	w.ca = pebble.Start(t, w.dns)
	sealer, err := certs.OpenKeyFile(filepath.Join(t.TempDir(), "certificates.key"))
	if err != nil {
		t.Fatal(err)
	}
	w.Authority = w.server(sealer)
	return w
}

// server is one of those that share the records.
func (w *world) server(sealer *certs.Sealer) *acme.Authority {
	w.t.Helper()
	st := store.New(w.engine, "/test", slog.New(slog.DiscardHandler))
	a := acme.New(st, acme.Options{Directory: w.ca.Directory, Email: "ops@shop.example", Roots: w.ca.Roots, Resolver: w.dns.Address, Sealer: sealer})
	if err := a.ReadRoots(); err != nil {
		w.t.Fatal(err)
	}
	if err := st.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(st.Close)
	return a
}

// order shows its answers at the domains themselves.
func (w *world) order(account string, names ...string) certs.Order {
	w.t.Helper()
	o := certs.Order{ARN: "arn:" + strings.Join(names, "+"), Account: account, Names: names, Key: key(w.t)}
	for _, n := range names {
		n = strings.TrimPrefix(n, "*.")
		if !slices.ContainsFunc(o.Domains, func(d certs.Domain) bool { return d.Name == n }) {
			o.Domains = append(o.Domains, certs.Domain{Name: n, Record: "_acme-challenge." + n, Marker: "marker of " + n})
		}
	}
	o.Show = func(_ context.Context, domain, value string) error {
		w.dns.AddTXT("_acme-challenge."+domain, value)
		return nil
	}
	o.Hide = func(_ context.Context, domain, value string) error {
		w.dns.RemoveTXT("_acme-challenge."+domain, value)
		return nil
	}
	return o
}

func key(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issued reads what an authority issued and holds it against its root.
func (w *world) issued(chain []byte) *x509.Certificate {
	w.t.Helper()
	var all []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, c)
	}
	if len(all) < 2 {
		w.t.Fatalf("got %d certificates, want one and what certifies it", len(all))
	}
	between := x509.NewCertPool()
	for _, c := range all[1:] {
		between.AddCert(c)
	}
	if _, err := all[0].Verify(x509.VerifyOptions{Roots: w.ca.Pool(), Intermediates: between}); err != nil {
		w.t.Error(err)
	}
	return all[0]
}

func TestACertificateIsIssuedForSeveralNames(t *testing.T) {
	w := newWorld(t)
	o := w.order(tenant, "shop.example", "*.shop.example", "www.other.example")
	for _, d := range o.Domains {
		if proven, err := w.Proven(t.Context(), o.Domains); proven || err != nil {
			t.Errorf("before all markers are there: got %v, %v", proven, err)
		}
		w.dns.AddTXT(d.Record, d.Marker)
	}
	if proven, err := w.Proven(t.Context(), o.Domains); !proven || err != nil {
		t.Errorf("with all markers: got %v, %v", proven, err)
	}
	for range 2 { // with an account that is made, and with that which was
		chain, err := w.Issue(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		leaf := w.issued(chain)
		if names := slices.Sorted(slices.Values(leaf.DNSNames)); !slices.Equal(names, []string{"*.shop.example", "shop.example", "www.other.example"}) {
			t.Errorf("got names %q", names)
		}
		if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(o.Key.Public()) {
			t.Error("the certificate is for another key")
		}
		for _, d := range o.Domains {
			if left := w.dns.TXT(d.Record); !slices.Equal(left, []string{d.Marker}) {
				t.Errorf("%s is left with %q, want the marker alone", d.Record, left)
			}
		}
	}
	if _, err := w.engine.Load(t.Context(), "", func(kv store.KV) error {
		if bytes.Contains(kv.Value, []byte("PRIVATE KEY")) || bytes.Contains(kv.Value, []byte("mailto:")) {
			t.Errorf("record %s is in plain text", kv.Key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// I8: what one account has proven to the authority is no proof for another.
func TestAnAccountsProofIsItsOwn(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Issue(t.Context(), w.order(tenant, "shop.example")); err != nil {
		t.Fatal(err)
	}
	proofs := 0
	o := w.order(tenant, "shop.example")
	show := o.Show
	o.Show = func(ctx context.Context, domain, value string) error { proofs++; return show(ctx, domain, value) }
	if _, err := w.Issue(t.Context(), o); err != nil || proofs != 0 {
		t.Errorf("the same account: got %v after %d proofs, want none: the authority remembers", err, proofs)
	}
	o.Account = stranger
	if _, err := w.Issue(t.Context(), o); err != nil || proofs != 1 {
		t.Errorf("another account: got %v after %d proofs, want one", err, proofs)
	}
}

func TestWhatTheAuthorityRefusesIsRefused(t *testing.T) {
	w := newWorld(t)
	w.ca.Refuse(t, "bank.example")
	_, err := w.Issue(t.Context(), w.order(tenant, "shop.example", "www.bank.example"))
	if r, ok := errors.AsType[*certs.Refusal](err); !ok || r.Reason != certs.DomainNotAllowed {
		t.Errorf("a domain that isn't issued for: got %v", err)
	}

	// A challenge that fails may succeed another time.
	o := w.order(tenant, "late.example")
	ctx, cancel := context.WithCancel(t.Context())
	show := o.Show
	o.Show = func(ctx context.Context, domain, value string) error { return show(ctx, domain, value+" or so") }
	o.Domains = []certs.Domain{{Name: "late.example", Record: "_acme-challenge.late.example"}}
	go cancelOnceShown(w, "_acme-challenge.late.example", cancel)
	_, err = w.Issue(ctx, o)
	if _, final := errors.AsType[*certs.Refusal](err); err == nil || final {
		t.Errorf("an order that was given up: got %v, want an error that is no refusal", err)
	}
}

// cancelOnceShown ends an order that waits for its answer.
func cancelOnceShown(w *world, record string, cancel func()) {
	for len(w.dns.TXT(record)) == 0 {
		select {
		case <-w.t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
}

// Not to know is an error, that the operator may see of it.
func TestDNSThatDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	w.dns.Delegate("zone.example", "127.0.0.1:1") // where nobody answers
	domains := []certs.Domain{{Name: "shop.zone.example", Record: "_acme-challenge.shop.zone.example", Marker: "marker"}}
	if proven, err := w.Proven(t.Context(), domains); proven || err == nil {
		t.Errorf("a zone that can't be asked: got %v, %v, want an error", proven, err)
	}
	st := store.New(memstore.New(), "/test", slog.New(slog.DiscardHandler))
	a := acme.New(st, acme.Options{Directory: w.ca.Directory, Resolver: "127.0.0.1:1"})
	if proven, err := a.Proven(t.Context(), domains); proven || err == nil {
		t.Errorf("a resolver that can't be asked: got %v, %v, want an error", proven, err)
	}
}

func TestOneServerOrdersACertificate(t *testing.T) {
	w := newWorld(t)
	o := w.order(tenant, "shop.example")
	show := o.Show
	var second error
	o.Show = func(ctx context.Context, domain, value string) error {
		_, second = w.Issue(ctx, o) // while the first is under way
		return show(ctx, domain, value)
	}
	if _, err := w.Issue(t.Context(), o); err != nil || !errors.Is(second, certs.ErrOrdering) {
		t.Errorf("got %v, and %v for a second order, want ErrOrdering", err, second)
	}
}

func TestRootsThatCantBeRead(t *testing.T) {
	st := store.New(memstore.New(), "/test", slog.New(slog.DiscardHandler))
	err := acme.New(st, acme.Options{Directory: "https://ca.example/dir", Roots: filepath.Join(t.TempDir(), "absent.pem")}).ReadRoots()
	if err == nil || !strings.Contains(err.Error(), "acme.ca") {
		t.Errorf("got %v, want an error that names the setting", err)
	}
}
