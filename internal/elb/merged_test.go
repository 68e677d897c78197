package elb

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The assignment's lists are made from the last one's and what changed: a slow
// map must come to the same.
func TestMergedListsAreWhatAMapMakesOfThem(t *testing.T) {
	type item struct {
		key   string
		value int
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var list []*item
		slow := map[string]int{}
		for step := range 30 {
			before := slices.Clone(list)
			edits := map[string]*item{}
			for range r.IntN(6) {
				k := string(rune('a' + r.IntN(20)))
				edits[k] = nil
				delete(slow, k)
				if r.IntN(3) > 0 {
					edits[k] = &item{k, step}
					slow[k] = step
				}
			}
			next := merged(list, func(i *item) string { return i.key }, edits)
			if !slices.Equal(list, before) {
				t.Fatalf("seed %d, step %d: the list that a host may hold was changed", seed, step)
			}
			list = next
			var got, want []item
			for _, i := range list {
				got = append(got, *i)
			}
			for k, v := range slow {
				want = append(want, item{k, v})
			}
			slices.SortFunc(want, func(a, b item) int { return int(a.key[0]) - int(b.key[0]) })
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: got %v, want %v", seed, step, got, want)
			}
		}
	}
}
