package store

import (
	"encoding/json"
	"fmt"
	"strconv"
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
		encode: func(v any) ([]byte, error) { return append([]byte(head), v.(*packed).data...), nil },
		decode: func(key string, b []byte) (any, error) {
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
			rec := &packed{string(body)}
			if _, err := p.Unpack(key, rec.data); err != nil {
				return nil, err
			}
			return rec, nil
		},
	}
	s.declare(d)
	return &Collection[T]{def: d, store: s, pack: &p}
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
