package ipam

import (
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// needsAdvanced refuses on the free tier what only the advanced one has. what
// begins the sentence: "Pools in a private scope require".
func (i IPAM) needsAdvanced(what string) error {
	if i.Tier != Free {
		return nil
	}
	return refuse(Unsupported, "%s the advanced tier.", what)
}

// checkDowngrade says what an IPAM has that the free tier doesn't: that must go
// first (EC2 ModifyIpam, Tier). From a Tx what was looked at is guarded: a pool's
// creation changes its scope, and a scope's the IPAM.
//
// Allocations that other accounts hold would count, too. A pool has none: it
// serves its owner alone.
func (s *Service) checkDowngrade(r store.Reader, i IPAM) error {
	obstacle := func(format string, args ...any) error {
		args = append([]any{i.ID}, args...)
		return refuse(Dependency, "The ipam '%s' can't be changed to the free tier. "+format, args...)
	}
	if i.ExtraScopes > 0 {
		return obstacle("Delete the scopes beside its default ones, %d in number.", i.ExtraScopes)
	}
	if i.Policies > 0 {
		return obstacle("Delete its policies, %d in number.", i.Policies)
	}
	if what := s.obstacle(r, i); what != "" {
		return obstacle("Delete its %s.", what)
	}
	for _, sc := range s.scopesOf(r, i) {
		if sc.Authority != nil {
			return obstacle("Remove the external authority of ipam-scope '%s'.", sc.ID)
		}
		for id, p := range s.poolsByScope.Each(r, sc.ID) {
			switch {
			case sc.Type == Private:
				return obstacle("Delete the ipam-pool '%s', which is in a private scope.", id)
			case p.Locale != i.Region && p.Locale != NoLocale && p.Locale != GlobalLocale:
				return obstacle("Delete the ipam-pool '%s', whose locale '%s' is not the home region.", id, p.Locale)
			}
		}
	}
	return nil
}

// quarantine returns how long what is released in a pool stays out of use.
func (s *Service) quarantine(r store.Snapshot, pool string) time.Duration {
	if s.opts.FreeTierQuarantine == nil {
		return s.opts.Quarantine
	}
	p, _ := s.pools.Get(r, pool)
	if i, _ := s.ipams.Get(r, p.IPAMID); i.Tier == Free {
		return *s.opts.FreeTierQuarantine
	}
	return s.opts.Quarantine
}
