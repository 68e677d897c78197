package dns

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// Endpoint is a name and the nodes behind it.
type Endpoint struct {
	Name  string // fully qualified, without the trailing dot; any case
	Nodes []Node // those in service
}

// Node is an address that clients are to be led to.
type Node struct {
	Address netip.Addr // the node's own
	Bound   netip.Addr // where its host listens: the same, or a shadow address
}

// Source is the elb room: which endpoints there are.
type Source interface {
	// Collections names the collections whose changes change endpoints.
	Collections() []string
	// Owner returns the key of the endpoint that a changed record belongs to; "" if none is known.
	Owner(r store.Reader, k store.Key) string
	// Endpoint returns the endpoint with the key; false if there is none (any more).
	Endpoint(r store.Reader, key string) (Endpoint, bool)
	// Endpoints yields the keys of all endpoints.
	Endpoints(r store.Reader) iter.Seq[string]
}

// Texts is the certs room: what an authority looks for before it issues a certificate.
type Texts interface {
	// Collection names the collection whose changes change texts.
	Collection() string
	// Texts returns the names that a record's texts are at, without the trailing
	// dot, and the texts; none if the record is gone.
	Texts(r store.Reader, key string) (names, texts []string)
	// All yields the keys of all records with texts.
	All(r store.Reader) iter.Seq[string]
}

// Server answers queries with what it was last given.
type Server interface {
	SetZone(snapshot.Zone)
	Put(snapshot.Name)
	Remove(owner string)
}

// Options are what the operator decides about names.
type Options struct {
	BaseDomain string
	TTL        time.Duration
	// AnswerBound has answers name the address that the host listens on, for
	// clients on the same machine; otherwise they name the node's own address. An
	// IPv6 address that is served on an IPv4 one is answered as that, mapped
	// (RFC 4291 §2.5.5.2): a client that asks for AAAA gets where it wants to.
	AnswerBound bool
	Texts       Texts // nil: none
}

// textTTL is how long a text may be remembered: the next order has another.
const textTTL = time.Second

// negativeTTL is how long a resolver may remember that a name or type is absent.
// Short, because a name's first address appears soon after the name.
const negativeTTL = 10 * time.Second

// Feed keeps a server's names as the store's records have them.
type Feed struct {
	store  *store.Store
	source Source
	server Server
	opts   Options
	owners map[string][]string // endpoint key → the names it has in server
	texts  map[string][]string // key of a record with texts → its names in server
}

// NewFeed returns a feed of server from source.
func NewFeed(st *store.Store, source Source, server Server, opts Options) *Feed {
	return &Feed{store: st, source: source, server: server, opts: opts, owners: map[string][]string{}, texts: map[string][]string{}}
}

// Run feeds until ctx ends. It has put all names there are before it calls ready.
func (f *Feed) Run(ctx context.Context, ready func()) {
	f.zone(f.store.Snapshot())
	collections := slices.Clone(f.source.Collections())
	if f.opts.Texts != nil {
		collections = append(collections, f.opts.Texts.Collection())
	}
	sub := f.store.Subscribe(collections...)
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
		}
		keys, all := sub.Take() // before the snapshot, which then shows all that it tells of
		snap := f.store.Snapshot()
		if f.update(snap, keys, all) {
			f.zone(snap)
		}
		if ready != nil {
			ready()
			ready = nil
		}
	}
}

// zone gives the server the zone's apex. Its serial grows with every change of a
// name (RFC 1035 §3.3.13), as the store's revision does.
func (f *Feed) zone(r store.Snapshot) {
	origin := f.opts.BaseDomain + "."
	f.server.SetZone(snapshot.Zone{
		Origin: origin, NS: []string{"ns." + origin}, Hostmaster: "hostmaster." + origin,
		Serial: uint32(r.Revision()), TTL: f.opts.TTL, NegativeTTL: negativeTTL,
	})
}

// update brings the names of what changed up to date and says whether there was any.
func (f *Feed) update(r store.Snapshot, keys []store.Key, all bool) bool {
	changed, texts := map[string]bool{}, map[string]bool{}
	for _, k := range keys {
		if f.opts.Texts != nil && k.Collection == f.opts.Texts.Collection() {
			texts[k.Key] = true
		} else {
			changed[f.source.Owner(r, k)] = true
		}
	}
	if all {
		for key := range f.source.Endpoints(r) {
			changed[key] = true
		}
		for key := range f.owners {
			changed[key] = true
		}
		if f.opts.Texts != nil {
			for key := range f.opts.Texts.All(r) {
				texts[key] = true
			}
		}
		for key := range f.texts {
			texts[key] = true
		}
	}
	delete(changed, "")
	for key := range changed {
		f.apply(r, key)
	}
	for key := range texts {
		f.applyTexts(r, key)
	}
	return len(changed)+len(texts) > 0
}

func (f *Feed) applyTexts(r store.Snapshot, key string) {
	names, texts := f.opts.Texts.Texts(r, key)
	var owners []string
	for _, n := range names {
		n := snapshot.Name{Owner: strings.ToLower(n) + ".", TTL: textTTL, TXT: texts}
		f.server.Put(n)
		owners = append(owners, n.Owner)
	}
	f.replace(f.texts, key, owners)
}

func (f *Feed) apply(r store.Snapshot, key string) {
	var owners []string
	if e, ok := f.source.Endpoint(r, key); ok {
		for _, n := range f.names(e) {
			f.server.Put(n)
			owners = append(owners, n.Owner)
		}
	}
	f.replace(f.owners, key, owners)
}

// replace notes which names a key has in server, and removes those it had.
func (f *Feed) replace(had map[string][]string, key string, owners []string) {
	for _, old := range had[key] {
		if !slices.Contains(owners, old) {
			f.server.Remove(old)
		}
	}
	if len(owners) == 0 {
		delete(had, key)
		return
	}
	had[key] = owners
}

// names returns the names of an endpoint: its own, and the "dualstack." one that
// alias records of infrastructure code use, which says the same. A node that is
// served on a shadow address is told of in a TXT record.
func (f *Feed) names(e Endpoint) []snapshot.Name {
	n := snapshot.Name{Owner: strings.ToLower(e.Name) + ".", TTL: f.opts.TTL}
	for _, node := range e.Nodes {
		a := node.Address
		if node.Bound.IsValid() && node.Bound != a {
			n.TXT = append(n.TXT, "fairlead: "+a.String()+" is served on "+node.Bound.String())
			if f.opts.AnswerBound {
				a = inFamilyOf(a, node.Bound)
			}
		}
		if a.Is4() {
			n.A = append(n.A, a)
		} else {
			n.AAAA = append(n.AAAA, a)
		}
	}
	slices.SortFunc(n.A, netip.Addr.Compare)
	slices.SortFunc(n.AAAA, netip.Addr.Compare)
	dual := n
	dual.Owner = "dualstack." + n.Owner
	return []snapshot.Name{n, dual}
}

// inFamilyOf returns bound as an address of a's family.
func inFamilyOf(a, bound netip.Addr) netip.Addr {
	if a.Is6() && bound.Is4() {
		return netip.AddrFrom16(bound.As16())
	}
	return bound
}
