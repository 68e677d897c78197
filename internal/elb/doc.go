// Package elb decides what load balancers exist and what runs for them.
//
// Service changes desired state: load balancers, listeners, rules, target
// groups and targets, each change one transaction. Controller makes it so,
// level-triggered: for each load balancer it compares desired with observed
// (plan, a pure function) and takes one idempotent step at a time, so that a
// crash between any two is repaired by the next pass. Hosts are told what to
// carry by Projector, and tell what they see through Observations.
//
// The room knows neither the wire nor how an address gets onto a host. What it
// needs of the network and of address pools it declares itself (Network,
// Interfaces, PoolDirectory).
//
// Start reading at LoadBalancer, then Service.CreateLoadBalancer, then plan.
// Everything exported is safe for concurrent use.
package elb
