// Package elb decides what load balancers exist and what runs for them.
//
// Service changes desired state: load balancers, listeners, rules, target
// groups and targets, each change one transaction. Controller makes it so,
// level-triggered: for each load balancer it compares desired with observed
// (plan, a pure function) and takes one idempotent step at a time, so that a
// crash between any two is repaired by the next pass. Hosts are told what to
// carry by Projector, and tell what they see through Observations. Interfaces
// that no node owns are given back by a sweep (orphans.go).
//
// What can't be changed on a running node is changed by a new generation of them
// (LoadBalancer.Generation): it comes up beside the old one, takes over in DNS
// when all of it serves, and the old one retires.
//
// A rule about a set of records has a record that stands for the set, and that
// whoever adds to the set writes: census for an account's load balancers and
// target groups, the load balancer for its listeners and rules, the target group
// for the rules that name it. A group's targets are one record.
//
// The room knows neither the wire nor how an address gets onto a host. What it
// needs of the network and of address pools it declares itself (Network,
// Interfaces, PoolDirectory).
//
// Start reading at LoadBalancer, then Service.CreateLoadBalancer, then plan.
// Everything exported is safe for concurrent use.
package elb
