//go:build linux

package proxy

import (
	"io"
	"syscall"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// Of bodies that the kernel passes on by itself (splice(2)).
const (
	spliceFrom = 64 << 10  // bytes left from which on a pipe is worth it
	pipeSize   = 512 << 10 // asked for; an unprivileged process may get less
	sparePipes = 16        // that a loop keeps
)

// pipe is the kernel's buffer between two sockets. It is a loop's.
type pipe struct {
	from, to int // descriptors, to read from and to write to
	held     int // bytes in it
}

// pipe returns an empty one, nil if there can't be one more.
func (l *loop) pipe() *pipe {
	if n := len(l.pipes) - 1; n >= 0 {
		p := l.pipes[n]
		l.pipes = l.pipes[:n]
		return p
	}
	var fds [2]int
	if syscall.Pipe2(fds[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC) != nil {
		return nil
	}
	sysPipeSize(fds[0], pipeSize)
	return &pipe{from: fds[0], to: fds[1]}
}

// spare keeps an empty pipe for another body.
func (l *loop) sparePipe(p *pipe) {
	if p.held > 0 || len(l.pipes) == sparePipes {
		p.close()
		return
	}
	l.pipes = append(l.pipes, p)
}

func (p *pipe) close() {
	sysClose(p.from)
	sysClose(p.to)
}

// splices says whether what comes next of the response is for the kernel to pass
// on: much of it, as it is, between two sockets.
func (x *loopExchange) splices() bool {
	if x.pipe != nil {
		return true
	}
	if !x.begun || x.client == nil || x.client.tls != nil || x.target.tls != nil || x.to == http1.Chunked || x.decoder.Left() < spliceFrom {
		return false
	}
	x.pipe = x.loop.pipe()
	return x.pipe != nil
}

// splice passes on what there is of the body. It returns whether to go on reading.
func (x *loopExchange) splice() bool {
	c, t, p := x.client, x.target, x.pipe
	if p.held == 0 && x.decoder.Left() > 0 {
		n, errno := sysSplice(t.fd, p.to, int(min(x.decoder.Left(), pipeSize)))
		switch {
		case errno == syscall.EAGAIN:
			t.readable, t.over = false, false
			return false
		case errno == syscall.EINTR:
			return true
		case errno != 0:
			x.lost(errno)
			return false
		case n == 0:
			x.lost(io.EOF)
			return false
		}
		c.touch()
		p.held = n
		x.decoder.Skip(n)
	}
	for p.held > 0 {
		n, errno := sysSplice(p.from, c.fd, p.held)
		switch errno {
		case 0:
			c.touch()
			c.port.node.countBytes(c.loop.index, c.peer.Addr(), n)
			c.went += int64(n)
			p.held -= n
		case syscall.EAGAIN:
			c.writable = false
			return false
		case syscall.EINTR:
		default:
			c.drop()
			return false
		}
	}
	if x.decoder.Left() < spliceFrom {
		c.loop.sparePipe(p)
		x.pipe = nil
		if x.decoder.Done() {
			x.finish(x.response.KeepAlive() && x.delivered())
		}
	}
	return true
}
