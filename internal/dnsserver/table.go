package dnsserver

import (
	"hash/maphash"
	"sync/atomic"
)

// minBuckets is the size of an empty index. A power of two, as every size is.
const minBuckets = 64

// node is one name that exists, because it has records, is the apex of a zone,
// or has a name below it (an empty non-terminal, RFC 4592 §2.2.2).
type node struct {
	key  string // the name in lower case, in wire format
	zone atomic.Pointer[zone]
	// records is nil at a name that nobody has put.
	records atomic.Pointer[records]

	// turnA and turnAAAA count the answers given, so that each starts at the
	// next address. One counter for all would not do: clients ask for A and AAAA
	// in pairs, and a step of two never reaches half of an even number of addresses.
	turnA, turnAAAA atomic.Uint32

	children int // names one label below; used by writers only
}

// table holds every name in one hash table, zones and records alike. Readers
// call find at any time; writers are kept apart by Server.mu.
type table struct {
	seed  maphash.Seed // random, so that nobody can choose names that collide
	index atomic.Pointer[index]
	count int // nodes; used by writers only
}

// index is the buckets of a table. It is replaced, not changed, when it grows;
// its links are changed in place.
type index struct {
	buckets []atomic.Pointer[link]
}

// link is one entry of a bucket's chain. An unlinked one still leads on to the
// rest of the chain, so that a reader that stands on it loses nothing.
type link struct {
	hash uint64
	node *node
	next atomic.Pointer[link]
}

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	t.index.Store(&index{buckets: make([]atomic.Pointer[link], minBuckets)})
	return t
}

func (x *index) bucket(hash uint64) *atomic.Pointer[link] {
	return &x.buckets[hash&uint64(len(x.buckets)-1)]
}

// find returns the node of a name in lower-case wire format, or nil. It neither
// blocks nor allocates.
func (t *table) find(name []byte) *node {
	hash := maphash.Bytes(t.seed, name)
	for l := t.index.Load().bucket(hash).Load(); l != nil; l = l.next.Load() {
		if l.hash == hash && l.node.key == string(name) {
			return l.node
		}
	}
	return nil
}

// update applies set to the node of a name, and makes the node and those above
// it, up to the root, where they are missing. A new one becomes visible with what
// set gave it, and after its ancestors.
func (t *table) update(name []byte, set func(*node)) {
	if n := t.find(name); n != nil {
		set(n)
		return
	}
	if parent := parentOf(name); parent != nil {
		t.update(parent, func(n *node) { n.children++ })
	}
	n := &node{key: string(name)}
	set(n)
	t.insert(n)
}

// removeRecords takes a node's records away. When nothing else keeps it there,
// it is unlinked as it is, for queries that hold it, and so is each ancestor that
// this leaves with nothing.
func (t *table) removeRecords(n *node) {
	if n.zone.Load() != nil || n.children > 0 {
		n.records.Store(nil)
		return
	}
	for {
		t.unlink(n)
		parent := parentOf([]byte(n.key))
		if parent == nil {
			return
		}
		n = t.find(parent)
		n.children--
		if n.zone.Load() != nil || n.records.Load() != nil || n.children > 0 {
			return
		}
	}
}

func (t *table) insert(n *node) {
	t.count++
	x := t.index.Load()
	if t.count > len(x.buckets) {
		x = x.doubled()
		x.add(maphash.String(t.seed, n.key), n)
		t.index.Store(x)
		return
	}
	x.add(maphash.String(t.seed, n.key), n)
}

func (t *table) unlink(n *node) {
	hash := maphash.String(t.seed, n.key)
	at := t.index.Load().bucket(hash)
	for l := at.Load(); l != nil; l = at.Load() {
		if l.node == n {
			at.Store(l.next.Load())
			t.count--
			return
		}
		at = &l.next
	}
}

// add puts a node at the head of its bucket.
func (x *index) add(hash uint64, n *node) {
	b := x.bucket(hash)
	l := &link{hash: hash, node: n}
	l.next.Store(b.Load())
	b.Store(l)
}

// doubled returns an index of twice the size with the same nodes in links of
// its own: readers of the old one are not disturbed.
func (x *index) doubled() *index {
	next := &index{buckets: make([]atomic.Pointer[link], 2*len(x.buckets))}
	for i := range x.buckets {
		for l := x.buckets[i].Load(); l != nil; l = l.next.Load() {
			next.add(l.hash, l.node)
		}
	}
	return next
}

// parentOf cuts the first label off a name in wire format; nil for the root.
func parentOf(name []byte) []byte {
	if name[0] == 0 {
		return nil
	}
	return name[1+int(name[0]):]
}
