package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/google/btree"
)

// A packed collection is stored in pages: neighbours in order of key under one
// key of the engine, which costs a key's memory, a key's time to start and an
// operation's time to commit once for all of them.
//
// A page is under the key that it starts at and holds the records from there to
// the next page's start. Pages don't reach over groups: what keys have up to
// their first slash. The first page of a group is under the group itself, and
// holds, even while it is absent, what is before the group's next page. So every
// key, whether there is a record or not, is in exactly one page, and whoever
// guards that page guards the key: no commit changes what is in a page, or which
// keys are, without writing or deleting the page.
//
// Two servers that change neighbours at once conflict, and one tries again. Rooms
// whose changes of a group come from one writer have no more conflicts than
// without pages.

// pageRecords is what a page holds at most, but where a commit has no operation
// left to split it with. The next one does.
const pageRecords = 32

// pageBytes is the same for its value: a page that is written for one record is
// written whole.
const pageBytes = 4 << 10

// page is a page without its records, which are rows of their own.
type page struct {
	start       string
	modRevision int64 // 0: absent
	bytes       int   // of its value
}

// groupOf returns what the keys of a group begin with.
func groupOf(key string) string { return key[:strings.IndexByte(key, '/')+1] }

// pageOf returns the page that key is in.
func (t *table) pageOf(key string) page {
	group := groupOf(key)
	found := page{start: group}
	t.pages.DescendLessOrEqual(page{start: key}, func(p page) bool {
		if strings.HasPrefix(p.start, group) {
			found = p
		}
		return false
	})
	return found
}

// rowsOf calls each for the rows in the page that starts there.
func (t *table) rowsOf(start string, each func(row)) {
	group, end := groupOf(start), ""
	t.pages.AscendGreaterOrEqual(page{start: start}, func(p page) bool {
		if p.start != start && strings.HasPrefix(p.start, group) {
			end = p.start
		}
		return p.start == start
	})
	t.rows.AscendGreaterOrEqual(row{key: start}, func(rw row) bool {
		if !strings.HasPrefix(rw.key, group) || end != "" && rw.key >= end {
			return false
		}
		each(rw)
		return true
	})
}

func newPages() *btree.BTreeG[page] {
	return btree.NewG(btreeDegree, func(a, b page) bool { return a.start < b.start })
}

// guardOf returns the modification that a transaction which depends on the record
// guards: its own, or its page's.
func (v *view) guardOf(d *definition, rw row, key string) int64 {
	if d.pack != nil {
		return v.tables[d.n].pageOf(key).modRevision
	}
	return rw.modRevision
}

// appendRecord adds a record to a page's value.
func appendRecord(b []byte, rest, data string) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(rest))), rest...)
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

var (
	errPageShort = errors.New("page ends within a record")
	errPageOrder = errors.New("page's records aren't in order of key, or before its start")
)

// eachRecord calls f for the records in the body of a page: what their keys have
// beyond the group, and their data.
func eachRecord(start string, body []byte, f func(rest, data []byte)) error {
	least := start[len(groupOf(start)):]
	for first := true; len(body) > 0; first = false {
		rest, after, ok := cutRecord(body)
		if !ok {
			return errPageShort
		}
		data, after, ok := cutRecord(after)
		if !ok {
			return errPageShort
		}
		if string(rest) < least || !first && string(rest) == least {
			return errPageOrder
		}
		f(rest, data)
		least, body = string(rest), after
	}
	return nil
}

func cutRecord(b []byte) (field, after []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n], b[n:], true
}

// pageEdit is what a transaction does to a page.
type pageEdit struct {
	def    *definition
	page   page
	writes []*entry // in the transaction's order; none: it only guards
}

// pageEdits gathers the transaction's entries of packed collections by page.
func (tx *Tx) pageEdits() []pageEdit {
	var edits []pageEdit
	for i := range tx.log {
		e := &tx.log[i]
		if e.def.pack == nil {
			continue
		}
		p := tx.base.tables[e.def.n].pageOf(e.key)
		n := slices.IndexFunc(edits, func(o pageEdit) bool { return o.def == e.def && o.page.start == p.start })
		if n < 0 {
			n = len(edits)
			edits = append(edits, pageEdit{def: e.def, page: p})
		}
		if e.write != nil {
			edits[n].writes = append(edits[n].writes, e)
		}
	}
	return edits
}

// pageWrite is a page that a transaction leaves behind, or its end.
type pageWrite struct {
	def    *definition
	page   page
	delete bool
}

// record is one in a page's making.
type record struct{ key, data string }

// size returns what the record takes of a page at most.
func (r record) size(group int) int {
	return 2*binary.MaxVarintLen32 + len(r.key) - group + len(r.data)
}

// merge returns the records of the edit's page with what the transaction writes,
// and whether the last is new.
func (p *pageEdit) merge(base *view) (records []record, appended bool) {
	t := base.tables[p.def.n]
	writes := slices.Clone(p.writes)
	slices.SortFunc(writes, func(a, b *entry) int { return strings.Compare(a.key, b.key) })
	records = make([]record, 0, pageRecords+len(writes))
	next := func() {
		if w := writes[0]; w.write.value != nil {
			records = append(records, record{w.key, w.write.value.(*packed).data})
		}
		writes = writes[1:]
	}
	t.rowsOf(p.page.start, func(rw row) {
		for len(writes) > 0 && writes[0].key < rw.key {
			next()
		}
		if len(writes) > 0 && writes[0].key == rw.key {
			next()
			return
		}
		records = append(records, record{rw.key, rw.value.(*packed).data})
	})
	appended = len(writes) > 0
	for len(writes) > 0 {
		next()
	}
	return records, appended
}

// write makes the operations that bring the page to what it shall hold, in at
// most spare+1 pages, and returns how many there are beside one.
func (p *pageEdit) write(tx *Tx, spare int) (extra int) {
	records, appended := p.merge(tx.base)
	if len(records) == 0 {
		tx.pages = append(tx.pages, pageWrite{def: p.def, page: p.page, delete: true})
		tx.ops = append(tx.ops, Op{Key: p.def.prefix + p.page.start, Delete: true})
		return 0
	}
	size := 0
	for _, r := range records {
		size += r.size(len(groupOf(p.page.start)))
	}
	parts := min(max(over(len(records), pageRecords), over(size, pageBytes)), spare+1)
	// What is filled in order shall be full; elsewhere there shall be room.
	each := over(len(records), parts)
	if appended && size <= len(records)/pageRecords*pageBytes {
		each = pageRecords
	}
	start := p.page.start
	for n := 0; len(records) > 0; n++ {
		some := records
		if n < parts-1 {
			some = records[:min(each, len(records))]
		}
		if n > 0 {
			start = some[0].key
		}
		value := p.def.pack.page(len(groupOf(start)), some)
		tx.pages = append(tx.pages, pageWrite{def: p.def, page: page{start: start, bytes: len(value)}})
		tx.ops = append(tx.ops, Op{Key: p.def.prefix + start, Value: value})
		records = records[len(some):]
	}
	return parts - 1
}

// over returns n divided by d, rounded up.
func over(n, d int) int { return (n + d - 1) / d }

// applyPages brings what another server's commit did to a collection's pages into
// the view under construction, and tells which records it changed.
func (e *edit) applyPages(d *definition, changes []Change, changed func(key string)) error {
	t := e.table(d)
	gone := map[string]bool{} // keys of the pages as they were
	for _, c := range changes {
		if start := c.Key[len(d.prefix):]; t.pages.Has(page{start: start}) {
			t.rowsOf(start, func(rw row) { gone[rw.key] = true })
		}
	}
	for _, c := range changes {
		start := strings.Clone(c.Key[len(d.prefix):])
		if c.Deleted {
			t.pages.Delete(page{start: start})
			continue
		}
		rows, err := d.pack.rows(start, c.KV, nil)
		if err != nil {
			return &unreadableError{c.Key, err}
		}
		t.pages.ReplaceOrInsert(page{start, c.ModRevision, len(c.Value)})
		for _, rw := range rows {
			delete(gone, rw.key)
			if old, ok := t.rows.Get(rw); ok && old.value.(*packed).data == rw.value.(*packed).data {
				continue
			}
			e.set(d, rw)
			changed(rw.key)
		}
	}
	for key := range gone {
		e.remove(d, key)
		changed(key)
	}
	return nil
}
