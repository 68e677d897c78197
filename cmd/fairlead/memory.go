package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// How the garbage collector's pace follows the state. A Go program lets its heap
// grow to twice what lives in it, which for a million allocations would be the
// better part of a gigabyte of garbage. Up to memoryFloor that is left alone;
// beyond, the runtime may hold heapShare of what lives.
const (
	memoryFloor = 1050 << 20 // bytes
	heapShare   = 1.25
	memoryEvery = time.Second

	// Loading makes more garbage than it leaves, so that to collect less often
	// shortens the start by a third; the bound holds all the same.
	startGCPercent = 400
)

// govern sets the collector's pace until stop is called: that of the start until
// started is. It leaves alone what the operator has set by GOGC or GOMEMLIMIT.
func govern() (started, stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}, func() {}
	}
	limit := debug.SetMemoryLimit(memoryFloor)
	percent := debug.SetGCPercent(startGCPercent)
	started = func() { debug.SetGCPercent(percent) }
	ctx, cancel := context.WithCancel(context.Background())
	var follower sync.WaitGroup
	follower.Go(func() { followLive(ctx) })
	return started, func() {
		cancel()
		follower.Wait()
		started()
		debug.SetMemoryLimit(limit)
	}
}

// followLive keeps the bound above what lives.
func followLive(ctx context.Context) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			metrics.Read(live)
			debug.SetMemoryLimit(memoryLimit(live[0].Value.Uint64()))
		case <-ctx.Done():
			return
		}
	}
}

// memoryLimit returns the bound for so many live bytes.
func memoryLimit(live uint64) int64 { return max(memoryFloor, int64(heapShare*float64(live))) }
