// Package http1 reads and writes HTTP/1 messages (RFC 9110, RFC 9112) in the
// caller's memory: heads as offsets into a buffer, bodies as slices of what was
// just read. It does no I/O, looks at no clock, starts no goroutine, and in the
// steady state allocates nothing, so that any shell can drive it.
//
// It decides what is a valid message and where it ends, and how the message
// reads that goes on to the other side. A head is never passed on as it came:
// it is parsed into fields and written anew, so what a target parses is what
// the rules saw. A request that parsers could disagree about is classified
// (desync.go) and written anew in the one form that they can't (repair.go), or
// refused, with the status in Refusal. It doesn't decide where a request goes.
//
// Requests come in through Request.Parse, responses through Response.Parse,
// bodies through Decoder.Next; AppendRequest, AppendResponse, AppendPage and the
// chunk functions write, with what a listener says in RequestEdits and
// ResponseEdits. Start reading at request.go.
//
// Values belong to one goroutine at a time, but for edits once they are made.
// Functions are safe for concurrent use.
package http1
