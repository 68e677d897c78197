package elb

import (
	"context"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// Certificates is the certs room, as listeners see it.
type Certificates interface {
	// Certificate finds a certificate by ARN, whoever's it is.
	Certificate(r store.Reader, arn string) (Certificate, bool)
	// Use has certificates stay from tx on, as long as Service.CertificateUsers
	// names somebody.
	Use(tx *store.Tx, arns []string)
	// Collection is where certificates are records, by ARN.
	Collection() string
}

// Certificate is a certificate that a listener may have.
type Certificate struct {
	Account, Region    string
	KeyAlgorithm       string   // "RSA_2048", "EC_prime256v1"
	SignatureAlgorithm string   // "SHA256WITHRSA"
	Hosts              []string // names that clients may ask it for, in lower case; "*" for a first label
	PEM                string   // the certificate and what certifies it, in order; "": not issued yet
	Key                []byte   // its private key, sealed for who serves it
}

// usable says whether a listener can have the certificate (ELB user guide, "SSL
// certificates for your Application Load Balancer").
func (c Certificate) usable() bool {
	weak := strings.HasPrefix(c.SignatureAlgorithm, "MD5") || strings.HasPrefix(c.SignatureAlgorithm, "SHA1")
	return c.PEM != "" && len(c.Hosts) > 0 && !weak && c.KeyAlgorithm != "RSA_1024"
}

// ListenerTLS is how an HTTPS listener speaks TLS.
type ListenerTLS struct {
	Policy      string   // name of an SSLPolicy
	Certificate string   // ARN of the default certificate
	More        []string `json:",omitempty"` // ARNs of those that clients choose by name, sorted; the default one may be among them
	Mutual      *Mutual  `json:",omitempty"` // nil: clients don't authenticate themselves
}

// all returns the ARNs of a listener's certificates, each once, the default one
// first.
func (t *ListenerTLS) all() []string {
	if t == nil {
		return nil
	}
	out := []string{t.Certificate}
	for _, arn := range t.More {
		if arn != t.Certificate {
			out = append(out, arn)
		}
	}
	return out
}

// same says whether two listeners were given the same TLS. Certificates that were
// added later don't count.
func (t *ListenerTLS) same(o *ListenerTLS) bool {
	if t == nil || o == nil {
		return t == o
	}
	a, b := t.Mutual, o.Mutual
	return t.Policy == o.Policy && t.Certificate == o.Certificate && (a == b || a != nil && b != nil && *a == *b)
}

// TLSSettings is what a call says of a listener's TLS.
type TLSSettings struct {
	Policy       string   // "": not given
	Certificates []string // ARNs; nil: not given
	Mutual       Mutual   // without a mode: not given
}

func (t TLSSettings) given() bool {
	return t.Policy != "" || t.Certificates != nil || t.Mutual.Mode != ""
}

// listenerTLS decides how a listener of the protocol speaks TLS: as it did before,
// if it did, but for what is given. It is nil for HTTP, whose former TLS goes.
func (s *Service) listenerTLS(tx *store.Tx, account, region, protocol string, before *ListenerTLS, in TLSSettings) (*ListenerTLS, error) {
	if protocol != "HTTPS" {
		if in.given() {
			return nil, fail(Invalid, "Certificates, SSL policies and mutual authentication can be specified only for HTTPS listeners")
		}
		return nil, nil
	}
	switch {
	case len(in.Certificates) > 1 || in.Certificates != nil && len(in.Certificates) == 0:
		return nil, fail(Invalid, "You must provide a list containing exactly one certificate if the listener protocol is HTTPS.")
	case before == nil && in.Certificates == nil:
		return nil, fail(Invalid, "A certificate must be specified for HTTPS listeners")
	}
	next := ListenerTLS{Policy: DefaultSSLPolicy}
	if before != nil {
		next = *before
	}
	if in.Policy != "" {
		if _, err := SSLPolicyNamed(in.Policy); err != nil {
			return nil, err
		}
		next.Policy = in.Policy
	}
	if in.Certificates != nil {
		next.Certificate = in.Certificates[0]
		if err := s.takeUp(tx, account, region, next.Certificate); err != nil {
			return nil, err
		}
	}
	if in.Mutual.Mode != "" {
		var err error
		if next.Mutual, err = s.takeMutual(tx, account, region, in.Mutual); err != nil {
			return nil, err
		}
	}
	return &next, nil
}

// takeUp has a listener begin to use a certificate.
func (s *Service) takeUp(tx *store.Tx, account, region, arn string) error {
	var c Certificate
	ok := s.opts.Certificates != nil
	if ok {
		c, ok = s.opts.Certificates.Certificate(tx, arn)
	}
	switch {
	case !ok || c.Account != account || c.Region != region:
		return fail(CertificateNotFound, "Certificate '%s' not found", arn)
	case !c.usable():
		return fail(UnsupportedCertificate, "The certificate '%s' must have a fully-qualified domain name, a supported signature, and a supported key size.", arn)
	}
	s.opts.Certificates.Use(tx, []string{arn})
	return nil
}

// CertificateUsers returns the ARNs of the load balancers that a certificate is
// used by, each once. One that is deleted uses its certificates until it has
// drained.
func (s *Service) CertificateUsers(r store.Reader, arn string) []string {
	var users []string
	for _, l := range s.listenersByCertificate.Each(r, arn) {
		users = append(users, l.LoadBalancerARN)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// AddCertificate adds a certificate to those that clients of an HTTPS listener
// choose by name. One that is there already is no error.
func (s *Service) AddCertificate(ctx context.Context, account, region, listenerARN, arn string) error {
	return s.changeCertificates(ctx, account, region, listenerARN, func(tx *store.Tx, l Listener, t *ListenerTLS) error {
		at, found := slices.BinarySearch(t.More, arn)
		if found {
			return nil
		}
		if err := s.takeUp(tx, account, region, arn); err != nil {
			return err
		}
		if limit := s.opts.Quotas.CertificatesPerBalancer; s.certificatesOf(tx, l.LoadBalancerARN) >= limit {
			return fail(TooManyCertificates, "You have reached the maximum number of certificates on load balancer '%s': %d", l.LoadBalancerARN, limit)
		}
		t.More = slices.Insert(slices.Clone(t.More), at, arn)
		return nil
	})
}

// RemoveCertificate removes what AddCertificate added. The default certificate
// can't be removed; one that isn't there is no error.
func (s *Service) RemoveCertificate(ctx context.Context, account, region, listenerARN, arn string) error {
	return s.changeCertificates(ctx, account, region, listenerARN, func(_ *store.Tx, _ Listener, t *ListenerTLS) error {
		at, found := slices.BinarySearch(t.More, arn)
		switch {
		case found:
			t.More = slices.Delete(slices.Clone(t.More), at, at+1)
		case arn == t.Certificate:
			return fail(OperationNotPermitted, "The default certificate of listener '%s' cannot be removed; replace it with ModifyListener", listenerARN)
		}
		return nil
	})
}

func (s *Service) changeCertificates(ctx context.Context, account, region, listenerARN string, change func(*store.Tx, Listener, *ListenerTLS) error) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		l, err := s.Listener(tx, account, region, listenerARN)
		if err != nil {
			return err
		}
		if l.TLS == nil {
			return fail(Invalid, "Certificates can be added to and removed from HTTPS listeners alone; listener '%s' has protocol %s", listenerARN, l.Protocol)
		}
		next := *l.TLS
		if err := change(tx, l, &next); err != nil {
			return err
		}
		b, err := s.LoadBalancer(tx, account, region, l.LoadBalancerARN)
		if err != nil {
			return err
		}
		l.TLS = &next
		s.balancers.Put(tx, b.ARN, b) // stands for the set of its listeners' certificates
		s.listeners.Put(tx, l.ARN, l)
		return nil
	})
}

// certificatesOf counts the certificates that were added to a load balancer's
// listeners; the default ones don't count.
func (s *Service) certificatesOf(r store.Reader, loadBalancerARN string) int {
	n := 0
	for _, l := range s.listenersByLB.Each(r, loadBalancerARN) {
		if l.TLS != nil {
			n += len(l.TLS.More)
		}
	}
	return n
}
