package vpc

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// The room's records as they are stored and unjudged, for who proves from
// outside that they fit each other, and the repair of the numbers among them.

// AllAddresses yields every account's public addresses, by id.
func (s *Service) AllAddresses(r store.Reader) iter.Seq2[string, Address] { return s.addresses.All(r) }

// AllSubnets yields every account's subnets, by id.
func (s *Service) AllSubnets(r store.Reader) iter.Seq2[string, Subnet] { return s.subnets.All(r) }

// AnyAddress returns a public address, whoever's it is.
func (s *Service) AnyAddress(r store.Reader, id string) (Address, bool) {
	return s.addresses.Get(r, id)
}

// AnyVPC returns a VPC, whoever's it is.
func (s *Service) AnyVPC(r store.Reader, id string) (VPC, bool) { return s.vpcs.Get(r, id) }

// AnySubnet returns a subnet, whoever's it is.
func (s *Service) AnySubnet(r store.Reader, id string) (Subnet, bool) { return s.subnets.Get(r, id) }

// AnyInterface returns an interface, whoever's it is.
func (s *Service) AnyInterface(r store.Reader, id string) (Interface, bool) {
	return s.interfaces.Get(r, id)
}

// Counter is a number that is kept beside the records that it counts.
type Counter struct {
	Of, Where     string // what is counted, and for which thing it is
	Kept, Counted int
}

// Counters yields the numbers that the room keeps.
func (s *Service) Counters(r store.Snapshot) iter.Seq[Counter] {
	return func(yield func(Counter) bool) {
		for id, n := range s.subnets.All(r) {
			for _, c := range s.recount(r, n).counters(id) {
				if !yield(c) {
					return
				}
			}
		}
		for key := range s.pages.All(r) {
			if id, _, _ := strings.Cut(key, "/"); !has(s.subnets, r, id) && !yield(Counter{"pages of host addresses of a subnet that doesn't exist", id, 1, 0}) {
				return
			}
		}
		own := map[string]int{}
		for _, a := range s.addresses.All(r) {
			if a.counts() {
				own[owner(a.Account, a.Region)]++
			}
		}
		for key, reg := range s.regions.All(r) {
			if !yield(Counter{"addresses of the provider's that the account has", key, reg.Addresses, own[key]}) {
				return
			}
		}
	}
}

func has[T any](c *store.Collection[T], r store.Reader, key string) bool {
	_, ok := c.Get(r, key)
	return ok
}

// counts says whether the address is one of those that countAddress counts.
func (a Address) counts() bool { return a.Own && a.PoolID == "" }

// census is what a subnet's pages would be if they were made anew.
type census struct {
	pages map[int]page // those that interfaces have addresses in
	held  int
	full  page

	// Against what is stored:
	keptHeld, keptFull int
	lost               int // addresses marked taken that nobody has
	unmarked           int // addresses that an interface has and that aren't marked
}

// recount counts the addresses that interfaces have in a subnet.
func (s *Service) recount(r store.Reader, n Subnet) census {
	c := census{pages: map[int]page{}, keptHeld: n.Held}
	for _, i := range s.interfacesBySubnet.Each(r, n.ID) {
		for _, p := range i.Addresses() {
			if !p.Addr.Is4() || !n.CIDR.Contains(p.Addr) {
				continue // judged elsewhere
			}
			at := indexOf(n.CIDR, p.Addr)
			number := at / pageSize
			pg, ok := c.pages[number]
			if !ok {
				pg = emptyPage(n.CIDR, number)
			}
			if !pg.has(at % pageSize) {
				c.held++
			}
			pg.set(at % pageSize)
			c.pages[number] = pg
		}
	}
	for number := range (hosts(n.CIDR) + pageSize - 1) / pageSize {
		want := c.page(n, number)
		kept, ok := s.pages.Get(snapshot(r), pageKey(n.ID, number))
		if !ok {
			kept = emptyPage(n.CIDR, number)
		}
		for w := range want {
			c.lost += bits.OnesCount64(kept[w] &^ want[w])
			c.unmarked += bits.OnesCount64(want[w] &^ kept[w])
		}
		if want.full() {
			c.full.set(number)
		}
		if n.FullPages.has(number) != want.full() {
			c.keptFull++
		}
	}
	return c
}

func (c census) page(n Subnet, number int) page {
	if p, ok := c.pages[number]; ok {
		return p
	}
	return emptyPage(n.CIDR, number)
}

func (c census) counters(subnet string) []Counter {
	return []Counter{
		{"addresses that interfaces have in the subnet", subnet, c.keptHeld, c.held},
		{"addresses of the subnet that are marked taken and that no interface has", subnet, c.lost, 0},
		{"addresses of the subnet that an interface has and that are marked free", subnet, c.unmarked, 0},
		{"pages of the subnet that are wrongly marked full, or not", subnet, c.keptFull, 0},
	}
}

// snapshot returns what r reads from, for reads that need no guard.
func snapshot(r store.Reader) store.Snapshot {
	if tx, ok := r.(*store.Tx); ok {
		return tx.Snapshot()
	}
	return r.(store.Snapshot)
}

// pagesPerRecount bounds what one transaction of Recount writes.
const pagesPerRecount = store.MaxTxnOps / 2

// Recount sets the numbers that are kept for a subnet, or for an account's
// region, to what is there, and says whether that changed any. Whoever adds to
// what they count, or takes from it, writes the record that they are in.
func (s *Service) Recount(ctx context.Context, where string) (changed bool, err error) {
	for more := true; more; {
		did := false
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			did, more = false, false
			switch n, ok := s.subnets.Get(tx, where); {
			case ok:
				did, more = s.mendSubnet(tx, n)
			case strings.Contains(where, "/"):
				did = s.mendRegion(tx, where)
			default:
				did, more = s.dropPages(tx, where)
			}
			return nil
		})
		if err != nil {
			return changed, fmt.Errorf("recount %s: %w", where, err)
		}
		changed = changed || did
	}
	return changed, nil
}

// mendSubnet writes the pages that are wrong, as many as fit, and with the last
// of them the subnet.
func (s *Service) mendSubnet(tx *store.Tx, n Subnet) (changed, more bool) {
	c := s.recount(tx, n)
	written := 0
	for number := range (hosts(n.CIDR) + pageSize - 1) / pageSize {
		key, want := pageKey(n.ID, number), c.page(n, number)
		kept, ok := s.pages.Get(tx.Snapshot(), key) // the subnet guards its pages
		if _, needed := c.pages[number]; ok == needed && (!ok || kept == want) {
			continue
		}
		if written++; written > pagesPerRecount {
			s.subnets.Put(tx, n.ID, n)
			return true, true
		}
		if _, needed := c.pages[number]; needed {
			s.pages.Put(tx, key, want)
		} else {
			s.pages.Delete(tx, key)
		}
	}
	if written == 0 && n.Held == c.held && n.FullPages == c.full {
		return false, false
	}
	n.Held, n.FullPages = c.held, c.full
	s.subnets.Put(tx, n.ID, n)
	return true, false
}

func (s *Service) mendRegion(tx *store.Tx, key string) bool {
	reg, ok := s.regions.Get(tx, key)
	if !ok {
		return false
	}
	account, region, _ := strings.Cut(key, "/")
	own := 0
	for _, a := range s.Addresses(tx, account, region, "") {
		if a.counts() {
			own++
		}
	}
	if reg.Addresses == own {
		return false
	}
	reg.Addresses = own
	s.regions.Put(tx, key, reg)
	return true
}

// dropPages deletes the pages of a subnet that doesn't exist.
func (s *Service) dropPages(tx *store.Tx, subnet string) (changed, more bool) {
	written := 0
	for key := range s.pages.From(tx, subnet+"/") {
		if id, _, _ := strings.Cut(key, "/"); id != subnet {
			break
		}
		if written++; written > pagesPerRecount {
			return true, true
		}
		s.pages.Delete(tx, key)
	}
	return written > 0, false
}
