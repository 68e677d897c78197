package accesslog

import (
	"net/netip"
	"strconv"
	"time"
)

// Health is one line of a health-check log: one check of a target by a node.
type Health struct {
	Type    string    // "http", "https", "h2", "grpc"
	Time    time.Time // when it was begun
	Latency time.Duration
	Target  netip.AddrPort
	Group   string // the target group's name
	Passed  bool
	Status  int    // that the target answered with, 0: none
	Reason  string // why it didn't pass
	ELB     string // "app/NAME/ID"
	Node    netip.Addr
}

// AppendTo appends the line with its end (ELB user guide, health check log entries).
func (h *Health) AppendTo(dst []byte) []byte {
	dst = append(dst, h.Type...)
	dst = append(dst, ' ')
	dst = appendTime(dst, h.Time)
	dst = append(dst, ' ')
	dst = strconv.AppendFloat(dst, h.Latency.Seconds(), 'f', 9, 64)
	dst = append(dst, ' ')
	dst = appendAddrPort(dst, h.Target)
	dst = append(dst, ' ')
	dst = append(dst, h.Group...)
	if h.Passed {
		dst = append(dst, " PASS "...)
	} else {
		dst = append(dst, " FAIL "...)
	}
	dst = appendStatus(dst, h.Status, "-")
	dst = append(dst, ' ')
	dst = appendWord(dst, h.Reason)
	dst = append(dst, ' ')
	dst = append(dst, h.ELB...)
	dst = append(dst, ' ')
	dst = appendAddr(dst, h.Node)
	return append(dst, '\n')
}
