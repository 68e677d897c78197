// Package demo is a tour of the product in one command: it starts a server and
// three small targets in this process, has the server make a load balancer with
// addresses out of a pool, and shows what to type to see it work.
//
// Everything is done through the public API with signed calls, as any client
// would, and each step first looks whether what it would make is there: a second
// start on the same data finds the first one's load balancer, at the same
// addresses. Nothing leaves 127.0.0.0/8 and nothing needs a privilege.
//
// Start reading at Run, then client.stage.
package demo
