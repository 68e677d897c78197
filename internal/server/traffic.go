package server

import (
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/proxy/meter"
)

// family is what some of a node's counts are told as: of the load balancer in the
// zone, or of a target group there. label tells them apart, "" if there is one.
type family struct {
	name, help string
	label      string
	counters   map[meter.Counter]string // values of the label

	desc *prometheus.Desc
}

var families = []*family{
	{name: "connections_total", help: "Connections that clients made.", counters: one(meter.NewConnections)},
	{name: "rejected_connections_total", help: "Connections that were too many for the host.", counters: one(meter.RejectedConnections)},
	{name: "tls_errors_total", help: "TLS handshakes of clients that failed.", counters: one(meter.TLSErrors)},
	{name: "bytes_total", help: "Bytes of requests and responses, heads included.", counters: one(meter.Bytes)},
	{name: "ipv6_bytes_total", help: "Those of clients that came by IPv6.", counters: one(meter.IPv6Bytes)},
	{name: "ipv6_requests_total", help: "Requests of clients that came by IPv6.", counters: one(meter.IPv6Requests)},
	{name: "rule_evaluations_total", help: "Rules that requests were held to, default rules not counted.", counters: one(meter.RuleEvaluations)},
	{name: "actions_total", help: "Requests that a rule answered itself.", label: "action", counters: map[meter.Counter]string{
		meter.FixedResponses: "fixed-response", meter.Redirects: "redirect", meter.RedirectsTooLong: "redirect-too-long",
	}},
	{name: "responses_total", help: "Responses of the load balancer's own.", label: "class", counters: map[meter.Counter]string{
		meter.ELB3XX: "3xx", meter.ELB4XX: "4xx", meter.ELB5XX: "5xx",
	}},
	{name: "errors_total", help: "Responses of the load balancer's own that say what failed; also in the class 5xx.", label: "code", counters: map[meter.Counter]string{
		meter.ELB500: "500", meter.ELB502: "502", meter.ELB503: "503", meter.ELB504: "504",
	}},
	{name: "noncompliant_requests_total", help: "Requests that don't comply with RFC 9110 or RFC 9112.", counters: one(meter.NonCompliant)},
	{name: "invalid_header_requests_total", help: "Requests with header fields of invalid names.", label: "outcome", counters: map[meter.Counter]string{
		meter.DroppedFields: "dropped", meter.ForwardedFields: "forwarded",
	}},
	{name: "nonsticky_requests_total", help: "Requests to target groups that clients stay with, which went to a target by choice.", label: "cookie", counters: map[meter.Counter]string{
		meter.NonSticky: "lb", meter.AppNonSticky: "app",
	}},
	{name: "logins_total", help: "Logins with identity providers, and sessions that they were asked about again.", label: "outcome", counters: map[meter.Counter]string{
		meter.AuthSuccesses: "success", meter.AuthRefreshes: "refresh", meter.AuthFailures: "failure", meter.AuthErrors: "error", meter.AuthClaimsTooLarge: "claims-too-large",
	}},
	{name: "target_requests_total", help: "Requests that went to a target group.", counters: one(meter.Requests)},
	{name: "target_grpc_requests_total", help: "Those that are calls of gRPC.", counters: one(meter.GRPCRequests)},
	{name: "target_responses_total", help: "Responses of targets.", label: "class", counters: map[meter.Counter]string{
		meter.Target2XX: "2xx", meter.Target3XX: "3xx", meter.Target4XX: "4xx", meter.Target5XX: "5xx",
	}},
	{name: "target_errors_total", help: "Connections to targets that couldn't be had.", label: "kind", counters: map[meter.Counter]string{
		meter.TargetConnectionErrors: "connection", meter.TargetTLSErrors: "tls",
	}},
	{name: "target_unhealthy_requests_total", help: "Requests that went to any target, as too few were healthy.", counters: one(meter.UnhealthyRouting)},
}

func one(c meter.Counter) map[meter.Counter]string { return map[meter.Counter]string{c: ""} }

// ofGroup says whether the family is of target groups.
func (f *family) ofGroup() bool {
	for c := range f.counters {
		return c.OfGroup()
	}
	return false
}

func init() {
	for _, f := range families {
		labels := []string{"load_balancer", "zone"}
		if f.ofGroup() {
			labels = append(labels, "target_group")
		}
		if f.label != "" {
			labels = append(labels, f.label)
		}
		f.desc = prometheus.NewDesc("fairlead_lb_"+f.name, f.help, labels, nil)
	}
}

var (
	openDesc  = prometheus.NewDesc("fairlead_lb_connections", "Connections of clients.", []string{"load_balancer", "zone"}, nil)
	loginDesc = prometheus.NewDesc("fairlead_lb_login_seconds", "From a client's return from its identity provider to what that says of the user.", []string{"load_balancer", "zone"}, nil)
	timesDesc = prometheus.NewDesc("fairlead_lb_target_response_seconds", "From a request's dispatch to the head of its target's response.", []string{"load_balancer", "zone", "target_group"}, nil)
)

// bounds are those of the histogram of response times.
var bounds = []time.Duration{
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
	5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

// traffic collects what this host's nodes have carried. What is zero isn't told:
// most of many load balancers' counts are.
type traffic struct{ s *Server }

// Describe implements prometheus.Collector.
func (traffic) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range families {
		ch <- f.desc
	}
	ch <- openDesc
	ch <- loginDesc
	ch <- timesDesc
	ch <- targetsDesc
	ch <- zonesDesc
}

// Collect implements prometheus.Collector.
func (t traffic) Collect(ch chan<- prometheus.Metric) {
	agent := t.s.agent.Load()
	if agent == nil {
		return
	}
	collectTargets(ch, agent.Report().Targets)
	collectZones(ch, t.s.rooms.elb.ZoneHealth(t.s.rooms.store.Snapshot()))
	byZone := map[[2]string]*proxy.Measurement{} // of several nodes, as during a migration
	for _, m := range agent.Measurements() {
		k := [2]string{dimensionOf(m.LoadBalancerARN), m.Zone}
		if all := byZone[k]; all != nil {
			all.Merge(&m)
		} else {
			byZone[k] = &m
		}
	}
	for k, m := range byZone {
		ch <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(m.ActiveConnections), k[:]...)
		tell(ch, false, &m.Counts, k[:]...)
		if m.Logins.Count > 0 {
			ch <- prometheus.MustNewConstHistogram(loginDesc, m.Logins.Count, m.Logins.Sum.Seconds(), histogram(&m.Logins), k[:]...)
		}
		for i := range m.Groups {
			g := &m.Groups[i]
			labels := []string{k[0], k[1], dimensionOf(g.ARN)}
			tell(ch, true, &g.Counts, labels...)
			if g.ResponseTimes.Count > 0 {
				ch <- prometheus.MustNewConstHistogram(timesDesc, g.ResponseTimes.Count, g.ResponseTimes.Sum.Seconds(), histogram(&g.ResponseTimes), labels...)
			}
		}
	}
}

func tell(ch chan<- prometheus.Metric, ofGroup bool, counts *meter.Counts, labels ...string) {
	for _, f := range families {
		if f.ofGroup() != ofGroup {
			continue
		}
		for c, value := range f.counters {
			if counts[c] == 0 {
				continue
			}
			labels := labels
			if f.label != "" {
				labels = append(labels[:len(labels):len(labels)], value)
			}
			ch <- prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, float64(counts[c]), labels...)
		}
	}
}

func histogram(t *meter.Times) map[float64]uint64 {
	out := make(map[float64]uint64, len(bounds))
	for _, b := range bounds {
		out[math.Round(b.Seconds()*1e6)/1e6] = t.AtMost(b)
	}
	return out
}

// dimensionOf returns what CloudWatch names a load balancer or a target group by:
// "app/web/0123456789abcdef", "targetgroup/web/0123456789abcdef".
func dimensionOf(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return s
	}
	return strings.TrimPrefix(a.Resource, "loadbalancer/")
}
