package px

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// tunnel carries bytes both ways once a connection has changed its protocol,
// until either side ends it or neither has sent anything for the idle timeout.
func (c *client) tunnel(t *target, state *nodeState) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		carry(c.conn, t.Conn, t.in, state.idleTimeout)
	}()
	carry(t.Conn, c.conn, c.in, state.idleTimeout)
	<-done
}

// carry copies from src, and what was read of it before, to dst. When src ends it
// says so to dst, and leaves the other way open. Anything else ends both.
func carry(dst, src net.Conn, ahead *buffer, idle time.Duration) {
	end := func() {
		_ = dst.SetReadDeadline(time.Unix(1, 0))
		_ = src.SetReadDeadline(time.Unix(1, 0))
	}
	for {
		if ahead.len() > 0 {
			_ = dst.SetWriteDeadline(time.Now().Add(idle))
			if _, err := dst.Write(ahead.bytes()); err != nil {
				end()
				return
			}
			ahead.use(ahead.len())
		}
		deadline := time.Now().Add(idle)
		_ = src.SetReadDeadline(deadline)
		if err := ahead.fill(src); err != nil {
			w, ok := dst.(interface{ CloseWrite() error })
			if !errors.Is(err, io.EOF) || !ok || w.CloseWrite() != nil {
				end()
			}
			return
		}
		_ = dst.SetReadDeadline(time.Now().Add(idle)) // a byte either way keeps both alive
	}
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
