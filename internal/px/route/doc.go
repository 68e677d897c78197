// Package route is a load balancer's routing, compiled: for each listener its
// rules in order, with conditions made ready to match and actions resolved. A
// Table is immutable and built off to the side; it holds no I/O, no clock and no
// counter.
//
// Start reading at Compile, then Listener.Match.
package route
