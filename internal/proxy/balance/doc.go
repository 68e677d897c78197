// Package balance decides which target of a target group gets a request.
//
// What must outlive an assignment lives here, in a Registry keyed by target
// group, address and port: health and since when, the requests under way, and how
// requests have ended of each target. A Set is the targets of one target group in
// one assignment, as the nodes of one zone may use them: it never changes, but sees
// its targets change. A Group is a node's place in a set. The package doesn't find
// out about health, opens no connection and has no clock: the time comes in.
//
// set.go says which targets are to choose from (fail-open by group health), and
// the algorithms choose: round robin with slow start (rotation.go), least
// outstanding requests (tournament.go), weighted random (random.go), with what
// anomaly.go makes of how requests end. Start reading at set.go.
//
// Everything is safe for concurrent use. A choice takes no lock, but for the first
// one after a target's health has changed.
package balance
