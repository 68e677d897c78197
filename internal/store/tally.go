package store

import (
	"fmt"
	"iter"
	"strings"
)

// Tally counts a collection's records by a value, so that to ask how many there
// are costs nothing that grows with them.
type Tally[T any] struct {
	collection *Collection[T]
	n          int
}

// tallyEntry says how many rows have the value; never 0.
type tallyEntry struct {
	value string
	count int
}

// Tally declares a tally of the collection. value must be a pure function of the
// record; a record whose value is "" isn't counted. Before Start.
func (c *Collection[T]) Tally(value func(T) string) *Tally[T] {
	if c.store.view.Load() != nil {
		panic(fmt.Sprintf("store: tally of %s declared after Start", c.def.name))
	}
	c.tallies = append(c.tallies, value)
	c.def.tallies++
	return &Tally[T]{collection: c, n: len(c.tallies) - 1}
}

// Each yields the values that begin with prefix, in order, and how many records
// have each. From a Tx it tells of the state when the transaction began.
func (t *Tally[T]) Each(r Reader, prefix string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		tree := r.state().tables[t.collection.def.n].tallies[t.n]
		tree.AscendGreaterOrEqual(tallyEntry{value: prefix}, func(e tallyEntry) bool {
			return strings.HasPrefix(e.value, prefix) && yield(e.value, e.count)
		})
	}
}

// count adds to how many rows have the value in tally i.
func (t *table) count(i int, value string, by int) {
	if value == "" {
		return
	}
	e, _ := t.tallies[i].Get(tallyEntry{value: value})
	e.value, e.count = value, e.count+by
	if e.count == 0 {
		t.tallies[i].Delete(e)
		return
	}
	t.tallies[i].ReplaceOrInsert(e)
}
