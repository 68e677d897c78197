// Package accesslog writes the lines of an Application Load Balancer's logs:
// access, connection and health-check logs, in the formats of the ELB user guide.
//
// It decides what a line looks like, and that it stays one line with all its
// fields whatever bytes a client sends. It doesn't decide what is logged, nor
// where a line goes (logship). Everything here is a function of its arguments.
// Start reading at access.go.
package accesslog
