//go:build unix

package proxy

import (
	"net"
	"syscall"
)

// readable is what can be known of a connection's incoming side without reading.
type readable uint8

const (
	quiet   readable = iota // nothing has come
	pending                 // bytes have come
	gone                    // the peer has ended or reset its side
)

// peek looks at what has come in and leaves it there.
func peek(conn net.Conn) readable {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = c.NetConn()
	}
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return quiet
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return gone
	}
	state := quiet
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err != nil || n == 0:
			state = gone
		default:
			state = pending
		}
	})
	if err != nil {
		return gone
	}
	return state
}
