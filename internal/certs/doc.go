// Package certs decides which TLS certificates there are: what may be imported,
// requested, replaced and deleted (ACM), and what of a certificate others may know.
//
// A private key is at rest only as Sealer wrote it: encrypted under the key of a
// file that isn't in the store, and bound to its certificate's ARN. The room opens
// none; whoever serves TLS does, with the same file. No error and no log line of
// this room holds any of a key.
//
// A certificate that a listener uses can't be deleted. Which ones are is the load
// balancers' to say (Options.InUseBy); who begins to use one calls Use in the same
// transaction, so that a deletion at the same time decides again.
//
// A requested certificate is issued by an Authority once DNS proves that its names
// are the account's (validation.go). What is to be done next about it is a function
// of its record (plan.go); the Controller does it when it is due (issue.go), again
// until it succeeds. Every server may run a Controller: one at a time orders a
// certificate, and what it does is decided anew in each transaction.
//
// Start reading at Certificate, then Service.Import and Service.Request. Everything exported is safe
// for concurrent use.
package certs
