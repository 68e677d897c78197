package ipam

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Limits of policies (IPAM quotas).
const (
	maxPolicies    = 10 // of an IPAM
	maxPolicyRules = 10 // for one resource type in one locale
)

// PolicyUse is what a policy's rules are about (EC2 IpamPolicyResourceType).
type PolicyUse string

// The uses. Nothing here is of the last two.
const (
	ForLoadBalancers PolicyUse = "alb"
	ForElasticIPs    PolicyUse = "eip"
	ForDatabases     PolicyUse = "rds"
	ForNATGateways   PolicyUse = "rnat" // regional ones
)

// Policy says which pools an account's resources draw public addresses from
// when who makes them names none. It has an effect while it is enabled.
type Policy struct {
	ID, IPAMID      string
	Account, Region string        // Region is the IPAM's home
	Rules           []PolicyRules `json:",omitempty"` // by locale and use, none of them empty
	Modified        bool          `json:",omitempty"`
	Created         time.Time
}

// ToldState is the state that a describe tells.
func (p Policy) ToldState() State { return told(CreateComplete, p.Modified) }

// PolicyRules are the pools for one use in one region, to be tried in order.
type PolicyRules struct {
	Locale string
	Use    PolicyUse
	Pools  []string // ids; a pool may be gone since
}

func (r PolicyRules) compare(o PolicyRules) int {
	return cmp.Or(cmp.Compare(r.Locale, o.Locale), cmp.Compare(r.Use, o.Use))
}

// CreatePolicy is a request for a policy, which begins without rules.
type CreatePolicy struct {
	ID              string
	Account, Region string // Region is where the call was made
	IPAMID          string
	Tags            []tags.Tag
	Token           idempotency.Token
	Time            time.Time
}

// CreatePolicy makes a policy (CreateIpamPolicy).
func (s *Service) CreatePolicy(ctx context.Context, req CreatePolicy, dryRun func() error) (Policy, error) {
	p := Policy{ID: req.ID, IPAMID: req.IPAMID, Account: req.Account, Region: req.Region, Created: req.Time}
	made := p
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		prior, found, err := repeated(tx, s, req.Token, s.policies)
		if made = prior; found || err != nil {
			return err
		}
		made = p
		i, err := s.homeIPAM(tx, req.Account, req.Region, req.IPAMID)
		if err != nil {
			return err
		}
		if err := i.needsAdvanced("IPAM policies require"); err != nil {
			return err
		}
		if i.Policies >= maxPolicies {
			return refuse(OverLimit, "You've reached the limit for ipam-policies in ipam '%s'. You have created %d ipam-policies and you are limited to %d.", i.ID, i.Policies, maxPolicies)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		i.Policies++
		s.ipams.Put(tx, i.ID, i)
		s.policies.Put(tx, p.ID, p)
		s.tokens.Remember(tx, req.Token, p.ID)
		return s.tag(tx, p.Account, p.Region, p.ID, "ipam-policy", req.Tags)
	})
	if err != nil {
		return Policy{}, fmt.Errorf("create policy in ipam %s: %w", req.IPAMID, err)
	}
	return made, nil
}

// DeletePolicy deletes a policy that isn't enabled (DeleteIpamPolicy).
func (s *Service) DeletePolicy(ctx context.Context, account, region, id string, dryRun func() error) (Policy, error) {
	var p Policy
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if p, err = s.homePolicy(tx, account, region, id); err != nil {
			return err
		}
		if s.enabled(tx, account) == id {
			return refuse(Dependency, "The ipam-policy '%s' is enabled. Disable it first.", id)
		}
		if err := check(dryRun); err != nil {
			return err
		}
		i, _ := s.ipams.Get(tx, p.IPAMID) // which can't have gone before its policies
		i.Policies--
		s.ipams.Put(tx, i.ID, i)
		s.policies.Delete(tx, id)
		s.tags.Clear(tx, id)
		return nil
	})
	if err != nil {
		return Policy{}, fmt.Errorf("delete policy %s: %w", id, err)
	}
	return p, nil
}

// ModifyPolicyRules is a request to replace a policy's rules for a use in a
// locale; no pools clear them.
type ModifyPolicyRules struct {
	PolicyID, Account, Region string
	PolicyRules
}

// ModifyPolicyRules replaces rules (ModifyIpamPolicyAllocationRules). What was
// drawn stays where it is.
func (s *Service) ModifyPolicyRules(ctx context.Context, req ModifyPolicyRules, dryRun func() error) (PolicyRules, error) {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		p, err := s.homePolicy(tx, req.Account, req.Region, req.PolicyID)
		if err != nil {
			return err
		}
		if err := s.checkPolicyRules(tx, p, req.PolicyRules); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		p.Rules = slices.Clone(p.Rules)
		at, have := slices.BinarySearchFunc(p.Rules, req.PolicyRules, PolicyRules.compare)
		if have {
			p.Rules = slices.Delete(p.Rules, at, at+1)
		}
		if len(req.Pools) > 0 {
			p.Rules = slices.Insert(p.Rules, at, req.PolicyRules)
		}
		p.Modified = true
		s.policies.Put(tx, p.ID, p)
		return nil
	})
	if err != nil {
		return PolicyRules{}, fmt.Errorf("modify rules of policy %s: %w", req.PolicyID, err)
	}
	return req.PolicyRules, nil
}

// checkPolicyRules says whether resources of a region could draw from the pools.
func (s *Service) checkPolicyRules(tx *store.Tx, p Policy, rules PolicyRules) error {
	if len(rules.Pools) > maxPolicyRules {
		return refuse(OverLimit, "You've reached the limit for allocation rules of one resource type in one locale. You are limited to %d.", maxPolicyRules)
	}
	i, _ := s.ipams.Get(tx, p.IPAMID)
	if !slices.Contains(i.OperatingRegions, rules.Locale) {
		return refuse(InvalidValue, "The locale '%s' is not an operating region of the ipam '%s'.", rules.Locale, i.ID)
	}
	for n, id := range rules.Pools {
		pool, err := s.homePool(tx, p.Account, p.Region, id)
		switch {
		case err != nil:
			return err
		case slices.Contains(rules.Pools[:n], id):
			return refuse(InvalidValue, "The ipam-pool '%s' appears in more than one rule.", id)
		case pool.IPAMID != p.IPAMID:
			return refuse(InvalidValue, "The ipam-pool '%s' is not in the ipam '%s' of the policy.", id, p.IPAMID)
		case pool.Locale != rules.Locale:
			return refuse(InvalidValue, "The ipam-pool '%s' has the locale '%s'. It must be '%s', as the rule's.", id, pool.Locale, rules.Locale)
		case pool.ScopeType != Public || pool.Family != IPv4 || pool.AWSService != ServiceEC2:
			return refuse(InvalidValue, "The ipam-pool '%s' has no addresses for the resource type '%s'. It must be a public IPv4 pool with the AwsService 'ec2'.", id, rules.Use)
		}
	}
	return nil
}

// EnablePolicy has a policy decide for its account, in place of the one that did
// (EnableIpamPolicy).
func (s *Service) EnablePolicy(ctx context.Context, account, region, id string, dryRun func() error) error {
	return s.switchPolicy(ctx, account, region, id, dryRun, func(tx *store.Tx) { s.enabledPolicies.Put(tx, account, id) })
}

// DisablePolicy ends that (DisableIpamPolicy). One that isn't enabled stays so.
func (s *Service) DisablePolicy(ctx context.Context, account, region, id string, dryRun func() error) error {
	return s.switchPolicy(ctx, account, region, id, dryRun, func(tx *store.Tx) {
		if s.enabled(tx, account) == id {
			s.enabledPolicies.Delete(tx, account)
		}
	})
}

func (s *Service) switchPolicy(ctx context.Context, account, region, id string, dryRun func() error, f func(*store.Tx)) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.homePolicy(tx, account, region, id); err != nil {
			return err
		}
		if err := check(dryRun); err != nil {
			return err
		}
		f(tx)
		return nil
	})
	if err != nil {
		return fmt.Errorf("switch policy %s: %w", id, err)
	}
	return nil
}

// enabled returns the id of the policy that decides for an account, "" for none.
func (s *Service) enabled(r store.Reader, account string) string {
	id, _ := s.enabledPolicies.Get(r, account)
	return id
}

// EnabledPolicy returns the policy that decides for an account. There is at most
// one, whose rules are for whatever regions.
func (s *Service) EnabledPolicy(r store.Reader, account string) (Policy, bool) {
	return s.policies.Get(r, s.enabled(r, account))
}

// PolicyPools returns the pools that an account's policy has a resource of a
// region draw from, to be tried in order before the provider's own addresses;
// none if no rule is about it. A pool that the resource's maker names comes
// instead of them, not before them.
func (s *Service) PolicyPools(r store.Reader, account, region string, use PolicyUse) []string {
	p, ok := s.EnabledPolicy(r, account)
	if !ok {
		return nil
	}
	at, ok := slices.BinarySearchFunc(p.Rules, PolicyRules{Locale: region, Use: use}, PolicyRules.compare)
	if !ok {
		return nil
	}
	return p.Rules[at].Pools
}

// Policy returns the policy that an account names in the home region of its IPAM.
func (s *Service) Policy(r store.Reader, account, region, id string) (Policy, bool) {
	p, err := s.homePolicy(r, account, region, id)
	return p, err == nil
}

// Policies yields the policies of an account's IPAM whose home a region is, by
// id, from the id on.
func (s *Service) Policies(r store.Reader, account, region, from string) iter.Seq2[string, Policy] {
	return s.policiesByOwner.From(r, owner(account, region), from)
}

func (s *Service) homePolicy(r store.Reader, account, region, id string) (Policy, error) {
	p, ok := s.policies.Get(r, id)
	if !ok || p.Account != account || p.Region != region {
		return Policy{}, &NotFoundError{NounPolicy, id}
	}
	return p, nil
}
