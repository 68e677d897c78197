package elb

import (
	"slices"
	"strconv"
	"strings"
)

// loadBalancerAttributes are ELBv2's LoadBalancerAttributes of application load
// balancers.
func loadBalancerAttributes(scheme Scheme) attributes {
	as := attributes{
		{"deletion_protection.enabled", "false", isBool},
		// Zones can be kept apart only per target group.
		{crossZone, "true", oneOf("true")},
		{"ipv6.deny_all_igw_traffic", strconv.FormatBool(scheme == Internal), isBool},
		{"zonal_shift.config.enabled", "false", isBool},
		{"idle_timeout.timeout_seconds", "60", number(1, 4000)},
		{"client_keep_alive.seconds", "3600", number(60, 604800)},
		{"routing.http.desync_mitigation_mode", "defensive", oneOf("monitor", "defensive", "strictest")},
		{"routing.http.drop_invalid_header_fields.enabled", "false", isBool},
		{"routing.http.preserve_host_header.enabled", "false", isBool},
		{"routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", isBool},
		{"routing.http.xff_client_port.enabled", "false", isBool},
		{"routing.http.xff_header_processing.mode", "append", oneOf("append", "preserve", "remove")},
		{"routing.http2.enabled", "true", isBool},
		{"waf.fail_open.enabled", "false", isBool},
	}
	if scheme == InternetFacing {
		as = append(as, ipamAttributes...)
	}
	for _, kind := range logKinds {
		as = append(as,
			attribute{string(kind) + ".s3.enabled", "false", isBool},
			attribute{string(kind) + ".s3.bucket", "", empty(bucketName)},
			attribute{string(kind) + ".s3.prefix", "", empty(logPrefix)})
	}
	return as
}

// responseHeaders are the headers that a listener can set in responses, by their
// name in the attribute's key, with what each may be.
var responseHeaders = []struct {
	name  string
	check func(string) string
}{
	{"strict_transport_security", headerValue},
	{"access_control_allow_origin", headerValue},
	{"access_control_allow_methods", headerValue},
	{"access_control_allow_headers", headerValue},
	{"access_control_allow_credentials", oneOf("true")},
	{"access_control_expose_headers", headerValue},
	{"access_control_max_age", number(-1, 1<<31-1)},
	{"content_security_policy", headerValue},
	{"x_content_type_options", oneOf("nosniff")},
	{"x_frame_options", headerValue},
}

// requestHeaders are the headers that an HTTPS listener adds to requests, by
// their name in the attribute's key, with the name that each has unless told otherwise.
var requestHeaders = []struct{ name, header string }{
	{"x_amzn_mtls_clientcert_serial_number", "X-Amzn-Mtls-Clientcert-Serial-Number"},
	{"x_amzn_mtls_clientcert_issuer", "X-Amzn-Mtls-Clientcert-Issuer"},
	{"x_amzn_mtls_clientcert_subject", "X-Amzn-Mtls-Clientcert-Subject"},
	{"x_amzn_mtls_clientcert_validity", "X-Amzn-Mtls-Clientcert-Validity"},
	{"x_amzn_mtls_clientcert_leaf", "X-Amzn-Mtls-Clientcert-Leaf"},
	{"x_amzn_mtls_clientcert", "X-Amzn-Mtls-Clientcert"},
	{"x_amzn_tls_version", "X-Amzn-Tls-Version"},
	{"x_amzn_tls_cipher_suite", "X-Amzn-Tls-Cipher-Suite"},
}

// listenerAttributes are ELBv2's ListenerAttributes of a listener of the protocol.
func listenerAttributes(protocol string) attributes {
	as := attributes{{"routing.http.response.server.enabled", "true", isBool}}
	for _, h := range responseHeaders {
		as = append(as, attribute{"routing.http.response." + h.name + ".header_value", "", empty(h.check)})
	}
	if protocol != "HTTPS" {
		return as
	}
	for _, h := range requestHeaders {
		as = append(as, attribute{"routing.http.request." + h.name + ".header_name", h.header, addedHeaderName})
	}
	return as
}

// The algorithms of a target group.
const (
	roundRobin       = "round_robin"
	leastOutstanding = "least_outstanding_requests"
	weightedRandom   = "weighted_random"
)

// maxHealthy is the largest count of healthy targets that can be asked for: the
// targets of a group (ELBv2 quota).
const maxHealthy = 1000

// crossZone says whether nodes send to targets in other zones than their own.
const crossZone = "load_balancing.cross_zone.enabled"

// targetGroupAttributes are ELBv2's TargetGroupAttributes of groups of instances or
// IP addresses.
var targetGroupAttributes = attributes{
	{"deregistration_delay.timeout_seconds", "300", number(0, 3600)},
	{"load_balancing.algorithm.type", roundRobin, oneOf(roundRobin, leastOutstanding, weightedRandom)},
	{"load_balancing.algorithm.anomaly_mitigation", "off", oneOf("on", "off")},
	{crossZone, "use_load_balancer_configuration", oneOf("true", "false", "use_load_balancer_configuration")},
	{"slow_start.duration_seconds", "0", or(number(30, 900), "0")},
	{"stickiness.enabled", "false", isBool},
	{"stickiness.type", "lb_cookie", oneOf("lb_cookie", "app_cookie")},
	{"stickiness.lb_cookie.duration_seconds", "86400", number(1, 604800)},
	{"stickiness.app_cookie.cookie_name", "", empty(applicationCookie)},
	{"stickiness.app_cookie.duration_seconds", "86400", number(1, 604800)},
	{"target_group_health.dns_failover.minimum_healthy_targets.count", "1", or(number(1, maxHealthy), "off")},
	{"target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", or(number(1, 100), "off")},
	{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", number(1, maxHealthy)},
	{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", or(number(1, 100), "off")},
}

// httpsTargetGroupAttributes are those of groups with the protocol HTTPS.
var httpsTargetGroupAttributes = slices.Concat(targetGroupAttributes, targetTLSAttributes)

// applicationCookie accepts a cookie's name (RFC 6265 §4.1.1) that isn't one of
// the load balancer's own.
func applicationCookie(v string) string {
	if headerName(v) != "" || strings.HasPrefix(v, "AWSALB") {
		return "the name of a cookie that does not begin with 'AWSALB'"
	}
	return ""
}
