// Package provider asks an OpenID Connect provider about clients that come back from
// it: it exchanges codes for tokens, checks them, and has the claims.
//
// It decides what is believed of a provider's answers, and why a login doesn't come
// about. It doesn't decide who is asked to log in, nor what a session looks like
// (package oidc), nor whom a host may ask (package outbound). Start reading at Provider.
//
// Everything is safe for concurrent use. Its calls wait, for no longer than a provider
// may take; it has no goroutines of its own.
package provider
