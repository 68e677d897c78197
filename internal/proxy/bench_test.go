package proxy_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// BenchmarkRequest is one small request on kept connections, from a client and
// to a target of the same process. What client and target allocate counts too;
// they allocate nothing.
func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{128, 10 << 10} {
		b.Run(strings.TrimSpace(slog.IntValue(size).String()+"B"), func(b *testing.B) { benchmark(b, newWorldFor(b, proxy.Options{}), size) })
	}
	b.Run("128B,logged", func(b *testing.B) {
		var kept []byte
		w := newWorldFor(b, proxy.Options{Logs: func(*snapshot.LoadBalancer, *snapshot.Node, proxy.LogKind) proxy.Lines {
			return lines(func(line []byte) { kept = append(kept[:0], line...) })
		}})
		w.lb().Logs.Access.Name = "logs"
		benchmark(b, w, 128)
		b.ReportMetric(float64(len(kept)), "B/line")
	})
}

// lines has each line of a log.
type lines func(line []byte)

func (l lines) Line(_ int, line []byte) { l(line) }

func benchmark(b *testing.B, w *world, size int) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + slog.IntValue(size).String() + "\r\n\r\n" + strings.Repeat("x", size))
	w.register(w.rawTarget(func(c net.Conn, _ *bufio.Reader) {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil { // a head comes in one piece here
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}))
	w.apply()
	c, err := net.Dial("tcp", w.address())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := []byte("GET /products/1234?color=red HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	buf := make([]byte, 64<<10)
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	n, err := c.Read(buf)
	if err != nil {
		b.Fatal(err)
	}
	head := strings.Index(string(buf[:n]), "\r\n\r\n") + 4
	if _, err := io.ReadFull(c, buf[n:head+size]); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf[:head+size]); err != nil {
			b.Fatal(err)
		}
	}
}
