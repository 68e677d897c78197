package ipam

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// someAllocation returns an allocation none of whose fields is zero; a field that
// is new in the struct is given a value by its kind.
func someAllocation(t *testing.T) (key string, a Allocation) {
	t.Helper()
	var fill func(v reflect.Value, name string)
	fill = func(v reflect.Value, name string) {
		switch v.Interface().(type) {
		case netip.Prefix:
			v.Set(reflect.ValueOf(netip.MustParsePrefix("2001:db8::100/120")))
			return
		case time.Time:
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)))
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for n := range v.NumField() {
				fill(v.Field(n), name+v.Type().Field(n).Name)
			}
		case reflect.String:
			v.SetString(name + strings.Repeat("é", 200))
		case reflect.Uint64:
			v.SetUint(1<<63 + 7)
		default:
			t.Fatalf("%s is a %s, which this test has no value for", name, v.Kind())
		}
	}
	fill(reflect.ValueOf(&a).Elem(), "")
	a.PoolID = "ipam-pool-0123456789abcdef0"
	return blockKey(a.PoolID, a.CIDR.Addr()), a
}

// I5: what is stored is all of the allocation. Who adds a field to Allocation and
// not to its packing is told so here.
func TestAPackedAllocationIsWhole(t *testing.T) {
	key, a := someAllocation(t)
	got, err := unpackAllocation(key, string(packAllocation(nil, a)))
	if err != nil || got != a {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, a)
	}
	bare := Allocation{PoolID: "p", CIDR: netip.MustParsePrefix("0.0.0.0/0")}
	if got, err := unpackAllocation(blockKey("p", bare.CIDR.Addr()), string(packAllocation(nil, bare))); err != nil || got != bare {
		t.Errorf("without anything: got %+v, %v", got, err)
	}
}

func TestAPackedAllocationWithANewerFieldIsRead(t *testing.T) {
	key, a := someAllocation(t)
	data := append([]byte{30<<1 | packNumber, 200, 1, 31<<1 | packText, 2, 'h', 'i'}, packAllocation(nil, a)...)
	if got, err := unpackAllocation(key, string(data)); err != nil || got != a {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestABrokenPackedAllocationIsAnError(t *testing.T) {
	key, a := someAllocation(t)
	data := string(packAllocation(nil, a))
	for n := range data {
		// What ends between two fields is an allocation that has fewer of them.
		if got, err := unpackAllocation(key, data[:n]); err == nil && string(packAllocation(nil, got)) != data[:n] {
			t.Errorf("the first %d of %d bytes were read as %+v", n, len(data), got)
		}
	}
	for name, c := range map[string]struct{ key, data string }{
		"a key without an address": {"pool/", data},
		"a key of odd digits":      {"pool/0a00000", data},
		"a key of other digits":    {"pool/0a0000zz", data},
		"a block that is too long": {"pool/0a000000", string([]byte{fieldBits, 33})},
		"a length beyond the end":  {key, string([]byte{fieldID, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})},
		"a number without end":     {key, string([]byte{fieldSeq, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})},
	} {
		if got, err := unpackAllocation(c.key, c.data); err == nil {
			t.Errorf("%s was read: %+v", name, got)
		}
	}
}

// Allocations that an earlier program stored, as JSON, are read.
func TestAnAllocationWasJSON(t *testing.T) {
	const stored = `{"i":"ipam-pool-alloc-0123","p":"ipam-pool-1","c":"10.0.0.0/28","s":7,"h":{"t":"eip","r":"eipalloc-1","a":"111122223333","g":"us-east-1"},"x":"cooling","n":"2026-01-02T03:04:05Z","u":"2026-01-02T03:05:05Z"}`
	var a Allocation
	if err := json.Unmarshal([]byte(stored), &a); err != nil {
		t.Fatal(err)
	}
	got, err := unpackAllocation(blockKey(a.PoolID, a.CIDR.Addr()), string(packAllocation(nil, a)))
	if err != nil || got != a || got.State != Cooling || got.Seq != 7 {
		t.Errorf("got %+v, %v, want %+v", got, err, a)
	}
}

// What is unpacked may come from a disk that has lost a bit: no panic, and what
// is read is packed again to the same.
func FuzzUnpackAllocation(f *testing.F) {
	f.Add("ipam-pool-1/0a000000", packAllocation(nil, Allocation{ID: "i", CIDR: netip.MustParsePrefix("10.0.0.0/28"), Seq: 3, Created: time.Unix(5, 0)}))
	f.Add("p/20010db8000000000000000000000000", []byte{fieldBits, 128, 1, fieldState, 1, 'x'})
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		a, err := unpackAllocation(key, string(data))
		if err != nil {
			return
		}
		again, err := unpackAllocation(key, string(packAllocation(nil, a)))
		if err != nil || again != a {
			t.Errorf("%+v became %+v, %v", a, again, err)
		}
	})
}
