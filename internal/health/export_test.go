package health

import "github.com/fairlead/fairlead/internal/snapshot"

// Run folds a run of results, written as one letter each, and returns the states
// after each of them: p passed, m mismatch, t timeout, f failed.
func Run(results string, healthyThreshold, unhealthyThreshold int) string {
	letters := map[byte]outcome{'p': {result: passed}, 'm': {result: mismatch, status: 502}, 't': {result: timeout}, 'f': {result: failed}}
	var s state
	out := make([]byte, len(results))
	for i := range results {
		s = step(s, letters[results[i]], thresholds{healthyThreshold, unhealthyThreshold})
		out[i] = "ihu"[s.health]
	}
	return string(out)
}

// Matches parses a matcher and compares a status with it.
func Matches(s string, v snapshot.ProtocolVersion, status int) (bool, error) {
	m, err := parseMatcher(s, v)
	return m.matches(status), err
}
