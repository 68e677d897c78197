// Package proof says whether an account has proven that it controls a CIDR that
// it brings along (BYOIP): by a signature of its key, whose certificate stands
// where only the CIDR's holder can put it, or by a token in the DNS under the
// CIDR's reverse names.
//
// It decides what a proof is and whether one holds. It doesn't decide who must
// bring one, where the token comes from, nor what becomes of a CIDR whose proof
// fails: an *UnprovenError tells a claim that the world outside doesn't bear out
// from one that is wrong by itself, a *ClaimError.
//
// A Verifier is safe for concurrent use. What a claim can make it do is bounded:
// the length of what is read, the number and strength of the keys that are
// tried, and the number, duration and concurrency of the DNS questions.
//
// Start reading at Verifier, then X509 and DNS.
package proof
