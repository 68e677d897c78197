package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// idleConnections is how many clients are connected and ask for nothing, after one
// request each.
const idleConnections = 9500

// BenchmarkIdle is the memory of connections that are kept and not used: what the
// process has more than before, by its resident pages, and the peers' likewise. A
// Go process is measured after a collection, as garbage isn't a connection's.
func BenchmarkIdle(b *testing.B) {
	for _, s := range []scenario{{name: "plain", size: 128}, {name: "tls", size: 128, tls: true}} {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				for _, c := range s.start(b) {
					scenario{connections: 16, tls: s.tls}.load(b, c, time.Second)
					before := c.resident(b)
					conns := idle(b, c.addr, s.tls)
					each := float64(c.resident(b)-before) / idleConnections
					b.ReportMetric(each, c.name+"-B/conn")
					for _, conn := range conns {
						conn.Close()
					}
				}
			}
		})
	}
}

func idle(b *testing.B, addr string, secure bool) (conns []net.Conn) {
	b.Helper()
	for range idleConnections {
		conn, err := connect(addr, secure)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			b.Fatalf("status %d, %v", resp.StatusCode, err)
		}
		conns = append(conns, conn)
	}
	return conns
}

func connect(addr string, secure bool) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err == nil && secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	return conn, err
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident returns the bytes of a process that are in memory. One of ours collects
// its garbage before, at the signal.
func (c *contestant) resident(b *testing.B) int {
	b.Helper()
	if c.ours {
		if err := syscall.Kill(c.pid, syscall.SIGUSR1); err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Second) // it can't say when it is done
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.Atoi(string(residentLine.FindSubmatch(status)[1]))
	if err != nil {
		b.Fatal(err)
	}
	return n << 10
}
