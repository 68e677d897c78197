// Package meter counts what passes through the data plane.
//
// It decides what is counted (CloudWatch's AWS/ApplicationELB metrics that a node
// can know) and how a count is kept without a lock or an allocation: each loop has
// a shard of each meter to itself, which comes to be with its first count. It
// doesn't decide when something happens, nor who is told; a reader adds the shards
// up. Start reading at meter.go.
//
// Everything is safe for concurrent use.
package meter
