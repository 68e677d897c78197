// Package targettls decides how targets are spoken to within TLS, by requests and by
// probes alike: versions, ciphers, key exchanges, and whether the target's certificate
// is believed.
//
// It decides nothing about when to connect, and connects to nobody. Everything in it
// may be called from several goroutines at a time. Start reading at Config.
package targettls
