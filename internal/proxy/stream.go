package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes of read buffers.
const (
	headBuffer = 4 << 10  // what each connection holds; most heads fit
	keptBuffer = 16 << 10 // a larger one isn't kept between requests
	bodyBuffer = 32 << 10 // while a body is under way
)

// bodyBuffers are lent to connections while they carry bodies.
var bodyBuffers = sync.Pool{New: func() any { return new([bodyBuffer]byte) }}

// stream is one side's connection with what has been read and not used yet. It
// belongs to one reading and one writing goroutine at a time.
type stream struct {
	conn net.Conn
	buf  []byte // buf[r:w] is unread
	r, w int
	lent *[bodyBuffer]byte // buf, while it is lent
	kept []byte            // the connection's own buffer meanwhile

	came, went int64 // bytes read and written

	writeDeadline time.Time   // as it is set on conn
	carried       func(n int) // told of bytes that came or went; nil: nobody wants to know
	peeker        *peeker

	// The following may be looked at by anybody.
	reading, writing atomic.Bool // the peer is waited for
	unwanted         atomic.Bool // it has been for too long, for how little is left
}

func newStream(conn net.Conn) stream {
	return stream{conn: conn, buf: make([]byte, headBuffer), peeker: newPeeker(conn)}
}

// readable is what can be known of a connection's incoming side without reading.
type readable uint8

const (
	quiet   readable = iota // nothing has come
	pending                 // bytes have come
	gone                    // the peer has ended or reset its side
)

// peek looks at what has come in and leaves it there.
func (s *stream) peek() readable { return s.peeker.peek() }

// unread returns what has been read and not used yet. It is valid until the next
// read, enlarge or release.
func (s *stream) unread() []byte { return s.buf[s.r:s.w] }

// use takes n bytes of unread.
func (s *stream) use(n int) {
	if s.r += n; s.r == s.w {
		s.r, s.w = 0, 0
	}
}

// room makes place for another read behind unread, without an upper limit: the
// parsers have theirs.
func (s *stream) room() {
	switch {
	case s.w < len(s.buf):
	case s.r > 0:
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	default:
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
}

// waiter has the word when a read deadline passes: it sets another one, or ends
// the read with an error.
type waiter interface {
	extend(now time.Time) error
}

// read appends what comes next to unread. Deadlines are set by the waiter alone,
// when one has passed, so that they move about once a wait and not once a read:
// one that passes too early costs no more than asking the waiter.
func (s *stream) read(w waiter) error {
	s.room()
	s.reading.Store(true)
	defer s.reading.Store(false)
	for {
		n, err := s.conn.Read(s.buf[s.w:])
		switch {
		case n > 0:
			if s.unwanted.Load() {
				s.unwanted.Store(false)
			}
			s.w += n
			s.came += int64(n)
			s.note(n)
			return nil // an error comes again
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		default:
			if err := w.extend(time.Now()); err != nil {
				return err
			}
		}
	}
}

// write writes all of b; it fails when the peer takes nothing for that long. The
// deadline is moved when a quarter of it has passed, not with each write.
func (s *stream) write(b []byte, timeout time.Duration) error {
	if len(b) == 0 {
		return nil
	}
	if err := s.expect(timeout); err != nil {
		return err
	}
	s.writing.Store(true)
	n, err := s.conn.Write(b)
	s.writing.Store(false)
	s.went += int64(n)
	s.note(n)
	return err
}

// note tells of bytes that came or went.
func (s *stream) note(n int) {
	if s.carried != nil {
		s.carried(n)
	}
}

// expect has writes from now on fail when the peer takes nothing for that long.
func (s *stream) expect(timeout time.Duration) error {
	now := time.Now()
	if left := s.writeDeadline.Sub(now); left >= timeout-timeout/4 && left <= timeout {
		return nil
	}
	s.writeDeadline = now.Add(timeout)
	return s.conn.SetWriteDeadline(s.writeDeadline)
}

// enlarge lends the stream a large buffer until release.
func (s *stream) enlarge() {
	if s.lent != nil || len(s.buf) >= bodyBuffer {
		return
	}
	s.kept, s.lent = s.buf, bodyBuffers.Get().(*[bodyBuffer]byte)
	n := copy(s.lent[:], s.unread())
	s.buf, s.r, s.w = s.lent[:], 0, n
}

// release gives a lent buffer back, and a grown one up. What is unread stays.
func (s *stream) release() {
	switch {
	case s.lent != nil:
		unread := s.unread()
		if len(unread) > len(s.kept) {
			s.kept = make([]byte, len(unread))
		}
		n := copy(s.kept, unread)
		bodyBuffers.Put(s.lent)
		s.buf, s.r, s.w = s.kept, 0, n
		s.lent, s.kept = nil, nil
	case len(s.buf) > keptBuffer && s.w-s.r <= headBuffer:
		buf := make([]byte, headBuffer)
		n := copy(buf, s.unread())
		s.buf, s.r, s.w = buf, 0, n
	}
}

// closeWrite tells the peer that nothing more comes, if the connection can.
func (s *stream) closeWrite() error {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// reset closes the connection so that the peer sees that what it has is not whole,
// also if it can tell by nothing but the connection's end.
func (s *stream) reset() {
	conn := socket(s.conn)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // otherwise it ends as if it were whole; there is no third way
	}
	_ = conn.Close() // before TLS says that this is the end
}

// lingerTime and lingerBytes bound how long and how much a client may go on to
// send what nobody wants any more. Closing at once would make the kernel answer
// with a reset, which can destroy the response on its way.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 1 << 20
)

// linger ends our direction and waits for the peer to end its own.
func (s *stream) linger() {
	if s.closeWrite() != nil || s.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyBuffer(io.Discard, io.LimitReader(onlyReader{s.conn}, lingerBytes), s.buf) // whatever ends it, the connection is closed next
}

// onlyReader hides the methods by which io.Copy would go around the buffer.
type onlyReader struct{ io.Reader }
