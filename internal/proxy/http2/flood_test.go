package http2_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// Every class of attack on HTTP/2 published since 2019 that a session can see: a
// client that goes on with it is told to calm down, after a bounded number of
// frames, holding a bounded amount of memory, whether it reads or not.
func TestFloodsEnd(t *testing.T) {
	post := append([]string{":method", "POST"}, get[2:]...)
	for _, tt := range []struct {
		name  string
		cve   string
		most  int // times that it may be done
		begin func(*peer)
		do    func(p *peer, i int)
	}{
		{"pings", "CVE-2019-9512", 2200, nil, func(p *peer, i int) { p.framer.WritePing(false, [8]byte{}) }},
		{"settings", "CVE-2019-9515", 2200, nil, func(p *peer, i int) { p.framer.WriteSettings() }},
		{"settings of many windows", "", 20, func(p *peer) {
			for i := range 128 {
				p.ask(uint32(2*i+1), false, get...)
			}
		}, func(p *peer, i int) {
			var all []xhttp2.Setting
			for j := range 2000 {
				all = append(all, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: uint32(j)})
			}
			p.framer.WriteSettings(all...)
		}},
		{"resets", "CVE-2023-44487", 300, nil, func(p *peer, i int) {
			p.ask(uint32(2*i+1), true, get...)
			p.framer.WriteRSTStream(uint32(2*i+1), xhttp2.ErrCodeCancel)
		}},
		{"resets that we are made to send, by windows", "CVE-2025-8671", 300, nil, func(p *peer, i int) {
			p.ask(uint32(2*i+1), true, get...)
			p.framer.WriteWindowUpdate(uint32(2*i+1), 0)
		}},
		{"resets that we are made to send, by DATA behind the end", "CVE-2025-8671", 300, nil, func(p *peer, i int) {
			p.ask(uint32(2*i+1), true, get...)
			p.framer.WriteData(uint32(2*i+1), false, nil)
		}},
		{"resets that we are made to send, by malformed requests", "CVE-2019-9514", 300, nil, func(p *peer, i int) {
			p.ask(uint32(2*i+1), true, "x", "y")
		}},
		{"resets that we are made to send, by priorities", "CVE-2025-8671", 300, nil, func(p *peer, i int) {
			p.ask(uint32(2*i+1), true, get...)
			p.framer.WriteRawFrame(xhttp2.FramePriority, 0, uint32(2*i+1), make([]byte, 4))
		}},
		{"requests beyond the limit", "", 500, func(p *peer) {
			for i := range 128 {
				p.ask(uint32(2*i+1), true, get...)
			}
		}, func(p *peer, i int) { p.ask(uint32(2*i+1001), true, get...) }},
		{"priorities", "CVE-2019-9513", 2200, nil, func(p *peer, i int) {
			p.framer.WritePriority(uint32(2*i+1), xhttp2.PriorityParam{StreamDep: 0})
		}},
		{"empty DATA", "CVE-2019-9518", 2200, func(p *peer) { p.ask(1, false, post...) }, func(p *peer, i int) {
			p.framer.WriteData(1, false, nil)
		}},
		{"empty CONTINUATION", "CVE-2019-9518", 40, func(p *peer) {
			p.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(get...)})
		}, func(p *peer, i int) { p.framer.WriteContinuation(1, false, nil) }},
		{"CONTINUATION without an end", "CVE-2024-24549", 40, func(p *peer) {
			p.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(get...)})
		}, func(p *peer, i int) { p.framer.WriteContinuation(1, false, p.encode("a", strings.Repeat("b", 15_000))) }},
		{"windows by a byte", "CVE-2019-9511", 2200, func(p *peer) { p.ask(1, true, get...) }, func(p *peer, i int) {
			p.framer.WriteWindowUpdate(1, 1)
		}},
		{"the session's window by a byte", "CVE-2019-9517", 2200, nil, func(p *peer, i int) { p.framer.WriteWindowUpdate(0, 1) }},
		{"unknown frames", "", 2200, nil, func(p *peer, i int) { p.framer.WriteRawFrame(0x42, 0, 0, nil) }},
		{"GOAWAYs", "", 2200, nil, func(p *peer, i int) { p.framer.WriteGoAway(0, xhttp2.ErrCodeNo, nil) }},
		{"DATA for requests that are over", "", 2200, func(p *peer) {
			p.ask(1, false, post...)
			p.framer.WriteRSTStream(1, xhttp2.ErrCodeCancel)
		}, func(p *peer, i int) { p.framer.WriteData(1, false, []byte("x")) }},
	} {
		for _, reads := range []bool{true, false} {
			p := newPeer(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 0})
			if tt.begin != nil {
				tt.begin(p)
			}
			var err error
			n, held := 0, 0
			for ; err == nil && n < 10_000; n++ {
				tt.do(p, n)
				err = p.send()
				if reads {
					p.s.Append(nil, 1<<20)
				}
				for _, st := range p.begun { // as somebody who works on them would
					if st.Err() != nil {
						st.Release()
					}
				}
				p.begun = nil
				held = max(held, p.s.Held())
			}
			fault, ok := errors.AsType[*http2.Fault](err)
			if !ok || fault.Code != http2.EnhanceYourCalm || n > tt.most {
				t.Errorf("%s %s, read %t: after %d times %v", tt.name, tt.cve, reads, n, err)
			}
			if held > 512<<10 {
				t.Errorf("%s %s, read %t: %d bytes were held", tt.name, tt.cve, reads, held)
			}
		}
	}
}

// What costs much in HPACK is bounded by what comes, not by what it says.
func TestHeaderBombsComeToLittle(t *testing.T) {
	p := newPeer(t)
	// One large field in the dynamic table, then a byte for each time it is meant.
	bomb := p.encode(append(get, "x", strings.Repeat("y", 3000))...)
	again := p.encode("x", strings.Repeat("y", 3000))
	if len(again) != 1 {
		t.Fatalf("%d bytes for a field of the table", len(again))
	}
	p.framer.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: bomb, EndStream: true})
	p.framer.WriteContinuation(1, true, []byte(strings.Repeat(string(again), 16<<10)))
	before := time.Now()
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	if held := p.s.Held(); held > 256<<10 || p.begun[0].Head != nil {
		t.Errorf("%d bytes are held", held)
	}
	if took := time.Since(before); took > time.Second {
		t.Errorf("48 MiB of fields took %v", took)
	}
}

// Browsers abandon what they have asked for when their user goes elsewhere, and
// large downloads and uploads update windows all the time.
func TestOrdinaryClientsAreNoFlood(t *testing.T) {
	p := newPeer(t)
	id := uint32(1)
	for range 50 { // pages, a second each
		for range 40 {
			p.ask(id, true, get...)
			id += 2
		}
		if err := p.send(); err != nil {
			t.Fatal(err)
		}
		for i, st := range p.begun {
			if i%5 == 0 {
				p.framer.WriteRSTStream(st.ID(), xhttp2.ErrCodeCancel)
				if err := p.send(); err != nil {
					t.Fatalf("stream %d: %v", st.ID(), err)
				}
				st.Release()
				continue
			}
			answer(st, "page")
		}
		p.begun = nil
		p.s.Append(nil, 1<<20)
		p.now = p.now.Add(time.Second)
	}
	p.ask(id, true, get...)
	p.send()
	st := p.begun[0]
	st.Respond(http2.AppendHead(nil, []byte("HTTP/1.1 200 OK\r\n\r\n")), false)
	for range 5000 { // 20 MiB, in no time
		st.Write(make([]byte, 4096))
		p.s.Append(nil, 1<<20)
		p.framer.WriteWindowUpdate(0, 4096)
		p.framer.WriteWindowUpdate(id, 4096)
		if err := p.send(); err != nil {
			t.Fatalf("download: %v", err)
		}
	}
}
