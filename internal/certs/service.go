package certs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// DefaultQuota is how many certificates an account may have in a region (ACM
// quota "ACM certificates").
const DefaultQuota = 2500

// Options are what the room needs from outside.
type Options struct {
	Sealer *Sealer
	Quota  int // certificates per account and region; 0: DefaultQuota

	// InUseBy returns the ARNs of what uses a certificate; nil: nothing does.
	InUseBy func(r store.Reader, arn string) []string

	Tokens    *idempotency.Service // of requests
	Authority Authority            // nil: certificates can't be requested
	Zone      string               // that our DNS server answers for, without the trailing dot

	// OwnsName says whether a name within Zone is the account's. Nobody else gets a
	// certificate for it.
	OwnsName func(r store.Reader, account, name string) bool
}

// Service keeps certificates.
type Service struct {
	store *store.Store
	tags  *tags.Service
	opts  Options

	certificates *store.Collection[Certificate]
	byOwner      *store.Index[Certificate] // account/region
	uses         *store.Collection[stamp]  // by certificate ARN: stands for the set of what uses it
	owners       *store.Collection[stamp]  // by account/region: stands for the set of its certificates
	validations  *store.Collection[validation]
}

// stamp is a record that stands for a set: who changes the set writes it.
type stamp struct{ N uint64 }

func bump(tx *store.Tx, c *store.Collection[stamp], key string) {
	s, _ := c.Get(tx, key)
	s.N++
	c.Put(tx, key, s)
}

// New declares the room's collections in st.
func New(st *store.Store, tg *tags.Service, opts Options) *Service {
	if opts.Quota == 0 {
		opts.Quota = DefaultQuota
	}
	s := &Service{store: st, tags: tg, opts: opts}
	s.certificates = store.NewCollection[Certificate](st, "certs.certificate", 1)
	s.byOwner = s.certificates.Index(func(c Certificate) []string { return []string{owner(c.Account, c.Region)} })
	s.uses = store.NewCollection[stamp](st, "certs.use", 1)
	s.owners = store.NewCollection[stamp](st, "certs.owner", 1)
	s.validations = store.NewCollection[validation](st, "certs.validation", 1)
	return s
}

func owner(account, region string) string { return account + "/" + region }

// Collection is the name of the collection that certificates are in, by ARN.
func (s *Service) Collection() string { return s.certificates.Name() }

// CheckKeys says whether every private key in the store is sealed under the key
// file that there is, and whatever else is, which others yields with the ARN that
// it belongs to. With another file nothing could be served.
func (s *Service) CheckKeys(others iter.Seq2[string, []byte]) error {
	n, first := 0, ""
	check := func(at string, sealed []byte) {
		if s.opts.Sealer.check(sealed) != nil {
			if n++; n == 1 {
				first = at
			}
		}
	}
	for at, c := range s.All(s.store.Snapshot()) {
		if c.HasContent() {
			check(at, c.Key)
		}
	}
	for at, sealed := range others {
		check(at, sealed)
	}
	if n > 0 {
		return fmt.Errorf("certificate key file %s: %d keys and secrets (that of %s first) are %w: put that one back", s.opts.Sealer.path, n, first, errOtherKey)
	}
	return nil
}

// Import is ACM ImportCertificate.
type Import struct {
	Account, Region string
	ARN             string // of the certificate to replace; "": a new one
	ID              string // of a new one: a random UUID
	Material        Material
	Tags            []tags.Tag // of a new one
	Time            time.Time
}

// Import adds a certificate, or puts another content in the place of an imported
// one's, which whoever uses it then serves with.
func (s *Service) Import(ctx context.Context, in Import) (Certificate, error) {
	content, err := in.Material.read(in.Time)
	if err != nil {
		return Certificate{}, err
	}
	var made Certificate
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if in.ARN == "" {
			made = Certificate{ARN: s.arn(in.Account, in.Region, in.ID), Account: in.Account, Region: in.Region, Type: Imported, Created: in.Time}
			err = s.add(tx, made, in.Tags)
		} else {
			made, err = s.replaceable(tx, in, content.facts)
		}
		if err != nil {
			return err
		}
		made.Facts, made.Body, made.Chain, made.Updated = content.facts, content.body, content.chain, in.Time
		made.Key = s.opts.Sealer.Seal(content.key, made.ARN)
		s.certificates.Put(tx, made.ARN, made)
		return nil
	})
	return made, err
}

func (s *Service) arn(account, region, id string) string {
	return arn.New("acm", region, account, "certificate/"+id).String()
}

// add makes room for a new certificate, which the caller writes.
func (s *Service) add(tx *store.Tx, c Certificate, tg []tags.Tag) error {
	key := owner(c.Account, c.Region)
	if s.byOwner.Count(tx, key) >= s.opts.Quota {
		return fail(TooMany, "You have reached the maximum number of certificates, %d. Delete certificates that are not in use.", s.opts.Quota)
	}
	bump(tx, s.owners, key)
	return s.putTags(tx, c, tg)
}

// replaceable returns the certificate that an import replaces. The new content
// must be one that its users can go on with (ACM user guide, "Reimport a
// certificate").
func (s *Service) replaceable(tx *store.Tx, in Import, next Facts) (Certificate, error) {
	c, err := s.Certificate(tx, in.Account, in.Region, in.ARN)
	if err != nil {
		return Certificate{}, err
	}
	switch {
	case c.Type != Imported:
		return Certificate{}, fail(Invalid, "Certificate %s was not imported, and only an imported one can be replaced by an import.", c.ARN)
	case len(in.Tags) > 0:
		return Certificate{}, fail(Invalid, "You cannot apply tags when you reimport a certificate. Use AddTagsToCertificate.")
	case next.KeyAlgorithm != c.KeyAlgorithm:
		return Certificate{}, fail(Invalid, "The key type and size of a reimported certificate cannot be changed: it has %s, and the new one %s.", c.KeyAlgorithm, next.KeyAlgorithm)
	case len(c.Names) > 0 && len(next.Names) == 0:
		return Certificate{}, fail(Invalid, "You cannot remove all of the domain names from a certificate that you reimport.")
	}
	for _, u := range c.KeyUsages {
		if !slices.Contains(next.KeyUsages, u) && u != "ANY" {
			return Certificate{}, fail(Invalid, "You cannot remove the key usage %s from a certificate that you reimport.", u)
		}
	}
	for _, u := range c.ExtendedKeyUsages {
		if !slices.Contains(next.ExtendedKeyUsages, u) && u.Name != "NONE" {
			return Certificate{}, fail(Invalid, "You cannot remove the extended key usage %s from a certificate that you reimport.", u.Name)
		}
	}
	return c, nil
}

// Certificate returns a certificate of the account by ARN. Another account's is
// as absent as one that never was.
func (s *Service) Certificate(r store.Reader, account, region, at string) (Certificate, error) {
	c, ok := s.certificates.Get(r, at)
	if !ok || c.Account != account || c.Region != region {
		return Certificate{}, fail(NotFound, "Could not find certificate %s.", at)
	}
	return c, nil
}

// Certificates returns all certificates of an account in a region, by ARN.
func (s *Service) Certificates(r store.Reader, account, region string) []Certificate {
	var out []Certificate
	for _, c := range s.byOwner.Each(r, owner(account, region)) {
		out = append(out, c)
	}
	return out
}

// All yields every account's certificates, by ARN.
func (s *Service) All(r store.Reader) iter.Seq2[string, Certificate] { return s.certificates.All(r) }

// ByARN returns a certificate, whoever's it is: for who has checked that already.
func (s *Service) ByARN(r store.Reader, at string) (Certificate, bool) {
	return s.certificates.Get(r, at)
}

// InUseBy returns the ARNs of what uses a certificate.
func (s *Service) InUseBy(r store.Reader, at string) []string {
	if s.opts.InUseBy == nil {
		return nil
	}
	return s.opts.InUseBy(r, at)
}

// Use has certificates stay from tx on, as long as Options.InUseBy names a user.
func (s *Service) Use(tx *store.Tx, arns []string) {
	for _, at := range arns {
		bump(tx, s.uses, at)
	}
}

// Delete removes a certificate with its private key, unless it is in use.
func (s *Service) Delete(ctx context.Context, account, region, at string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := s.Certificate(tx, account, region, at)
		if err != nil {
			return err
		}
		_, used := s.uses.Get(tx, at) // guards what InUseBy says
		if len(s.InUseBy(tx, at)) > 0 {
			return fail(InUse, "Certificate %s in account %s is in use.", at, account)
		}
		if used {
			s.uses.Delete(tx, at)
		}
		if c.Issuance.validates() {
			s.endValidation(tx, c)
		}
		s.certificates.Delete(tx, at)
		s.tags.Clear(tx, at)
		return nil
	})
}

func (s *Service) putTags(tx *store.Tx, c Certificate, tg []tags.Tag) error {
	if len(tg) == 0 {
		return nil
	}
	err := s.tags.Put(tx, tags.Set{Account: c.Account, Region: c.Region, Resource: c.ARN, Type: "certificate", Tags: tg})
	if errors.Is(err, tags.ErrTooMany) {
		return fail(TooManyTags, "A certificate can have at most %d tags.", tags.Max)
	}
	return err
}

// AddTags sets tags of a certificate.
func (s *Service) AddTags(ctx context.Context, account, region, at string, tg []tags.Tag) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := s.Certificate(tx, account, region, at)
		if err != nil {
			return err
		}
		return s.putTags(tx, c, tg)
	})
}

// RemoveTags removes those of a certificate's tags for which drop is true.
func (s *Service) RemoveTags(ctx context.Context, account, region, at string, drop func(tags.Tag) bool) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.Certificate(tx, account, region, at); err != nil {
			return err
		}
		s.tags.Remove(tx, at, drop)
		return nil
	})
}

// Tags returns a certificate's tags, by key.
func (s *Service) Tags(r store.Reader, account, region, at string) ([]tags.Tag, error) {
	if _, err := s.Certificate(r, account, region, at); err != nil {
		return nil, err
	}
	return s.tags.Of(r, at), nil
}
