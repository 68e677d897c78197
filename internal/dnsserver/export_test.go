package dnsserver

// Respond answers one packet without a socket; nil for none.
func (s *Server) Respond(packet []byte, overUDP bool) []byte {
	r := responder{server: s, counts: &s.counts[0]}
	return r.respond(nil, packet, overUDP)
}

// Responder returns a function that answers packets over UDP in one buffer, as
// a worker does.
func (s *Server) Responder() func(packet []byte) []byte {
	r := responder{server: s, counts: &s.counts[0]}
	buf := make([]byte, 0, ednsUDPSize)
	return func(packet []byte) []byte {
		buf = r.respond(buf[:0], packet, true)
		return buf
	}
}

// Names returns how many names exist, empty non-terminals and the root among them.
func (s *Server) Names() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.Load().count
}
