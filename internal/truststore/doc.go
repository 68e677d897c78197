// Package truststore keeps what clients' certificates are verified against: trust
// stores, each a bundle of certificates of authorities and lists of what these
// have revoked (ELBv2 CreateTrustStore, AddTrustStoreRevocations).
//
// It decides what a bundle and a revocation list may be, and how many. Contents
// are read from where Objects finds them when they are named, and kept here; what
// happens to the objects afterwards is of no concern. Verifying is the nodes', by what
// Trust makes of a trust store.
//
// A content lies in parts, each written by a transaction of its own before the
// record that names it. What no record names, any more or because a server was
// killed between, Sweep removes once it is an hour old.
//
// A trust store that a listener uses can't be deleted. Which ones are is the load
// balancers' to say (Options.InUseBy).
//
// Start reading at TrustStore, then Service.Create. Everything exported is safe
// for concurrent use.
package truststore
