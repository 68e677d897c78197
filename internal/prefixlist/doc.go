// Package prefixlist is managed prefix lists: named sets of CIDRs that security
// group rules and routes may name instead of a CIDR, with a version for each
// set that they ever were (EC2 ManagedPrefixList).
//
// It decides what a list holds, in which version, and who may change it: its
// account, naming the version that it means to change; or, while a list is bound
// to a target of an IPAM prefix list resolver, that target alone. It doesn't
// know what a resolver is, nor what rules and routes are: who has them is asked
// through Users.
//
// A list counts as its greatest size wherever it is referred to, so that a
// reference, the list's size and what else is in a group or a table bound each
// other. That rule, and that what is referred to isn't deleted, hold because an
// account's census in a region is written by every change on either side.
//
// Start reading at List, then apply, which is what a change of entries means,
// then Service.Modify. Service is safe for concurrent use.
package prefixlist
