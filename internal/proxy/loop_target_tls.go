//go:build linux

package proxy

import (
	"errors"
	"io"
	"syscall"

	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// proceedTLS shakes hands with the target and sends the request; true once its
// response is to be read.
func (x *loopExchange) proceedTLS() bool {
	t := x.target
	flushed := t.flush()
	if !t.tls.ready && (!flushed || !x.shake()) {
		return false
	}
	if x.sent < len(x.request) {
		l := t.loop
		sealed := t.tls.seal(x.request[x.sent:], l.sealed[:0])
		l.sealed = sealed[:0]
		x.sent = len(x.request)
		t.send(sealed)
	}
	return true
}

// shake goes on with the handshake; true when it is over.
func (x *loopExchange) shake() bool {
	t := x.target
	l := t.loop
	for in := l.buffer[:0]; ; {
		sealed, over, err := t.tls.shake(l, in, l.sealed[:0])
		l.sealed = sealed[:0]
		t.send(sealed)
		switch {
		case err != nil:
			t.endpoint.distrust(err)
			x.failTLS()
			return false
		case over:
			// What came behind the handshake is messages of TLS at most: no target
			// answers before it is asked.
			if text, err := t.open(t.tls.wire.in); err != nil || len(text) > 0 {
				x.failTLS()
				return false
			}
			return true
		}
		if in = t.read(); len(in) == 0 {
			if t.over && t.readable {
				x.failTLS()
			}
			return false
		}
	}
}

// failTLS answers a request whose target doesn't shake hands.
func (x *loopExchange) failTLS() {
	x.group.meter.Add(x.loop.index, meter.TargetTLSErrors, 1)
	x.fail(502)
}

// read returns what has come from the target, nil if nothing has. An end is still
// readable then.
func (t *loopTarget) read() []byte {
	for t.readable {
		n, errno := t.receive(t.loop.buffer)
		switch {
		case errno == syscall.EAGAIN:
		case n == 0 || errno != 0:
			t.over = true
			return nil
		default:
			return t.loop.buffer[:n]
		}
	}
	return nil
}

// hear deals with what has come from the target.
func (x *loopExchange) hear(data []byte) {
	t, front := x.target, x.front
	if t.tls == nil {
		x.take(data)
		return
	}
	text, err := t.open(data)
	if len(text) > 0 {
		x.take(text)
	}
	switch {
	case err == nil:
	case x.front == front && x.target == t:
		x.lost(err)
	case t.tunnel != nil && !t.tls.ended:
		t.tunnel.reset()
	}
}

// open returns what the target has said, given what has come. io.EOF: it has said
// the last.
func (t *loopTarget) open(in []byte) ([]byte, error) {
	l := t.loop
	text, sealed, err := t.tls.open(in, l.clear[:0], l.sealed[:0])
	l.sealed = sealed[:0]
	t.send(sealed) // it was asked for new keys, or told of an error
	if err != nil && !errors.Is(err, io.EOF) {
		err = errors.Join(io.ErrUnexpectedEOF, err)
	}
	return text, err
}

// send writes to the target; what it doesn't take at once goes when it can. A
// target that takes no more may still have something to say, so a failure shows
// when it is read.
func (t *loopTarget) send(b []byte) {
	if len(t.unsent) > 0 {
		t.unsent = append(t.unsent, b...)
		return
	}
	if b = t.write(b); len(b) > 0 {
		t.unsent = append(t.unsent, b...)
	}
}

// write returns what the target doesn't take now.
func (t *loopTarget) write(b []byte) []byte {
	for t.writable && len(b) > 0 {
		n, errno := sysWrite(t.fd, b)
		switch {
		case errno == 0:
			b = b[n:]
		case errno == syscall.EAGAIN:
			t.writable = false
		case errno != syscall.EINTR:
			t.broken, t.readable, t.over = true, true, true // it may still have something to say; if not, that shows now
			return nil
		}
	}
	return b
}

// flush writes what is due; false if the target doesn't take all of it yet.
func (t *loopTarget) flush() bool {
	if len(t.unsent) == 0 {
		return true
	}
	if t.unsent = t.unsent[:copy(t.unsent, t.write(t.unsent))]; len(t.unsent) > 0 {
		return false
	}
	t.unsent = nil
	return true
}
