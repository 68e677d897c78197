// Package history remembers who had which CIDR, and from when to when.
//
// A room that ends a holding (an allocation, a VPC, a subnet, an interface)
// writes one closed record in the transaction that ends it. What is held now
// has no record here: the rooms that know it, as Sources, tell of it when
// somebody asks, so that a million live allocations cost nothing.
//
// The room decides how long a record is kept. It doesn't judge what a record
// says, nor who may read it: a reader names an account, or none to see all.
//
// Start reading at Record, then Service.Between and Service.Covering. A Service
// is safe for concurrent use once its sources have been added.
package history
