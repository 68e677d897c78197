package store

import (
	"fmt"
	"slices"
)

// Tx is a transaction under construction. What it reads by key and what it
// writes is guarded; what it iterates over is not.
type Tx struct {
	base   *view
	log    []entry           // the records that were touched, in that order
	index  map[recordKey]int // of log; nil while that is short
	writes int               // entries that are written
	bytes  int               // of the request to the engine, roughly and never less
	undo   []undo            // of everything since the transaction began, newest last

	// Of a commit under way, see commits.
	ops      []Op
	pages    []pageWrite
	revision int64 // of the commit, once known
}

type recordKey struct {
	def *definition
	key string
}

// entry is a record in a transaction: guarded, and written if write isn't nil.
type entry struct {
	recordKey
	guard int64 // ModRevision seen, of the record or of its page; 0: absent
	write *write
}

type write struct {
	value   any    // as its definition has it; nil: delete
	encoded []byte // nil: a packed record is, with its page
	bytes   int    // of the request
}

// undo takes back one step: the last entry, if the step made it, else the
// entry's write.
type undo struct {
	entry int
	made  bool
	old   *write
	bytes int // before
}

const (
	// opOverhead is at least what a guard or an operation takes in a request
	// beside key and value: five tags, lengths of up to four bytes, a revision.
	opOverhead = 32
	// A log up to shortLog entries is searched from end to end: most
	// transactions touch few records, and a map costs more than they do.
	shortLog = 8
)

func newTx(base *view) *Tx { return &Tx{base: base} }

func (tx *Tx) state() *view { return tx.base }

// Snapshot returns what was committed when the transaction began. Reads from it
// are not guarded.
func (tx *Tx) Snapshot() Snapshot { return Snapshot{tx.base} }

func (tx *Tx) read(d *definition, key string) (row, bool) {
	k := recordKey{d, key}
	if i, ok := tx.find(k); ok {
		if w := tx.log[i].write; w != nil {
			return row{key: key, value: w.value, modRevision: tx.log[i].guard}, w.value != nil
		}
		return tx.base.row(d, key)
	}
	rw, ok := tx.base.row(d, key)
	tx.add(k, tx.base.guardOf(d, rw, key))
	return rw, ok
}

// find returns the record's place in the log.
func (tx *Tx) find(k recordKey) (i int, ok bool) {
	if tx.index != nil {
		i, ok = tx.index[k]
		return i, ok
	}
	for i := range tx.log {
		if tx.log[i].recordKey == k {
			return i, true
		}
	}
	return 0, false
}

// add makes the record's entry, which is new, and returns its place.
func (tx *Tx) add(k recordKey, modRevision int64) int {
	i := len(tx.log)
	tx.undo = append(tx.undo, undo{entry: i, made: true, bytes: tx.bytes})
	tx.log = append(tx.log, entry{recordKey: k, guard: modRevision})
	tx.bytes += len(k.def.prefix) + len(k.key) + opOverhead
	switch {
	case tx.index != nil:
		tx.index[k] = i
	case len(tx.log) > shortLog:
		tx.index = make(map[recordKey]int, MaxTxnOps)
		for i := range tx.log {
			tx.index[tx.log[i].recordKey] = i
		}
		tx.log = slices.Grow(tx.log, MaxTxnOps-len(tx.log))
		tx.undo = slices.Grow(tx.undo, MaxTxnOps)
	}
	return i
}

func (tx *Tx) put(d *definition, key string, value any) {
	if rec, ok := value.(*packed); ok {
		if groupOf(key) == "" {
			panic(fmt.Sprintf("store: the key %s/%s has no slash", d.name, key))
		}
		tx.write(recordKey{d, key}, &write{value: value, bytes: len(rec.data)})
		return
	}
	enc, err := d.encode(value)
	if err != nil {
		// A record type that JSON can't hold is a mistake in the program.
		panic(fmt.Sprintf("store: encode %s/%s: %v", d.name, key, err))
	}
	tx.write(recordKey{d, key}, &write{value: value, encoded: enc, bytes: len(enc)})
}

func (tx *Tx) del(d *definition, key string) { tx.write(recordKey{d, key}, &write{}) }

func (tx *Tx) write(k recordKey, w *write) {
	i, ok := tx.find(k)
	if !ok {
		rw, _ := tx.base.row(k.def, k.key)
		i = tx.add(k, tx.base.guardOf(k.def, rw, k.key))
	}
	e := &tx.log[i]
	tx.undo = append(tx.undo, undo{entry: i, old: e.write, bytes: tx.bytes})
	if e.write == nil {
		tx.writes++
		tx.bytes += len(k.def.prefix) + len(k.key) + opOverhead
		if k.def.pack != nil {
			tx.bytes += tx.base.tables[k.def.n].pageOf(k.key).bytes
		}
	} else {
		tx.bytes -= e.write.bytes
	}
	tx.bytes += w.bytes
	e.write = w
}

// Try runs f as a part of the transaction. If f fails, or if with it the
// transaction would be too large for one commit (ErrTooLarge), all that f did
// is undone and the rest of the transaction stands.
func (tx *Tx) Try(f func() error) error {
	mark := len(tx.undo)
	err := f()
	if err == nil {
		err = tx.checkSize()
	}
	if err != nil {
		tx.rollBack(mark)
	}
	return err
}

func (tx *Tx) rollBack(mark int) {
	for len(tx.undo) > mark {
		u := tx.undo[len(tx.undo)-1]
		tx.undo = tx.undo[:len(tx.undo)-1]
		tx.bytes = u.bytes
		e := &tx.log[u.entry]
		if u.made {
			delete(tx.index, e.recordKey)
			tx.log = tx.log[:u.entry]
			continue
		}
		e.write = u.old
		if u.old == nil {
			tx.writes--
		}
	}
}

func (tx *Tx) checkSize() error {
	if len(tx.log) > MaxTxnOps || tx.bytes > MaxTxnBytes {
		return fmt.Errorf("%w: %d records read or written, %d written, %d bytes", ErrTooLarge, len(tx.log), tx.writes, tx.bytes)
	}
	return nil
}

func (tx *Tx) txn() Txn {
	t := Txn{Guards: make([]Guard, 0, len(tx.log))}
	tx.ops, tx.pages = make([]Op, 0, tx.writes), nil
	for _, e := range tx.log {
		if e.def.pack != nil {
			continue
		}
		full := e.def.prefix + e.key
		t.Guards = append(t.Guards, Guard{Key: full, ModRevision: e.guard})
		if e.write != nil {
			tx.ops = append(tx.ops, Op{Key: full, Value: e.write.encoded, Delete: e.write.value == nil})
		}
	}
	edits := tx.pageEdits()
	spare := MaxTxnOps - len(tx.ops)
	for _, p := range edits {
		t.Guards = append(t.Guards, Guard{Key: p.def.prefix + p.page.start, ModRevision: p.page.modRevision})
		if len(p.writes) > 0 {
			spare--
		}
	}
	for _, p := range edits {
		if len(p.writes) > 0 {
			spare -= p.write(tx, spare)
		}
	}
	t.Ops = tx.ops
	return t
}

// changes says whether a commit makes a new revision: it doesn't when all that
// it does is to delete what isn't there.
func (tx *Tx) changes() bool {
	for _, e := range tx.log {
		if e.write != nil && (e.write.value != nil || e.guard != 0) {
			return true
		}
	}
	return false
}

// stale says whether a record that tx read by key has changed in now since tx
// began.
func (tx *Tx) stale(now *view) bool {
	if now.revision == tx.base.revision {
		return false
	}
	for _, e := range tx.log {
		if e.def.pack != nil {
			if now.tables[e.def.n].pageOf(e.key) != tx.base.tables[e.def.n].pageOf(e.key) {
				return true
			}
		} else if rw, _ := now.row(e.def, e.key); rw.modRevision != e.guard {
			return true
		}
	}
	return false
}

// applyTo makes tx's writes, committed at the revision, in the view under
// construction.
func (tx *Tx) applyTo(e *edit, revision int64) {
	for _, en := range tx.log {
		switch {
		case en.write == nil:
		case en.write.value == nil:
			e.remove(en.def, en.key)
		default:
			e.set(en.def, row{key: en.key, value: en.write.value, modRevision: revision})
		}
	}
	for _, p := range tx.pages {
		t := e.table(p.def)
		if p.delete {
			t.pages.Delete(p.page)
			continue
		}
		p.page.modRevision = revision
		t.pages.ReplaceOrInsert(p.page)
	}
}
