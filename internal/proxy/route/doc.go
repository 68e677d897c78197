// Package route decides which rule of a listener a request meets, and what the
// rule does with it.
//
// A Table is compiled from one listener of an assignment and never changes:
// readers need no lock, and a new assignment is a new table. It decides by the
// bytes of the request's head alone. It doesn't decide which target of a target
// group gets the request; that is balance's. Start reading at table.go; what a
// condition compares is in condition.go, wildcards in pattern.go, and how a table
// passes by the rules that a request can't meet in index.go and trie.go.
//
// Everything is safe for concurrent use, except that a Scratch belongs to one
// goroutine at a time.
package route
