package http2

import "time"

// patience bounds what a client may have done that costs more to do than to ask
// for. It is used up by frames that carry nothing, and by requests that end
// before they are answered, and comes back with time, with requests that are
// answered, and with content that is carried. A session whose client has used it
// up is ended (ENHANCE_YOUR_CALM), by a fault that names the frame of which there was
// one too many. Every flood known since 2019 runs into it, at
// the latest after maxPatience frames: pings, settings, resets by the client
// (CVE-2023-44487) and those that it provokes (CVE-2025-8671), priorities, empty
// frames, updates of windows by a byte.
type patience struct {
	left int       // of maxPatience
	at   time.Time // when it was last given some for the time that has passed
}

// What patience costs and gives. The sum allows a browser to abandon all streams
// that it may have, twice, and a client to update both windows for each 4 KiB.
const (
	maxPatience       = 2048
	patiencePerSecond = 64
	patienceAnswered  = 4       // for a request that was answered
	patienceContent   = 1 << 10 // bytes of content that one is given for
	costFrame         = 1
	costReset         = 8
	// A header list that is too large is decoded all the same, as what follows refers
	// to it; a byte of it can mean a field. Browsers with too many cookies have some.
	costTooLarge        = 32
	costTooLargePerByte = 1 << 8 // bytes that one is taken for
)

// wait gives what is due for the time that has passed.
func (p *patience) wait(now time.Time) {
	if p.at.IsZero() {
		p.left, p.at = maxPatience, now
		return
	}
	if n := int(min(now.Sub(p.at), time.Minute) * patiencePerSecond / time.Second); n > 0 {
		p.give(n)
		p.at = now
	}
}

func (p *patience) give(n int) { p.left = min(p.left+n, maxPatience) }

// cost takes some; an error says that there is none left.
func (p *patience) cost(n int) error {
	if p.left -= n; p.left < 0 {
		return errPatience
	}
	return nil
}

// errPatience becomes the flood of a frame.
var errPatience = fault(EnhanceYourCalm, "flood")

// floods are the faults of clients that send too many of a frame, by its type.
var floods = [...]*Fault{
	dataFrame: flood("DATA"), headersFrame: flood("HEADERS"), priorityFrame: flood("PRIORITY"), resetFrame: flood("RST_STREAM"),
	settingsFrame: flood("SETTINGS"), pushPromiseFrame: flood("PUSH_PROMISE"), pingFrame: flood("PING"), goAwayFrame: flood("GOAWAY"),
	windowUpdateFrame: flood("WINDOW_UPDATE"), continuationFrame: flood("CONTINUATION"),
}

func flood(frame string) *Fault { return fault(EnhanceYourCalm, "flood of "+frame) }

var floodOfUnknown = flood("unknown frames")

// flood returns the fault of who sends too many of the frame.
func (k frameType) flood() *Fault {
	if int(k) < len(floods) {
		return floods[k]
	}
	return floodOfUnknown
}
