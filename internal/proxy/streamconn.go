package proxy

import (
	"net"
	"net/netip"
	"os"
	"time"
)

// streamConn is a stream of HTTP/2 as a connection: what is read is the request's
// body, what is written the response's. One goroutine reads and one writes.
type streamConn struct {
	request            *multiplexed
	readable, writable chan struct{} // something has changed
	readBy, writeBy    time.Time     // deadlines, guarded by multiplex.lock; zero: none
}

// reset prepares for another stream.
func (c *streamConn) reset() {
	c.readBy, c.writeBy = past, time.Time{} // whoever waits for the body has the first word
	for _, changed := range [...]chan struct{}{c.readable, c.writable} {
		select {
		case <-changed:
		default:
		}
	}
}

func (c *streamConn) Read(b []byte) (int, error) {
	q := c.request
	for {
		q.m.lock.Lock()
		n, err := q.stream.Read(b)
		by := c.readBy
		q.m.kick() // windows may be due
		q.m.lock.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
		if !await(c.readable, by) {
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// Write returns when all is the session's: on its way, or next in turn.
func (c *streamConn) Write(b []byte) (written int, err error) {
	q := c.request
	for {
		q.m.lock.Lock()
		n, err := q.stream.Write(b[written:])
		by := c.writeBy
		written += n
		q.sent += int64(n)
		done := written == len(b)
		if !done || !q.body.read.Load() { // else the end goes with it
			q.m.kick()
		}
		q.m.lock.Unlock()
		if err != nil || done {
			return written, err
		}
		if !await(c.writable, by) {
			return written, os.ErrDeadlineExceeded
		}
	}
}

// await waits for a change; false: the deadline has passed.
func await(changed <-chan struct{}, by time.Time) bool {
	if by.IsZero() {
		<-changed
		return true
	}
	t := time.NewTimer(time.Until(by))
	defer t.Stop()
	select {
	case <-changed:
		return true
	case <-t.C:
		return false
	}
}

// SetReadDeadline implements net.Conn.
func (c *streamConn) SetReadDeadline(t time.Time) error {
	c.request.m.lock.Lock()
	c.readBy = t
	c.request.m.lock.Unlock()
	signal(c.readable)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *streamConn) SetWriteDeadline(t time.Time) error {
	c.request.m.lock.Lock()
	c.writeBy = t
	c.request.m.lock.Unlock()
	signal(c.writable)
	return nil
}

// SetDeadline implements net.Conn.
func (c *streamConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // neither fails
	return c.SetWriteDeadline(t)
}

// Close implements net.Conn. A stream ends by its request's end.
func (c *streamConn) Close() error { return nil }

// LocalAddr implements net.Conn.
func (c *streamConn) LocalAddr() net.Addr {
	p := c.request.m.port
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.node.bound, p.number))
}

// RemoteAddr implements net.Conn.
func (c *streamConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.request.m.peer) }
