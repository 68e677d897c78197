// Package snapshot is the border between the two halves of Fairlead: what the
// control plane tells a host to carry (Assignment), what a host reports back
// (Report), and what the DNS server answers (Zone, Name).
//
// It decides nothing and holds no behaviour beyond encoding and lookups. Every
// value is immutable once handed over: the giver never changes it again, the
// taker may keep it for as long as it likes, and any number of goroutines may
// read it. Values are versioned, so that a host restarts from the last
// assignment on its disk after an upgrade of either half (invariant I7).
//
// Start reading at Assignment, then Report.
package snapshot
