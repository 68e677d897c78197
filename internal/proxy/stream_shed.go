package proxy

import (
	"slices"
	"time"
)

// shedStreams ends the clients of the stream shell that hold most up for least.
func (p *Proxy) shedStreams(now time.Time) {
	p.mu.Lock()
	var ports []*port
	for _, n := range p.nodes {
		ports = slices.Concat(ports, n.openPorts(), n.former)
	}
	for _, n := range p.closing {
		ports = append(ports, n.former...)
	}
	p.mu.Unlock()
	for _, port := range ports {
		port.shed(now)
	}
}

func (p *port) shed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.shed(now)
	}
}

// shed ends a client that is slow to ask, slow to take what it asked for, or idle, if
// that is what it is waited for. A tunnel may be silent for as long as it likes, and
// a session of HTTP/2 while there is a request on it.
func (c *client) shed(now time.Time) {
	if c.idleFor(now) <= shedAfter {
		return
	}
	c.mu.Lock() // so that the deadline stays
	defer c.mu.Unlock()
	switch {
	case c.writing.Load():
		c.reset()
	case c.reading.Load() && !c.tunnelled.Load():
		c.unwanted.Store(true)
		_ = c.conn.SetReadDeadline(past) // fails only when it is closed already
	}
}
