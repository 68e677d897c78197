package route

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// Table is one listener's rules, compiled.
type Table struct {
	rules []Rule
	index index
}

// Rule is one rule, compiled.
type Rule struct {
	ARN      string
	Priority int // 0: the default rule
	Index    int // in the table
	Action   Action
	Guard    *snapshot.Action // the one before that, which decides who gets to it; nil: all do

	// Evaluated is how many rules are evaluated for a request that meets this one,
	// the default rule not counted (CloudWatch RuleEvaluations). The index saves the
	// work, not the count.
	Evaluated int

	conditions []condition // all must hold
	host, url  *rewrite    // nil: they stay as they are
}

// Kind is what a rule's action does.
type Kind uint8

// The kinds of action. The zero value is an action that a node can't perform;
// it answers 501.
const (
	Unsupported Kind = iota
	Forward
	Fixed
	Redirect
)

// Action is what happens with a request that meets a rule: the rule's routing
// action.
type Action struct {
	Kind   Kind
	Fixed  snapshot.FixedResponse // Fixed
	Shares []Share                // Forward: the target groups to choose from

	// Stickiness is how long a client is to stay with one of several Shares since
	// it was last answered; 0: each request goes by itself.
	Stickiness time.Duration

	redirect redirect // Redirect: see AppendLocation

	total  uint64 // sum of the weights
	stride uint64 // between the places of two requests in a round of total
}

// Share is one target group of a forward action.
type Share struct {
	Group  int // what Compile's groups gave for the target group
	Weight int
	Mark   Mark
}

// Mark tells a target group from others in a cookie. It is the same on every node,
// whatever else there is in the assignment.
type Mark [8]byte

func markOf(arn string) (m Mark) {
	sum := sha256.Sum256([]byte(arn))
	copy(m[:], sum[:])
	return m
}

// Compile makes the table of a listener. groups gives the number by which the
// caller knows a target group. It fails if an action names a target group that
// groups doesn't know, or if a condition has no meaning: such an assignment must
// not be applied.
func Compile(l snapshot.Listener, groups func(arn string) (int, bool)) (*Table, error) {
	t := &Table{rules: make([]Rule, 0, len(l.Rules))}
	for _, r := range l.Rules {
		rule := Rule{ARN: r.ARN, Priority: r.Priority, Index: len(t.rules), Evaluated: len(t.rules)}
		if r.Priority > 0 {
			rule.Evaluated++
		}
		for _, c := range r.Conditions {
			compiled, err := compileCondition(c)
			if err != nil {
				return nil, fmt.Errorf("compile rule %s: %w", r.ARN, err)
			}
			rule.conditions = append(rule.conditions, compiled)
		}
		for _, x := range r.Transforms {
			compiled, err := compileRewrite(x)
			if err != nil {
				return nil, fmt.Errorf("compile rule %s: %w", r.ARN, err)
			}
			switch x.Type {
			case snapshot.TransformHost:
				rule.host = compiled
			case snapshot.TransformURL:
				rule.url = compiled
			default:
				return nil, fmt.Errorf("compile rule %s: transform %q is unknown", r.ARN, x.Type)
			}
		}
		var err error
		if rule.Guard, rule.Action, err = compileActions(r.Actions, groups); err != nil {
			return nil, fmt.Errorf("compile rule %s: %w", r.ARN, err)
		}
		t.rules = append(t.rules, rule)
	}
	t.index = newIndex(t.rules)
	return t, nil
}

// compileActions takes the last action, which routes, and the one before it that
// authenticates. Any other would have to be performed too: a rule that has one is
// unsupported.
func compileActions(actions []snapshot.Action, groups func(string) (int, bool)) (guard *snapshot.Action, _ Action, _ error) {
	if len(actions) == 2 && actions[0].Type.Authenticates() {
		guard, actions = &actions[0], actions[1:]
	}
	if len(actions) != 1 {
		return nil, Action{}, nil
	}
	a, err := compileAction(actions[0], groups)
	return guard, a, err
}

func compileAction(a snapshot.Action, groups func(string) (int, bool)) (Action, error) {
	switch {
	case a.Type == snapshot.ActionFixedResponse && a.FixedResponse != nil:
		return Action{Kind: Fixed, Fixed: *a.FixedResponse}, nil
	case a.Type == snapshot.ActionRedirect && a.Redirect != nil:
		r, err := compileRedirect(*a.Redirect)
		return Action{Kind: Redirect, redirect: r}, err
	case a.Type == snapshot.ActionForward && a.Forward != nil:
		action := Action{Kind: Forward}
		for _, g := range a.Forward.TargetGroups {
			n, ok := groups(g.ARN)
			if !ok {
				return Action{}, fmt.Errorf("target group %s is not in the assignment", g.ARN)
			}
			if g.Weight < 0 {
				return Action{}, fmt.Errorf("target group %s has the weight %d", g.ARN, g.Weight)
			}
			action.Shares = append(action.Shares, Share{Group: n, Weight: g.Weight, Mark: markOf(g.ARN)})
			action.total += uint64(g.Weight)
		}
		action.stride = strideOf(action.total)
		if len(action.Shares) > 1 { // of one there is nothing to choose
			action.Stickiness = a.Forward.Stickiness
		}
		return action, nil
	}
	return Action{}, nil
}

// strideOf returns a number without a common divisor with total, near the golden
// section of it: walking round by it reaches every place once, and lands far
// from where it was each time.
func strideOf(total uint64) uint64 {
	if total < 2 {
		return 1
	}
	for s := total * 618 / 1000; ; s++ {
		if s > 0 && gcd(s, total) == 1 {
			return s
		}
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// errNotPerformed is why a node answers 501.
var errNotPerformed = errors.New("its actions are not performed here")

// Unsupported yields the ARNs of the rules whose requests are answered 501, and
// why. unsticky says why clients can't be kept with a target group, nil if they can.
func (t *Table) Unsupported(unsticky error) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range t.rules {
			switch a := &t.rules[i].Action; {
			case a.Kind == Unsupported:
				if !yield(t.rules[i].ARN, errNotPerformed) {
					return
				}
			case a.Stickiness > 0 && unsticky != nil:
				if !yield(t.rules[i].ARN, unsticky) {
					return
				}
			}
		}
	}
}

// Len returns how many rules there are.
func (t *Table) Len() int { return len(t.rules) }

// Guarded yields the rules that have a guard.
func (t *Table) Guarded() iter.Seq[*Rule] {
	return func(yield func(*Rule) bool) {
		for i := range t.rules {
			if r := &t.rules[i]; r.Guard != nil && !yield(r) {
				return
			}
		}
	}
}

// Choose returns the share of the n-th request that the action forwards, -1 if
// all weights are zero. Of any run of requests as long as the sum of the weights
// each target group gets exactly its weight, spread over the run.
func (a *Action) Choose(n uint64) int {
	if a.total == 0 {
		return -1
	}
	place := n % a.total * a.stride % a.total
	for i, s := range a.Shares {
		if place < uint64(s.Weight) {
			return i
		}
		place -= uint64(s.Weight)
	}
	return -1
}

// Single says that the action has no choice: Choose gives 0, whatever n is.
func (a *Action) Single() bool { return len(a.Shares) == 1 && a.total > 0 }

// Scratch is memory for one match at a time. The zero value is ready.
type Scratch struct {
	path, query, value []byte
	sets               []uint64
}

// Match returns the first rule whose conditions the request meets, nil if there
// is none. client is the peer's address, unmapped.
func (t *Table) Match(buf []byte, r *http1.Request, client netip.Addr, s *Scratch) *Rule {
	m := match{buf: buf, request: r, client: client, scratch: s}
	set := t.index.candidates(&m)
	for i := first(set, 0); i >= 0 && i < len(t.rules); i = first(set, i+1) {
		if rule := &t.rules[i]; rule.meets(&m) {
			return rule
		}
	}
	return nil
}

func (r *Rule) meets(m *match) bool {
	for i := range r.conditions {
		if !r.conditions[i].holds(m) {
			return false
		}
	}
	return true
}
