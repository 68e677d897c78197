package history

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Options say what is kept.
type Options struct {
	Retention time.Duration // of a record after its end; 0: DefaultRetention
	Max       int           // records in all, of which the oldest go first; 0: DefaultMax
}

// Defaults of Options.
const (
	DefaultRetention = 3 * 365 * 24 * time.Hour // GetIpamAddressHistory: up to three years
	// DefaultMax bounds the memory that records take, about half a KiB each, on
	// a server whose addresses change hands all the time.
	DefaultMax = 500_000
)

// Source tells of what is held now.
type Source interface {
	// Held yields an open record of every holding that the address is in, of an
	// account, or of all if that is "".
	Held(r store.Snapshot, account string, a netip.Addr) iter.Seq[Record]
}

// Service stores closed records and finds open ones.
type Service struct {
	store   *store.Store
	opts    Options
	closed  *store.Collection[Record]
	sources []Source
}

// New declares the room's collection in st.
func New(st *store.Store, o Options) *Service {
	o.Retention = cmp.Or(o.Retention, DefaultRetention)
	o.Max = cmp.Or(o.Max, DefaultMax)
	return &Service{store: st, opts: o, closed: store.NewCollection[Record](st, "history", 1)}
}

// AddSource adds who knows of open holdings. It belongs to the joining of the
// rooms, before anybody asks.
func (s *Service) AddSource(src Source) { s.sources = append(s.sources, src) }

// Close writes the record of a holding that ends with tx.
func (s *Service) Close(tx *store.Tx, rec Record) { s.closed.Put(tx, rec.key(), rec) }

// Between yields who of an account had exactly the CIDR at any time from one
// instant to another, both included: what is held now, and then what was, the
// most recent first. The keys are to go on from.
func (s *Service) Between(r store.Snapshot, account string, p netip.Prefix, from, to time.Time, key string) iter.Seq2[string, Record] {
	return func(yield func(string, Record) bool) {
		for _, rec := range s.open(r, account, p.Addr()) {
			k := openKey(rec)
			if rec.CIDR == p && k >= key && rec.during(from, to) && !yield(k, rec) {
				return
			}
		}
		prefix := cidrKey(p) + account + "/"
		for k, rec := range s.closed.From(r, max(prefix, strings.TrimPrefix(key, closedMark))) {
			if !strings.HasPrefix(k, prefix) || rec.End.Before(from) {
				return
			}
			if rec.during(from, to) && !yield(closedMark+k, rec) {
				return
			}
		}
	}
}

// At returns who of an account had exactly the CIDR at an instant.
func (s *Service) At(r store.Snapshot, account string, p netip.Prefix, t time.Time) []Record {
	var recs []Record
	for _, rec := range s.Between(r, account, p, t, t, "") {
		recs = append(recs, rec)
	}
	return recs
}

// Keys of Between: those of open records come before those of closed ones.
const (
	openMark   = "0/"
	closedMark = "1/"
)

func openKey(rec Record) string { return openMark + descending(rec.Start) + "/" + rec.name() }

// Covering returns every record of an account, or of all if that is "", whose
// CIDR the address is in: what is held now first, and then the most recent
// first. It costs a look-up for each prefix length, and what it returns.
func (s *Service) Covering(r store.Snapshot, account string, a netip.Addr) []Record {
	recs := s.open(r, account, a)
	held := len(recs)
	for bits := range a.BitLen() + 1 {
		cidr := cidrKey(netip.PrefixFrom(a, bits).Masked())
		for k, rec := range s.closed.From(r, cidr+account) {
			if !strings.HasPrefix(k, cidr) || account != "" && accountOf(k, cidr) != account {
				break
			}
			recs = append(recs, rec)
		}
	}
	slices.SortStableFunc(recs[held:], func(a, b Record) int { return b.End.Compare(a.End) })
	return recs
}

// open returns what is held now at an address, the latest beginning first.
func (s *Service) open(r store.Snapshot, account string, a netip.Addr) []Record {
	var recs []Record
	for _, src := range s.sources {
		recs = slices.AppendSeq(recs, src.Held(r, account, a))
	}
	slices.SortFunc(recs, func(a, b Record) int { return strings.Compare(openKey(a), openKey(b)) })
	return recs
}

// Within yields the records, of all accounts, of what was held inside a CIDR and
// has ended, in order of address.
func (s *Service) Within(r store.Snapshot, p netip.Prefix) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, rec := range s.closed.From(r, cidrKey(p.Masked())) {
			switch {
			case rec.CIDR.Addr().BitLen() != p.Addr().BitLen():
				continue // the other family's addresses sort among ours
			case !p.Contains(rec.CIDR.Addr()):
				return
			case rec.CIDR.Bits() >= p.Bits() && !yield(rec):
				return
			}
		}
	}
}
