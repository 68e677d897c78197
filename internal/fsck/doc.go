// Package fsck proves that what the rooms have on record of addresses fits
// together, over one snapshot of the store:
//
//   - in each pool, free + held + cooling is what is provisioned, counted by
//     address and measured by interval; no two blocks overlap; each lies in a CIDR
//     of the pool; what is provisioned has come out of exactly one place (I1, I2);
//   - the ledgers, which keep two servers apart, know every allocation (I1, I3);
//   - whoever holds an allocation lives, and whoever lives has what it says it
//     holds (I1, I2);
//   - the numbers that are kept beside records are their numbers (I5).
//
// What doesn't fit is a Finding: what, where, which invariant, and what a repair
// would do. A repair does only what is provably right, in a transaction of its
// own that decides anew; it never frees what something living holds. All else is
// left to people.
//
// The package knows the rooms by what it declares in records.go, and kinds of
// holders by a table of Keepers. A kind that isn't in the table is reported as
// not checked, and never as gone.
//
// Start reading at Checker, then check. A Checker is safe for concurrent use.
package fsck
