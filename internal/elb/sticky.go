package elb

import (
	"crypto/rand"
	"iter"
	"slices"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// cookieKeyBytes is how long a key for cookies is.
const cookieKeyBytes = 32

// withCookieKey gives the load balancer a key for the cookies by which its nodes
// know clients again, and have them log in, if the actions, or the target groups that
// they name, are the first ones that need it.
func (s *Service) withCookieKey(tx *store.Tx, b LoadBalancer, actions []Action) (LoadBalancer, error) {
	needed := sticky(actions) || slices.ContainsFunc(actions, func(a Action) bool { return a.OIDC != nil || a.Cognito != nil })
	for _, arn := range groupsOf(actions) {
		g, _ := s.groups.Get(tx, arn)
		needed = needed || g.stickyTargets()
	}
	if !needed {
		return b, nil
	}
	return s.keyed(b)
}

// giveCookieKeys does so with the load balancers that use the target group, if its
// clients stay with its targets. Whoever adds to the rules that name the group
// writes it.
func (s *Service) giveCookieKeys(tx *store.Tx, g TargetGroup) error {
	if !g.stickyTargets() {
		return nil
	}
	for _, arn := range s.balancersOfGroup(tx, g.ARN) {
		b, _ := s.balancers.Get(tx, arn)
		if len(b.CookieKey) > 0 {
			continue
		}
		b, err := s.keyed(b)
		if err != nil {
			return err
		}
		s.balancers.Put(tx, arn, b)
	}
	return nil
}

// withTicketKey gives the load balancer a key, if a listener has TLS: its nodes seal
// the tickets of sessions with what they derive from it.
func (s *Service) withTicketKey(b LoadBalancer, t *ListenerTLS) (LoadBalancer, error) {
	if t == nil {
		return b, nil
	}
	return s.keyed(b)
}

// keyed gives the load balancer a key, if it has none. It stays for all time: with
// another one every client would be a new one.
func (s *Service) keyed(b LoadBalancer) (LoadBalancer, error) {
	if len(b.CookieKey) > 0 {
		return b, nil
	}
	if s.opts.Seal == nil {
		return b, fail(InvalidAction, "This installation cannot keep secrets")
	}
	key := make([]byte, cookieKeyBytes)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	b.CookieKey = s.opts.Seal(key, snapshot.CookieSubject(b.ARN))
	return b, nil
}

// CookieKeys yields the keys of load balancers' cookies, encrypted for
// snapshot.CookieSubject, by ARN.
func (s *Service) CookieKeys(r store.Reader) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for arn, b := range s.balancers.All(r) {
			if len(b.CookieKey) > 0 && !yield(arn, b.CookieKey) {
				return
			}
		}
	}
}

// Sealed yields what is kept sealed, by the ARN of the load balancer or the rule
// that it belongs to.
func (s *Service) Sealed(r store.Reader) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for arn, key := range s.CookieKeys(r) {
			if !yield(arn, key) {
				return
			}
		}
		for arn, rule := range s.rules.All(r) {
			for _, a := range rule.Actions {
				if a.OIDC != nil && !yield(arn, a.OIDC.Sealed) {
					return
				}
			}
		}
	}
}

// sticky says whether clients stay with one of the target groups that the actions
// name. Of one there is nothing to choose.
func sticky(actions []Action) bool {
	for _, a := range actions {
		if a.Forward != nil && a.Forward.StickinessEnabled && len(a.Forward.TargetGroups) > 1 {
			return true
		}
	}
	return false
}

// stickyTargets says whether clients stay with a target of the group.
func (g TargetGroup) stickyTargets() bool { return g.Attributes["stickiness.enabled"] == "true" }

// checkStickyGroup refuses to have clients stay with a target of a group, where
// they don't stay with the group (ELB user guide, "Sticky sessions"). Whoever adds
// to the rules that name the group writes it.
func (s *Service) checkStickyGroup(tx *store.Tx, g TargetGroup) error {
	if !g.stickyTargets() {
		return nil
	}
	for arn, r := range s.rulesByGroup.Each(tx, g.ARN) {
		l, _ := s.listeners.Get(tx, r.ListenerARN)
		b, ok := s.balancers.Get(tx, r.LoadBalancerARN)
		if ok && !b.Deleted && !l.Deleted && len(groupsOf(r.Actions)) > 1 && !sticky(r.Actions) {
			return fail(InvalidConfiguration, "This target group appears behind a rule with group stickiness disabled (%s). You must enable group stickiness before enabling target stickiness", arn)
		}
	}
	return nil
}

// checkTogether holds the target groups of a forward action to each other and to
// the listener's protocol.
func checkTogether(protocol string, f *Forward, groups []TargetGroup) error {
	for _, g := range groups {
		switch {
		case protocol != "HTTPS" && g.ProtocolVersion != versionHTTP1 && g.ProtocolVersion != "":
			return fail(InvalidConfiguration, "Listener protocol '%s' is not supported with a target group with the protocol-version setting '%s'", protocol, g.ProtocolVersion)
		case len(groups) > 1 && !f.StickinessEnabled && g.stickyTargets():
			return fail(InvalidConfiguration, "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups")
		}
	}
	return nil
}

// checkOnProtocol checks actions that a rule has already, on a listener that is to
// have another protocol.
func (s *Service) checkOnProtocol(tx *store.Tx, protocol string, actions []Action) error {
	for _, a := range actions {
		if a.Redirect != nil {
			if err := checkRedirect(protocol, a.Redirect); err != nil {
				return err
			}
		}
		if a.Forward == nil {
			continue
		}
		var groups []TargetGroup
		for _, g := range a.Forward.TargetGroups {
			group, _ := s.groups.Get(tx, g.ARN) // it doesn't go while a rule names it
			groups = append(groups, group)
		}
		if err := checkTogether(protocol, a.Forward, groups); err != nil {
			return err
		}
	}
	return checkOrder(protocol, actions)
}
