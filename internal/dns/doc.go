// Package dns decides what names say: for each load balancer's name, the
// addresses of its nodes in service, and no other address (invariant I4). Beside
// them it has the texts that prove to a certificate authority who owns a domain.
//
// It knows neither sockets nor packets: a Server (dnsserver) answers with what
// it is given here. It reads no record itself: a Source says which endpoints
// there are. Start reading at Feed.
package dns
