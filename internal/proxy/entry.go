package proxy

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/proxy/clientcert"
	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/proxy/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// LogKind is one of the logs of a load balancer.
type LogKind uint8

// The logs.
const (
	AccessLog LogKind = iota
	ConnectionLog
	HealthCheckLog
)

// Lines takes the lines of one node's log. Line must not wait, nor keep the slice;
// threads are numbered from 0, and those of one number come one after the other but
// for the last.
type Lines interface{ Line(thread int, line []byte) }

// logs are those of one node. A nil one isn't kept.
type logs struct {
	access, connections, health Lines

	elb  string // "app/NAME/ID"
	node netip.Addr
}

// openLogs opens the logs that the load balancer's node keeps; nil: none.
func (p *Proxy) openLogs(b *snapshot.LoadBalancer, n *snapshot.Node) *logs {
	if p.openLog == nil || b.Logs == (snapshot.Logs{}) {
		return nil
	}
	l := &logs{elb: b.ID, node: n.Address()}
	for _, one := range []struct {
		lines *Lines
		kind  LogKind
		to    snapshot.Bucket
	}{{&l.access, AccessLog, b.Logs.Access}, {&l.connections, ConnectionLog, b.Logs.Connections}, {&l.health, HealthCheckLog, b.Logs.HealthChecks}} {
		if one.to != (snapshot.Bucket{}) {
			*one.lines = p.openLog(b, n, one.kind)
		}
	}
	return l
}

// newConnTrace returns a name for a connection that is logged, the zero one for
// others.
func (l *logs) newConnTrace() (t accesslog.ConnTrace) {
	if l != nil {
		_, _ = rand.Read(t[:]) // never fails (crypto/rand)
	}
	return t
}

// entry is the line of an access log, of a request that is under way. A nil one
// isn't written.
type entry struct {
	accesslog.Access
	to     *logs
	thread int
	text   []byte // what a client or a target said, which is gone by the end
	line   []byte

	begun, sent, answered time.Time // zero: it didn't come to that
}

var entries = sync.Pool{New: func() any { return new(entry) }}

// entry begins the line of a request; nil if it isn't logged.
func (t *table) entry(thread int, at *arrival, received int) *entry {
	if t.logs == nil || t.logs.access == nil {
		return nil
	}
	e := entries.Get().(*entry)
	*e = entry{to: t.logs, thread: thread, text: e.text[:0], line: e.line, begun: at.now}
	e.Access = accesslog.Access{
		Type: "http", ELB: t.logs.elb, Client: at.peer, Node: t.logs.node, Created: at.now, Received: int64(received),
		Priority: accesslog.NoRule, ConnTrace: at.trace, RequestTime: -1, TargetTime: -1, ResponseTime: -1,
	}
	e.Request.Scheme, e.Request.Port = "http", t.port
	if s := at.tls; s != nil {
		e.Type, e.Request.Scheme = "https", "https"
		if at.http2 {
			e.Type = "h2"
		}
		e.Protocol, e.Cipher, e.Domain, e.Certificate = s.protocol, s.cipher, s.domain, s.certificate
	}
	return e
}

// keep returns a copy of b that lives as long as the entry.
func (e *entry) keep(b []byte) []byte {
	n := len(e.text)
	e.text = append(e.text, b...)
	return e.text[n:len(e.text):len(e.text)]
}

// request notes what was asked.
func (e *entry) request(t *table, head []byte, r *http1.Request, rule *route.Rule) {
	if e == nil {
		return
	}
	e.Classification, e.Reason = r.Verdict.Tier.String(), r.Verdict.Reason.String()
	e.Request.Method = e.keep(r.Method.Of(head))
	if e.Request.Host = r.HostName(head); len(e.Request.Host) == 0 {
		e.Request.Host = t.host
	}
	e.Request.Host = e.keep(e.Request.Host)
	n := len(e.text)
	e.text = r.AppendTarget(e.text, head)
	e.Request.Target = e.text[n:len(e.text):len(e.text)]
	e.Request.Proto = "HTTP/1.1"
	switch {
	case e.Type == "h2":
		e.Request.Proto = "HTTP/2.0"
	case r.Minor == 0:
		e.Request.Proto = "HTTP/1.0"
	}
	for agent := range r.Header(head, "user-agent") {
		e.UserAgent = e.keep(agent)
		break
	}
	if rule == nil {
		return
	}
	e.Priority = rule.Priority
	switch rule.Action.Kind {
	case route.Forward:
		e.Actions = "forward"
	case route.Fixed:
		e.Actions = "fixed-response"
	case route.Redirect:
		e.Actions = "redirect"
	case route.Unsupported:
	}
}

// guarded notes what the guard has decided.
func (e *entry) guarded(g guard, d *ruling) {
	if e == nil {
		return
	}
	e.Error = d.reason
	if e.Actions == "" || d.verdict == refused {
		e.Actions = g.action()
	} else {
		e.Actions = g.action() + "," + e.Actions
	}
}

// forwarded notes where the request goes, and with which trace ID.
func (e *entry) forwarded(f *forwarding, trace []byte) {
	if e == nil {
		return
	}
	e.Target, e.TargetGroup = f.endpoint.key.Addr, f.endpoint.key.Group
	e.TraceID = e.keep(trace)
	if f.group.version == snapshot.GRPC {
		e.Type = "grpcs"
	}
	if f.host != nil || f.target != nil {
		e.TransformedHost, e.TransformedURI, e.TransformStatus = e.keep(f.host), e.keep(f.target), "TransformSuccess"
	}
}

// dispatched notes that the target has the request's head.
func (e *entry) dispatched(now time.Time) {
	if e != nil && e.sent.IsZero() {
		e.sent = now
	}
}

// responded notes that the head of the target's response is there.
func (e *entry) responded(now time.Time, status int) {
	if e == nil {
		return
	}
	e.answered, e.TargetStatus, e.Status = now, status, status
}

// tunnelled notes that the connection changes its protocol.
func (e *entry) tunnelled() {
	if e == nil {
		return
	}
	if e.Type == "https" {
		e.Type = "wss"
	} else {
		e.Type = "ws"
	}
}

// errClientGone is the status of a request whose client went away before it was
// answered, in logs alone.
const errClientGone = 460

// end writes the line, and gives the entry back. status is that of an answer of
// our own, 0 for none.
func (e *entry) end(now time.Time, status int, sent int64) {
	if e == nil {
		return
	}
	e.Time, e.Sent = now, sent
	switch {
	case status != 0:
		e.Status = status
	case e.Status == 0:
		e.Status = errClientGone
	}
	if !e.sent.IsZero() {
		e.RequestTime = max(0, e.sent.Sub(e.begun))
		if !e.answered.IsZero() {
			e.TargetTime, e.ResponseTime = max(0, e.answered.Sub(e.sent)), 0
		}
	}
	e.line = e.AppendTo(e.line[:0])
	e.to.access.Line(e.thread, e.line)
	if cap(e.text)+cap(e.line) <= maxOutBuffer {
		entries.Put(e)
	}
}

// unreadable writes the line of a request that couldn't be read.
func (t *table) unreadable(thread int, at *arrival, v http1.Verdict, status, received int, sent int64) {
	if e := t.entry(thread, at, received); e != nil {
		e.Classification, e.Reason = v.Tier.String(), v.Reason.String()
		e.Request.Host = e.keep(t.host)
		e.end(at.now, status, sent)
	}
}

// connected writes the line of a connection that was made, or whose handshake has
// failed. s is nil in the clear; took is how long the handshake took.
func (t *table) connected(thread int, peer netip.AddrPort, trace accesslog.ConnTrace, s *session, took time.Duration, now time.Time) {
	if t.logs == nil || t.logs.connections == nil {
		return
	}
	c := accesslog.Connection{Time: now, Client: peer, Port: t.port, Latency: took, ConnTrace: trace, ELB: t.logs.elb, Node: t.logs.node}
	switch {
	case s == nil:
	case s.failure != clientcert.Accepted:
		c.Latency, c.Verify = -1, "Failed:"+string(s.failure)
	case s.mutual:
		c.Verify = "Success"
	}
	if s != nil {
		c.Protocol, c.Cipher, c.Exchange = s.protocol, s.cipher, s.exchange
		if id := s.client; id != nil {
			c.Subject, c.NotBefore, c.NotAfter, c.Serial = id.Subject, id.NotBefore, id.NotAfter, id.Serial
		}
	}
	t.logs.connections.Line(thread, c.AppendTo(nil))
}
