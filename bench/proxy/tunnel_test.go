package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// envMessage makes a process of this program clients that speak through tunnels: how
// large each of their messages is.
const envMessage = "FAIRLEAD_BENCH_MESSAGE"

// echoes, in place of a size, has the server change protocols and send back what comes.
const echoes = -1

// tunnelRequest is what browsers ask with.
const tunnelRequest = "GET /chat HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// tunnelResponse is what it is answered.
const tunnelResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// BenchmarkTunnel is messages through tunnels, each sent once the one before has come
// back: what an echo costs, which is a message either way.
func BenchmarkTunnel(b *testing.B) {
	for _, s := range []scenario{
		{name: "128B-64", connections: 64, message: 128},
		{name: "128B-1024", connections: 1024, message: 128},
		{name: "4KiB-64", connections: 64, message: 4 << 10},
		{name: "256KiB-16", connections: 16, message: 256 << 10},
	} {
		b.Run(s.name, s.run)
	}
}

// BenchmarkTunnelIdle is the memory of tunnels on which nothing is said, by resident
// pages, as BenchmarkIdle has it; and of as many after each has carried a message.
func BenchmarkTunnelIdle(b *testing.B) {
	for _, s := range []scenario{{name: "plain", message: 128}, {name: "tls", message: 128, tls: true}} {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				for _, c := range s.start(b) {
					for _, conn := range tunnels(b, 256, c.addr, s.tls) { // what is made once
						conn.Close()
					}
					before := c.resident(b)
					conns := tunnels(b, idleConnections, c.addr, s.tls)
					b.ReportMetric(float64(c.resident(b)-before)/idleConnections, c.name+"-B/tunnel")
					text, back := make([]byte, 1000), make([]byte, 1000)
					for _, conn := range conns {
						if _, err := conn.Write(text); err != nil {
							b.Fatal(err)
						}
						if _, err := io.ReadFull(conn, back); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(c.resident(b)-before)/idleConnections, c.name+"-B/used")
					for _, conn := range conns {
						conn.Close()
					}
				}
			}
		})
	}
}

// tunnels opens tunnels on which nothing is said.
func tunnels(b *testing.B, n int, addr string, secure bool) (conns []net.Conn) {
	b.Helper()
	for range n {
		conn, err := connect(addr, secure)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(conn, tunnelRequest); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
		if err != nil || resp.StatusCode != 101 {
			b.Fatalf("%v, %v, want 101", resp, err)
		}
		conns = append(conns, conn)
	}
	return conns
}

// speaker is a client at the other end of a tunnel, on one thread with all others.
type speaker struct {
	fd    int
	left  int // of the message, to come back
	sent  int // of it
	since time.Time
}

// speak has clients speak for a while and says what it counted as wrk does.
func speak(addr string, clients, message int, d time.Duration) error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	speakers := map[int32]*speaker{}
	text, buffer := make([]byte, message), make([]byte, 64<<10)
	for range clients {
		fd, err := tunnelFD(addr)
		if err != nil {
			return err
		}
		speakers[int32(fd)] = &speaker{fd: fd, left: message}
		e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | 1<<31, Fd: int32(fd)} // by edges
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &e); err != nil {
			return err
		}
	}
	events := make([]syscall.EpollEvent, 512)
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < d; {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 100, 0, 0)
		if errno != 0 && errno != syscall.EINTR {
			return errno
		}
		if errno != 0 {
			continue
		}
		for _, e := range events[:n] {
			if took, err = speakers[e.Fd].proceed(text, buffer, took); err != nil {
				return err
			}
		}
	}
	slices.Sort(took)
	fmt.Printf("  50%% %v\n  99%% %v\n%d requests in %v\nRequests/sec: %.2f\n", took[len(took)/2], took[len(took)*99/100], len(took), d, float64(len(took))/d.Seconds())
	return nil
}

// proceed does what can be done, and appends how long each echo took.
func (s *speaker) proceed(text, buffer []byte, took []time.Duration) ([]time.Duration, error) {
	for {
		if s.sent == 0 {
			s.since = time.Now()
		}
		for s.sent < len(text) {
			n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(&text[s.sent])), uintptr(len(text)-s.sent), syscall.MSG_NOSIGNAL, 0, 0)
			if errno == syscall.EAGAIN {
				break
			}
			if errno != 0 {
				return took, errno
			}
			s.sent += int(n)
		}
		for s.left > 0 {
			n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(s.fd), uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)))
			if errno == syscall.EAGAIN {
				return took, nil
			}
			if errno != 0 || n == 0 {
				return took, fmt.Errorf("a tunnel ended: %w", errno)
			}
			s.left -= int(n)
		}
		took = append(took, time.Since(s.since))
		s.sent, s.left = 0, len(text)
	}
}

// tunnelFD opens a tunnel and returns its descriptor, which doesn't block.
func tunnelFD(addr string) (int, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, tunnelRequest); err != nil {
		return 0, err
	}
	for matched := 0; matched < len(headEnd); {
		var b [1]byte
		if _, err := conn.Read(b[:]); err != nil {
			return 0, err
		}
		if matched++; b[0] != headEnd[matched-1] {
			matched = 0
		}
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	fd := -1
	err = errors.Join(raw.Control(func(of uintptr) { fd, err = syscall.Dup(int(of)) }), err)
	return fd, err
}
