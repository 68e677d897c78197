package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// The walk over shared parts must find what a comparison of all parts finds.
func TestSinceIsWhatAMapMakesOfIt(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var list []*snapshot.TargetGroup
		for range 30 {
			next := slices.DeleteFunc(slices.Clone(list), func(*snapshot.TargetGroup) bool { return r.IntN(8) == 0 })
			for range r.IntN(6) {
				g := &snapshot.TargetGroup{ARN: string(rune('a' + r.IntN(20))), Protocol: snapshot.Protocol(fmt.Sprint(r.IntN(2)))}
				next = slices.DeleteFunc(next, func(o *snapshot.TargetGroup) bool { return o.ARN == g.ARN })
				next = append(next, g)
			}
			slices.SortFunc(next, func(a, b *snapshot.TargetGroup) int { return strings.Compare(a.ARN, b.ARN) })

			got, err := (&snapshot.Assignment{TargetGroups: next}).Since(&snapshot.Assignment{TargetGroups: list})
			if err != nil {
				t.Fatal(err)
			}
			if want := slowly(list, next); fmt.Sprint(told(got.TargetGroups)) != fmt.Sprint(want) {
				t.Fatalf("seed %d: got %v, want %v", seed, told(got.TargetGroups), want)
			}
			list = next
		}
	}
}

func told(changes []snapshot.Change[snapshot.TargetGroup]) (out []string) {
	say := func(g *snapshot.TargetGroup) string {
		if g == nil {
			return "-"
		}
		return g.ARN + string(g.Protocol)
	}
	for _, c := range changes {
		out = append(out, say(c.Old)+">"+say(c.New))
	}
	return out
}

func slowly(old, next []*snapshot.TargetGroup) []string {
	var changes []snapshot.Change[snapshot.TargetGroup]
	for k := 'a'; k < 'a'+20; k++ {
		find := func(list []*snapshot.TargetGroup) *snapshot.TargetGroup {
			for _, g := range list {
				if g.ARN == string(k) {
					return g
				}
			}
			return nil
		}
		o, n := find(old), find(next)
		if (o == nil) != (n == nil) || o != nil && o.Protocol != n.Protocol {
			changes = append(changes, snapshot.Change[snapshot.TargetGroup]{Old: o, New: n})
		}
	}
	return told(changes)
}

func TestSinceRefusesListsOutOfOrder(t *testing.T) {
	a, b, c := &snapshot.Node{ID: "a"}, &snapshot.Node{ID: "b"}, &snapshot.Node{ID: "c"}
	old := &snapshot.Assignment{Nodes: []*snapshot.Node{a, c}}
	for name, next := range map[string][]*snapshot.Node{
		"twice":                    {a, a},
		"twice, once of before":    {a, {ID: "a"}},
		"out of order":             {b, a},
		"before a part that stays": {{ID: "d"}, c},
		"swapped":                  {c, a},
	} {
		if got, err := (&snapshot.Assignment{Nodes: next}).Since(old); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}
