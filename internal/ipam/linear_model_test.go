package ipam_test

import (
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
)

// A pool of 16 addresses as a single thing that answers one request after the
// other, for porcupine.

const (
	arenaCIDR = "10.0.0.0/28"
	arenaSize = 16
)

// holding says which request holds each address of the pool; 0: none.
type holding [arenaSize]int32

func index(a netip.Addr) int { return int(a.As4()[3]) }

func (h holding) free(p netip.Prefix) bool {
	for _, n := range h.of(p) {
		if n != 0 {
			return false
		}
	}
	return true
}

func (h *holding) of(p netip.Prefix) []int32 {
	first := index(p.Addr())
	return h[first : first+1<<(32-p.Bits())]
}

func (h holding) with(p netip.Prefix, n int32) holding {
	for i := range h.of(p) {
		h.of(p)[i] = n
	}
	return h
}

// frees returns the free blocks of a length, the lowest first.
func (h holding) frees(bits int) (free []netip.Prefix) {
	for n := 0; n < arenaSize; n += 1 << (32 - bits) {
		if p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), bits); h.free(p) {
			free = append(free, p)
		}
	}
	return free
}

// startsAt says which request holds the block that begins at an address.
func (h holding) startsAt(n int) int32 {
	if n > 0 && h[n-1] == h[n] {
		return 0
	}
	return h[n]
}

// block returns what a request holds.
func (h holding) block(n int32) netip.Prefix {
	first, size := slices.Index(h[:], n), 0
	for _, m := range h {
		if m == n {
			size++
		}
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(first)}), 33-bits.Len(uint(size)))
}

// request is what was asked for: a block of a length or a certain one, by its
// number, or that the block of an earlier request be released, or what is stored.
type request struct {
	number  int32 // from 1; of the request for a block
	bits    int
	block   netip.Prefix
	release bool
	final   bool
}

// reply is what was answered.
type reply struct {
	unknown bool
	refused bool // no block; or another holds what was to be released
	block   netip.Prefix
	stored  holding
}

func (in request) String() string {
	switch {
	case in.final:
		return "what is stored?"
	case in.release:
		return fmt.Sprintf("release %s of request %d", in.block, in.number)
	case in.block.IsValid():
		return fmt.Sprintf("request %d: %s", in.number, in.block)
	}
	return fmt.Sprintf("request %d: any /%d", in.number, in.bits)
}

func (out reply) String() string {
	switch {
	case out.unknown:
		return "no answer"
	case out.refused:
		return "no"
	case out.block.IsValid():
		return out.block.String()
	case out.stored != holding{}:
		return fmt.Sprint(out.stored)
	}
	return "yes"
}

// step says what a pool may be after a request that was answered so.
func (h holding) step(in request, out reply) []holding {
	switch {
	case in.final:
		return only(h == out.stored, h)
	case in.release:
		first := h.startsAt(index(in.block.Addr()))
		mine := first == in.number
		after := h
		if mine {
			after = h.with(in.block, 0)
		}
		if out.unknown {
			return []holding{h, after}
		}
		return only(out.refused == (first != 0 && !mine), after)
	case out.refused:
		return only(true, h)
	}
	return only(h.free(out.block), h.with(out.block, in.number))
}

func only(yes bool, h holding) []holding {
	if !yes {
		return nil
	}
	return []holding{h}
}

func linear() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{holding{}} },
		Step: func(state, in, out any) (next []any) {
			for _, h := range state.(holding).step(in.(request), out.(reply)) {
				next = append(next, h)
			}
			return next
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%s: %s", in, out) },
	}
	return m.ToModel()
}

// tenure is how long one request may have held its block, by the clock of the
// requests: from its call to the answer of its release.
type tenure struct {
	block    netip.Prefix
	from, to int64
}

// passedOver returns the first request of a history that could have had a lower
// block, or one at all, all the time that it took.
func passedOver(history []porcupine.Operation) (o porcupine.Operation, lower netip.Prefix, found bool) {
	tenures := map[int32]*tenure{}
	for _, o := range history {
		if in, out := o.Input.(request), o.Output.(reply); !in.release && !in.final && !out.refused {
			tenures[in.number] = &tenure{out.block, o.Call, math.MaxInt64}
		}
	}
	for _, o := range history {
		if in, out := o.Input.(request), o.Output.(reply); in.release && !out.refused && !out.unknown {
			tenures[in.number].to = min(tenures[in.number].to, o.Return)
		}
	}
	for _, o := range history {
		in, out := o.Input.(request), o.Output.(reply)
		if in.release || in.final || o.Return == math.MaxInt64 {
			continue
		}
		var held holding
		for n, t := range tenures {
			if n != in.number && t.from < o.Return && o.Call < t.to {
				held = held.with(t.block, 1)
			}
		}
		free := held.frees(in.bits)
		if in.block.IsValid() {
			free = slices.DeleteFunc(free, func(p netip.Prefix) bool { return p != in.block })
		}
		if len(free) > 0 && (out.refused || free[0].Addr().Less(out.block.Addr())) {
			return o, free[0], true
		}
	}
	return o, lower, false
}

// The model itself: what is no list of blocks is found out.
func TestTheModelOfLinearizabilityRefusesWhatIsWrong(t *testing.T) {
	p := func(s string) netip.Prefix { return netip.MustParsePrefix(s) }
	for name, history := range map[string][]porcupine.Operation{
		"one address for two": {
			{Input: request{number: 1, bits: 32}, Output: reply{block: p("10.0.0.0/32")}, Call: 1, Return: 2},
			{Input: request{number: 2, bits: 32}, Output: reply{block: p("10.0.0.0/32")}, Call: 3, Return: 4},
		},
		"a block over an address": {
			{Input: request{number: 1, bits: 32}, Output: reply{block: p("10.0.0.0/32")}, Call: 1, Return: 4},
			{Input: request{number: 2, bits: 30}, Output: reply{block: p("10.0.0.0/30")}, Call: 2, Return: 3},
		},
		"a late release that frees another's": {
			{Input: request{number: 1, bits: 32}, Output: reply{block: p("10.0.0.0/32")}, Call: 1, Return: 2},
			{Input: request{number: 1, block: p("10.0.0.0/32"), release: true}, Output: reply{}, Call: 3, Return: 4},
			{Input: request{number: 2, bits: 32}, Output: reply{block: p("10.0.0.0/32")}, Call: 5, Return: 6},
			{Input: request{number: 1, block: p("10.0.0.0/32"), release: true}, Output: reply{}, Call: 7, Return: 8},
		},
		"an acknowledged block that isn't there": {
			{Input: request{number: 1, bits: 32}, Output: reply{block: p("10.0.0.0/32")}, Call: 1, Return: 2},
			{Input: request{final: true}, Output: reply{}, Call: 3, Return: 4},
		},
		"a block that nobody asked for": {
			{Input: request{final: true}, Output: reply{stored: holding{}.with(p("10.0.0.4/32"), 7)}, Call: 1, Return: 2},
		},
	} {
		if porcupine.CheckOperations(linear(), history) {
			t.Errorf("%s: passes", name)
		}
	}
	for name, history := range map[string][]porcupine.Operation{
		"the second address while the first is free": {
			{Input: request{number: 1, bits: 32}, Output: reply{block: p("10.0.0.1/32")}, Call: 1, Return: 2},
		},
		"no address while one is free": {
			{Input: request{number: 1, bits: 28}, Output: reply{block: p("10.0.0.0/28")}, Call: 1, Return: 2},
			{Input: request{number: 1, block: p("10.0.0.0/28"), release: true}, Output: reply{}, Call: 3, Return: 4},
			{Input: request{number: 2, bits: 32}, Output: reply{refused: true}, Call: 5, Return: 6},
		},
	} {
		if _, _, passed := passedOver(history); !passed {
			t.Errorf("%s: passes", name)
		}
	}
}
