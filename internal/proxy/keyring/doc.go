// Package keyring derives from one secret the keys that seal what clients carry for a
// load balancer: another one each day, without anybody being told.
//
// It decides which keys count at a time. It doesn't decide what is sealed, or how. It
// has no clock: callers bring the time. Start reading at Ring.
//
// Everything is safe for concurrent use.
package keyring
