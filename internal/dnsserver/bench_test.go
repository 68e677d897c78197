package dnsserver_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dnsserver"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// full is a server with count load balancers' names.
func full(count int) *dnsserver.Server {
	s := dnsserver.New(dnsserver.Options{})
	names := make([]snapshot.Name, count)
	for i := range names {
		names[i] = name(fmt.Sprintf("lb-%d.us-east-1.elb.fairlead.test.", i), "192.0.2.1", "192.0.2.2", "192.0.2.3")
	}
	s.Reset([]snapshot.Zone{parentZone, childZone}, names)
	return s
}

func BenchmarkRespond(b *testing.B) {
	for _, count := range []int{100, 100_000} {
		s := full(count)
		for _, c := range []struct {
			name, owner string
		}{{"A", "lb-42.us-east-1.elb.fairlead.test."}, {"NXDOMAIN", "gone.us-east-1.elb.fairlead.test."}} {
			packet, err := question(c.owner, dns.TypeA).SetEdns0(1232, false).Pack()
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%d", c.name, count), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					respond := s.Responder()
					for pb.Next() {
						respond(packet)
					}
				})
			})
		}
	}
}

// BenchmarkPut changes one name among many: the cost must not follow their number.
func BenchmarkPut(b *testing.B) {
	for _, count := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			s := full(count)
			there := name("lb-42.us-east-1.elb.fairlead.test.", "192.0.2.1", "192.0.2.2")
			fresh := name("fresh.us-east-1.elb.fairlead.test.", "192.0.2.1", "192.0.2.2")
			b.ReportAllocs()
			for b.Loop() {
				s.Put(there)
				s.Put(fresh)
				s.Remove(fresh.Owner)
			}
		})
	}
}

// BenchmarkUDP is queries over loopback, client and server on the same CPUs,
// with 32 under way on each of two sockets.
func BenchmarkUDP(b *testing.B) {
	const window = 32
	s := full(100_000)
	if err := s.Listen(b.Context(), "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	packet, err := question("lb-42.us-east-1.elb.fairlead.test.", dns.TypeA).SetEdns0(1232, false).Pack()
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(1)
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("udp", s.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		buf := make([]byte, 2048)
		sent := 0
		for pb.Next() {
			if sent == window {
				if _, err := c.Read(buf); err != nil {
					b.Error(err)
					return
				}
				sent--
			}
			if _, err := c.Write(packet); err != nil {
				b.Error(err)
				return
			}
			sent++
		}
		for ; sent > 0; sent-- {
			if _, err := c.Read(buf); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
