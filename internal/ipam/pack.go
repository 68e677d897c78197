package ipam

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// An allocation is stored packed: there may be a million of them. The form is a
// sequence of fields, each a byte that names it and its value: an unsigned
// varint, or a length and that many bytes. The byte's lowest bit tells the two
// apart, so that a program passes over the fields of a newer one. A field that
// isn't there has its zero value. The pool and the first address are the key's.
//
// Field numbers are for ever. Times are in nanoseconds since 1970.
const (
	packNumber = 0
	packText   = 1

	fieldBits        = 1<<1 | packNumber // the block's length
	fieldSeq         = 2<<1 | packNumber
	fieldCreated     = 3<<1 | packNumber
	fieldUntil       = 4<<1 | packNumber
	fieldID          = 5<<1 | packText
	fieldType        = 6<<1 | packText
	fieldResourceID  = 7<<1 | packText
	fieldAccount     = 8<<1 | packText
	fieldRegion      = 9<<1 | packText
	fieldDescription = 10<<1 | packText
	fieldState       = 11<<1 | packText
)

// allocationFormat is the version of allocations' stored form. 1 was JSON, 2 was
// packed records each by itself, which no release had.
const allocationFormat = 3

var allocationPacking = store.Packing[Allocation]{Pack: packAllocation, Unpack: unpackAllocation}

func packAllocation(b []byte, a Allocation) []byte {
	number := func(field byte, n uint64) {
		if n != 0 {
			b = binary.AppendUvarint(append(b, field), n)
		}
	}
	text := func(field byte, s string) {
		if s != "" {
			b = append(binary.AppendUvarint(append(b, field), uint64(len(s))), s...)
		}
	}
	number(fieldBits, uint64(a.CIDR.Bits()))
	number(fieldSeq, a.Seq)
	number(fieldCreated, packTime(a.Created))
	number(fieldUntil, packTime(a.Until))
	text(fieldID, a.ID)
	text(fieldType, string(a.Holder.Type))
	text(fieldResourceID, a.Holder.ResourceID)
	text(fieldAccount, a.Holder.Account)
	text(fieldRegion, a.Holder.Region)
	text(fieldDescription, a.Description)
	text(fieldState, string(a.State))
	return b
}

// packTime returns 0 for no time.
func packTime(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

func unpackTime(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n)).UTC()
}

var errPackedShort = errors.New("packed allocation ends within a field")

// unpackAllocation takes no memory: the strings are parts of key and data.
func unpackAllocation(key, data string) (a Allocation, err error) {
	pool, first, err := parseBlockKey(key)
	if err != nil {
		return a, err
	}
	a.PoolID = pool
	bits := 0
	for len(data) > 0 {
		field := data[0]
		n, size := uvarint(data[1:])
		if size <= 0 {
			return a, errPackedShort
		}
		data = data[1+size:]
		var text string
		if field&1 == packText {
			if n > uint64(len(data)) {
				return a, errPackedShort
			}
			text, data = data[:n], data[n:]
		}
		switch field {
		case fieldBits:
			bits = int(min(n, 1<<8))
		case fieldSeq:
			a.Seq = n
		case fieldCreated:
			a.Created = unpackTime(n)
		case fieldUntil:
			a.Until = unpackTime(n)
		case fieldID:
			a.ID = text
		case fieldType:
			a.Holder.Type = ResourceType(text)
		case fieldResourceID:
			a.Holder.ResourceID = text
		case fieldAccount:
			a.Holder.Account = text
		case fieldRegion:
			a.Holder.Region = text
		case fieldDescription:
			a.Description = text
		case fieldState:
			a.State = AllocationState(text)
		}
	}
	if a.CIDR = netip.PrefixFrom(first, bits); !a.CIDR.IsValid() {
		return a, fmt.Errorf("packed allocation has a block of length %d", bits)
	}
	return a, nil
}

// uvarint is binary.Uvarint of a string: it returns the number and its length, 0
// or less if there is none.
func uvarint(s string) (n uint64, size int) {
	for i := range min(len(s), binary.MaxVarintLen64) {
		n |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return n, i + 1
		}
	}
	return 0, 0
}
