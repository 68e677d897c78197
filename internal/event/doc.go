// Package event remembers what the controllers decided, and why: an address was
// drawn or fell back to the provider's pool, a migration moved DNS, a pool was
// refilled.
//
// An event is written in the transaction that does what it tells of (Log.Put), so
// that it is told exactly if it happened, also through a crash. It waits under a
// key of its own, which meets no other transaction, until Run gives it its place
// in the log: the sequence number, which grows by one from event to event and
// which readers resume after. What isn't the work of a transaction, as a target's
// health that a host reports, is handed over without waiting (Log.Tell), and may
// be lost in a crash or a flood; a flood is told of.
//
// Nothing here is on the path of a client's request. The log is bounded by number
// and by age; the oldest events go first.
//
// The room decides the order of events and how many are kept. Which there are is
// in kind.go; who may read which is its callers' matter.
//
// Start reading at Event, then Log. A Log is safe for concurrent use; a nil Log
// keeps nothing.
package event
