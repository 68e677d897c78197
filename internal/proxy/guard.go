package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/meter"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// guard is what a rule has before its routing action: it decides which requests go on
// to that, and what is said about them there. It is safe for concurrent use. What it
// learns for later requests is kept elsewhere: a guard lives as long as its table.
type guard interface {
	// check decides without waiting, or leaves it open: somebody else has to be
	// asked.
	check(q *inquiry) ruling

	// ask decides what check has left open. It may wait until ctx ends.
	ask(ctx context.Context, q *inquiry) ruling

	// action is what access logs call it.
	action() string
}

// inquiry is a request that a guard decides about. It is gone when the guard has
// decided.
type inquiry struct {
	arrival
	head    []byte
	request *http1.Request
	port    uint16 // the listener's
	host    []byte // what a request is for that names no host
	node    *node
	thread  int // for what is counted
}

// verdict is what a guard says about a request.
type verdict uint8

const (
	open    verdict = iota // the guard has to ask
	passes                 // it goes on
	refused                // it is answered in the routing action's stead
)

// ruling is a guard's decision.
type ruling struct {
	verdict verdict
	status  int    // refused
	reason  string // refused, or what was wrong with one that goes on: an access log's error_reason

	location []byte // refused with 302: where to
	text     []byte // refused with 200: what is answered
	add      []byte // lines that the request has for its target
	set      []byte // lines that the response has, whosever it is
	unless   string // the cookie by which a target keeps set from its response, as when it ends a session; "": none

	counter meter.Counter // what it counts as beside its answer; 0: nothing
	took    time.Duration // that somebody else has been asked; 0: nobody has
}

// guardOf returns who has to be asked about a request that meets the rule; nil for
// nobody. What is for a guard itself meets no rule.
func (t *table) guardOf(rule *route.Rule, head []byte, r *http1.Request) guard {
	switch {
	case t.guards == nil:
		return nil
	case t.callback != nil && t.callback.reserved(r.Path.Of(head)):
		return t.callback
	case rule == nil:
		return nil
	}
	return t.guards[rule.Index]
}

// guarded notes what the guard has decided, and nobody asks again.
func (t *table) guarded(rule *route.Rule, head []byte, r *http1.Request, d *ruling, n *node, thread int, e *entry) {
	g := t.guardOf(rule, head, r)
	if g == nil {
		return
	}
	e.guarded(g, d)
	if d.counter != 0 {
		n.meter.Add(thread, d.counter, 1)
	}
	if d.took > 0 {
		n.meter.Observe(thread, d.took)
	}
}

// check has the guard of the rule decide.
func (t *table) check(rule *route.Rule, head []byte, r *http1.Request, at *arrival, n *node, thread int) ruling {
	if g := t.guardOf(rule, head, r); g != nil {
		return check(g, inquiry{*at, head, r, t.port, t.host, n, thread})
	}
	return ruling{verdict: passes}
}

// check is a function of its own so that nothing but requests with a guard pay for
// what is handed to it.
func check(g guard, q inquiry) ruling { return g.check(&q) }

// ask is check for who may wait.
func (t *table) ask(ctx context.Context, rule *route.Rule, head []byte, r *http1.Request, at *arrival, n *node, thread int) ruling {
	d := t.check(rule, head, r, at, n, thread)
	if d.verdict == open {
		d = t.guardOf(rule, head, r).ask(ctx, &inquiry{*at, head, r, t.port, t.host, n, thread})
	}
	return d
}

// appendRefusal appends what a request is answered with that a guard keeps back.
func (d *ruling) appendRefusal(dst []byte, isHead bool, delivery *http1.Delivery) []byte {
	if d.text != nil {
		return http1.AppendFixed(dst, d.status, "text/plain", string(d.text), isHead, delivery)
	}
	if d.location != nil {
		return http1.AppendRedirect(dst, d.status, d.location, isHead, delivery)
	}
	return http1.AppendPage(dst, d.status, isHead, delivery)
}

// unable is the guard that stands for one that can't be had: nobody passes.
type unable struct{}

func (unable) check(*inquiry) ruling                { return ruling{verdict: refused, status: 501} }
func (unable) ask(context.Context, *inquiry) ruling { return ruling{verdict: refused, status: 501} }
func (unable) action() string                       { return "" }

// compileGuards makes the guards of a listener's rules, by route.Rule.Index; nil if
// none has one. A rule whose guard can't be made lets nobody pass.
func (p *Proxy) compileGuards(b *snapshot.LoadBalancer, rules *route.Table) (guards []guard) {
	for r := range rules.Guarded() {
		g, err := p.newGuard(b, r.Guard)
		if err != nil {
			p.log.Warn("requests that meet the rule are answered 501", "rule", r.ARN, "action", r.Guard.Type, "error", err)
			g = unable{}
		}
		if guards == nil {
			guards = make([]guard, rules.Len())
		}
		guards[r.Index] = g
	}
	return guards
}

// newGuard makes the guard of an action that authenticates.
func (p *Proxy) newGuard(b *snapshot.LoadBalancer, a *snapshot.Action) (guard, error) {
	switch a.Type {
	case snapshot.ActionAuthenticateOIDC:
		if a.OIDC != nil {
			return p.newLogin(b, a.OIDC)
		}
	case snapshot.ActionValidateJWT:
		if a.JWT != nil {
			return p.newTokens(a.JWT), nil
		}
	case snapshot.ActionForward, snapshot.ActionFixedResponse, snapshot.ActionRedirect: // they route
	}
	return nil, errors.New("it is not performed here")
}
