//go:build linux

package proxy

import (
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"
)

// backlog is how many connections may wait to be accepted; the system has a
// smaller bound of its own (net.core.somaxconn).
const backlog = 1 << 16

// acceptPause is how long a listener rests that can't accept: out of descriptors,
// most likely. What is open may free some.
const acceptPause = 200 * time.Millisecond

// loopListener is a port's listening socket on a loop.
type loopListener struct {
	loop  *loop
	port  *port
	fd    int
	timer timer
	told  bool // that it can't accept
}

// listenFD opens a listening socket.
func listenFD(at netip.AddrPort) (fd int, err error) {
	family, sa := sockaddr(at)
	fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	for _, option := range []struct{ level, name int }{
		{syscall.SOL_SOCKET, syscall.SO_REUSEADDR},
		{syscall.IPPROTO_TCP, syscall.TCP_NODELAY}, // connections inherit it: each write is a whole message, or all there is of one
	} {
		if err == nil {
			err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, option.level, option.name, 1))
		}
	}
	if err == nil {
		err = os.NewSyscallError("bind", syscall.Bind(fd, sa))
	}
	if err == nil {
		err = os.NewSyscallError("listen", syscall.Listen(fd, backlog))
	}
	if err != nil {
		sysClose(fd)
		return 0, err
	}
	return fd, nil
}

// startLoops starts the loops that the options want.
func (p *Proxy) startLoops(o Options) {
	n := o.Loops
	if n == 0 {
		n = min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	}
	if n < 0 || o.Dial != nil {
		return
	}
	var err error
	if p.loops, err = newLoops(p, n, o.Memory/n); err != nil {
		p.log.Error("no event loops; each connection has a goroutine", "error", err)
	}
}

// listen opens the port's socket, for a loop if there are any.
func (p *port) listen(at netip.AddrPort) error {
	if p.proxy.loops == nil {
		return p.listenStream(at)
	}
	fd, err := listenFD(at)
	if err != nil {
		return err
	}
	p.on = p.proxy.loops.one().listener(p, fd)
	return nil
}

func (l *loop) listener(p *port, fd int) *loopListener {
	n := &loopListener{loop: l, port: p, fd: fd}
	n.timer = timer{slot: -1, owner: n}
	return n
}

// start has the loop accept connections.
func (n *loopListener) start() {
	n.loop.do(func() {
		if err := n.loop.add(n.fd, n); err != nil {
			n.port.proxy.log.Error("port not served", "node", n.port.node.id, "port", n.port.number, "error", err)
		}
	})
}

// close gives the address up before it returns.
func (n *loopListener) close() {
	done := make(chan struct{})
	n.loop.do(func() {
		defer close(done)
		n.drop()
	})
	<-done
}

// happened implements sock.
func (n *loopListener) happened(uint32) { n.accept() }

// expire implements the timer's owner.
func (n *loopListener) expire(time.Duration) { n.accept() }

// drop implements sock.
func (n *loopListener) drop() {
	n.loop.wheel.remove(&n.timer)
	n.loop.close(n.fd)
}

// accept takes the connections that wait.
func (n *loopListener) accept() {
	for {
		fd, sa, err := syscall.Accept4(n.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch err {
		case nil:
			n.told = false
			n.port.accepted(n.loop, fd, peerOf(sa))
		case syscall.EAGAIN:
			return
		case syscall.EINTR, syscall.ECONNABORTED:
		default:
			if !n.told {
				n.told = true
				n.port.proxy.log.Warn("accept failed", "node", n.port.node.id, "port", n.port.number, "error", err, "again in", acceptPause)
			}
			n.loop.wheel.set(&n.timer, n.loop.now+acceptPause)
			return
		}
	}
}

// accepted gives a connection to a loop.
func (p *port) accepted(l *loop, fd int, peer netip.AddrPort) {
	if !p.enter() {
		sysReset(fd) // it learns at once
		sysClose(fd)
		return
	}
	p.looped.Add(1)
	p.proxy.loops.give(l, newLoopClient(p, fd, peer))
}
