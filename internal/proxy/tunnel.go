package proxy

import (
	"time"
)

// tunnel carries bytes both ways after a protocol change, until either side
// ends, or nothing has come from either for the idle timeout.
func (c *client) tunnel() {
	t, timeout := c.exchange.target, c.exchange.timeout
	up := &tunnelWaiter{stream: &c.stream, active: &c.activity, timeout: timeout}
	down := &tunnelWaiter{stream: &t.stream, active: &c.activity, timeout: timeout}
	done := make(chan struct{})
	c.port.proxy.wg.Go(func() {
		defer close(done)
		relay(&t.stream, &c.stream, up, timeout)
		t.closeWriteOrClose()
	})
	relay(&c.stream, &t.stream, down, timeout)
	c.closeWriteOrClose()
	<-done
}

// relay copies until an end or an error on either side.
func relay(to, from *stream, w *tunnelWaiter, timeout time.Duration) {
	from.enlarge()
	defer from.release()
	for {
		b := from.unread()
		if to.write(b, timeout) != nil {
			_ = from.conn.Close() // nobody takes what comes: let its sender know
			return
		}
		from.use(len(b))
		if from.read(w) != nil {
			return
		}
		w.active.touch(time.Now())
	}
}

// closeWriteOrClose tells the peer that nothing more comes.
func (s *stream) closeWriteOrClose() {
	if s.closeWrite() != nil {
		_ = s.conn.Close() // it is dead already
	}
}

// tunnelWaiter bounds how long one direction is silent by how long both are.
type tunnelWaiter struct {
	stream  *stream
	active  *activity
	timeout time.Duration
}

// extend implements waiter.
func (w *tunnelWaiter) extend(now time.Time) error {
	left := w.timeout - w.active.idleFor(now)
	if left <= 0 {
		return errIdle
	}
	return w.stream.conn.SetReadDeadline(now.Add(left))
}
