package proxy

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// tunnelWatch is how often a silent tunnel is looked at, at least: the idle timeout
// may have been changed since.
const tunnelWatch = 5 * time.Second

// tunnel carries bytes both ways after a protocol change, until both sides have
// ended or one is lost, or nothing has come from either for the idle timeout.
func (c *client) tunnel() {
	c.tunnelled.Store(true)
	t := c.exchange.target
	up := &relay{from: &c.stream, to: &t.stream, client: c}
	down := &relay{from: &t.stream, to: &c.stream, client: c, other: up}
	up.other = down
	done := make(chan struct{})
	c.port.proxy.wg.Go(func() {
		defer close(done)
		up.run()
	})
	down.run()
	<-done
}

// relay is one direction of a tunnel.
type relay struct {
	from, to *stream
	client   *client
	other    *relay
	refused  atomic.Bool // to takes no more
}

// run copies until one side ends, and says so to the other.
func (r *relay) run() {
	r.from.enlarge()
	defer r.from.release()
	for {
		b := r.from.unread()
		if err := r.to.write(b, r.timeout()); err != nil {
			// It may still have something to say, before the other direction sees that
			// it is gone.
			if r.refused.Store(true); timedOut(err) {
				r.to.reset()
			}
			return
		}
		r.from.use(len(b))
		switch err := r.from.read(r); {
		case err == nil:
			r.client.touch(time.Now())
		case r.other.refused.Load(), !errors.Is(err, io.EOF) && !errors.Is(err, errIdle):
			r.to.reset()
			return
		default:
			if r.to.closeWrite() != nil {
				_ = r.to.conn.Close() // it is dead already
			}
			return
		}
	}
}

// timeout returns how long both sides may be silent.
func (r *relay) timeout() time.Duration { return r.client.port.table.Load().idleTimeout }

// extend implements waiter: one direction may be silent for as long as both may.
func (r *relay) extend(now time.Time) error {
	left := r.timeout() - r.client.idleFor(now)
	if left <= 0 {
		return errIdle
	}
	return r.from.conn.SetReadDeadline(now.Add(min(left, tunnelWatch)))
}
