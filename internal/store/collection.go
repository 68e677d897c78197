package store

import (
	"fmt"
	"iter"
)

// definition is a collection without its type. Its records are *T, or *packed
// where the collection has a form of its own.
type definition struct {
	name    string
	n       int     // in views' tables
	prefix  string  // of its keys in the engine
	pack    *paging // not nil: its records are *packed, and encode and decode nil
	encode  func(record any) (value []byte, err error)
	decode  func(value []byte) (record any, err error)
	indexes int // how many were declared
	tallies int
	values  func(row) values
}

// values are what a row is found under in each index, and counted under in each
// tally.
type values struct {
	indexes [][]string
	tallies []string
}

// Collection is the records of one kind, ordered by key.
type Collection[T any] struct {
	def   *definition
	store *Store
	pack  *Packing[T] // nil: records are kept as they are

	indexes []func(T) []string
	tallies []func(T) string
}

// NewCollection declares a collection whose records have the given format
// version. Before Start; a name is declared once. It panics otherwise, both
// being mistakes in the program.
func NewCollection[T any](s *Store, name string, version int) *Collection[T] {
	d := &definition{
		name:   name,
		encode: func(v any) ([]byte, error) { return encode(version, v) },
		decode: func(b []byte) (any, error) { return decode[T](version, b) },
	}
	return newCollection[T](s, d, nil)
}

func newCollection[T any](s *Store, d *definition, p *Packing[T]) *Collection[T] {
	c := &Collection[T]{def: d, store: s, pack: p}
	d.values = c.values
	s.declare(d)
	return c
}

func (c *Collection[T]) values(rw row) values {
	v := values{indexes: make([][]string, len(c.indexes)), tallies: make([]string, len(c.tallies))}
	if len(c.indexes)+len(c.tallies) == 0 {
		return v
	}
	record := c.record(rw)
	for i, keys := range c.indexes {
		v.indexes[i] = keys(record)
	}
	for i, value := range c.tallies {
		v.tallies[i] = value(record)
	}
	return v
}

// Name returns the collection's name, which begins its records' keys in the engine.
func (c *Collection[T]) Name() string { return c.def.name }

// Reader is where records are read from: a Snapshot, or a Tx, which also
// guards every record that is asked for by key.
type Reader interface {
	read(d *definition, key string) (row, bool)
	state() *view
}

// Get returns the record at key.
func (c *Collection[T]) Get(r Reader, key string) (T, bool) {
	rw, ok := r.read(c.def, key)
	if !ok {
		var zero T
		return zero, false
	}
	return c.record(rw), true
}

// record returns what a row holds.
func (c *Collection[T]) record(rw row) T {
	if c.pack != nil {
		return c.pack.unpack(rw)
	}
	return *rw.value.(*T)
}

// All yields every record in order of key. From a Tx it yields what was
// committed when the transaction began, unguarded.
func (c *Collection[T]) All(r Reader) iter.Seq2[string, T] { return c.From(r, "") }

// From yields the records whose key is at least from, in order of key; see All.
func (c *Collection[T]) From(r Reader, from string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		r.state().tables[c.def.n].rows.AscendGreaterOrEqual(row{key: from}, func(rw row) bool {
			return yield(rw.key, c.record(rw))
		})
	}
}

// Len returns the number of records.
func (c *Collection[T]) Len(r Reader) int { return r.state().tables[c.def.n].rows.Len() }

// Put writes the record at key, whether or not there is one.
func (c *Collection[T]) Put(tx *Tx, key string, v T) {
	if c.pack != nil {
		tx.put(c.def, key, c.pack.pack(v))
		return
	}
	tx.put(c.def, key, &v)
}

// Delete removes the record at key, if there is one.
func (c *Collection[T]) Delete(tx *Tx, key string) { tx.del(c.def, key) }

// Index finds records by a value that isn't their key. A record is under as
// many values as keys gave for it.
type Index[T any] struct {
	collection *Collection[T]
	n          int
}

// Index declares an index over the collection. keys must be a pure function of
// the record. Before Start.
func (c *Collection[T]) Index(keys func(T) []string) *Index[T] {
	if c.store.view.Load() != nil {
		panic(fmt.Sprintf("store: index on %s declared after Start", c.def.name))
	}
	c.indexes = append(c.indexes, keys)
	c.def.indexes++
	return &Index[T]{collection: c, n: len(c.indexes) - 1}
}

// Each yields the records under value, in order of key; see Collection.All.
func (ix *Index[T]) Each(r Reader, value string) iter.Seq2[string, T] { return ix.From(r, value, "") }

// From yields the records under value whose key is at least from.
func (ix *Index[T]) From(r Reader, value, from string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		t := r.state().tables[ix.collection.def.n]
		t.indexes[ix.n].AscendGreaterOrEqual(indexEntry{value, from}, func(e indexEntry) bool {
			if e.value != value {
				return false
			}
			rw, _ := t.rows.Get(row{key: e.key})
			return yield(e.key, ix.collection.record(rw))
		})
	}
}

// Count returns how many records are under value; it costs their number.
func (ix *Index[T]) Count(r Reader, value string) int {
	n := 0
	ix.entries(r, value, func() bool { n++; return true })
	return n
}

// Has says whether any record is under value.
func (ix *Index[T]) Has(r Reader, value string) bool {
	found := false
	ix.entries(r, value, func() bool { found = true; return false })
	return found
}

func (ix *Index[T]) entries(r Reader, value string, each func() bool) {
	t := r.state().tables[ix.collection.def.n]
	t.indexes[ix.n].AscendGreaterOrEqual(indexEntry{value: value}, func(e indexEntry) bool {
		return e.value == value && each()
	})
}

// Snapshot is all collections at one revision.
type Snapshot struct{ v *view }

func (s Snapshot) read(d *definition, key string) (row, bool) { return s.v.row(d, key) }
func (s Snapshot) state() *view                               { return s.v }

// Revision returns the engine's revision that the snapshot shows.
func (s Snapshot) Revision() int64 { return s.v.revision }
