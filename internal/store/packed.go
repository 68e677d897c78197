package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Packing is a form of its own for a collection of very many records. JSON and
// decoded records cost three times the memory and the time to start; who has
// only thousands of records needs no packing, and can read what is stored.
type Packing[T any] struct {
	// Pack appends v's form to b. What the record's key tells it may leave out.
	Pack func(b []byte, v T) []byte

	// Unpack returns the record at key. Its strings may be parts of key and of
	// data. A form that Pack didn't make is an error.
	Unpack func(key, data string) (T, error)
}

// packed is a record in its collection's form. It isn't kept decoded: that is
// what packing saves.
type packed struct{ data string }

// NewPackedCollection is NewCollection with a packing. The keys have a slash, and
// those that share what is before the first are neighbours that are written
// together, see page.go. Records of an older format version than the given one
// are JSON, and each by itself.
func NewPackedCollection[T any](s *Store, name string, version int, p Packing[T]) *Collection[T] {
	d := &definition{
		name: name,
		pack: &paging{
			version: version,
			check:   func(key, data string) error { _, err := p.Unpack(key, data); return err },
			older: func(body []byte) (string, error) {
				var v T
				if err := json.Unmarshal(body, &v); err != nil {
					return "", err
				}
				return p.pack(v).data, nil
			},
		},
	}
	return newCollection(s, d, &p)
}

// paging is a packing without its type.
type paging struct {
	version int
	check   func(key, data string) error
	older   func(body []byte) (data string, err error)
}

// page returns the value of a page with the records, whose keys begin with a
// group of that length.
func (p *paging) page(group int, records []record) []byte {
	size := 0
	for _, r := range records {
		size += r.size(group)
	}
	b := make([]byte, 0, len("00 ")+size)
	b = append(strconv.AppendInt(b, int64(p.version), 10), ' ')
	for _, r := range records {
		b = appendRecord(b, r.key[group:], r.data)
	}
	return b
}

// rows returns the records of a page.
func (p *paging) rows(start string, kv KV, in *hold) ([]row, error) {
	version, body, err := formatOf(p.version, kv.Value)
	if err != nil {
		return nil, err
	}
	if version < p.version {
		data, err := p.older(body)
		if err != nil {
			return nil, err
		}
		return []row{{key: start, value: &packed{data}}}, nil
	}
	if in == nil {
		in = newHold(p.room(start, body))
	}
	group := groupOf(start)
	rows := make([]row, 0, pageRecords)
	err = eachRecord(start, body, func(rest, data []byte) {
		rows = append(rows, row{key: in.join(group, rest), value: in.packed(data)})
	})
	for i := 0; i < len(rows) && err == nil; i++ {
		err = p.check(rows[i].key, rows[i].value.(*packed).data)
	}
	return rows, err
}

// room returns how many records there are in the body of a page, if it is one,
// and the bytes that they take.
func (p *paging) room(start string, body []byte) (n, size int) {
	group := len(groupOf(start))
	_ = eachRecord(start, body, func(rest, data []byte) { // rows tells of the error
		n++
		size += group + len(rest) + len(data)
	})
	return n, size
}

// hold is memory for the keys and packed records of one batch of a load. A
// million small objects cost the collector more than what is in them; these are
// one, which lives as long as any of the batch's records does.
type hold struct {
	text  strings.Builder
	boxes []packed
}

// newHold returns a hold for n records with so many bytes in all.
func newHold(n, size int) *hold {
	h := &hold{boxes: make([]packed, 0, n)}
	h.text.Grow(size)
	return h
}

func (h *hold) string(s string) string {
	first := h.text.Len()
	h.text.WriteString(s)
	return h.text.String()[first:]
}

// join is string of two parts.
func (h *hold) join(group string, rest []byte) string {
	first := h.text.Len()
	h.text.WriteString(group)
	h.text.Write(rest)
	return h.text.String()[first:]
}

func (h *hold) packed(data []byte) *packed {
	first := h.text.Len()
	h.text.Write(data)
	h.boxes = append(h.boxes, packed{h.text.String()[first:]})
	return &h.boxes[len(h.boxes)-1]
}

// packRoom is enough for most packed records; longer ones are copied.
const packRoom = 256

func (p *Packing[T]) pack(v T) *packed {
	var room [packRoom]byte
	return &packed{string(p.Pack(room[:0], v))}
}

// unpack reads a record that could be read when it came into the view.
func (p *Packing[T]) unpack(rw row) T {
	v, err := p.Unpack(rw.key, rw.value.(*packed).data)
	if err != nil {
		panic(fmt.Sprintf("store: record %s can't be unpacked any more: %v", rw.key, err))
	}
	return v
}
