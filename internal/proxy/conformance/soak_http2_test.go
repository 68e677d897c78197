package conformance_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/net/http2"
)

// clientsOfHTTP2 are clients of HTTP/2 that come and go in every way.
func clientsOfHTTP2(addr string, config *tls.Config) func(*rand.Rand) {
	return func(r *rand.Rand) {
		s := speaker{addr: addr, config: config}
		defer s.close()
		if s.connect() != nil {
			return
		}
		_ = s.conn.SetDeadline(time.Now().Add(10 * time.Second))
		s.behave(r)
	}
}

// request is one for a path, with a body if there are data.
func request(method, path string, data ...string) *message {
	return &message{list: []field{{":method", method}, {":scheme", "https"}, {":path", path}, {":authority", "a.test"}}, data: data}
}

// begin says a request and doesn't wait for its answer.
func (s *speaker) begin(m *message) (id uint32) {
	id = s.stream
	s.stream += 2
	_ = s.write(id, m) // who is refused goes
	return id
}

// behave does what some client does.
func (s *speaker) behave(r *rand.Rand) {
	_ = s.framer.WriteWindowUpdate(0, 1<<30) // streams have the windows that they begin with
	half := make([]byte, 8000)
	switch r.IntN(12) {
	case 0: // stays
		for range 1 + r.IntN(20) {
			_, _ = s.ask(request("GET", "/small"))
		}
	case 1: // asks for much at once, and waits for the last of it
		var last uint32
		for range 1 + r.IntN(100) {
			last = s.begin(request("GET", "/small"))
		}
		_, _ = s.answer(last)
	case 2: // goes before the answers
		for range r.IntN(20) {
			s.begin(request("GET", "/large"))
		}
	case 3: // changes its mind, about some
		for i := range 20 {
			id := s.begin(request("GET", "/large"))
			if i%3 == 0 {
				_ = s.framer.WriteRSTStream(id, http2.ErrCodeCancel)
			}
		}
		_, _ = s.ask(request("GET", "/small"))
	case 4: // changes it about all, and is told to calm down
		for range 400 {
			_ = s.framer.WriteRSTStream(s.begin(request("GET", "/large")), http2.ErrCodeCancel)
		}
	case 5: // uploads
		_, _ = s.ask(request("PUT", "/small", string(half), string(half), ""))
	case 6: // uploads, and goes
		id := s.stream
		_ = s.headers(id, request("PUT", "/small").list, false)
		_ = s.framer.WriteData(id, false, half)
	case 7: // uploads, and resets that
		id := s.stream
		s.stream += 2
		_ = s.headers(id, request("PUT", "/small").list, false)
		_ = s.framer.WriteData(id, false, half)
		_ = s.framer.WriteRSTStream(id, http2.ErrCodeCancel)
		_, _ = s.ask(request("GET", "/small"))
	case 8: // takes its leave
		s.begin(request("GET", "/small"))
		_ = s.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
		_, _ = s.answer(s.stream - 2)
	case 9: // is odd
		for range 10 {
			_, _ = s.ask(translated(r.IntN(10_000)))
			if s.conn == nil {
				return
			}
		}
	case 10: // breaks the protocol
		s.begin(request("GET", fmt.Sprint("/large?", r.Int())))
		_ = s.framer.WriteWindowUpdate(0, 0)
		_, _ = s.answer(1 << 30)
	default: // keeps its window shut, and resets the connection
		_ = s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		for range 20 {
			s.begin(request("GET", "/large"))
		}
		if c, ok := s.conn.NetConn().(interface{ SetLinger(int) error }); ok {
			_ = c.SetLinger(0)
			_ = s.conn.NetConn().Close()
		}
	}
}
