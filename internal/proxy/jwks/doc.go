// Package jwks has the keys of issuers at hand: it fetches them (RFC 7517), keeps
// them as long as they may be kept, and fetches them anew before that is over.
//
// It decides when an issuer is asked, and for how long its last answer counts. It
// doesn't decide how it is reached (outbound), or what a key is good for (jwt).
//
// Nothing runs while no request needs keys. The first one waits for them; from then on
// requests that come when the keys should be renewed have that done beside them. All load balancers of a
// host that name the same URL share one Source, and nobody is asked for it twice at a time.
//
// Everything is safe for concurrent use. Start reading at Fetcher, then Source.
package jwks
