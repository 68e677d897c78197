package snapshot_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// A set must say of each number what a map says.
func TestASerialSetIsWhatAMapMakesOfIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	number := func() []byte {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = byte(r.IntN(6)) // zeros in front, and the same again
		}
		return b
	}
	var in [][]byte
	want := map[string]bool{}
	for range 400 {
		b := number()
		in = append(in, b)
		want[new(big.Int).SetBytes(b).String()] = true
	}
	set := snapshot.NewSerialSet(in)
	if got := set.Len(); got != len(want) {
		t.Errorf("got %d numbers, want %d", got, len(want))
	}
	for range 4000 {
		b := number()
		if got, want := set.Has(b), want[new(big.Int).SetBytes(b).String()]; got != want {
			t.Errorf("%x: got %v, want %v", b, got, want)
		}
	}
	if (snapshot.SerialSet)(nil).Has([]byte{1}) {
		t.Error("the empty set has 1")
	}
}

// A list of a million entries is found in at no price.
func BenchmarkSerialSetOfAMillion(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	in := make([][]byte, 1_000_000)
	for i := range in {
		in[i] = new(big.Int).Lsh(new(big.Int).SetUint64(r.Uint64()|1<<63), 64).Bytes()
	}
	set := snapshot.NewSerialSet(in)
	bytes := 0
	for _, run := range set {
		bytes += len(run.Sorted)
	}
	b.ReportMetric(float64(bytes)/1e6, "MB")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !set.Has(in[i%len(in)]) {
			b.Fatal("lost")
		}
	}
}
