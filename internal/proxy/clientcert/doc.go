// Package clientcert verifies the certificates by which clients authenticate
// themselves, and puts into words what targets and logs are told of them (ELB user
// guide, "Mutual authentication with TLS").
//
// It decides which certificate is believed, and by which code a connection log says
// why one isn't. It doesn't decide what is asked of a client, nor what a trust store
// may hold, and it opens no file, socket or clock: the time comes with the call.
//
// Start reading at Trust.Verify. A Trust and an Identity never change, and any number
// of goroutines may use them.
package clientcert
