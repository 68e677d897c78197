package proxy

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// arrival is how a request came to us.
type arrival struct {
	peer  netip.AddrPort
	trace accesslog.ConnTrace
	tls   *session // nil: in the clear, as the listener was when the connection was accepted
	http2 bool     // it came in HTTP/2
	now   time.Time
}

// forwarding is where a request goes, and what is said about it on the way there
// and back. Both shells decide by it, and only carry the bytes themselves.
type forwarding struct {
	group    *group
	endpoint *endpoint
	edits    edits // of the listener, as the request met it

	parts bool // the target's connection ends with the request

	add, set []byte // lines that the rule's guard has for the request, and for its response
	unless   string // as in ruling

	host, target []byte // what the rule has made of the request's, nil: as they are

	stay stay
}

// forward decides where a request goes that meets a rule which forwards; or the
// status to answer with instead, 0 for none. A request that is forwarded is under
// way at its target from here on. d is what its rule's guard has decided.
func (t *table) forward(rule *route.Rule, head []byte, r *http1.Request, at *arrival, d *ruling) (f forwarding, status int) {
	a := &rule.Action
	if a.Stickiness > 0 && t.sticky == nil {
		return f, 501
	}
	v := visit{sticky: t.sticky, request: r, head: head, now: at.now}
	share := 0
	if !a.Single() {
		share = t.share(rule, &v)
	}
	if share < 0 {
		return f, 503
	}
	f.group, f.edits = t.groups[a.Shares[share].Group], t.edits
	if status := f.group.misfit(head, r, at.http2); status != 0 {
		return f, status
	}
	f.parts, f.add, f.set, f.unless = r.Parts(), d.add, d.set, d.unless
	if rule.Rewrites() {
		var ok bool
		if f.host, f.target, ok = rule.Rewrite(head, r); !ok {
			return f, 500
		}
	}
	mark, i := a.Shares[share].Mark, -1
	if f.group.places != nil {
		i = v.target(f.group, mark)
	}
	stayed := i >= 0
	if !stayed {
		i = f.group.balance.Pick(at.now)
	}
	if i < 0 {
		return f, 503
	}
	f.endpoint = f.group.endpoints[i]
	f.endpoint.target.Begin()
	if a.Stickiness > 0 || f.group.places != nil {
		f.stay = stay{sticky: t.sticky, withGroup: a.Stickiness > 0, group: mark, stayed: stayed, kept: &f.endpoint.token}
		if f.group.places != nil {
			f.stay.with, f.stay.target = &f.group.stay, f.endpoint.ref
			f.stay.foreign = f.group.stay.Cookie != "" && at.tls != nil && wantsSameSite(head, r)
		}
	}
	return f, 0
}

// misfit returns what a request is answered that can't go to targets in the version
// of HTTP that the target group has, 0 for one that can (ELB user guide, "Protocol
// versions").
func (g *group) misfit(head []byte, r *http1.Request, http2 bool) int {
	fits := http2
	switch g.version {
	case snapshot.HTTP1:
		if !http2 || !isGRPC(head, r) {
			return 0
		}
		fits = false
	case snapshot.HTTP2:
	case snapshot.GRPC:
		fits = http2 && string(r.Method.Of(head)) == "POST"
	}
	if !fits {
		return 464
	}
	return 0
}

// isGRPC says whether a request is a call of gRPC, by its content's type.
func isGRPC(head []byte, r *http1.Request) bool {
	const grpc = "application/grpc"
	for v := range r.Header(head, "content-type") {
		return len(v) >= len(grpc) && strings.EqualFold(string(v[:len(grpc)]), grpc) && (len(v) == len(grpc) || v[len(grpc)] == '+' || v[len(grpc)] == ';')
	}
	return false
}

// share returns which of an action's target groups a request goes to: the one that
// its client stays with, unless no request can go there any more, or the next one
// by weight; -1 for none.
func (t *table) share(rule *route.Rule, v *visit) int {
	a := &rule.Action
	if a.Stickiness > 0 {
		if i := v.share(a); i >= 0 && !t.groups[a.Shares[i].Group].balance.Empty() {
			return i
		}
	}
	return a.Choose(t.cursors[rule.Index].Add(1) - 1)
}

// answered counts a response of the target's, and failed what is answered by us
// because there is none.
func (f *forwarding) answered(status int) { f.endpoint.target.Ended(status >= 500) }

func (f *forwarding) failed(status int) {
	if status >= 500 { // otherwise the client has
		f.endpoint.target.Ended(true)
	}
}

// appendRequest appends the request's head as the target gets it.
func (f *forwarding) appendRequest(dst []byte, t *table, head []byte, r *http1.Request, at *arrival, e *entry) []byte {
	hop := http1.Hop{
		Client: at.peer, HTTPS: at.tls != nil, Port: t.port, Host: t.host, Time: at.now.Unix(), Upgrade: r.Upgrade(head),
		Authority: f.host, Target: f.target, Edits: f.edits.requests, Fields: f.add,
	}
	if at.tls != nil {
		hop.TLSVersion, hop.TLSCipher = at.tls.protocol, at.tls.cipher
		hop.Certificate = at.tls.client.told()
	}
	binary.NativeEndian.PutUint64(hop.Random[:], rand.Uint64())
	binary.NativeEndian.PutUint32(hop.Random[8:], rand.Uint32())
	dst = http1.AppendRequest(dst, head, r, &hop)
	e.forwarded(f, hop.Trace.Of(dst))
	return dst
}

// appendFields appends what a response of the target has of the load balancer's
// own. head is the response's.
func (f *forwarding) appendFields(dst, head []byte, r *http1.Response, now time.Time) []byte {
	if f.stay.sticky != nil {
		dst = f.stay.appendCookies(dst, head, r, now)
	}
	if f.unless != "" && sets(head, r, f.unless) {
		return dst
	}
	return append(dst, f.set...)
}

// appendAnswer appends what a request is answered with that isn't forwarded, and
// returns the status. A nil rule is none; by is what its guard has decided.
func (t *table) appendAnswer(dst []byte, rule *route.Rule, head []byte, r *http1.Request, at *arrival, by *ruling, d *http1.Delivery, e *entry) ([]byte, int) {
	isHead := r.IsHead(head)
	d.Fields = by.set
	if by.verdict == refused {
		return by.appendRefusal(dst, isHead, d), by.status
	}
	if rule == nil {
		return http1.AppendPage(dst, 503, isHead, d), 503
	}
	switch a := &rule.Action; a.Kind {
	case route.Fixed:
		return http1.AppendFixed(dst, a.Fixed.StatusCode, a.Fixed.ContentType, a.Fixed.Body, isHead, d), a.Fixed.StatusCode
	case route.Redirect:
		var room [1 << 10]byte // most locations fit, and cost no allocation
		location := a.AppendLocation(room[:0], head, r, route.Arrival{Host: t.host, Port: t.port, HTTPS: at.tls != nil})
		if len(location) > route.MaxLocation {
			return http1.AppendPage(dst, 507, isHead, d), 507
		}
		if e != nil {
			e.Redirect = e.keep(location)
		}
		return http1.AppendRedirect(dst, a.RedirectStatus(), location, isHead, d), a.RedirectStatus()
	case route.Forward, route.Unsupported:
	}
	return http1.AppendPage(dst, 501, isHead, d), 501
}

// persists says whether another request is welcome on a connection after the
// present one.
func (p *port) persists(r *http1.Request, born time.Time, maxAge time.Duration, now time.Time) bool {
	return r.KeepAlive() && p.welcomes(born, maxAge, now)
}

// welcomes says whether a connection may go on.
func (p *port) welcomes(born time.Time, maxAge time.Duration, now time.Time) bool {
	return !p.closing.Load() && !p.node.draining.Load() && now.Sub(born) < maxAge
}
