package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestTheBoundFollowsWhatLives(t *testing.T) {
	for _, c := range []struct {
		name string
		live uint64
		want int64
	}{
		{"an empty server has room to spare", 10 << 20, memoryFloor},
		{"a large one a quarter more than what lives", 2 << 30, 2<<30 + 2<<28},
	} {
		if got := memoryLimit(c.live); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTheCollectorIsSetBackAtTheEnd(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent := debug.SetGCPercent(100)
	defer debug.SetGCPercent(percent)
	started, stop := govern()
	if got := debug.SetGCPercent(startGCPercent); got != startGCPercent {
		t.Errorf("while starting: %d", got)
	}
	started()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("once started: %d", got)
	}
	stop()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("the bound is still %d", got)
	}
}

func TestTheOperatorsOwnSettingStands(t *testing.T) {
	t.Setenv("GOGC", "75")
	_, stop := govern()
	defer stop()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("a bound of %d was set", got)
	}
}
