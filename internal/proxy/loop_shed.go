//go:build linux

package proxy

import (
	"syscall"
	"time"
)

// shed ends the connections of clients that are slow to ask, slow to take what
// they asked for, or idle.
func (l *loop) shed() {
	for _, s := range l.socks {
		if c, ok := s.(*loopClient); ok {
			c.shed()
		}
	}
}

func (c *loopClient) shed() {
	now := c.loop.now
	switch c.state {
	case awaiting:
		switch {
		case c.in != nil && now-c.in.since > shedAfter:
			c.giveUp(408)
			c.proceed()
		case c.in == nil && len(c.unsent) == 0 && now-c.lively > shedAfter && !c.readable:
			c.drop()
		}
	case shaking, lingering:
		if now-c.lively > shedAfter {
			c.drop()
		}
	case answering, tunnelling, closing, parting: // a tunnel may be silent for as long as it likes
		if len(c.unsent) > 0 && now-c.stuck > shedAfter {
			sysReset(c.fd)
			c.drop()
		}
	case multiplexing:
		c.many.shed()
	case dropped:
	}
}

// shed ends a session whose client is slow to take what it asked for, or asks for
// nothing.
func (m *loopMultiplex) shed() {
	c := m.client
	if len(c.unsent) > 0 && c.loop.now-c.stuck > shedAfter {
		sysReset(c.fd)
		c.drop()
		return
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.session.Streams() == 0 && c.loop.now-m.lively > shedAfter {
		m.session.Finish()
		m.soil()
	}
}

// tally notes what the connection holds of the loop's memory, and ends it if that
// is more than there is.
func (c *loopClient) tally() {
	held := cap(c.unsent)
	if c.in != nil {
		held += cap(c.in.bytes)
	}
	if c.many != nil {
		held += cap(c.many.rest)
	}
	if c.tunnel != nil {
		held += cap(c.tunnel.target.unsent)
	}
	if held == c.held {
		return
	}
	l := c.loop
	grows := held > c.held
	l.held += held - c.held
	c.held = held
	if !grows || l.held <= l.mostHeld || c.state == dropped {
		return
	}
	l.proxy.shed()
	if c.state == awaiting && c.in != nil {
		c.giveUp(503)
		c.advance()
		return
	}
	sysReset(c.fd)
	c.drop()
}

// mostDescriptors returns how many the process may have.
func mostDescriptors() int64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int64(min(limit.Cur, 1<<40))
}

// headDue returns until when the head of a request must have come whose first
// byte came at since: a client that sends a byte now and then is never idle.
func (c *loopClient) headDue(since, idleTimeout time.Duration) time.Duration {
	return min(c.lively+idleTimeout, since+max(idleTimeout, c.loop.proxy.headTimeout))
}
