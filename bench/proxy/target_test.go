package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// envSize makes a process of this program the server behind the proxies: how large
// its responses' bodies are.
const envSize = "FAIRLEAD_BENCH_SIZE"

// startServer starts what is behind the proxies, and returns its address.
func startServer(b *testing.B, size int) string {
	addr := freeAddr(b)
	start(b, 1, addr, []string{envAddr + "=" + addr, envSize + "=" + strconv.Itoa(size)}, os.Args[0])
	return addr
}

// server answers requests without bodies, on one thread and as cheaply as it can be
// done: it shares its core with the load, and it is the proxy that both are to wait
// for.
type server struct {
	epoll    int
	response []byte
	echoes   bool // what comes after the first response
	conns    map[int32]*served
	buffer   [64 << 10]byte
}

// served is a connection of the server's.
type served struct {
	matched int // of headEnd
	tunnel  bool
	unsent  []byte // nil: it isn't waited for that more is taken
}

const headEnd = "\r\n\r\n"

// answer serves until it is killed.
func answer(addr string, size int) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(listener, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := syscall.Bind(listener, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := syscall.Listen(listener, 4096); err != nil {
		return err
	}
	s := &server{conns: map[int32]*served{}}
	if s.echoes = size == echoes; s.echoes {
		s.response = []byte(tunnelResponse)
	} else {
		s.response = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
	}
	if s.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if err := s.watch(syscall.EPOLL_CTL_ADD, listener, syscall.EPOLLIN); err != nil {
		return err
	}
	events := make([]syscall.EpollEvent, 512)
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), ^uintptr(0), 0, 0)
		if errno != 0 && errno != syscall.EINTR {
			return errno
		}
		if errno != 0 {
			continue
		}
		for _, e := range events[:n] {
			if int(e.Fd) == listener {
				err = s.accept(listener)
			} else if c := s.conns[e.Fd]; !s.proceed(e.Fd, c) {
				delete(s.conns, e.Fd)
				err = syscall.Close(int(e.Fd))
			}
			if err != nil {
				return err
			}
		}
	}
}

func (s *server) watch(op, fd int, events uint32) error {
	return syscall.EpollCtl(s.epoll, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
}

func (s *server) accept(listener int) error {
	fd, _, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	s.conns[int32(fd)] = &served{}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	return s.watch(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN)
}

// proceed does what can be done for a connection; false: it is over.
func (s *server) proceed(fd int32, c *served) bool {
	if c.unsent != nil {
		return s.send(fd, c, c.unsent)
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&s.buffer[0])), uintptr(len(s.buffer)))
	if errno == syscall.EAGAIN {
		return true
	}
	if errno != 0 || n == 0 {
		return false
	}
	if c.tunnel {
		return s.send(fd, c, s.buffer[:n])
	}
	for _, b := range s.buffer[:n] {
		switch b {
		case headEnd[c.matched]:
			if c.matched++; c.matched < len(headEnd) {
				continue
			}
			c.tunnel = s.echoes
			if c.matched = 0; !s.send(fd, c, s.response) {
				return false
			}
		case '\r':
			c.matched = 1
		default:
			c.matched = 0
		}
	}
	return true
}

// send writes, and has what isn't taken go when it can.
func (s *server) send(fd int32, c *served, b []byte) bool {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	switch {
	case errno == syscall.EAGAIN:
		n = 0
	case errno != 0:
		return false
	}
	was, rest := c.unsent != nil, b[n:]
	switch {
	case len(rest) > 0 && !was:
		if c.unsent = rest; c.tunnel {
			c.unsent = bytes.Clone(rest)
		}
		return s.watch(syscall.EPOLL_CTL_MOD, int(fd), syscall.EPOLLOUT) == nil
	case len(rest) > 0:
		c.unsent = rest
	case was:
		c.unsent = nil
		return s.watch(syscall.EPOLL_CTL_MOD, int(fd), syscall.EPOLLIN) == nil
	}
	return true
}
