// Package resolver is IPAM prefix list resolvers: rules that select CIDRs of an
// IPAM's pools and of the resources that it watches, and targets, which keep
// managed prefix lists in step with them (EC2 IpamPrefixListResolver).
//
// It decides which CIDRs a resolver's rules select, when that is another version,
// and which version a target's list has. It doesn't know how pools or resources
// are kept: it sees them through Managers and Networks; and what a list may hold
// is package prefixlist's to say.
//
// Run does the work behind the calls: it looks at the resolvers that a change
// may concern, makes a version when what is selected has changed, and brings it
// to the targets. Each look compares all that there is with all that there should
// be, so that a change that was missed, a crash or a second server that does the
// same is made up for by the next look.
//
// The resolvers of an IPAM are counted in a census record, which every change to
// their number writes and the IPAM's deletion reads. A resolver's own record
// stands for the set of its targets and of the versions that they name.
//
// Start reading at Rule, then Service.look. Service is safe for concurrent use.
package resolver
