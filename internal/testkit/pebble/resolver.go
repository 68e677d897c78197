package pebble

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Resolver is a recursive DNS resolver in a world of few names: those that a test
// sets, and a zone that another server answers for. It caches nothing.
type Resolver struct {
	Address string // HOST:PORT, UDP and TCP

	mu     sync.Mutex // guards the following
	cnames map[string]string
	texts  map[string][]string
	zone   string
	server string
}

// Resolve runs a resolver until the test ends.
func Resolve(t testing.TB) *Resolver {
	t.Helper()
	r := &Resolver{cnames: map[string]string{}, texts: map[string][]string{}}
	for _, network := range []string{"tcp", "udp"} {
		ready, ended := make(chan struct{}), make(chan error, 1)
		at := "127.0.0.1:0"
		if r.Address != "" {
			at = r.Address
		}
		s := &dns.Server{Addr: at, Net: network, Handler: r, NotifyStartedFunc: func() { close(ready) }}
		go func() { ended <- s.ListenAndServe() }()
		select {
		case <-ready:
		case err := <-ended:
			t.Fatal(err)
		}
		if network == "tcp" {
			r.Address = s.Listener.Addr().String()
		}
		t.Cleanup(func() {
			if err := errors.Join(s.Shutdown(), <-ended); err != nil {
				t.Error(err)
			}
		})
	}
	return r
}

// Delegate has a server, HOST:PORT, answer for a zone.
func (r *Resolver) Delegate(zone, server string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zone, r.server = dns.Fqdn(zone), server
}

// SetCNAME makes a name an alias of another.
func (r *Resolver) SetCNAME(name, target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cnames[dns.CanonicalName(name)] = dns.Fqdn(target)
}

// Remove has a name be no alias any more.
func (r *Resolver) Remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cnames, dns.CanonicalName(name))
}

// AddTXT and RemoveTXT change a name's texts.
func (r *Resolver) AddTXT(name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = dns.CanonicalName(name)
	r.texts[name] = append(r.texts[name], text)
}

// RemoveTXT takes a text away.
func (r *Resolver) RemoveTXT(name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = dns.CanonicalName(name)
	r.texts[name] = slices.DeleteFunc(r.texts[name], func(x string) bool { return x == text })
}

// TXT returns a name's texts.
func (r *Resolver) TXT(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.texts[dns.CanonicalName(name)])
}

// ServeDNS implements dns.Handler.
func (r *Resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name := dns.CanonicalName(q.Question[0].Name)
	r.mu.Lock()
	target, alias := r.cnames[name]
	server, zone := r.server, r.zone
	r.mu.Unlock()
	if alias {
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: target})
		name = target
	}
	texts := r.TXT(name)
	switch {
	case len(texts) > 0 && q.Question[0].Qtype == dns.TypeTXT:
		for _, t := range texts {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{t}})
		}
	case zone != "" && strings.HasSuffix(name, "."+zone):
		asked := new(dns.Msg).SetQuestion(name, q.Question[0].Qtype)
		answer, err := dns.Exchange(asked, server)
		if err != nil {
			m.Rcode = dns.RcodeServerFailure
			break
		}
		m.Rcode = answer.Rcode
		m.Answer = append(m.Answer, answer.Answer...)
	case !alias && len(texts) == 0:
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m) // a client that has gone asks no more
}
