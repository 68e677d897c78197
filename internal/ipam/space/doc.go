// Package space knows which blocks of a set of CIDRs are taken and finds the
// lowest free one of any length, for IPv4 and IPv6.
//
// It is a plain data structure: no lock, no clock, no I/O, not safe for
// concurrent use. It knows nothing of who holds a block, and not even the
// blocks' boundaries: two taken halves are one taken whole. Its size follows
// what is taken now, in fragments, never how large the CIDRs are or how much was
// taken before: a full pool and an empty /20 of IPv6 both cost next to nothing.
// At worst, with no two addresses side by side, an address costs two nodes of
// 32 bytes and what a slice keeps in reserve.
//
// Inside is one binary trie per CIDR with compressed paths, over nodes in one
// slice. A leaf is a block that is wholly taken; a node knows the length of the
// largest free block below it, which is what makes the search for the lowest
// free block a single walk down. Taking and releasing walk down and back up.
// Once in a while a change also copies all nodes, to a slice with more room or
// with less; the changes in between outnumber the nodes by far enough that
// each stays O(log n) on average.
//
// Start reading at Space, then node.
package space
