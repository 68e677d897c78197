package http2_test

import (
	"slices"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/proxy/http2"
)

// RFC 9113 §6.8: a request that was sent before the client heard of the end is
// served, one that was sent after isn't.
func TestSessionsEndInTwoSteps(t *testing.T) {
	p := newPeer(t)
	p.ask(1, true, get...)
	p.send()
	p.s.Drain()
	p.s.Drain()
	p.want("GOAWAY 0 2147483647 NO_ERROR", "PING 0 farewell")
	p.ask(3, true, get...)
	var farewell [8]byte
	copy(farewell[:], "farewell")
	p.framer.WritePing(true, farewell)
	p.ask(5, true, get...)
	p.framer.WriteData(5, true, []byte("x"))
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	p.want("GOAWAY 0 3 NO_ERROR")
	if p.s.Over() || len(p.begun) != 2 {
		t.Errorf("over %t, %d requests", p.s.Over(), len(p.begun))
	}
	answer(p.begun[0], "")
	answer(p.begun[1], "x")
	p.want("HEADERS 1 :status=200 content-type=text/plain x-own=Some END", "HEADERS 3 :status=200 content-type=text/plain x-own=Some", "DATA 3 x END")
	if !p.s.Over() || p.s.Err() != nil {
		t.Errorf("over %t, %v", p.s.Over(), p.s.Err())
	}
}

func TestSessionsEndForClientsThatDoNotAnswer(t *testing.T) {
	p := newPeer(t)
	p.s.Drain()
	p.s.Finish()
	p.want("GOAWAY 0 2147483647 NO_ERROR", "PING 0 farewell", "GOAWAY 0 0 NO_ERROR")
	if !p.s.Over() {
		t.Error("it isn't over")
	}
}

// ELB user guide: 10,000 requests for each connection.
func TestSessionsEndAfterTenThousandRequests(t *testing.T) {
	p := newPeer(t)
	served, told := 0, 0
	for id := uint32(1); served == int(id/2) && id < 40_000; id += 2 {
		p.ask(id, true, get...)
		if err := p.send(); err != nil {
			t.Fatal(err)
		}
		for _, st := range p.begun {
			served++
			answer(st, "")
		}
		p.begun = nil
		if got := p.frames(); told == 0 && slices.Contains(got, "GOAWAY 0 2147483647 NO_ERROR") {
			told = served
		}
	}
	if told != http2.MaxRequests || served != 11_000 || !p.s.Over() {
		t.Errorf("told after %d requests, and served %d of a client that doesn't hear; over %t", told, served, p.s.Over())
	}
}

func TestClientsEndSessions(t *testing.T) {
	p := newPeer(t)
	p.ask(1, true, get...)
	p.framer.WriteGoAway(0, xhttp2.ErrCodeNo, nil)
	p.send()
	if p.s.Over() {
		t.Error("over, with a request under way")
	}
	answer(p.begun[0], "")
	p.frames()
	if !p.s.Over() {
		t.Error("it isn't over")
	}
}

func TestFaultsAreToldAndEndAllStreams(t *testing.T) {
	p := newPeer(t)
	p.ask(1, false, get...)
	p.send()
	changed := false
	p.begun[0].Changed = func() { changed = true }
	p.framer.WriteRSTStream(99, xhttp2.ErrCodeCancel)
	if err := p.send(); err == nil || p.s.Err() == nil {
		t.Fatal("no fault")
	}
	p.want("GOAWAY 0 1 PROTOCOL_ERROR")
	if !changed || p.begun[0].Err() == nil || !p.s.Over() {
		t.Errorf("told %t, %v", changed, p.begun[0].Err())
	}
}

// RFC 9113 §8.1: a response may come before the request is whole, whose rest is of
// no use then.
func TestAnswersBeforeTheEndOfARequestEndIt(t *testing.T) {
	p := newPeer(t)
	p.ask(1, false, get...)
	p.send()
	answer(p.begun[0], "no")
	p.want("HEADERS 1 :status=200 content-type=text/plain x-own=Some", "DATA 1 no END")
	p.want("RST_STREAM 1 NO_ERROR")
	p.framer.WriteData(1, false, []byte("on its way"))
	p.ask(1, true, "x-trailer", "y")
	if err := p.send(); err != nil {
		t.Fatal(err)
	}
	p.want()
}
