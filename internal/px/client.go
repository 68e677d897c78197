package px

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/fairlead/fairlead/internal/px/http1"
	"github.com/fairlead/fairlead/internal/px/route"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// client is one client connection. Its goroutine owns everything but what is
// marked otherwise.
type client struct {
	node *node
	conn net.Conn
	port uint16
	peer netip.Addr

	ends time.Time // no request after this one keeps the connection (client keepalive, frozen at accept)

	in  *buffer // what came and wasn't used
	out []byte  // what is assembled to be sent
	req http1.Request

	idle atomic.Bool // between requests; read by leave
	left atomic.Bool // set by leave: close when idle
}

func newClient(n *node, conn net.Conn, port uint16) *client {
	c := &client{node: n, conn: conn, port: port}
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		c.peer = a.Addr().Unmap()
	}
	return c
}

// leave has the connection end with the response that is due, or now if none is.
// Any goroutine may call it.
func (c *client) leave() {
	c.left.Store(true)
	if c.idle.Load() {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// serve answers the connection's requests, one after the other.
func (c *client) serve() {
	defer c.node.exit(c)
	defer func() { _ = c.conn.Close() }()
	c.ends = time.Now().Add(c.node.state.Load().clientKeepAlive)
	c.in, c.out = getBuffer(), getBuffer().b[:0]
	defer func() {
		putBuffer(c.in)
		putBuffer(&buffer{b: c.out[:cap(c.out)]})
	}()
	for c.one() {
	}
}

// one answers one request; false if the connection ends with it.
func (c *client) one() bool {
	state := c.node.state.Load()
	if !c.readHead(state) {
		return false
	}
	state = c.node.state.Load() // as it is now that the request is here
	to := http1.ToClient{
		Minor: c.req.Minor, Head: c.req.Head(),
		Close: c.req.Close || state.phase == snapshot.NodeDraining || c.left.Load() || !time.Now().Before(c.ends),
	}
	l := state.table.Listener(c.port)
	if l == nil {
		return c.page(503, to, c.req.Body())
	}
	_, action := l.Match((*requestView)(c))
	switch {
	case action.Forward != nil:
		return c.forward(state, action.Forward, to)
	case action.Fixed != nil:
		f := action.Fixed
		body := c.req.Body()
		to.Close = to.Close || !c.skip(&body)
		contentType := f.ContentType
		if contentType == "" && f.Body != "" {
			contentType = "text/plain"
		}
		c.out = http1.AppendFixed(c.out[:0], f.StatusCode, http1.Title(f.StatusCode), contentType, f.Body, time.Now(), to)
		return c.send(state) && c.finish(to.Close)
	}
	c.node.proxy.opts.Log.Warn("a request met an action that isn't performed", "node", c.node.id, "port", c.port)
	return c.page(501, to, c.req.Body())
}

// readHead reads the next request's head into c.req; false if the connection
// ends, with an answer to a request that can't be served.
func (c *client) readHead(state *nodeState) bool {
	c.req.Reset()
	for {
		if c.in.len() > 0 {
			n, err := c.req.Parse(c.in.bytes())
			if err == nil {
				c.in.use(n)
				return true
			}
			var bad *http1.Error
			if errors.As(err, &bad) {
				c.refuse(bad.Status)
				return false
			}
		}
		fresh := c.in.len() == 0
		if fresh {
			c.idle.Store(true)
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(state.idleTimeout))
		if fresh && c.left.Load() {
			return false // leave came between; its deadline may have been overwritten
		}
		err := c.in.fill(c.conn)
		c.idle.Store(false)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && !fresh:
			c.refuse(408)
			return false
		default:
			return false
		}
	}
}

// refuse answers a request that couldn't be read.
func (c *client) refuse(status int) {
	to := http1.ToClient{Minor: 1, Close: true}
	c.out = http1.AppendPage(c.out[:0], status, time.Now(), to)
	if c.send(c.node.state.Load()) {
		c.finish(true)
	}
}

// page answers with one of our own pages.
func (c *client) page(status int, to http1.ToClient, body http1.Body) bool {
	to.Close = to.Close || !c.skip(&body)
	c.out = http1.AppendPage(c.out[:0], status, time.Now(), to)
	return c.send(c.node.state.Load()) && c.finish(to.Close)
}

// skip uses up a body that is here already; false if more of it would have to be
// waited for, which isn't worth it.
func (c *client) skip(body *http1.Body) bool {
	for !body.Done() && c.in.len() > 0 {
		_, n, err := body.Take(c.in.bytes())
		if err != nil || n == 0 {
			return false
		}
		c.in.use(n)
	}
	return body.Done()
}

// send sends what is assembled.
func (c *client) send(state *nodeState) bool {
	_ = c.conn.SetWriteDeadline(time.Now().Add(state.idleTimeout))
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err == nil
}

// Bounds of what is read from a client after its last response.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// finish ends the connection if end, so that the last response arrives though
// the client is still sending: closing at once would make the kernel answer its
// bytes with a reset, which destroys what it hasn't read. It returns whether
// another request may follow.
func (c *client) finish(end bool) bool {
	if !end {
		return true
	}
	if w, ok := c.conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.conn, lingerBytes)
	}
	return false
}

// requestView is a client's request as rules look at it. The strings are parts
// of the input buffer, valid while the rules are gone through.
type requestView client

func (v *requestView) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

func (v *requestView) Method() string { return v.text(v.req.Bytes(v.req.Method)) }

func (v *requestView) Path() string {
	if v.req.Path.Len() == 0 {
		return "/"
	}
	return v.text(v.req.Bytes(v.req.Path))
}

func (v *requestView) Query() string    { return v.text(v.req.Bytes(v.req.Query)) }
func (v *requestView) Peer() netip.Addr { return v.peer }

func (v *requestView) Host() string {
	name, _ := http1.SplitHost(v.req.Host())
	return v.text(name)
}

func (v *requestView) EachHeader(name string, f func(string) bool) {
	v.req.Header(name, func(b []byte) bool { return f(v.text(b)) })
}

var _ route.Request = (*requestView)(nil)

// buffer is bytes that came: b[r:w] wasn't used yet.
type buffer struct {
	b    []byte
	r, w int
}

const (
	bufferBytes    = 16 << 10
	maxBufferBytes = http1.MaxRequestHead + bufferBytes
)

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, bufferBytes)} }}

func getBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.r, b.w = 0, 0
	return b
}

// putBuffer keeps a buffer for the next connection, unless a large head made it grow.
func putBuffer(b *buffer) {
	if cap(b.b) >= bufferBytes && cap(b.b) <= 2*bufferBytes {
		b.b = b.b[:cap(b.b)]
		buffers.Put(b)
	}
}

func (b *buffer) len() int      { return b.w - b.r }
func (b *buffer) bytes() []byte { return b.b[b.r:b.w] }

func (b *buffer) use(n int) {
	b.r += n
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
}

var errFull = errors.New("buffer is full")

// fill reads once. It moves what is unused to the front, and grows, when there is
// no room.
func (b *buffer) fill(r io.Reader) error {
	if b.w == len(b.b) && b.r > 0 {
		copy(b.b, b.b[b.r:b.w])
		b.r, b.w = 0, b.w-b.r
	}
	if b.w == len(b.b) {
		if len(b.b) >= maxBufferBytes {
			return errFull
		}
		bigger := make([]byte, min(2*len(b.b), maxBufferBytes))
		copy(bigger, b.b[:b.w])
		b.b = bigger
	}
	n, err := r.Read(b.b[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}
