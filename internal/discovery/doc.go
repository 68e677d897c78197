// Package discovery is resource monitoring: which resources of an account an
// IPAM watches, what it makes of each of their CIDRs (managed or not, by the
// rules or not, overlapping or not), and whose a CIDR was before. It keeps
// resource discoveries and their associations with IPAMs, and where in an
// IPAM's scopes an account has put its VPCs' CIDRs.
//
// It stores nothing about the resources: a view is computed from what the rooms
// that own them hold at that moment, so discovery is immediate. It decides
// nothing about what is allocated; it says which CIDRs of VPCs belong into a
// pool with AutoImport (Service.Live), and the allocator keeps to that.
//
// How the scope of a CIDR is found: that of the pool that it is allocated from,
// if there is one; else the one that it was moved to; else one of the IPAM's
// default scopes, the public one for elastic IPs and global IPv6 addresses. A
// subnet goes with the CIDR of its VPC.
//
// A rule about the set of an IPAM's placements holds because every change of
// one writes the guard record of the IPAM, and whoever relies on them reads it.
//
// Start reading at joints.go, which says what the room needs of others, then
// View. A Service is safe for concurrent use; a View belongs to one call.
package discovery
