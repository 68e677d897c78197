// Package jwt decides whether a request may pass by the token that it has: a JSON
// Web Token (RFC 7519), signed as a JSON Web Signature (RFC 7515) in its compact form,
// in the Authorization field (RFC 6750 §2.1).
//
// It reads sets of keys and checks tokens by them. It fetches none, has no clock,
// and answers nobody: package jwks fetches, the proxy's guard answers.
//
// What a token says of itself decides nothing before its signature has. The algorithm is the
// key's: RS256 for RSA, ES256 for P-256 (RFC 8725 §3.1). A token that names another one finds
// no key. One that brings a key along, or says where there is one, is refused, as is one
// that could be read in two ways: with a member twice, with padding, with bits that
// mean nothing.
//
// Start reading at Checker. Everything is safe for concurrent use.
package jwt
