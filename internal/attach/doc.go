// Package attach puts a node's address onto the host, so that a socket can be
// bound to it.
//
// It decides which address a node really listens on. It doesn't decide which
// address a node has, nor opens a socket. A Driver is one way to do it; start
// reading there. Loopback needs no privilege and is the default: it announces
// nothing and changes nothing on the host, because all of 127.0.0.0/8 is already
// there. Drivers that change a link or announce routes come beside it.
//
// Drivers are safe for concurrent use.
package attach
