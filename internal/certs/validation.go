package certs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// An authority looks for the answer to its challenge in a TXT record at
// _acme-challenge.DOMAIN (RFC 8555 §8.4). Whoever owns the domain delegates that
// name to us with a CNAME, once and for all; the target lies in our zone, where the
// record appears whenever an authority asks. For names in our own zone it appears at
// both places, and nobody has to make a CNAME.
//
// The target's name is made from the account and the domain, so that all of an
// account's certificates for a domain share one CNAME, and that one account's
// CNAME proves nothing for another (I8).

// validation is what our zone says for one account and domain. Its key is
// ACCOUNT/DOMAIN.
type validation struct {
	Certificates int         // how many need it; the record goes with the last
	Challenges   []challenge `json:",omitempty"` // that an authority looks for now
}

type challenge struct {
	Value string
	Shown time.Time
}

// challengeTime is how long after its begin an order is surely over. What is older
// was left behind by a server that died.
const challengeTime = time.Hour

func validationKey(account, domain string) string { return account + "/" + domain }

// domainOf is the domain that is to be proven for a name: a wildcard's is its parent.
func domainOf(name string) string { return strings.TrimPrefix(name, "*.") }

// domains are those that are to be proven for a certificate, each once, in order.
func (c Certificate) domains() []string {
	var out []string
	for _, n := range c.Names {
		if d := domainOf(n); !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

func challengeRecord(domain string) string { return "_acme-challenge." + domain }

// token is what stands for an account's domain in DNS.
func token(account, domain string) string {
	sum := sha256.Sum256([]byte(validationKey(account, domain)))
	return hex.EncodeToString(sum[:16])
}

// marker is a text that our zone always has for an account's domain: who finds it at
// the domain's own record has seen that the CNAME leads here.
func marker(account, domain string) string {
	return "fairlead-validation=" + token(account, domain)
}

// within says whether a name is our zone's.
func (s *Service) within(name string) bool {
	return name == s.opts.Zone || strings.HasSuffix(name, "."+s.opts.Zone)
}

// delegated is the name in our zone that a domain's record is an alias of.
func (s *Service) delegated(account, domain string) string {
	return "_" + token(account, domain) + ".acm-validations." + s.opts.Zone
}

// Delegation returns the CNAME record that a certificate's name needs, both ends
// absolute. In our own zone it needs nobody to make it: the texts are there as well.
func (s *Service) Delegation(c Certificate, name string) (record, target string) {
	domain := domainOf(name)
	return challengeRecord(domain) + ".", s.delegated(c.Account, domain) + "."
}

// foreign says whether a certificate names something of our zone that isn't its
// account's.
func (s *Service) foreign(r store.Reader, c Certificate) bool {
	return slices.ContainsFunc(c.Names, func(n string) bool {
		if !s.within(domainOf(n)) {
			return false
		}
		return s.opts.OwnsName == nil || !s.opts.OwnsName(r, c.Account, n)
	})
}

func (s *Service) beginValidation(tx *store.Tx, c Certificate) {
	for _, d := range c.domains() {
		key := validationKey(c.Account, d)
		v, _ := s.validations.Get(tx, key)
		v.Certificates++
		s.validations.Put(tx, key, v)
	}
}

func (s *Service) endValidation(tx *store.Tx, c Certificate) {
	for _, d := range c.domains() {
		key := validationKey(c.Account, d)
		v, _ := s.validations.Get(tx, key)
		if v.Certificates--; v.Certificates <= 0 {
			s.validations.Delete(tx, key)
			continue
		}
		s.validations.Put(tx, key, v)
	}
}

// errUnwanted says that the certificate went while it was ordered.
var errUnwanted = errors.New("the certificate isn't wanted any more")

// show has our zone answer a challenge, and hide ends that.
func (s *Service) show(ctx context.Context, account, domain, value string, now time.Time) error {
	return s.changeChallenges(ctx, account, domain, now, func(old []challenge) []challenge {
		return append(old, challenge{value, now})
	})
}

func (s *Service) hide(ctx context.Context, account, domain, value string, now time.Time) error {
	err := s.changeChallenges(ctx, account, domain, now, func(old []challenge) []challenge {
		return slices.DeleteFunc(old, func(c challenge) bool { return c.Value == value })
	})
	if errors.Is(err, errUnwanted) {
		return nil
	}
	return err
}

func (s *Service) changeChallenges(ctx context.Context, account, domain string, now time.Time, change func([]challenge) []challenge) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		v, ok := s.validations.Get(tx, validationKey(account, domain))
		if !ok {
			return errUnwanted
		}
		live := slices.DeleteFunc(slices.Clone(v.Challenges), func(c challenge) bool { return now.Sub(c.Shown) > challengeTime })
		v.Challenges = change(live)
		s.validations.Put(tx, validationKey(account, domain), v)
		return nil
	})
}

// TextCollection is where the texts of our zone are records.
func (s *Service) TextCollection() string { return s.validations.Name() }

// Texts returns the names that a record's texts are at, without the trailing dot,
// and the texts; none if the record is gone.
func (s *Service) Texts(r store.Reader, key string) (names, texts []string) {
	v, ok := s.validations.Get(r, key)
	if !ok {
		return nil, nil
	}
	account, domain, _ := strings.Cut(key, "/")
	names = []string{s.delegated(account, domain)}
	if s.within(domain) {
		names = append(names, challengeRecord(domain))
	}
	texts = []string{marker(account, domain)}
	for _, c := range v.Challenges {
		texts = append(texts, c.Value)
	}
	return names, texts
}

// AllTexts yields the keys of all records with texts.
func (s *Service) AllTexts(r store.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := range s.validations.All(r) {
			if !yield(key) {
				return
			}
		}
	}
}
