package dnsserver_test

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
)

// FuzzRespond: no packet makes the server fail, and whatever it answers is a
// well-formed response to that packet, of a size that the client takes.
func FuzzRespond(f *testing.F) {
	s := answered()
	for _, q := range []*dns.Msg{
		question("one.elb.fairlead.test.", dns.TypeA),
		question("dual.elb.fairlead.test.", dns.TypeANY).SetEdns0(4096, true),
		question("gone.elb.fairlead.test.", dns.TypeTXT).SetEdns0(100, false),
		question("fairlead.test.", dns.TypeNS),
		new(dns.Msg).SetAxfr("fairlead.test."),
		new(dns.Msg).SetNotify("fairlead.test."),
		new(dns.Msg).SetIxfr("fairlead.test.", 1, "a.", "b."),
	} {
		packet, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet, true)
		f.Add(packet[:len(packet)-3], false)
	}
	f.Fuzz(func(t *testing.T, packet []byte, overUDP bool) {
		response := s.Respond(packet, overUDP)
		if len(packet) < 12 || packet[2]&0x80 != 0 {
			if response != nil {
				t.Fatalf("got % x, want no response", response)
			}
			return
		}
		m := unpack(t, response)
		if !bytes.Equal(response[:2], packet[:2]) || !m.Response || m.Opcode != int(packet[2]>>3&0xF) {
			t.Fatalf("got header %v to % x", m.MsgHdr, packet)
		}
		if overUDP && len(response) > 1232 {
			t.Fatalf("got %d bytes over UDP", len(response))
		}
		if overUDP && m.IsEdns0() == nil && len(response) > 512 {
			t.Fatalf("got %d bytes over UDP without EDNS", len(response))
		}
		if len(m.Question) > 0 {
			_, end, err := dns.UnpackDomainName(response, 12)
			if err != nil || !bytes.HasPrefix(packet[12:], response[12:end+4]) {
				t.Fatalf("got question % x, %v to % x", response[12:end+4], err, packet)
			}
		}
		if packed, err := m.Pack(); err != nil {
			t.Fatalf("% x doesn't pack again: %v", packed, err)
		}
		// Whatever a second reader finds well formed and ours, we answer with AA.
		q := new(dns.Msg)
		if q.Unpack(packet) == nil && m.Rcode == dns.RcodeSuccess {
			if !m.Authoritative || len(m.Question) != 1 || len(q.Question) != 1 || m.Question[0] != q.Question[0] {
				t.Fatalf("got %v to %v", m, q)
			}
		}
	})
}
