package elb

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// HealthCheckSettings is a health check as a caller gives it; nil members were
// not given.
type HealthCheckSettings struct {
	Enabled            *bool
	Protocol           *string
	Port               *string // "traffic-port" or a number
	Path               *string
	IntervalSeconds    *int32
	TimeoutSeconds     *int32
	HealthyThreshold   *int32
	UnhealthyThreshold *int32
	Matcher            *Matcher
}

// Matcher is what a healthy target answers with.
type Matcher struct {
	Codes string // codes and ranges of them: "200,300-302"
	GRPC  bool   // of gRPC, not of HTTP
}

var (
	httpCodes = regexp.MustCompile(`^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$`)
	grpcCodes = regexp.MustCompile(`^\d{1,2}(-\d{1,2})?(,\d{1,2}(-\d{1,2})?)*$`)
)

// defaultHealthCheck is what CreateTargetGroup begins with.
func defaultHealthCheck(version string) HealthCheck {
	hc := HealthCheck{
		Protocol: "HTTP", Path: "/", Matcher: "200",
		Interval: 30 * time.Second, Timeout: 5 * time.Second, HealthyThreshold: 5, UnhealthyThreshold: 2,
	}
	if version == versionGRPC {
		hc.Path, hc.Matcher = "/AWS.ALB/healthcheck", "12" // that there is no such method shows that it answers
	}
	return hc
}

// change returns the health check with what was given in the place of what it was.
// What it may be depends on the target group's target type and protocol version.
func (hc HealthCheck) change(s HealthCheckSettings, targetType, version string) (HealthCheck, error) {
	ranged := func(what string, v *int32, low, high int32, set func(int)) error {
		if v == nil {
			return nil
		}
		if *v < low || *v > high {
			return fail(Invalid, "%s '%d' must be between '%d-%d' inclusive", what, *v, low, high)
		}
		set(int(*v))
		return nil
	}
	for _, err := range []error{
		ranged("Health check interval", s.IntervalSeconds, 5, 300, func(n int) { hc.Interval = time.Duration(n) * time.Second }),
		ranged("Health check timeout", s.TimeoutSeconds, 2, 120, func(n int) { hc.Timeout = time.Duration(n) * time.Second }),
		ranged("Healthy threshold count", s.HealthyThreshold, 2, 10, func(n int) { hc.HealthyThreshold = n }),
		ranged("Unhealthy threshold count", s.UnhealthyThreshold, 2, 10, func(n int) { hc.UnhealthyThreshold = n }),
	} {
		if err != nil {
			return hc, err
		}
	}
	if hc.Timeout >= hc.Interval {
		if s.TimeoutSeconds != nil {
			return hc, fail(Invalid, "Health check timeout '%d' must be smaller than the interval '%d'", int(hc.Timeout.Seconds()), int(hc.Interval.Seconds()))
		}
		hc.Timeout = hc.Interval - time.Second // an interval of 5 s leaves no room for the default
	}
	switch {
	case s.Enabled != nil && !*s.Enabled:
		return hc, fail(Invalid, "Health check enabled must be true for target groups with target type '%s'", targetType)
	case s.Protocol != nil && *s.Protocol != "HTTP" && *s.Protocol != "HTTPS":
		return hc, fail(Invalid, "Health check protocol '%s' must be one of 'HTTP, HTTPS'", *s.Protocol)
	case s.Protocol != nil:
		hc.Protocol = *s.Protocol
	}
	if s.Port != nil {
		hc.Port = 0
	}
	if s.Port != nil && *s.Port != "traffic-port" {
		n, err := strconv.ParseUint(*s.Port, 10, 16)
		if err != nil || n == 0 {
			return hc, fail(Invalid, "Health check port '%s' must be 'traffic-port' or a number between '1-65535'", *s.Port)
		}
		hc.Port = uint16(n)
	}
	if s.Path != nil {
		if !strings.HasPrefix(*s.Path, "/") || len(*s.Path) > 1024 || strings.ContainsFunc(*s.Path, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return hc, fail(Invalid, "Health check path '%s' must begin with a '/', be of visible ASCII characters, and not be longer than '1024'", *s.Path)
		}
		hc.Path = *s.Path
	}
	if s.Matcher == nil {
		return hc, nil
	}
	switch {
	case s.Matcher.GRPC && version != versionGRPC:
		return hc, fail(Invalid, "A gRPC matcher can be specified only for target groups with the protocol version GRPC")
	case !s.Matcher.GRPC && version == versionGRPC:
		return hc, fail(Invalid, "An HTTP matcher cannot be specified for target groups with the protocol version GRPC; specify a gRPC matcher")
	}
	if err := s.Matcher.check(); err != nil {
		return hc, err
	}
	hc.Matcher = s.Matcher.Codes
	return hc, nil
}

// maxCodes is how long a list of codes may be, in characters: every code of HTTP
// that there is has room.
const maxCodes = 1200

// check checks the codes that a healthy target answers with: codes and ranges of
// them, 200 to 499 for HTTP and 0 to 99 for gRPC.
func (m Matcher) check() error {
	form, name, example, low, high := httpCodes, "HTTP", "HttpCode must be like 200 | 200-399 | 200,201 ...", 200, 499
	if m.GRPC {
		form, name, example, low, high = grpcCodes, "gRPC", "GrpcCode must be like 0 | 0-99 | 0,12 ...", 0, 99
	}
	if len(m.Codes) > maxCodes || !form.MatchString(m.Codes) {
		return fail(InvalidParameter, "%s", example)
	}
	for part := range strings.SplitSeq(m.Codes, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, _ := strconv.Atoi(first) // both are two or three digits
		to, _ := strconv.Atoi(last)
		switch {
		case from < low || to > high:
			return fail(Invalid, "Health check matcher %s code '%s' must be within '%d-%d' inclusive", name, m.Codes, low, high)
		case from > to:
			return fail(InvalidParameter, "%s", example)
		}
	}
	return nil
}
