// Package testkit starts what end-to-end tests need: a server in this process or
// as a program of its own, HTTP targets, and clients that reach them. Only tests
// import it.
package testkit
