// Package http2 is both sides of HTTP/2 (RFC 9113) in the caller's memory: bytes that
// came in, bytes that are due. Like http1 it does no I/O, looks at no
// clock and starts no goroutine, so that any shell can drive it.
//
// It decides what a client may send and when a session or a stream is at fault,
// how much may be under way in both directions, whose turn it is to be sent, and
// how much a client may ask for that costs more to do than to ask. A request
// comes out of it as the head of an HTTP/1.1 request, which http1.Request parses
// like any other, and goes back as the head of an HTTP/1.1 response: where it goes
// and what it says is decided once, for all versions. It doesn't decide when a
// client has been idle for too long, nor what it is answered.
//
// The client's side (client.go) is the same Session with the parts exchanged: a request
// is written as a header block from the head of an HTTP/1.1 request (ask.go), its
// response comes as the head of an HTTP/1.1 response (reply.go). Which requests the
// server certainly hasn't worked on, the session says. Trailers are header blocks on
// either side, and go from one to the other as they are.
//
// Session.Receive takes what has come, Session.Append gives what is due. Between
// the two are Streams, a request and its response each. Header blocks of responses
// are made without a dynamic table (RFC 7541 §2.3.2), so they need no order and no
// memory of the session's. frame.go has the frames, which are read where they lie
// in what has come; request.go and response.go translate; patience.go is what
// floods run into. Start reading at session.go.
//
// A session and its streams belong to whoever holds the shell's lock, but for a
// stream's Head, and for AppendHead, which is a function.
package http2
