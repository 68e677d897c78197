// Package logship takes lines of load balancers' logs from those who carry traffic
// to the buckets where their owners want them.
//
// It decides how lines wait (in memory for a moment, then in a spool on disk), when
// a file of them is closed (every five minutes of the clock, and when it is large),
// and what its object is called (ELB user guide, access log files). Whoever carries
// traffic never waits for it: lines that find no room are dropped and counted, and
// so is the oldest of the spool when that is full of what no bucket takes. What was
// in the spool when the process was killed is delivered after the next start.
// It doesn't decide what a line says (accesslog), nor how an object gets into a
// bucket. Start reading at shipper.go; deliver.go serves the buckets, and
// destination.go has the names.
//
// Everything is safe for concurrent use.
package logship
