package proxy

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var totalLine = regexp.MustCompile(`(?m)^\s*100\.00\s+\S+\s+\S*\s+(\d+)\s`)

// BenchmarkSyscalls counts what a request costs in calls of the system, with strace.
func BenchmarkSyscalls(b *testing.B) {
	if _, err := exec.LookPath("strace"); err != nil {
		b.Skip("strace isn't installed")
	}
	s := scenario{size: 128, connections: 64}
	for b.Loop() {
		for _, c := range s.start(b) {
			s.load(b, c, time.Second)
			var out bytes.Buffer
			trace := exec.Command("strace", "-c", "-f", "-p", strconv.Itoa(c.pid))
			trace.Stderr = &out
			if err := trace.Start(); err != nil {
				b.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond) // until it is attached
			n, _, _ := s.load(b, c, turnTime)
			if err := trace.Process.Signal(os.Interrupt); err != nil {
				b.Fatal(err)
			}
			_ = trace.Wait() // ends as the signal has it
			m := totalLine.FindSubmatch(out.Bytes())
			if m == nil {
				b.Fatalf("strace says\n%s", out.Bytes())
			}
			calls, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(calls/n, c.name+"-calls/request")
		}
	}
}
