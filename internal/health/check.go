package health

import (
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// Check is one probe of a target, as health check logs tell of it.
type Check struct {
	Key      snapshot.TargetKey
	Protocol snapshot.Protocol
	Time     time.Time     // when it was begun
	Latency  time.Duration // until the outcome was known
	Passed   bool
	Status   int    // of the target's response; 0: there was none
	Reason   string // why it didn't pass
}

// reason returns why a probe didn't pass, "" if it did (ELB user guide, health
// check log entries).
func (o outcome) reason() string {
	switch o.result {
	case passed:
		return ""
	case timeout:
		return "TimedOut"
	case failed:
		return "ConnectionReset"
	case broken:
		return "InternalError"
	case mismatch:
		if o.status < 500 {
			return "ResponseCodeMismatch"
		}
	case invalid:
	}
	return "TargetError"
}
