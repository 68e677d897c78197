package store

import (
	"slices"
	"strings"

	"github.com/google/btree"
)

// view is the state of all collections at one revision. It is immutable once
// published: the next one is made from clones (google/btree copies on write).
type view struct {
	revision int64
	tables   []*table // by definition.n
}

// table is one collection's rows, and an index and a tally for each that was
// declared.
type table struct {
	rows    *btree.BTreeG[row]
	pages   *btree.BTreeG[page] // of a packed collection
	indexes []*btree.BTreeG[indexEntry]
	tallies []*btree.BTreeG[tallyEntry]
}

type row struct {
	key         string
	value       any   // a record as its definition has it
	modRevision int64 // of a packed record: nothing, its page has one
}

// indexEntry says that the row at key has the value in an index.
type indexEntry struct{ value, key string }

// btreeDegree balances what a commit copies, a node of up to 2·degree-1 rows of
// 40 bytes on each level, against the number of levels. One-record commits
// among 20,000 records with two indexes allocated 29, 36 and 48 KB with 16, 32
// and 64, at the same rate (BenchmarkUpdate).
const btreeDegree = 32

func newTable(d *definition) *table {
	t := &table{rows: btree.NewG(btreeDegree, func(a, b row) bool { return a.key < b.key })}
	if d.pack != nil {
		t.pages = newPages()
	}
	for range d.indexes {
		t.indexes = append(t.indexes, btree.NewG(btreeDegree, func(a, b indexEntry) bool { return a.compare(b) < 0 }))
	}
	for range d.tallies {
		t.tallies = append(t.tallies, btree.NewG(btreeDegree, func(a, b tallyEntry) bool { return a.value < b.value }))
	}
	return t
}

func (a indexEntry) compare(b indexEntry) int {
	if c := strings.Compare(a.value, b.value); c != 0 {
		return c
	}
	return strings.Compare(a.key, b.key)
}

func (t *table) clone() *table {
	c := &table{
		rows:    t.rows.Clone(),
		indexes: make([]*btree.BTreeG[indexEntry], len(t.indexes)),
		tallies: make([]*btree.BTreeG[tallyEntry], len(t.tallies)),
	}
	if t.pages != nil {
		c.pages = t.pages.Clone()
	}
	for i, ix := range t.indexes {
		c.indexes[i] = ix.Clone()
	}
	for i, ta := range t.tallies {
		c.tallies[i] = ta.Clone()
	}
	return c
}

func (v *view) row(d *definition, key string) (row, bool) {
	return v.tables[d.n].rows.Get(row{key: key})
}

// edit builds the view that follows another.
type edit struct {
	next  *view
	owned []bool // tables that are next's alone, by definition.n
}

func (v *view) edit() *edit {
	return &edit{
		next:  &view{revision: v.revision, tables: slices.Clone(v.tables)},
		owned: make([]bool, len(v.tables)),
	}
}

func (e *edit) table(d *definition) *table {
	if !e.owned[d.n] {
		e.next.tables[d.n] = e.next.tables[d.n].clone()
		e.owned[d.n] = true
	}
	return e.next.tables[d.n]
}

func (e *edit) set(d *definition, r row) {
	t := e.table(d)
	old, had := t.rows.ReplaceOrInsert(r)
	now, before := d.values(r), values{}
	if had {
		before = d.values(old)
	}
	t.reindex(r.key, before, now)
}

func (e *edit) remove(d *definition, key string) {
	t := e.table(d)
	if old, had := t.rows.Delete(row{key: key}); had {
		t.reindex(key, d.values(old), values{})
	}
}

// reindex brings the indexes and tallies from what the row at key had to what it
// has; no values are those of no row.
func (t *table) reindex(key string, before, now values) {
	for i, tree := range t.indexes {
		var old, present []string
		if before.indexes != nil {
			old = before.indexes[i]
		}
		if now.indexes != nil {
			present = now.indexes[i]
		}
		if slices.Equal(old, present) {
			continue
		}
		for _, v := range old {
			tree.Delete(indexEntry{v, key})
		}
		for _, v := range present {
			tree.ReplaceOrInsert(indexEntry{v, key})
		}
	}
	for i := range t.tallies {
		var old, present string
		if before.tallies != nil {
			old = before.tallies[i]
		}
		if now.tallies != nil {
			present = now.tallies[i]
		}
		if old != present {
			t.count(i, old, -1)
			t.count(i, present, 1)
		}
	}
}
