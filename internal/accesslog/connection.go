package accesslog

import (
	"net/netip"
	"strconv"
	"time"
)

// Connection is one line of a connection log: one attempt to connect. Fields that
// are zero are written as "-" unless said otherwise.
type Connection struct {
	Time     time.Time
	Client   netip.AddrPort
	Port     uint16 // the listener's
	Protocol string // of TLS
	Cipher   string
	Latency  time.Duration // of the handshake; negative: it failed
	Exchange string        // how keys were agreed on: "X25519MLKEM768"

	Subject             string    // of the client's certificate, as the following
	NotBefore, NotAfter time.Time // zero: there is none
	Serial              string

	Verify    string // "Success", "Failed:" and a code
	ConnTrace ConnTrace
	ELB       string // "app/NAME/ID"
	Node      netip.Addr
}

// AppendTo appends the line with its end (ELB user guide, connection log entries).
func (c *Connection) AppendTo(dst []byte) []byte {
	dst = appendTime(dst, c.Time)
	dst = append(dst, ' ')
	dst = appendAddr(dst, c.Client.Addr())
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(c.Client.Port()), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendUint(dst, uint64(c.Port), 10)
	dst = append(dst, ' ')
	dst = appendWord(dst, c.Protocol)
	dst = append(dst, ' ')
	dst = appendWord(dst, c.Cipher)
	dst = append(dst, ' ')
	if c.Latency < 0 || c.Protocol == "" {
		dst = append(dst, '-')
	} else {
		dst = appendSeconds(dst, c.Latency)
	}
	dst = appendQuotedString(dst, c.Subject)
	dst = append(dst, ' ')
	if c.NotAfter.IsZero() {
		dst = append(dst, '-')
	} else {
		dst = append(dst, "NotBefore="...)
		dst = c.NotBefore.UTC().AppendFormat(dst, time.RFC3339)
		dst = append(dst, ";NotAfter="...)
		dst = c.NotAfter.UTC().AppendFormat(dst, time.RFC3339)
	}
	dst = append(dst, ' ')
	dst = appendWord(dst, c.Serial)
	dst = append(dst, ' ')
	dst = appendWord(dst, c.Verify)
	dst = append(dst, ' ')
	dst = appendConnTrace(dst, c.ConnTrace)
	dst = append(dst, ' ')
	dst = appendWord(dst, c.Exchange)
	dst = append(dst, ' ')
	dst = append(dst, c.ELB...)
	dst = append(dst, ' ')
	dst = appendAddr(dst, c.Node)
	return append(dst, '\n')
}
