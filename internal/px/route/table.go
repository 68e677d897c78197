package route

import (
	"net/netip"
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Table is one load balancer's listeners. Immutable.
type Table struct {
	listeners map[uint16]*Listener
}

// Listener is the rules of one port. Immutable.
type Listener struct {
	Port  uint16
	rules []rule
}

type rule struct {
	priority   int
	conditions []condition
	action     Action
}

// Action is what becomes of a request; one of the members is set, or none, for
// an action that this program doesn't perform (501).
type Action struct {
	Forward *Forward
	Fixed   *snapshot.FixedResponse
}

// Forward is target groups with their weights.
type Forward struct {
	Groups []snapshot.WeightedTargetGroup
	total  int
}

// Pick returns the target group whose share of the weights holds n, any number;
// "" if all weights are zero.
func (f *Forward) Pick(n uint64) string {
	if f.total == 0 {
		return ""
	}
	at := int(n % uint64(f.total))
	for _, g := range f.Groups {
		if at < g.Weight {
			return g.ARN
		}
		at -= g.Weight
	}
	return ""
}

// Compile returns the table of a load balancer.
func Compile(lb *snapshot.LoadBalancer) *Table {
	t := &Table{listeners: make(map[uint16]*Listener, len(lb.Listeners))}
	for _, l := range lb.Listeners {
		out := &Listener{Port: l.Port}
		for _, r := range l.Rules {
			c := rule{priority: r.Priority, action: compileAction(r.Actions)}
			for _, cond := range r.Conditions {
				c.conditions = append(c.conditions, compileCondition(cond))
			}
			out.rules = append(out.rules, c)
		}
		t.listeners[l.Port] = out
	}
	return t
}

// Listener returns the port's listener; nil if the load balancer has none there.
func (t *Table) Listener(port uint16) *Listener { return t.listeners[port] }

// compileAction resolves a rule's actions. An authentication step that this
// program can't perform must not be passed over: then there is no action.
func compileAction(actions []snapshot.Action) (a Action) {
	if len(actions) != 1 {
		return a
	}
	switch in := actions[0]; in.Type {
	case snapshot.ActionForward:
		a.Forward = &Forward{Groups: in.Forward.TargetGroups}
		for _, g := range in.Forward.TargetGroups {
			a.Forward.total += g.Weight
		}
	case snapshot.ActionFixedResponse:
		a.Fixed = in.FixedResponse
	}
	return a
}

// Request is what rules look at. Its methods are called only as far as rules ask.
type Request interface {
	Method() string
	Host() string // without port, any case
	Path() string
	Query() string
	Peer() netip.Addr
	EachHeader(name string, f func(value string) bool) // name in lower case; until f returns false
}

// Match returns the first rule whose conditions all hold: its priority (0 for
// the default rule) and action; -1 if the listener has no rule at all.
func (l *Listener) Match(r Request) (priority int, a Action) {
	for i := range l.rules {
		if l.rules[i].holds(r) {
			return l.rules[i].priority, l.rules[i].action
		}
	}
	return -1, Action{}
}

func (r *rule) holds(req Request) bool {
	for i := range r.conditions {
		if !r.conditions[i].holds(req) {
			return false
		}
	}
	return true
}

// condition is a condition made ready.
type condition struct {
	field    snapshot.ConditionField
	header   string
	patterns []pattern
	keys     []pattern // query-string: beside each value; nil for any
	prefixes []netip.Prefix
}

func compileCondition(c snapshot.Condition) condition {
	out := condition{field: c.Field, header: strings.ToLower(c.Header)}
	fold := c.Field == snapshot.FieldHostHeader || c.Field == snapshot.FieldHTTPHeader || c.Field == snapshot.FieldQueryString
	for i, v := range c.Values {
		if c.Field == snapshot.FieldSourceIP {
			if p, err := netip.ParsePrefix(v); err == nil {
				out.prefixes = append(out.prefixes, p)
			}
			continue
		}
		out.patterns = append(out.patterns, pattern{text: v, fold: fold, exact: c.Field == snapshot.FieldMethod})
		if c.Field == snapshot.FieldQueryString {
			key := ""
			if i < len(c.Keys) {
				key = c.Keys[i]
			}
			out.keys = append(out.keys, pattern{text: key, fold: true})
		}
	}
	return out
}

func (c *condition) holds(r Request) bool {
	switch c.field {
	case snapshot.FieldHostHeader:
		return c.any(r.Host())
	case snapshot.FieldPathPattern:
		return c.any(r.Path())
	case snapshot.FieldMethod:
		return c.any(r.Method())
	case snapshot.FieldHTTPHeader:
		found := false
		r.EachHeader(c.header, func(v string) bool {
			found = c.any(v)
			return !found
		})
		return found
	case snapshot.FieldQueryString:
		return c.query(r.Query())
	case snapshot.FieldSourceIP:
		for _, p := range c.prefixes {
			if p.Contains(r.Peer()) {
				return true
			}
		}
	}
	return false // also a field that this program doesn't know: never a wrong route
}

func (c *condition) any(s string) bool {
	for i := range c.patterns {
		if c.patterns[i].matches(s) {
			return true
		}
	}
	return false
}

func (c *condition) query(q string) bool {
	for pair := range strings.SplitSeq(q, "&") {
		key, value, _ := strings.Cut(pair, "=")
		for i := range c.patterns {
			if (c.keys[i].text == "" || c.keys[i].matches(key)) && c.patterns[i].matches(value) {
				return true
			}
		}
	}
	return false
}

// pattern is text with wildcards: * for any run of characters, ? for one, \ to
// take either as it is.
type pattern struct {
	text  string
	fold  bool // without regard to ASCII case
	exact bool // without wildcards
}

// matches takes time in proportion to the product of the lengths at worst, by
// going back to the last star only.
func (p pattern) matches(s string) bool {
	if p.exact {
		return p.text == s
	}
	t := p.text
	i, j, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(t) && t[j] == '*':
			star, mark = j, i
			j++
		case j < len(t) && t[j] == '?':
			i++
			j++
		case j+1 < len(t) && t[j] == '\\' && p.same(t[j+1], s[i]):
			i++
			j += 2
		case j < len(t) && t[j] != '\\' && p.same(t[j], s[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(t) && t[j] == '*' {
		j++
	}
	return j == len(t)
}

func (p pattern) same(a, b byte) bool {
	if p.fold {
		a, b = lower(a), lower(b)
	}
	return a == b
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
