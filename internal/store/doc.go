// Package store keeps Fairlead's durable facts: typed records over a key-value
// engine with transactions and a watch (etcd, or memstore in unit tests).
//
// A room declares its collections (NewCollection) and indexes before Start.
// After it, reads come from an in-memory view that a watch keeps current: a
// Snapshot is immutable and consistent, and costs no lock and no trip to the
// engine. Writes go through Update: one optimistic transaction in which every
// record that was read or is written is guarded by its revision, so that a
// commit means that nothing read had changed. Update returns once the view
// shows the commit: a caller reads its own writes.
//
// The package decides nothing about what records mean. A rule about a set of
// records (no overlap in a pool) needs a record of its own that every change to
// the set reads and writes: two transactions that each create a new key do not
// conflict by themselves.
//
// Everything here is safe for concurrent use, except a Tx, which belongs to the
// function that it was given to. Records are values: their slices and maps are
// shared with every other reader and must be replaced, never changed in place.
// The view keeps a record as it was put until the next start, which reads what
// JSON kept of it; so a record has exported fields only, and no time with a
// monotonic reading.
//
// A collection of very many records is packed (NewPackedCollection): its records
// have a form of their own, and neighbours share a page, which is one key of the
// engine (page.go). Readers and writers see records all the same.
//
// Start reading at Store, then Collection, then Tx, then Update and its commits
// (update.go), which bring a commit into the view before the watch does.
package store
