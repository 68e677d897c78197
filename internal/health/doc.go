// Package health finds out which targets can be sent requests, by asking them.
//
// It decides when a target is probed, whether a probe passes, and from the run
// of results the target's state, reason and description as DescribeTargetHealth
// shows them. It doesn't decide what follows: failing open is the proxy's,
// leaving DNS the control plane's.
//
// state.go is the pure part: step folds one outcome into a state. probe.go makes
// one probe, probe_http2.go in HTTP/2, matcher.go says which statuses pass, prober.go owns the timers
// and probes. Start reading at prober.go.
//
// Every method of Prober is safe for concurrent use.
package health
