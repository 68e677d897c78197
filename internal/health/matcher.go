package health

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// matcher is the statuses that pass: ranges, both ends included.
type matcher []struct{ from, to int }

// parseMatcher reads ELBv2's Matcher.HttpCode, or Matcher.GrpcCode for GRPC: "200",
// "200,202", "200-299".
func parseMatcher(s string, v snapshot.ProtocolVersion) (matcher, error) {
	least, most := 100, 599
	if v == snapshot.GRPC {
		least, most = 0, 99
	}
	var m matcher
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil || a < least || b > most || a > b {
			return nil, fmt.Errorf("matcher %q: %q is neither a status nor a range of them", s, part)
		}
		m = append(m, struct{ from, to int }{a, b})
	}
	return m, nil
}

func (m matcher) matches(status int) bool {
	for _, r := range m {
		if r.from <= status && status <= r.to {
			return true
		}
	}
	return false
}
