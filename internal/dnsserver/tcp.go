package dnsserver

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"time"
)

// Buffers of a TCP connection.
const (
	// tcpReadBuffer holds many pipelined queries, or all of one with options.
	tcpReadBuffer = 4 << 10
	// tcpWriteBuffer is how many bytes of answers are gathered before they are sent.
	tcpWriteBuffer = 16 << 10
)

// lengthSize is the length prefix of a message over TCP (RFC 1035 §4.2.2).
const lengthSize = 2

// serveTCP accepts connections until the listener is closed.
func (s *Server) serveTCP(ln *net.TCPListener, counts *counters) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			if !s.pause(err, "TCP accept") {
				return
			}
			continue
		}
		if !s.admit(conn) {
			// Nothing was promised yet; the client tries another server, or again.
			if err := conn.Close(); err != nil {
				s.log.Debug("DNS connection not closed", "client", conn.RemoteAddr(), "error", err)
			}
			continue
		}
		s.wg.Go(func() { s.serveConn(conn, counts) })
	}
}

// admit takes a connection in, unless there are too many or the server closes.
func (s *Server) admit(conn net.Conn) bool {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed {
		return false
	}
	if len(s.conns) >= s.maxTCP {
		s.tcpRefused.Add(1)
		return false
	}
	s.tcpAccepted.Add(1)
	s.conns[conn] = struct{}{}
	return true
}

// release closes a connection, unless shutdown did so, and makes room for another.
func (s *Server) release(conn net.Conn) {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	delete(s.conns, conn)
	if s.closed {
		return
	}
	if err := conn.Close(); err != nil {
		s.log.Debug("DNS connection not closed", "client", conn.RemoteAddr(), "error", err)
	}
}

// serveConn answers a connection's queries in their order until the client
// closes it, falls silent, or sends what has no header.
func (s *Server) serveConn(conn net.Conn, counts *counters) {
	defer s.release(conn)
	r := responder{server: s, counts: counts}
	in := bufio.NewReaderSize(conn, tcpReadBuffer)
	var packet, out []byte
	for {
		// One deadline for a whole message: a client that trickles gains no time.
		if err := conn.SetReadDeadline(time.Now().Add(s.idleTimeout)); err != nil {
			return
		}
		var err error
		if packet, err = readMessage(in, packet); err != nil {
			return // the end of the connection, or of our patience (RFC 7766 §6.2.3)
		}
		if len(packet) < headerSize {
			counts.dropped.Add(1)
			return
		}
		out = appendFramed(out, &r, packet)
		if len(out) < tcpWriteBuffer && messageBuffered(in) {
			continue // pipelined (RFC 7766 §6.2.1.1): answer the next before sending
		}
		if len(out) == 0 {
			continue
		}
		if err := conn.SetWriteDeadline(time.Now().Add(s.idleTimeout)); err != nil {
			return
		}
		// Length and message leave in one write (RFC 7766 §8).
		if _, err := conn.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

// appendFramed appends the response to a packet behind its length, or nothing.
func appendFramed(out []byte, r *responder, packet []byte) []byte {
	start := len(out)
	out = append(out, 0, 0)
	out = r.respond(out, packet, false)
	length := len(out) - start - lengthSize
	if length == 0 {
		return out[:start]
	}
	binary.BigEndian.PutUint16(out[start:], uint16(length))
	return out
}

// readMessage reads one message into buf, which it grows as needed.
func readMessage(in *bufio.Reader, buf []byte) ([]byte, error) {
	prefix, err := in.Peek(lengthSize)
	if err != nil {
		return buf, err
	}
	length := int(binary.BigEndian.Uint16(prefix))
	if _, err := in.Discard(lengthSize); err != nil {
		return buf, err
	}
	buf = slices.Grow(buf[:0], length)[:length]
	_, err = io.ReadFull(in, buf)
	return buf, err
}

// messageBuffered reports whether a whole message can be read without waiting.
func messageBuffered(in *bufio.Reader) bool {
	prefix, err := in.Peek(min(lengthSize, in.Buffered()))
	if err != nil || len(prefix) < lengthSize {
		return false
	}
	return in.Buffered() >= lengthSize+int(binary.BigEndian.Uint16(prefix))
}
