// Package ipam is the IP address manager: IPAMs, scopes, pools, the CIDRs
// provisioned to pools, and the allocations made in them (the EC2 IPAM
// operations), and the provider's own pools, which no account sees.
//
// It decides who holds which address. Two rules carry everything else:
//
//   - Two live allocations never overlap (I1), nor do the CIDRs of two pools in
//     one routing domain: a private scope, or the public internet, which all
//     public scopes and the provider share.
//   - An allocation is the lowest free block of its length, in the order of the
//     pool's CIDRs (I3).
//
// What is proved and what is only guessed: each pool has a Ledger, a record that
// every allocation and every change of the pool's CIDRs reads and writes, so
// that of two servers that allocate at once one starts again. In the
// transaction a candidate is checked against the allocations themselves. Where
// to look for a candidate comes from an index of free space in memory, which
// may be wrong without harm.
//
// A resource planning pool is the exception to "nobody else gives this space": its
// CIDRs are a VPC's, which has subnets that came from no pool. The pool's turn
// meets them before it does anything else (planning.go).
//
// Requests for one pool queue for its writer, a goroutine that exists while
// there is something to do and commits all that came while its last commit ran
// as one transaction. A release needs no ledger and no queue: it only frees, and
// is fenced by the sequence number of the allocation that it ends.
//
// It doesn't decide what an address is used for, whether an account may call
// (the API's), nor what an address is attached to.
//
// Start reading at records.go, then Service, turn.grant and writer. Service is
// safe for concurrent use; a turn and an index belong to one writer.
package ipam
