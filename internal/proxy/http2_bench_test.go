package proxy_test

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// BenchmarkHTTP2 has one client with sixteen requests under way, for 128 bytes each.
// Client and target are of the same process, and take their part of the time.
func BenchmarkHTTP2(b *testing.B) { benchmarkHTTP2(b, nil) }

// BenchmarkHTTP2BesideASlowStream does so while one more stream has a response that its
// client doesn't take.
func BenchmarkHTTP2BesideASlowStream(b *testing.B) {
	benchmarkHTTP2(b, func(f *framed) {
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		f.ask(1, true, "GET", "/")
		f.status(1)
		_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	})
}

func benchmarkHTTP2(b *testing.B, slow func(*framed)) {
	w := newHTTP2World(b)
	response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 128\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("x", 128))
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		for {
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
			if _, err := c.Write(response); err != nil {
				return
			}
		}
	}))
	w.apply()
	var f *framed
	var next uint32
	dial := func() {
		if f != nil {
			f.Close()
		}
		f = w.dialFrames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
		f.WriteWindowUpdate(0, 1<<30)
		f.ReadMetaHeaders = nil
		f.Framer.SetReuseFrames()
		next = 1
	}
	dial()
	b.ReportAllocs()
	for done := 0; done < b.N; {
		if next > 2*9000 { // before the session's end
			b.StopTimer()
			dial()
			b.StartTimer()
		}
		const batch = 16
		for range batch {
			f.ask(next, true, "GET", "/")
			next += 2
		}
		for left := batch; left > 0; {
			if d, ok := f.hear(func(http2.Frame) bool { return true }).(*http2.DataFrame); ok && d.StreamEnded() {
				left--
				done++
			}
		}
	}
}
