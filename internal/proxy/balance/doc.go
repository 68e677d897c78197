// Package balance decides which target of a target group gets a request.
//
// What must outlive an assignment lives here, in a Registry keyed by target
// group, address and port: health and the requests under way of each target, and
// the cursors of round robin. A Group is one node's view of one target group in
// one assignment; it never changes, but sees the health of its targets change.
// The package doesn't find out about health, and opens no connection.
//
// Start reading at group.go. Everything is safe for concurrent use.
package balance
