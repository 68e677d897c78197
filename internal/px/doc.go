// Package proxy carries requests from clients to targets. This is the stream
// shell: a goroutine per connection around a core without I/O (http1 reads and
// writes messages, route chooses a rule, balance a target).
//
// A Proxy has the nodes of an assignment: each with listeners on its own
// address, and a routing table behind an atomic pointer. Apply changes it as a
// whole, without dropping a request: listeners and connections of what stays
// stay, connections of a node that goes end with the response that is due.
//
// Start reading at Proxy.Apply, then client.serve, then exchange. A Proxy is
// safe for concurrent use.
package px
