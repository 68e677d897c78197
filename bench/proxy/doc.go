// Package proxy measures the data plane beside the proxies that its users have
// now: CPU time for each request, round by round, on one core.
//
//	go test -run '^$' -bench . -benchtime 5x ./bench/proxy
//
// The proxy under test, HAProxy and nginx each have core 0 in turn; the load
// (wrk) and the server behind them (nginx, too) have core 1. A round is one turn
// of each, the order reversed every second round. What counts is the ratio of
// their CPU times in the same round: rates say which core was full first.
package proxy
