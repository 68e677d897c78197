// Package account knows who may call: accounts, their access keys, and the
// principal that a key speaks for.
//
// Accounts come from the operator's configuration and from the first start,
// which makes the root account and its key; they live in memory, the key file
// is their durable form. The room authenticates nothing itself: the wire room
// checks signatures with the secrets found here.
//
// Start reading at Directory. It is safe for concurrent use.
package account
