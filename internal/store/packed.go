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

// NewPackedCollection is NewCollection with a packing. Records of an older format
// version than the given one are JSON.
func NewPackedCollection[T any](s *Store, name string, version int, p Packing[T]) *Collection[T] {
	head := strconv.Itoa(version) + " "
	d := &definition{
		name:   name,
		packs:  true,
		encode: func(v any) ([]byte, error) { return append([]byte(head), v.(*packed).data...), nil },
		decode: func(key string, b []byte, in *hold) (any, error) {
			found, body, err := formatOf(version, b)
			if err != nil {
				return nil, err
			}
			if found < version {
				var v T
				if err := json.Unmarshal(body, &v); err != nil {
					return nil, err
				}
				return p.pack(v), nil
			}
			rec := in.packed(body)
			if _, err := p.Unpack(key, rec.data); err != nil {
				return nil, err
			}
			return rec, nil
		},
	}
	return newCollection(s, d, &p)
}

// hold is memory for the keys and packed records of one batch of a load. A
// million small objects cost the collector more than what is in them; these are
// one, which lives as long as any of the batch's records does. nil holds each
// by itself.
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
	if h == nil {
		return strings.Clone(s)
	}
	first := h.text.Len()
	h.text.WriteString(s)
	return h.text.String()[first:]
}

func (h *hold) packed(data []byte) *packed {
	if h == nil {
		return &packed{string(data)}
	}
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
