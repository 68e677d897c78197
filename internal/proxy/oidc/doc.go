// Package oidc decides how clients of a load balancer log in with an OpenID Connect
// provider: where they are sent, what they bring back, what they are given to be known
// by, and what their targets are told of them.
//
// A client of an action (Client) that isn't known is sent to the provider with a state
// (state.go), which is sealed and goes with a nonce in a cookie. Once the provider has
// vouched for it (package provider), it gets a session (session.go): claims and tokens,
// sealed into cookies, so that no node has to remember anything. A request with a
// session has three fields for its target, one of them signed (token.go); those are
// kept for a while, as they cost more than all else (cache.go). Keys (keys.go) derives
// what all that takes from the secret that a load balancer's nodes share.
//
// It speaks to nobody and has no clock: callers bring the time. Everything that comes
// from clients is hostile until it is opened. Start reading at Client.
//
// Everything is safe for concurrent use, once it is made.
package oidc
