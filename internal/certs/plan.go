package certs

import "time"

// step is what is to be done next about a certificate.
type step int

const (
	nothing step = iota
	order        // from the authority, if the names are proven
	renew        // the same for one that is issued
)

// stepOf says what is to be done about a certificate, and from when on. It is a
// function of its arguments.
func stepOf(c Certificate, inUse bool) (step, time.Time) {
	switch i := c.Issuance; {
	case i == nil:
		return nothing, time.Time{}
	case i.Status == PendingValidation:
		return order, c.Created
	case i.Status == Issued && i.Renewal.pending():
		return renew, i.Renewal.Updated
	case c.Eligible(inUse):
		return renew, renewalTime(c.Facts)
	}
	return nothing, time.Time{}
}

// renewalTime is when a certificate is renewed: 30 days before its end, or when a
// third of its life is left, if that is later.
func renewalTime(f Facts) time.Time {
	return f.NotAfter.Add(-min(30*24*time.Hour, f.NotAfter.Sub(f.NotBefore)/3))
}

// Pauses between looks for the record that a domain's owner has to make: short at
// first, while somebody waits for it.
const (
	minLook = time.Second
	maxLook = 5 * time.Minute
	// minUnanswered is the least pause after a look that DNS gave no answer to.
	minUnanswered = time.Minute
)

// lookAfter is the pause after a look that found a record missing, so long after
// the certificate was requested.
func lookAfter(age time.Duration) time.Duration { return min(max(age/10, minLook), maxLook) }

// Pauses between orders that failed. Let's Encrypt lets an account fail five times
// an hour for a name.
const (
	minPause = 2 * time.Minute
	maxPause = time.Hour
)

// pauseAfter is the pause after so many orders in a row that failed.
func pauseAfter(failures int) time.Duration {
	return min(minPause<<min(failures-1, 16), maxPause)
}
