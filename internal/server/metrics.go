package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

var (
	requestsDesc  = prometheus.NewDesc("fairlead_api_requests_total", "API requests by service, action and the code they were answered with.", []string{"service", "action", "code"}, nil)
	takenDesc     = prometheus.NewDesc("fairlead_pool_addresses_taken", "Addresses of a pool that are taken.", []string{"pool", "locale"}, nil)
	totalDesc     = prometheus.NewDesc("fairlead_pool_addresses", "Addresses that a pool has.", []string{"pool", "locale"}, nil)
	answersDesc   = prometheus.NewDesc("fairlead_dns_responses_total", "DNS responses by code.", []string{"rcode"}, nil)
	auditDesc     = prometheus.NewDesc("fairlead_audit_records_lost_total", "Records that the audit log couldn't take.", nil, nil)
	balancersDesc = prometheus.NewDesc("fairlead_load_balancers", "Load balancers by state.", []string{"state"}, nil)
	plannedDesc   = prometheus.NewDesc("fairlead_node_load_balancers_applied_total", "Load balancers that this host has compiled anew, because something of theirs changed.", nil, nil)
	faultsDesc    = prometheus.NewDesc("fairlead_http2_sessions_failed_total", "Sessions of HTTP/2 that were ended before their time, by the code and the reason that their clients were told.", []string{"code", "reason"}, nil)
	linesLostDesc = prometheus.NewDesc("fairlead_log_lines_lost_total", "Lines of load balancers' logs that found no room.", nil, nil)
	spoolDesc     = prometheus.NewDesc("fairlead_log_spool_bytes", "Lines of load balancers' logs that wait for their buckets.", nil, nil)
	deliveryDesc  = prometheus.NewDesc("fairlead_log_deliveries_total", "Attempts to take a file of lines to its bucket.", []string{"outcome"}, nil)
	expiryDesc    = prometheus.NewDesc("fairlead_certificate_expiry_timestamp_seconds", "When a certificate that listeners use is no longer valid.", []string{"certificate", "domain"}, nil)
)

// metrics collects from the rooms when it is asked.
func (s *Server) metrics() prometheus.Collector { return collector{s} }

type collector struct{ s *Server }

func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, takenDesc, totalDesc, answersDesc, auditDesc, balancersDesc, plannedDesc, faultsDesc, linesLostDesc, spoolDesc, deliveryDesc, expiryDesc} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	r := c.s.rooms
	for _, q := range r.wire.Requests() {
		ch <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(q.Count), q.Service, q.Action, q.Code)
	}
	ch <- prometheus.MustNewConstMetric(auditDesc, prometheus.CounterValue, float64(r.audit.Lost()))
	snap := r.store.Snapshot()
	for u := range r.ipam.Pools(snap) {
		taken, _ := u.Taken.Float64()
		total, _ := u.Total.Float64()
		ch <- prometheus.MustNewConstMetric(takenDesc, prometheus.GaugeValue, taken, u.Pool.ID, u.Pool.Locale)
		ch <- prometheus.MustNewConstMetric(totalDesc, prometheus.GaugeValue, total, u.Pool.ID, u.Pool.Locale)
	}
	if agent := c.s.agent.Load(); agent != nil {
		ch <- prometheus.MustNewConstMetric(plannedDesc, prometheus.CounterValue, float64(agent.Planned()))
		for _, f := range agent.SessionFaults() {
			ch <- prometheus.MustNewConstMetric(faultsDesc, prometheus.CounterValue, float64(f.Sessions), f.Code, f.Reason)
		}
	}
	if c.s.shipper != nil {
		logs := c.s.shipper.Stats()
		ch <- prometheus.MustNewConstMetric(linesLostDesc, prometheus.CounterValue, float64(logs.DroppedLines))
		ch <- prometheus.MustNewConstMetric(spoolDesc, prometheus.GaugeValue, float64(logs.Spooled))
		ch <- prometheus.MustNewConstMetric(deliveryDesc, prometheus.CounterValue, float64(logs.Delivered), "delivered")
		ch <- prometheus.MustNewConstMetric(deliveryDesc, prometheus.CounterValue, float64(logs.Failed), "failed")
	}
	states := map[string]int{}
	for _, b := range r.elb.All(snap) {
		state := string(b.State)
		if b.Deleted {
			state = "deleting"
		}
		states[state]++
	}
	for state, n := range states {
		ch <- prometheus.MustNewConstMetric(balancersDesc, prometheus.GaugeValue, float64(n), state)
	}
	for at, x := range r.certs.All(snap) {
		if len(r.certs.InUseBy(snap, at)) > 0 {
			ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(x.NotAfter.Unix()), at, x.Domain)
		}
	}
	for rcode, n := range c.s.dns.Stats().Responses {
		ch <- prometheus.MustNewConstMetric(answersDesc, prometheus.CounterValue, float64(n), rcode)
	}
}
