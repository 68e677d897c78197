// Package conformance holds the data plane against servers that others wrote.
//
// It has tests alone: requests that are odd in every way that a generator knows go
// through a proxy to nginx, HAProxy, Apache and H2O, and what those servers say they
// got is compared with what the proxy sent to a target that notes every byte. A
// request that one of them takes for two, or for another one, is a way to smuggle.
// Start reading at odd_test.go; the generator is in generate_test.go.
package conformance
