package elb

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// LogKind is a kind of log that a load balancer can write to a bucket, named as
// its attributes begin (ELBv2 LoadBalancerAttribute).
type LogKind string

// The kinds.
const (
	AccessLogs      LogKind = "access_logs"
	ConnectionLogs  LogKind = "connection_logs"
	HealthCheckLogs LogKind = "health_check_logs"
)

var logKinds = []LogKind{AccessLogs, ConnectionLogs, HealthCheckLogs}

// bucketName accepts what can be the name of a bucket, today's (lower case, 3 to 63
// characters) and the long ones of the past.
func bucketName(v string) string {
	ok := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '.' || r == '-' || r == '_'
	}
	if len(v) < 3 || len(v) > 255 || v[0] == '.' || strings.ContainsFunc(v, func(r rune) bool { return !ok(r) }) {
		return "the name of a bucket"
	}
	return ""
}

// logPrefix accepts what the keys of a log's objects can begin with.
func logPrefix(v string) string {
	if len(v) > maxAttribute || strings.Contains(v, "AWSLogs") {
		return "a prefix without 'AWSLogs'"
	}
	for segment := range strings.SplitSeq(v, "/") {
		if segment == "." || segment == ".." {
			return "a prefix without '.' or '..' between slashes"
		}
	}
	if strings.ContainsFunc(v, unicode.IsControl) {
		return "a prefix without control characters"
	}
	return ""
}

// LogDelivery is where a load balancer's log of one kind is to go.
type LogDelivery struct {
	Kind            LogKind
	Account, Region string
	LoadBalancer    string // "app/NAME/HEX"
	Bucket, Prefix  string
}

// logBucket returns the bucket of a log, the zero one if it is turned off. set
// are a load balancer's attributes but defaults.
func logBucket(set map[string]string, k LogKind) snapshot.Bucket {
	if set[string(k)+".s3.enabled"] != "true" {
		return snapshot.Bucket{}
	}
	return snapshot.Bucket{Name: set[string(k)+".s3.bucket"], Prefix: set[string(k)+".s3.prefix"]}
}

// projectLogs makes what a host must know of a load balancer's attributes about logs.
func projectLogs(set map[string]string) snapshot.Logs {
	return snapshot.Logs{Access: logBucket(set, AccessLogs), Connections: logBucket(set, ConnectionLogs), HealthChecks: logBucket(set, HealthCheckLogs)}
}

// checkLogs wants a bucket for logs that are turned on.
func checkLogs(set map[string]string) error {
	for _, k := range logKinds {
		if set[string(k)+".s3.enabled"] == "true" && set[string(k)+".s3.bucket"] == "" {
			return fail(InvalidConfiguration, "The attribute '%s.s3.bucket' must name a bucket when '%s.s3.enabled' is true", k, k)
		}
	}
	return nil
}

// newDeliveries returns the logs of b that went elsewhere, or nowhere, with the
// attributes that were set before.
func (b LoadBalancer) newDeliveries(before map[string]string) (out []LogDelivery) {
	for _, k := range logKinds {
		if to := logBucket(b.Attributes, k); to != (snapshot.Bucket{}) && to != logBucket(before, k) {
			out = append(out, LogDelivery{Kind: k, Account: b.Account, Region: b.Region, LoadBalancer: b.ID, Bucket: to.Name, Prefix: to.Prefix})
		}
	}
	return out
}

// errUntried says that a change has logs go where it hasn't been tried to write,
// which a transaction can't.
var errUntried = errors.New("elb: a bucket is to be tried")

// tryLogs writes to the buckets that logs are to go to, and notes in tried those
// that take them (ELB user guide: the test file of a log that is turned on). One
// that doesn't is the caller's fault.
func (s *Service) tryLogs(ctx context.Context, to []LogDelivery, tried map[LogDelivery]bool) error {
	for _, d := range to {
		if err := s.opts.TryLog(ctx, d); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil {
			return fail(InvalidConfiguration, "Access Denied for bucket: %s. The bucket must exist and let the load balancer write its %s with the prefix '%s'", d.Bucket, d.Kind.noun(), d.Prefix)
		}
		tried[d] = true
	}
	return nil
}

// noun returns what messages call the logs.
func (k LogKind) noun() string {
	switch k {
	case ConnectionLogs:
		return "connection logs"
	case HealthCheckLogs:
		return "health check logs"
	case AccessLogs:
	}
	return "access logs"
}
