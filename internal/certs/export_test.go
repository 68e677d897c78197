package certs

import "time"

// Read checks material without a store.
func Read(m Material, now time.Time) (Facts, error) {
	c, err := m.read(now)
	return c.facts, err
}
