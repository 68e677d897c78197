// Package acme is a certificate authority that speaks ACME (RFC 8555), as the certs
// room asks one: it registers accounts, places orders, and answers the dns-01
// challenges with what the room shows in DNS.
//
// certmagic's ACMEIssuer does the protocol; what it keeps lies in our store, sealed
// under the certificate key file (storage.go, lock.go). Its own loop, which manages
// certificates by name, isn't used: ours are records by ARN that belong to accounts.
//
// Each account of ours is an account of the authority too. Authorities let an
// account that has proven a domain have further certificates for it without another
// proof, so with one account for all, one tenant's proof would be everybody's (I8).
//
// Start reading at Authority.Issue. Everything exported is safe for concurrent use.
package acme
