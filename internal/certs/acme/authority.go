package acme

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/store"
)

// Options are what the operator decides about the authority.
type Options struct {
	Directory string // URL of its directory; https, but for names of a private network
	Email     string // that it may write to; "": none
	Roots     string // PEM file of who certifies the directory's server; "": the system's
	Resolver  string // HOST:PORT of a recursive resolver; "": the system's
	Sealer    *certs.Sealer
}

// Authority issues certificates by ACME. It implements certs.Authority.
type Authority struct {
	opts     Options
	roots    *x509.CertPool // nil: the system's
	resolver *net.Resolver
	vault    *vault

	mu      sync.Mutex // guards the following
	issuers map[string]*certmagic.ACMEIssuer
}

// New returns an authority that keeps what it must in st. Before st.Start; nothing
// is asked of the authority yet.
func New(st *store.Store, opts Options) *Authority {
	return &Authority{opts: opts, resolver: resolver(opts.Resolver), vault: newVault(st, opts.Sealer), issuers: map[string]*certmagic.ACMEIssuer{}}
}

// ReadRoots reads Options.Roots. Before the first order.
func (a *Authority) ReadRoots() error {
	if a.opts.Roots == "" {
		return nil
	}
	text, err := os.ReadFile(a.opts.Roots)
	if err != nil {
		return fmt.Errorf("read who certifies the ACME directory (acme.ca): %w", err)
	}
	a.roots = x509.NewCertPool()
	if !a.roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("read who certifies the ACME directory (acme.ca): %s has no certificate in PEM format", a.opts.Roots)
	}
	return nil
}

// issuer returns the one for an account of ours. It has connections of its own, so
// there is one for all orders.
func (a *Authority) issuer(account string) *certmagic.ACMEIssuer {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.issuers[account]; i != nil {
		return i
	}
	// An issuer reads nothing of its Config but the storage. Its errors come back
	// from Issue, with all that its log would say.
	i := certmagic.NewACMEIssuer(&certmagic.Config{Storage: a.vault.of(account)}, certmagic.ACMEIssuer{
		CA: a.opts.Directory, Email: a.opts.Email, Agreed: true, TrustedRoots: a.roots, DNS01Solver: solver{a}, Logger: zap.NewNop(),
	})
	a.issuers[account] = i
	return i
}

// Issue implements certs.Authority.
func (a *Authority) Issue(ctx context.Context, o certs.Order) (chain []byte, err error) {
	lock, name := a.vault.of(o.Account), "order "+o.ARN
	ours, err := lock.TryLock(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("lock the order of %s: %w", o.ARN, err)
	}
	if !ours {
		return nil, certs.ErrOrdering
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		err = errors.Join(err, lock.Unlock(ctx, name))
	}()
	csr, err := request(o)
	if err != nil {
		return nil, err
	}
	issuer := a.issuer(o.Account)
	if err := issuer.PreCheck(ctx, o.Names, false); err != nil {
		return nil, &certs.Refusal{Reason: certs.InvalidPublicDomain, Err: err}
	}
	issued, err := issuer.Issue(context.WithValue(ctx, orderOf{}, &o), csr)
	if err != nil {
		return nil, classify(err)
	}
	return issued.Certificate, nil
}

// request makes what an order certifies. The domain is the common name too, as far
// as one can be that long (RFC 5280, ub-common-name); authorities may leave it out.
func request(o certs.Order) (*x509.CertificateRequest, error) {
	template := &x509.CertificateRequest{DNSNames: o.Names}
	if len(o.Names[0]) <= 64 {
		template.Subject.CommonName = o.Names[0]
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, o.Key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return x509.ParseCertificateRequest(der)
}

// refusals are the problems (RFC 8555 §6.7) that the next order would meet too.
var refusals = map[string]certs.FailureReason{
	acme.ProblemTypeCAA:                   certs.CAAError,
	acme.ProblemTypeRejectedIdentifier:    certs.DomainNotAllowed,
	acme.ProblemTypeUnsupportedIdentifier: certs.InvalidPublicDomain,
	acme.ProblemTypeBadCSR:                certs.OtherReason,
}

func classify(err error) error {
	if p, ok := errors.AsType[acme.Problem](err); ok {
		if reason, final := refusals[p.Type]; final {
			return &certs.Refusal{Reason: reason, Err: err}
		}
	}
	return err
}

// resolver asks the recursive resolver at an address; "": the system's.
func resolver(address string) *net.Resolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
}

// lookTime is how long one look into DNS may take.
const lookTime = 10 * time.Second

// has says whether a text is among a name's TXT records. A name that isn't there has
// none.
func (a *Authority) has(ctx context.Context, name, text string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	texts, err := a.resolver.LookupTXT(ctx, name+".")
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return false, nil
	}
	return slices.Contains(texts, text), err
}

// Proven implements certs.Authority.
func (a *Authority) Proven(ctx context.Context, domains []certs.Domain) (bool, error) {
	for _, d := range domains {
		if found, err := a.has(ctx, d.Record, d.Marker); !found {
			return false, err
		}
	}
	return true, nil
}
