//go:build linux

package proxy

import "syscall"

// edge is a socket as epoll tells of it, which is once: what it was told of stands until
// a call that would have waited shows that it's over.
type edge struct {
	fd       int
	readable bool // there may be something to read
	over     bool // the last thing to read is an end
	writable bool
}

// told notes what epoll tells.
func (e *edge) told(events uint32) {
	if events&^syscall.EPOLLOUT != 0 {
		e.readable = true
	}
	if events&^(syscall.EPOLLIN|syscall.EPOLLRDHUP) != 0 {
		e.writable = true
	}
	if events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		e.over = true
	}
}

// receive reads once. 0 bytes without an error are an end, which is still readable then;
// EAGAIN: nothing is there.
func (e *edge) receive(in []byte) (int, syscall.Errno) {
	for {
		n, errno := sysRead(e.fd, in)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			e.readable, e.over = false, false
		case n > 0 && n < len(in) && !e.over:
			e.readable = false // more will be told of
		}
		return n, errno
	}
}
