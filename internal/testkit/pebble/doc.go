// Package pebble runs Let's Encrypt's test authority within a test, and a DNS
// resolver for who must find what the test says. Only tests import it.
//
// Start reading at Start. A CA and a Resolver are safe for concurrent use.
package pebble
