package balance

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"
)

// ObserveInterval is how often it is looked at how requests have ended (ELB user
// guide, "Automatic Target Weights").
const ObserveInterval = 5 * time.Second

// failedUnit is where the count of failed requests begins in Target.outcomes. The
// difference of two readings is two differences, as long as less than 2^40
// requests have ended between them, and 2^24 have failed.
const failedUnit = 1 << 40

// Ended counts a request that has ended; failed, if with a status of 500 or more,
// or without a connection, or TLS, having come about.
func (t *Target) Ended(failed bool) {
	if failed {
		t.outcomes.Add(failedUnit + 1)
		return
	}
	t.outcomes.Add(1)
}

// Anomalous says whether requests fail at the target markedly more often than at
// its peers, and Mitigated whether it gets fewer for it.
func (t *Target) Anomalous() bool { return t.anomalous.Load() }

// Mitigated says whether the target gets less than its share.
func (t *Target) Mitigated() bool { return t.weight.Load() < whole }

// failures is how requests have ended of late: older ones count by half for each
// interval.
type failures struct{ ended, failed float64 }

func (f failures) rate() float64 {
	if f.ended == 0 {
		return 0
	}
	return f.failed / f.ended
}

// What an anomaly is: that a target, of which enough is known, fails more often
// than its peers by a margin that matters, and by so many standard deviations that
// chance doesn't explain it: four are met by chance once in thirty thousand looks.
// It is one until it is within fewer of them.
const (
	leastPeers    = 3 // healthy targets of a group
	leastEnded    = 10
	leastExcess   = 0.05
	deviations    = 4
	deviationsOff = 2
)

// What is done about it: each interval the weight is halved, down to a twentieth,
// by which it is seen how the target does; and restored in ten steps. At most half
// of the targets get less at a time: where more fail, they aren't the exception,
// and the others couldn't take their requests.
const (
	leastWeight = whole / 20
	restoration = whole / 10
)

// observe judges every target by its peers, and returns the addresses of those of
// which something else is to be said now.
func (o *roster) observe() (changed []netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	type said struct{ anomalous, mitigated bool }
	before := make(map[netip.AddrPort]said, len(o.targets))
	for at, t := range o.targets {
		before[at] = said{t.Anomalous(), t.Mitigated()}
	}
	o.judge()
	for at, t := range o.targets {
		if now := (said{t.Anomalous(), t.Mitigated()}); now != before[at] {
			changed = append(changed, at)
		}
	}
	return changed
}

// judge is observe without an account of it. o.mu is held.
func (o *roster) judge() {
	var peers []*Target
	var all failures
	for _, t := range o.targets {
		now := t.outcomes.Load()
		d := now - t.past
		t.past = now
		t.seen.ended = t.seen.ended/2 + float64(d%failedUnit)
		t.seen.failed = t.seen.failed/2 + float64(d/failedUnit)
		if t.eligible.Load() {
			peers = append(peers, t)
			all.ended, all.failed = all.ended+t.seen.ended, all.failed+t.seen.failed
		} else {
			t.anomalous.Store(false)
			t.weight.Store(whole)
		}
	}
	lowered := 0
	slices.SortFunc(peers, func(a, b *Target) int { return cmp.Compare(b.seen.rate(), a.seen.rate()) })
	for _, t := range peers { // the worst first
		anomalous := len(peers) >= leastPeers && t.anomaly(all)
		t.anomalous.Store(anomalous)
		w := t.weight.Load()
		switch {
		case !o.mitigates:
			w = whole
		case anomalous && lowered < len(peers)/2:
			w = max(leastWeight, w/2)
		case lowered < len(peers)/2:
			w = min(whole, w+restoration)
		default:
			w = whole
		}
		t.weight.Store(w)
		if w < whole {
			lowered++
		}
	}
}

// anomaly compares the target with the others by the difference of two shares
// (the z-test for proportions).
func (t *Target) anomaly(all failures) bool {
	f := t.seen
	others := failures{all.ended - f.ended, all.failed - f.failed}
	excess := f.rate() - others.rate()
	if f.ended < leastEnded && !t.anomalous.Load() || others.ended < leastEnded || excess < leastExcess {
		return false
	}
	p := all.rate()
	deviation := math.Sqrt(p * (1 - p) * (1/f.ended + 1/others.ended))
	if t.anomalous.Load() {
		return excess > deviationsOff*deviation
	}
	return excess > deviations*deviation
}
