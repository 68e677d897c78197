package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// carrier moves one body from one side to the other: decoded, and framed anew.
// It holds no more of it than what one read brings.
type carrier struct {
	from, to *stream
	decoder  http1.Decoder
	chunked  bool          // how the receiver gets it
	timeout  time.Duration // of a write
	active   *activity     // of the client, which is not idle when bytes move

	read atomic.Bool // the body has been read to its end
	lost atomic.Bool // it can't be read to its end

	err     error // why it didn't arrive whole
	refused bool  // err is the receiver's side's
}

// carry moves the rest of the body, after what out holds already. Waiting for
// more is w's to bound. The outcome is in err and refused.
func (c *carrier) carry(out *[]byte, w waiter) {
	for {
		if c.err = c.step(out); c.err != nil || c.read.Load() {
			return
		}
		var err error
		if from, to := c.sockets(); from != nil {
			err = c.splice(from, to, w)
		} else {
			c.from.enlarge()
			err = c.from.read(w)
		}
		if errors.Is(err, io.EOF) && c.decoder.EOF() == nil {
			c.finish(out)
			return
		}
		if err != nil {
			c.err = err
			c.lost.Store(!c.refused)
			return
		}
		c.active.touch(time.Now())
	}
}

// Of bodies that the kernel passes on by itself (splice(2)): how much is left from
// which on that is worth it, and how much goes at once, until somebody looks at
// the clock.
const (
	kernelFrom = 64 << 10
	kernelStep = 256 << 10
)

// sockets returns the two ends of a body whose rest goes as it comes, and much of
// it; nil if it isn't so.
func (c *carrier) sockets() (from, to *net.TCPConn) {
	if c.chunked || c.decoder.Left() < kernelFrom {
		return nil, nil
	}
	from, plain := c.from.conn.(*net.TCPConn)
	to, too := c.to.conn.(*net.TCPConn)
	if !plain || !too {
		return nil, nil
	}
	return from, to
}

// splice has the kernel pass on a part of the body. Nothing of it is in our hands
// before or after. An error is of the side that sends it, unless refused is set.
func (c *carrier) splice(from, to *net.TCPConn, w waiter) error {
	if err := c.to.expect(c.timeout); err != nil {
		c.refused = true
		return err
	}
	// A step has to be shorter than the rest, so that the last bytes are told of
	// by noteEnd before they are written.
	step := min(c.decoder.Left()-1, kernelStep)
	n, err := to.ReadFrom(&io.LimitedReader{R: from, N: step})
	c.decoder.Skip(int(n))
	c.from.came += n
	c.to.went += n
	c.from.note(int(n))
	c.to.note(int(n))
	switch {
	case n == step:
		return nil
	case err == nil:
		return io.EOF
	case !errors.Is(err, os.ErrDeadlineExceeded):
		c.refused = c.from.peek() != gone
		return err
	case !time.Now().Before(c.to.writeDeadline):
		c.refused = true
		return err
	case n > 0:
		c.active.touch(time.Now())
	}
	return w.extend(time.Now())
}

// step writes out and what has come of the body.
func (c *carrier) step(out *[]byte) error {
	if c.direct(*out) {
		data, n, err := c.decoder.Next(c.from.unread())
		if err != nil {
			c.lost.Store(true)
			return err
		}
		c.from.use(n)
		c.noteEnd()
		return c.write(data)
	}
	var err error
	if *out, err = c.take(*out); err != nil {
		c.lost.Store(true)
		return err
	}
	c.noteEnd()
	err = c.write(*out)
	*out = (*out)[:0]
	return err
}

// direct says whether what has come can be written from where it lies.
func (c *carrier) direct(out []byte) bool {
	return len(out) == 0 && !c.chunked && c.decoder.Left() >= int64(len(c.from.unread()))
}

// noteEnd tells, before its last bytes are written, that the body has been read
// to its end: a receiver's answer to the whole body always comes after.
func (c *carrier) noteEnd() {
	if c.decoder.Done() {
		c.read.Store(true)
	}
}

func (c *carrier) write(b []byte) error {
	if err := c.to.write(b, c.timeout); err != nil {
		c.refused = true
		return err
	}
	c.active.touch(time.Now())
	return nil
}

// take appends what has come of the body to out, framed for the receiver.
func (c *carrier) take(out []byte) ([]byte, error) {
	start := len(out)
	if c.chunked {
		out = append(out, make([]byte, http1.ChunkRoom)...)
	}
	content := len(out)
	for len(c.from.unread()) > 0 && !c.decoder.Done() {
		data, n, err := c.decoder.Next(c.from.unread())
		if err != nil {
			return out[:start], err
		}
		out = append(out, data...)
		c.from.use(n)
	}
	if !c.chunked {
		return out, nil
	}
	if len(out) == content {
		out = out[:start]
	} else {
		size := http1.PutChunkSize(out[start:content], len(out)-content)
		copy(out[start:], out[content-size:]) // the size line is shorter than its room
		out = append(out[:len(out)-(http1.ChunkRoom-size)], "\r\n"...)
	}
	if c.decoder.Done() {
		out = append(out, http1.LastChunk...)
	}
	return out, nil
}

// finish ends a body that lasted until its connection did.
func (c *carrier) finish(out *[]byte) {
	c.read.Store(true)
	if c.chunked {
		*out = append(*out, http1.LastChunk...)
	}
	c.err = c.write(*out)
}
