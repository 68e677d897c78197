// Package http1 reads and writes HTTP/1 messages: heads as offsets into the
// caller's buffer, bodies as a state machine over bytes. It does no I/O, looks
// at no clock and starts no goroutine; a shell feeds it bytes and sends what it
// appends.
//
// It is strict (RFC 9112): what two parsers could read differently is an error,
// and a message is never passed on as it came but written anew, canonically.
//
// Start reading at Request.Parse, then Body, then AppendRequest. Nothing here is
// safe for concurrent use; everything is reusable without allocation.
package http1
