package dnsserver_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// Packets in hexadecimal: header, then whatever follows. The id is 1234.
func TestMalformedAndForeignPackets(t *testing.T) {
	const (
		header = "1234 0000 0001 0000 0000 0000" // one question
		withAR = "1234 0000 0001 0000 0000 "     // … and ARCOUNT to come
		www    = "03 777777 08 666169726c656164 04 74657374 00 0001 0001 "
		opt    = "00 0029 1000 00000000 0000 "
	)
	tests := []struct {
		name   string
		packet string
		want   string // rcode, then "q" with the question and "o" with an OPT record; "" for no response
	}{
		{"a good query, to compare", header + www, "NOERROR q"},
		{"nothing", "", ""},
		{"less than a header", "1234 0000 0001 0000 0000 00", ""},
		{"a response", "1234 8000 0001 0000 0000 0000" + www, ""},
		{"a response that is malformed too", "1234 8000 0002 0000 0000 0000", ""},
		{"opcode IQUERY", "1234 0800 0001 0000 0000 0000" + www, "NOTIMP"},
		{"opcode STATUS", "1234 1000 0000 0000 0000 0000", "NOTIMP"},
		{"opcode NOTIFY", "1234 2000 0001 0000 0000 0000" + www, "NOTIMP"},
		{"opcode UPDATE", "1234 2800 0001 0000 0000 0000" + www, "NOTIMP"},
		{"no question", "1234 0000 0000 0000 0000 0000", "FORMERR"},
		{"two questions", "1234 0000 0002 0000 0000 0000" + www + www, "FORMERR"},
		{"a header that promises a question", header, "FORMERR"},
		{"a name without its end", header + "03 777777", "FORMERR"},
		{"a label that runs past the end", header + "3f 777777", "FORMERR"},
		{"a question without a class", header + "00 0001 00", "FORMERR"},
		{"a compression pointer in the question", header + "c00c 0001 0001", "FORMERR"},
		{"a reserved label type", header + "40 00 0001 0001", "FORMERR"},
		{"a name of 256 bytes", header + strings.Repeat("01 61 ", 126) + "02 6161 00 0001 0001", "FORMERR"},
		{"a name of 255 bytes", header + strings.Repeat("01 61 ", 127) + "00 0001 0001", "REFUSED q"},
		{"bytes after the end", header + www + "00", "FORMERR q"},
		{"an additional record is missing", withAR + "0001" + www, "FORMERR q"},
		{"an additional record is cut", withAR + "0001" + www + "00 0029 1000 0000", "FORMERR q"},
		{"record data runs past the end", withAR + "0001" + www + "00 0010 0001 00000000 0005 00", "FORMERR q"},
		{"a record that isn't OPT is passed over", withAR + "0001" + www + "c00c 0010 0001 00000000 0001 00", "NOERROR q"},
		{"an owner that is half a pointer", withAR + "0001" + www + "c0", "FORMERR q"},
		{"an owner of a reserved label type", withAR + "0001" + www + "80 0010 0001 00000000 0000", "FORMERR q"},
		{"OPT", withAR + "0001" + www + opt, "NOERROR qo"},
		{"OPT after another record", withAR + "0002" + www + "c00c 0010 0001 00000000 0000" + opt, "NOERROR qo"},
		{"OPT with an option", withAR + "0001" + www + "00 0029 1000 00000000 0004 000a 0000", "NOERROR qo"},
		{"two OPT", withAR + "0002" + www + opt + opt, "FORMERR qo"},
		{"OPT that isn't at the root", withAR + "0001" + www + "c00c 0029 1000 00000000 0000", "FORMERR q"},
		{"OPT among the answers", "1234 0000 0001 0001 0000 0000" + www + opt, "FORMERR q"},
		{"OPT of version 1", withAR + "0001" + www + "00 0029 1000 00010000 0000", "BADVERS qo"},
		{"OPT of version 1 to a foreign name", withAR + "0001 00 0001 0001 00 0029 1000 00ff0000 0000", "BADVERS qo"},
		{"OPT to a foreign name", withAR + "0001 00 0001 0001" + opt, "REFUSED qo"},
		{"IXFR with the client's SOA in authority",
			"1234 0000 0001 0000 0001 0000 08 666169726c656164 04 74657374 00 00fb 0001" +
				"c00c 0006 0001 00000000 0016 00 00 00000001 00000001 00000001 00000001 00000001", "REFUSED q"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answered()
			packet, err := hex.DecodeString(strings.ReplaceAll(tt.packet, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			response := s.Respond(packet, true)
			if tt.want == "" {
				if response != nil {
					t.Fatalf("got % x, want no response", response)
				}
				if got := s.Stats().Dropped; got != 1 {
					t.Errorf("got %d dropped packets, want 1", got)
				}
				return
			}
			m := unpack(t, response)
			rcode := dns.RcodeToString[m.Rcode]
			if m.Rcode == dns.RcodeBadVers {
				rcode = "BADVERS"
			}
			got := rcode + " "
			if len(m.Question) == 1 {
				got += "q"
			}
			if m.IsEdns0() != nil {
				got += "o"
			}
			if got = strings.TrimSpace(got); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if m.Id != 0x1234 || !m.Response || m.Opcode != int(packet[2]>>3) {
				t.Errorf("got header %v, want the query's id and opcode", m.MsgHdr)
			}
			if diff := cmp.Diff(map[string]uint64{rcode: 1}, s.Stats().Responses); diff != "" {
				t.Errorf("Stats().Responses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEDNSIsEchoedWithOurSizeAndTheClientsDO(t *testing.T) {
	s := answered()
	for _, do := range []bool{true, false} {
		q := question("one.elb.fairlead.test.", dns.TypeA).SetEdns0(4096, do)
		opt := ask(t, s, q, true).IsEdns0()
		if opt == nil {
			t.Fatal("got no OPT record")
		}
		if opt.UDPSize() != 1232 || opt.Do() != do || opt.Version() != 0 || len(opt.Option) != 0 {
			t.Errorf("got %v, want size 1232, DO %v, version 0, no options", opt, do)
		}
	}
}

func TestRDAndCDAreCopied(t *testing.T) {
	s := answered()
	for _, set := range []bool{true, false} {
		q := question("one.elb.fairlead.test.", dns.TypeA)
		q.RecursionDesired, q.CheckingDisabled = set, set
		q.AuthenticatedData, q.Zero, q.RecursionAvailable = true, true, true
		got := ask(t, s, q, true)
		if got.RecursionDesired != set || got.CheckingDisabled != set {
			t.Errorf("got RD %v CD %v, want %v", got.RecursionDesired, got.CheckingDisabled, set)
		}
		if got.AuthenticatedData || got.Zero || got.RecursionAvailable {
			t.Errorf("got %v, want AD, Z and RA clear", got.MsgHdr)
		}
	}
}

// The sizes at which a response stops fitting, with and without EDNS.
func TestTruncation(t *testing.T) {
	const owner = "t.elb.fairlead.test."
	const fixed = 12 + 21 + 4 // header and question
	tests := []struct {
		name    string
		size    int // of the response without OPT
		edns    uint16
		overTCP bool
		want    bool
	}{
		{"512 bytes fit without EDNS", 512, 0, false, false},
		{"513 bytes don't fit without EDNS", 513, 0, false, true},
		{"513 bytes fit over TCP", 513, 0, true, false},
		{"a size below 512 means 512", 501, 100, false, false},
		{"OPT counts", 502, 512, false, true},
		{"989 and OPT fit in 1000", 989, 1000, false, false},
		{"990 and OPT don't fit in 1000", 990, 1000, false, true},
		{"1221 and OPT fit in our size", 1221, 4096, false, false},
		{"1222 and OPT exceed our size, whatever the client takes", 1222, 4096, false, true},
		{"4000 bytes and OPT over TCP", 4000, 512, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answered()
			var texts []string
			for left := tt.size - fixed; left > 0; {
				record := min(left, 12+1+200)
				if rest := left - record; rest > 0 && rest < 13 {
					record -= 13 // leave room for one more record's head
				}
				texts = append(texts, strings.Repeat("x", record-13))
				left -= record
			}
			s.Put(name(owner, texts...))
			q := question(owner, dns.TypeTXT)
			if tt.edns != 0 {
				q.SetEdns0(tt.edns, false)
			}
			packet, err := q.Pack()
			if err != nil {
				t.Fatal(err)
			}
			response := s.Respond(packet, !tt.overTCP)
			m := unpack(t, response)
			if m.Truncated != tt.want || !m.Authoritative || m.Rcode != dns.RcodeSuccess {
				t.Errorf("got %v, want TC %v and AA", m.MsgHdr, tt.want)
			}
			wantSize, wantAnswers := tt.size, len(texts)
			if tt.want {
				wantSize, wantAnswers = fixed, 0
			}
			if tt.edns != 0 {
				wantSize += 11
			}
			if len(response) != wantSize || len(m.Answer) != wantAnswers {
				t.Errorf("got %d bytes and %d records, want %d and %d", len(response), len(m.Answer), wantSize, wantAnswers)
			}
			if (m.IsEdns0() != nil) != (tt.edns != 0) {
				t.Errorf("got OPT %v, want it as in the query", m.IsEdns0())
			}
			if got := s.Stats().Truncated; (got == 1) != tt.want {
				t.Errorf("got %d truncated responses counted, want TC %v", got, tt.want)
			}
		})
	}
}

// A negative answer about the longest name there is keeps its pointers right,
// and names are compressed as well as a general packer can (RFC 1035 §4.1.4).
func TestCompression(t *testing.T) {
	s := answered()
	longest := strings.Repeat(strings.Repeat("x", 59)+".", 3) + strings.Repeat("y", 54) + ".elb.fairlead.test."
	for _, q := range []*dns.Msg{
		question(longest, dns.TypeA),
		question("fairlead.test.", dns.TypeNS),
		question("one.elb.fairlead.test.", dns.TypeTXT),
		question("dual.elb.fairlead.test.", dns.TypeAAAA).SetEdns0(1232, true),
	} {
		packet, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		response := s.Respond(packet, true)
		m := unpack(t, response)
		m.Compress = true
		if got, most := len(response), m.Len(); got > most {
			t.Errorf("%s: got %d bytes, want at most %d:\n%v", fmt.Sprint(q.Question), got, most, m)
		}
	}
}
