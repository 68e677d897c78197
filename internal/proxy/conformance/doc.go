// Package conformance holds the data plane against servers that others wrote.
//
// It has tests alone: requests that are odd in every way that a generator knows go
// through a proxy to nginx, HAProxy, Apache, H2O and Varnish, each of which passes on
// what it has understood, in words of its own, to a target that notes it. That is
// compared with what the proxy sent: a request that one of them takes for two, or for
// another one, is a way to smuggle. Start reading at odd_test.go; the generator is in
// generate_test.go, what targets note in recorder_test.go.
package conformance
