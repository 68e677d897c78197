//go:build linux

package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net/netip"
	"syscall"

	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// channel is the TLS of a connection on a loop. crypto/tls speaks to a wire of
// memory, which the loop fills from the socket and empties into it.
//
// A handshake waits for the peer several times, in the middle of crypto/tls: it is
// a coroutine, which the wire parks. Once it is done nothing waits: a Read that
// finds too little is told so by an error that crypto/tls takes for a passing one,
// and keeps what it has of a record. TestTLSReadsGoOnAfterPassingErrors fails if a
// Go release changes that.
type channel struct {
	conn    *tls.Conn
	wire    *memory
	session session // of a client, once ready

	shaker *shaker // during the handshake
	err    error   // of the handshake
	ready  bool
	ended  bool // the peer has said that it sends no more
}

// shaker is a coroutine for handshakes, one after the other: a new one would have
// its stack grow each time. It is a loop's thread's.
type shaker struct {
	channel *channel
	resume  func() (over, ok bool)
	cancel  func()
}

// spareShakers is how many a loop keeps.
const spareShakers = 16

func newShaker() *shaker {
	s := new(shaker)
	s.resume, s.cancel = iter.Pull(func(yield func(bool) bool) {
		park := func() bool { return yield(false) }
		for more := true; more; more = yield(true) {
			ch := s.channel
			ch.wire.park = park
			ch.err = ch.conn.Handshake()
			ch.wire.park = nil
		}
	})
	return s
}

// newChannel returns the channel of a client's connection.
func newChannel(config *tls.Config, peer netip.AddrPort) *channel {
	w := &memory{peer: peer}
	return &channel{conn: tls.Server(w, config), wire: w}
}

// newTargetChannel returns the channel of a connection to a target.
func newTargetChannel(config *tls.Config, target netip.AddrPort) *channel {
	w := &memory{peer: target}
	return &channel{conn: tls.Client(w, config), wire: w}
}

// shake goes on with the handshake, given what has come, which isn't kept. It
// returns what is to be sent, appended to out, and whether the handshake is over:
// err says how.
func (ch *channel) shake(l *loop, in, out []byte) (sealed []byte, over bool, err error) {
	w := ch.wire
	w.in, w.out = in, out
	s := ch.shaker
	if s == nil {
		s = l.shaker()
		s.channel, ch.shaker = ch, s
	}
	over, _ = s.resume()
	out, w.out = w.out, nil
	if !over {
		return out, false, nil
	}
	s.channel, ch.shaker = nil, nil
	l.spareShaker(s)
	ch.ready = ch.err == nil
	return out, true, ch.err
}

// shaker returns one for a handshake.
func (l *loop) shaker() *shaker {
	n := len(l.shakers) - 1
	if n < 0 {
		return newShaker()
	}
	s := l.shakers[n]
	l.shakers = l.shakers[:n]
	return s
}

// spareShaker keeps one whose handshake is over for another.
func (l *loop) spareShaker(s *shaker) {
	if len(l.shakers) == spareShakers {
		s.cancel()
		return
	}
	l.shakers = append(l.shakers, s)
}

// open appends to clear what the peer has said, given what has come, which isn't
// kept, and to out what is to be sent because of it. io.EOF: it has said the last.
func (ch *channel) open(in, clear, out []byte) (text, sealed []byte, err error) {
	w := ch.wire
	w.in, w.out = in, out
	for err == nil {
		var n int
		n, err = ch.conn.Read(clear[len(clear):cap(clear)])
		clear = clear[:len(clear)+n]
	}
	out, w.out = w.out, nil
	switch {
	case errors.Is(err, errDry):
		err = nil
	case errors.Is(err, io.EOF):
		ch.ended = true
	}
	return clear, out, err
}

// seal appends to out what is to be sent for the text.
func (ch *channel) seal(text, out []byte) []byte {
	w := ch.wire
	w.out = out
	_, _ = ch.conn.Write(text) // memory takes all there is
	out, w.out = w.out, nil
	return out
}

// sealEnd appends to out what tells the peer that nothing more comes.
func (ch *channel) sealEnd(out []byte) []byte {
	w := ch.wire
	w.out = out
	_ = ch.conn.CloseWrite() // likewise
	out, w.out = w.out, nil
	return out
}

// release ends the coroutine of a handshake, if there is one.
func (ch *channel) release() {
	if ch != nil && ch.shaker != nil {
		ch.shaker.cancel()
		ch.shaker = nil
	}
}

// shake goes on with the handshake of a client's connection; true when it is over.
func (c *loopClient) shake() bool {
	l := c.loop
	for c.readable {
		n, errno := c.receive(l.buffer)
		switch {
		case errno == syscall.EAGAIN:
			return false
		case n == 0 || errno != 0:
			c.unshaken(io.EOF)
			c.drop()
			return false
		}
		sealed, over, err := c.tls.shake(l, l.buffer[:n], l.sealed[:0])
		l.sealed = sealed[:0]
		if len(sealed) > 0 {
			if c.sendSealed(sealed); c.state == dropped {
				return false
			}
		}
		if !over {
			continue
		}
		if err != nil {
			c.unshaken(err)
			c.end(closing) // with the alert
			return true
		}
		c.tls.session = sessionOf(c.tls.conn, nil)
		c.port.table.Load().connected(l.index, c.peer, c.trace, &c.tls.session, l.now-c.lively, l.clock())
		c.touch()
		c.await()
		// What has come with the handshake's end isn't on the socket any more.
		text, ok := c.open(c.tls.wire.in)
		switch {
		case !ok:
		case c.tls.session.http2:
			c.multiplex(text)
		case len(text) > 0:
			c.keepRest(text)
		}
		if c.state != dropped && c.port.closing.Load() {
			c.closeIfIdle()
		}
		return c.state != dropped
	}
	return false
}

// unshaken notes why there is no connection.
func (c *loopClient) unshaken(err error) {
	c.port.node.meter.Add(c.loop.index, meter.TLSErrors, 1)
	c.tls.release() // a handshake that is parked holds what the next line asks for
	failed := sessionOf(c.tls.conn, err)
	c.port.table.Load().connected(c.loop.index, c.peer, c.trace, &failed, -1, c.loop.clock())
	c.loop.proxy.log.Debug("TLS handshake failed", "node", c.port.node.id, "port", c.port.number, "peer", c.peer, "error", err)
}

// open returns what a client has said, given what has come; false: the connection
// is over.
func (c *loopClient) open(in []byte) ([]byte, bool) {
	l := c.loop
	text, sealed, err := c.tls.open(in, l.clear[:0], l.sealed[:0])
	l.sealed = sealed[:0]
	if len(sealed) > 0 { // it was asked for new keys, or told of an error
		if c.sendSealed(sealed); c.state == dropped {
			return nil, false
		}
	}
	switch {
	case c.tls.ended:
		c.readable = true // for whoever looks next
		if len(text) == 0 {
			c.drop()
			return nil, false
		}
	case err != nil:
		c.drop()
		return nil, false
	}
	if len(text) > 0 {
		c.port.node.countBytes(l.index, c.peer.Addr(), len(text))
	}
	return text, true
}
