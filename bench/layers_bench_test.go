package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// layers says which part of an allocation a function belongs to. A sample is of
// the first layer that has any function of its stack.
var layers = []struct{ name, functions string }{
	{"collect garbage", "runtime.gcBgMarkWorker runtime.gcAssistAlloc runtime.bgsweep runtime.bgscavenge"},
	{"SigV4", "wire.(*Server).authenticate wire.(*Server).guess"},
	{"decode", "wire.readForm wire.decodeForm"},
	{"encode", "wire.encodeReply ec2.(*API).renderIPAMPoolAllocation"},
	{"audit", "audit.("},
	{"decide", "ipam.(*turn).run ipam.(*Service).newTurn ipam.(*Service).gather"},
	{"commit", "store.(*Store).commit store.(*Store).applyBatch store/etcd. go.etcd.io/ ipam.(*Service).write"},
	{"HTTP", "net/http. net.(*"},
	{"schedule and other", ""},
}

// front is the layers that are before the room.
var front = []string{"HTTP", "SigV4", "decode", "encode"}

const layerSeconds = 10

// BenchmarkLayers is where a server's CPU time goes that 64 clients ask for
// allocations through HTTP, for each allocation, by its own profile.
func BenchmarkLayers(b *testing.B) {
	c := overHTTP(b)
	shares := map[string]float64{}
	perAllocation := 0.0
	for b.Loop() {
		profiled := make(chan map[string]float64, 1)
		go func() { profiled <- profile(b, c.ops) }()
		ticks := c.ticks()
		n := c.allocate(layerSeconds * time.Second)
		perAllocation = float64(c.ticks()-ticks) * 1e4 / float64(n)
		shares = <-profiled
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perAllocation, "µs-CPU")
	frontShare := 0.0
	for _, l := range layers {
		b.Logf("%-20s %6.1f µs", l.name, shares[l.name]*perAllocation)
	}
	for _, name := range front {
		frontShare += shares[name]
	}
	b.ReportMetric(frontShare*perAllocation, "µs-front")
}

// profile returns the share of the CPU time that each layer takes.
func profile(b *testing.B, ops string) map[string]float64 {
	resp, err := http.Get(fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", ops, layerSeconds-1))
	if err != nil {
		b.Error(err)
		return nil
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		b.Error(err)
		return nil
	}
	path := filepath.Join(b.TempDir(), "cpu")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.Error(err)
		return nil
	}
	out, err := exec.Command("go", "tool", "pprof", "-traces", path).Output()
	if err != nil {
		b.Errorf("go tool pprof: %v", err)
		return nil
	}
	shares, total := map[string]float64{}, 0.0
	for stack := range strings.SplitSeq(string(out), "-----------+-------------------------------------------------------") {
		took, rest, _ := strings.Cut(strings.TrimSpace(stack), " ")
		d, err := time.ParseDuration(took)
		if err != nil {
			continue // what is before the first stack
		}
		shares[layerOf(rest)] += d.Seconds()
		total += d.Seconds()
	}
	for name := range shares {
		shares[name] /= total
	}
	return shares
}

func layerOf(stack string) string {
	for _, l := range layers {
		for f := range strings.FieldsSeq(l.functions) {
			if strings.Contains(stack, f) {
				return l.name
			}
		}
	}
	return layers[len(layers)-1].name
}
