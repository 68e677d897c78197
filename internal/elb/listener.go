package elb

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// CreateListener is ELBv2 CreateListener.
type CreateListener struct {
	Account, Region string
	LoadBalancerARN string
	Protocol        string
	Port            int // 0: not given
	TLS             TLSSettings
	Actions         []Action
	Tags            []tags.Tag
	ListenerHex     string // 16 hex digits, random
	RuleHex         string // of the default rule
}

// CreateListener opens a port of a load balancer, or returns the listener that
// has it already with the same settings (DuplicateListener otherwise).
func (s *Service) CreateListener(ctx context.Context, c CreateListener) (Listener, []Action, error) {
	var made Listener
	var actions []Action
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		b, err := s.LoadBalancer(tx, c.Account, c.Region, c.LoadBalancerARN)
		if err != nil {
			return err
		}
		if err := checkListener(c); err != nil {
			return err
		}
		secure, err := s.listenerTLS(tx, c.Account, c.Region, c.Protocol, nil, c.TLS)
		if err != nil {
			return err
		}
		actions, err = s.checkActions(tx, b, c.Protocol, c.Actions, nil)
		if err != nil {
			return err
		}
		port := portKey(Listener{LoadBalancerARN: b.ARN, Port: uint16(c.Port)})
		if arn, taken := s.ports.Get(tx, port); taken {
			made, _ = s.listeners.Get(tx, arn)
			if def, _ := s.DefaultRule(tx, arn); made.Protocol != c.Protocol || !made.TLS.same(secure) || !sameActions(def.Actions, actions) {
				return fail(DuplicateListener, "A listener already exists on this port for this load balancer '%s'", c.LoadBalancerARN)
			}
			return nil
		}
		if s.listenersByLB.Count(tx, b.ARN) >= s.opts.Quotas.ListenersPerBalancer {
			return fail(TooManyListeners, "You have reached the maximum number of listeners on load balancer '%s': %d", b.ARN, s.opts.Quotas.ListenersPerBalancer)
		}
		base := strings.Replace(b.ARN, ":loadbalancer/", ":listener/", 1) + "/" + c.ListenerHex
		made = Listener{ARN: base, LoadBalancerARN: b.ARN, Port: uint16(c.Port), Protocol: c.Protocol, TLS: secure}
		if err := s.checkVerifying(tx, made); err != nil {
			return err
		}
		if err := s.checkGroups(tx, b, actions); err != nil {
			return err
		}
		if b, err = s.withCookieKey(tx, b, actions); err != nil {
			return err
		}
		if b, err = s.withTicketKey(b, secure); err != nil {
			return err
		}
		// The load balancer stands for the set of its listeners and rules: written
		// anew, it makes others that count them at the same time count again.
		s.balancers.Put(tx, b.ARN, b)
		rule := Rule{
			ARN:             strings.Replace(base, ":listener/", ":listener-rule/", 1) + "/" + c.RuleHex,
			ListenerARN:     base,
			LoadBalancerARN: b.ARN,
			Actions:         actions,
		}
		s.listeners.Put(tx, made.ARN, made)
		s.rules.Put(tx, rule.ARN, rule)
		s.ports.Put(tx, port, made.ARN)
		return s.putTags(tx, c.Account, c.Region, made.ARN, "listener", c.Tags)
	})
	return made, actions, err
}

// ModifyListener is ELBv2 ModifyListener; what isn't given stays as it is.
type ModifyListener struct {
	Account, Region, ARN string
	Protocol             string // "": not given
	Port                 int    // 0: not given
	TLS                  TLSSettings
	Actions              []Action
}

// ModifyListener changes a listener's port, protocol, TLS or default actions.
func (s *Service) ModifyListener(ctx context.Context, m ModifyListener) (Listener, []Action, error) {
	var l Listener
	var rule Rule
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if l, err = s.Listener(tx, m.Account, m.Region, m.ARN); err != nil {
			return err
		}
		b, err := s.LoadBalancer(tx, m.Account, m.Region, l.LoadBalancerARN)
		if err != nil {
			return err
		}
		before := l
		l.Protocol = cmp.Or(m.Protocol, l.Protocol)
		port := cmp.Or(m.Port, int(l.Port))
		if err := checkListener(CreateListener{Protocol: l.Protocol, Port: port}); err != nil {
			return err
		}
		if before.TLS == nil && l.Protocol == "HTTPS" && m.TLS.Policy == "" {
			return fail(Invalid, "A security policy must be specified when the protocol of a listener becomes HTTPS")
		}
		if l.TLS, err = s.listenerTLS(tx, m.Account, m.Region, l.Protocol, before.TLS, m.TLS); err != nil {
			return err
		}
		if !before.verifies() { // a quota that was lowered takes nothing away
			if err := s.checkVerifying(tx, l); err != nil {
				return err
			}
		}
		if l.Port = uint16(port); l.Port != before.Port {
			if _, taken := s.ports.Get(tx, portKey(l)); taken {
				return fail(DuplicateListener, "A listener already exists on this port for this load balancer '%s'", b.ARN)
			}
			s.ports.Delete(tx, portKey(before))
			s.ports.Put(tx, portKey(l), l.ARN)
		}
		rule, _ = s.DefaultRule(tx, l.ARN)
		if len(m.Actions) > 0 {
			if rule.Actions, err = s.checkActions(tx, b, l.Protocol, m.Actions, rule.Actions); err != nil {
				return err
			}
			if err := s.checkGroups(tx, b, rule.Actions); err != nil {
				return err
			}
			if b, err = s.withCookieKey(tx, b, rule.Actions); err != nil {
				return err
			}
			s.rules.Put(tx, rule.ARN, rule)
		}
		if l.Protocol != before.Protocol {
			for _, r := range s.rulesByListener.Each(tx, l.ARN) {
				if err := s.checkOnProtocol(tx, l.Protocol, r.Actions); err != nil {
					return err
				}
			}
		}
		if b, err = s.withTicketKey(b, l.TLS); err != nil {
			return err
		}
		s.balancers.Put(tx, b.ARN, b) // stands for the set of its listeners and rules
		s.listeners.Put(tx, l.ARN, l)
		return nil
	})
	return l, rule.Actions, err
}

// portKey names the listener's port among those of its load balancer.
func portKey(l Listener) string { return l.LoadBalancerARN + "|" + strconv.Itoa(int(l.Port)) }

func checkListener(c CreateListener) error {
	switch {
	case c.Protocol == "":
		return fail(Invalid, "A listener protocol must be specified")
	case c.Protocol != "HTTP" && c.Protocol != "HTTPS":
		return fail(Invalid, "Listener protocol '%s' must be one of 'HTTP, HTTPS'", c.Protocol)
	case c.Port == 0:
		return fail(Invalid, "A listener port must be specified")
	case c.Port < 1 || c.Port > 65535:
		return fail(Invalid, "Listener port '%d' must be between '1-65535' inclusive", c.Port)
	}
	return nil
}

func sameActions(a, b []Action) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameAction(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameAction(a, b Action) bool {
	switch {
	case a.Type != b.Type || a.Order != b.Order:
		return false
	case a.FixedResponse != nil:
		return *a.FixedResponse == *b.FixedResponse
	case a.Redirect != nil:
		return *a.Redirect == *b.Redirect
	case a.OIDC != nil:
		x, y := *a.OIDC, *b.OIDC
		x.Sealed, y.Sealed = nil, nil // never the same twice, whatever is sealed
		return reflect.DeepEqual(x, y)
	case a.Cognito != nil:
		return reflect.DeepEqual(a.Cognito, b.Cognito)
	case a.JWT != nil:
		return reflect.DeepEqual(a.JWT, b.JWT)
	case a.Forward != nil:
		x, y := a.Forward, b.Forward
		if len(x.TargetGroups) != len(y.TargetGroups) || x.StickinessEnabled != y.StickinessEnabled || x.StickinessDuration != y.StickinessDuration {
			return false
		}
		for i := range x.TargetGroups {
			if x.TargetGroups[i] != y.TargetGroups[i] {
				return false
			}
		}
	}
	return true
}

// Listener returns a listener of the account by ARN.
func (s *Service) Listener(r store.Reader, account, region, arn string) (Listener, error) {
	l, ok := s.listeners.Get(r, arn)
	if ok = ok && !l.Deleted; ok {
		_, err := s.LoadBalancer(r, account, region, l.LoadBalancerARN)
		ok = err == nil
	}
	if !ok {
		return Listener{}, fail(ListenerNotFound, "One or more listeners not found")
	}
	return l, nil
}

// Listeners yields a load balancer's listeners by ARN, from the given ARN on.
func (s *Service) Listeners(r store.Reader, loadBalancerARN, from string) iter.Seq2[string, Listener] {
	return s.listenersByLB.From(r, loadBalancerARN, from)
}

// DeleteListener closes a port of a load balancer; its rules go with it. They are
// more than one transaction holds: the first makes all of it vanish, and those
// that clear away are carried on by the controller if they are interrupted.
func (s *Service) DeleteListener(ctx context.Context, account, region, arn string) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		l, err := s.Listener(tx, account, region, arn)
		if err != nil {
			return err
		}
		l.Deleted = true
		s.listeners.Put(tx, arn, l)
		s.ports.Delete(tx, portKey(l))
		s.tags.Clear(tx, arn)
		return nil
	})
	if err != nil {
		return err
	}
	failpoint.Hit("elb.listener-deleted")
	return s.clearListener(ctx, arn)
}

// rulesPerCommit is how many rules one transaction deletes, with their tags.
const rulesPerCommit = store.MaxTxnOps/2 - 1

// clearListener deletes the rules of a listener that is deleted, and then its
// record. It may be repeated.
func (s *Service) clearListener(ctx context.Context, arn string) error {
	for more := true; more; {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			more = false
			if l, ok := s.listeners.Get(tx, arn); !ok || !l.Deleted {
				return nil
			}
			n := 0
			for rule := range s.rulesByListener.Each(tx.Snapshot(), arn) {
				if n++; n > rulesPerCommit {
					more = true
					return nil
				}
				s.rules.Delete(tx, rule)
				s.tags.Clear(tx, rule)
			}
			s.listeners.Delete(tx, arn)
			return nil
		})
		if err != nil {
			return fmt.Errorf("clear away listener %s: %w", arn, err)
		}
	}
	return nil
}
