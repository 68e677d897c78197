package proxy

import (
	"net"
	"net/netip"
	"time"
)

// memory is the net.Conn below TLS: on a loop a piece of memory, in which in is what
// has come and out what is due; elsewhere, or once it was handed over, but a way to
// the connection below. It also remembers what the handshake has come to.
type memory struct {
	in, out []byte
	park    func() bool // during the handshake: waits for more; false: there won't be any
	below   net.Conn    // since it was handed over
	peer    netip.AddrPort

	by     *secure      // that the handshake goes by
	chosen *certificate // that a client was shown
	named  bool         // by a name that the client asked for
	client *identity    // that it has shown; nil: none
}

// errDry is what a Read gets while there is nothing to read.
var errDry net.Error = dry{}

type dry struct{}

func (dry) Error() string   { return "nothing has come" }
func (dry) Timeout() bool   { return true }
func (dry) Temporary() bool { return true }

func (m *memory) Read(b []byte) (int, error) {
	for len(m.in) == 0 {
		switch {
		case m.below != nil:
			return m.below.Read(b)
		case m.park == nil:
			return 0, errDry
		case !m.park():
			return 0, net.ErrClosed
		}
	}
	n := copy(b, m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memory) Write(b []byte) (int, error) {
	if m.below != nil {
		if len(m.out) > 0 { // what the client hadn't taken when it was handed over
			if _, err := m.below.Write(m.out); err != nil {
				return 0, err
			}
			m.out = nil
		}
		return m.below.Write(b)
	}
	m.out = append(m.out, b...)
	return len(b), nil
}

// Close implements net.Conn; the loop closes its descriptor itself.
func (m *memory) Close() error {
	if m.below != nil {
		return m.below.Close()
	}
	return nil
}

// NetConn returns what is below TLS, for what a wire can't do.
func (m *memory) NetConn() net.Conn { return m.below }

// LocalAddr implements net.Conn. Nobody asks on a loop.
func (m *memory) LocalAddr() net.Addr {
	if m.below != nil {
		return m.below.LocalAddr()
	}
	return &net.TCPAddr{}
}

// RemoteAddr implements net.Conn.
func (m *memory) RemoteAddr() net.Addr {
	if m.below != nil {
		return m.below.RemoteAddr()
	}
	return net.TCPAddrFromAddrPort(m.peer)
}

// SetDeadline implements net.Conn. On a loop nothing waits.
func (m *memory) SetDeadline(t time.Time) error {
	if m.below != nil {
		return m.below.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (m *memory) SetReadDeadline(t time.Time) error {
	if m.below != nil {
		return m.below.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (m *memory) SetWriteDeadline(t time.Time) error {
	if m.below != nil {
		return m.below.SetWriteDeadline(t)
	}
	return nil
}
