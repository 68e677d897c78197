// Package proxy carries the traffic of load balancer nodes: it listens on their
// addresses, routes each request by its listener's rules, and forwards it to a
// target.
//
// It decides what a client and a target see on the wire and when connections
// begin and end. It doesn't decide which address a node has (snapshot, attach),
// nor whether a target is healthy: that is told by SetHealth.
//
// The core lies in packages of its own, without I/O, clock or goroutine: http1
// (messages), http2 (sessions), route (rules), balance (targets). This package is the shells that
// move bytes.
//
// Both shells decide by decide.go, with sticky.go for the cookies that count and
// those that are set, token.go for what is in them, and guard.go for who may pass
// before that: guard_jwt.go by a token, which package jwt checks, with keys that package
// jwks has.
//
// Event loops carry clients on Linux, in the clear and within TLS: a thread for each,
// on which nothing waits. A request passes through loop_listener.go, loop_client.go,
// loop_exchange.go (with loop_front.go towards the client) and loop_target.go; after a
// protocol change loop_tunnel.go has both connections. loop.go is what they run on,
// loop_edge.go what is known of a socket, loop_tls.go how crypto/tls runs there. A client
// that speaks HTTP/2 has a session (loop_multiplex.go), and each of its requests that have come
// whole is the front of an exchange (loop_multiplexed.go). What may wait, or takes more
// than a gathered request, gets a goroutine: a connection of HTTP/1.1 is handed to the
// stream shell with the bytes that have come, a request of HTTP/2 leaves its session
// where it is.
//
// The stream shell carries all else: a goroutine for each client connection, a
// second one while a request's body is on its way or a connection is a tunnel. A
// request passes through port.go, client.go, forward.go and exchange.go, with body.go for
// bodies, endpoint.go for connections to targets and tunnel.go after a protocol
// change. HTTP/2 is carried by stream_multiplex.go, and each of its requests, here and
// of the loops, is multiplexed.go's, whose stream is to the exchange what a connection
// is (streamconn.go).
//
// Where targets speak HTTP/2, a request is carried between two streams by a bridge
// (target_h2_bridge.go), which never waits and serves both shells. The connections that
// many of them share are target_h2.go's, with target_h2_loop.go for the loops and
// target_h2_streams.go for the stream shell.
//
// login.go is the guard of rules whose clients log in, and callback.go of what they bring
// back; what they carry is decided in oidc, and who vouches for them asked by
// oidc/provider.
//
// tls.go makes a listener's TLS, with tls_policy.go for what is negotiated,
// tls_certificate.go for what clients are shown, tls_mutual.go for what they have to show
// (whether it is believed is clientcert's) and tls_ticket.go for the sessions that they
// come back with.
//
// plan.go makes of an assignment what runs. Apply in apply.go changes what runs: tables are swapped
// behind atomic pointers, listeners that stay are not touched, so a change drops
// no request (I9). Start reading at proxy.go.
//
// Every method of Proxy is safe for concurrent use.
package proxy
