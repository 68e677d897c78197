package health

import (
	"fmt"
	"strconv"
	"strings"
)

// matcher is the statuses that pass: ranges, both ends included.
type matcher []struct{ from, to int }

// parseMatcher reads ELBv2's Matcher.HttpCode: "200", "200,202", "200-299".
func parseMatcher(s string) (matcher, error) {
	var m matcher
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil || a < 100 || b > 599 || a > b {
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
