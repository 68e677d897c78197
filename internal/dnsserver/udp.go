package dnsserver

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// retryPause is the time between attempts at a socket that failed for a reason
// other than being closed: out of memory or of descriptors.
const retryPause = 50 * time.Millisecond

// oobSize is room for the control messages that answerFromAsked asks for.
const oobSize = 128

// serveUDP answers one packet after the other until the socket is closed.
func (s *Server) serveUDP(conn *net.UDPConn, counts *counters) {
	r := responder{server: s, counts: counts}
	packet := make([]byte, dns.MaxMsgSize)
	response := make([]byte, 0, ednsUDPSize)
	oob := make([]byte, oobSize)
	for {
		n, oobn, _, client, err := conn.ReadMsgUDPAddrPort(packet, oob)
		if err != nil {
			if !s.pause(err, "UDP read") {
				return
			}
			continue
		}
		response = r.respond(response[:0], packet[:n], true)
		if len(response) == 0 {
			continue
		}
		if err := writeUDP(conn, response, oob[:oobn], client); err != nil && !errors.Is(err, net.ErrClosed) {
			// The client's business (a route gone, a full queue): it asks again.
			s.log.Debug("DNS response not sent", "client", client, "error", err)
		}
	}
}

// pause reports whether to go on after a socket's error, and lets a moment pass
// so that a lasting one doesn't spin.
func (s *Server) pause(err error, what string) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.log.Warn("DNS socket", "operation", what, "error", err)
	select {
	case <-s.done:
		return false
	case <-time.After(retryPause):
		return true
	}
}

// answerFromAsked makes a socket on an unspecified address tell which of the
// host's addresses each packet came to: an answer from another one is refused by
// the client (RFC 2181 §4). A socket on one address has no need of it.
func answerFromAsked(conn *net.UDPConn) error {
	if !conn.LocalAddr().(*net.UDPAddr).IP.IsUnspecified() {
		return nil
	}
	// A socket for both families takes either; one for IPv4 only the latter.
	if err := ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true); err == nil {
		return nil
	}
	return ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true)
}

// writeUDP sends a response from the address that oob, the control messages of
// the query, says it came to; from the socket's own without any.
func writeUDP(conn *net.UDPConn, response, oob []byte, client netip.AddrPort) error {
	if len(oob) == 0 {
		_, err := conn.WriteToUDPAddrPort(response, client)
		return err
	}
	_, _, err := conn.WriteMsgUDPAddrPort(response, sourceOf(oob), client)
	return err
}

// sourceOf turns the control message that names a packet's destination into one
// that sets the source of the response.
func sourceOf(oob []byte) []byte {
	var v6 ipv6.ControlMessage
	if v6.Parse(oob) == nil && v6.Dst != nil && v6.Dst.To4() == nil {
		return (&ipv6.ControlMessage{Src: v6.Dst}).Marshal()
	}
	if v6.Dst != nil { // IPv4 on a socket for both families
		return (&ipv4.ControlMessage{Src: v6.Dst}).Marshal()
	}
	var v4 ipv4.ControlMessage
	if v4.Parse(oob) == nil && v4.Dst != nil {
		return (&ipv4.ControlMessage{Src: v4.Dst}).Marshal()
	}
	return nil
}
