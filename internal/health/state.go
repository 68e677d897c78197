package health

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// result is how a probe ended.
type result uint8

const (
	passed   result = iota
	mismatch        // it answered with another status than the matcher's
	timeout         // no whole answer in time
	failed          // no connection, or none that lasted
	invalid         // it answered what is no response
	broken          // we couldn't ask
)

// outcome is one probe's result.
type outcome struct {
	result result
	status int // 0: it hasn't answered
}

// thresholds count consecutive results, 2 to 10 (ELBv2 CreateTargetGroup,
// HealthyThresholdCount and UnhealthyThresholdCount).
type thresholds struct {
	healthy, unhealthy int
}

// state is what the outcomes so far say of a target. The zero value is of a
// target that hasn't been probed.
type state struct {
	health health
	run    int     // consecutive outcomes that speak against health
	last   outcome // the latest that wasn't passed
	probed bool
}

// health is the part of a target's state that outcomes decide.
type health uint8

const (
	initial health = iota
	healthy
	unhealthy
)

// step folds one outcome into a state. The first success after registration
// makes a target healthy at once; otherwise th counts.
func step(s state, o outcome, th thresholds) state {
	s.probed = true
	if o.result != passed {
		s.last = o
	}
	switch against := (s.health == healthy) == (o.result != passed); {
	case s.health == initial && o.result == passed:
		return state{health: healthy, probed: true}
	case s.health == initial: // failures count from the first on
		s.run++
	case against:
		s.run++
	default:
		s.run = 0
	}
	switch {
	case s.health == unhealthy && s.run >= th.healthy:
		return state{health: healthy, probed: true}
	case s.health != unhealthy && s.run >= th.unhealthy:
		s.health, s.run = unhealthy, 0
	}
	return s
}

// describe returns the state as DescribeTargetHealth shows it.
func (s state) describe() (st snapshot.TargetState, reason, description string) {
	switch s.health {
	case healthy:
		return snapshot.TargetHealthy, "", ""
	case unhealthy:
		switch s.last.result {
		case mismatch:
			return snapshot.TargetUnhealthy, "Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", s.last.status)
		case timeout:
			return snapshot.TargetUnhealthy, "Target.Timeout", "Request timed out"
		case broken:
			return snapshot.TargetUnhealthy, "Elb.InternalError", "Health checks can't be performed as configured"
		case failed, invalid, passed:
		}
		return snapshot.TargetUnhealthy, "Target.FailedHealthChecks", "Health checks failed"
	case initial:
		if s.probed {
			return snapshot.TargetInitial, "Elb.InitialHealthChecking", "Initial health checks in progress"
		}
	}
	return snapshot.TargetInitial, "Elb.RegistrationInProgress", "Target registration is in progress"
}
