//go:build unix

package proxy

import (
	"net"
	"syscall"
)

// peeker looks at what has come in on a connection and leaves it there. It
// belongs to one goroutine at a time.
type peeker struct {
	raw   syscall.RawConn
	look  func(fd uintptr) // bound once: a closure for each look would cost an allocation
	state readable
	alert bool // an end has something before it, as within TLS
	b     [1]byte
}

// newPeeker returns a peeker, nil for a connection that can't be looked at.
func newPeeker(conn net.Conn) *peeker {
	sc, ok := socket(conn).(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil // closed already: the next read says so
	}
	p := &peeker{raw: raw}
	p.look = func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), p.b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			p.state = quiet
		case err != nil || n == 0:
			p.state = gone
		case p.alert && finished(int(fd)):
			p.state = gone
		default:
			p.state = pending
		}
	}
	return p
}

// expectAlert has an end be seen although something has come before it that says so.
func (p *peeker) expectAlert() {
	if p != nil {
		p.alert = true
	}
}

// peek looks once. It doesn't wait, and passed deadlines don't matter to it.
func (p *peeker) peek() readable {
	if p == nil {
		return quiet
	}
	if p.raw.Control(p.look) != nil {
		return gone
	}
	return p.state
}
