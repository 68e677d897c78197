package elb

import (
	"context"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// CreateTargetGroup is ELBv2 CreateTargetGroup. Zero values are members that
// were not given.
type CreateTargetGroup struct {
	Account, Region string
	Name            string
	TargetType      string
	Protocol        string
	ProtocolVersion string
	Port            int
	VPCID           string
	AddressType     string
	HealthCheck     HealthCheckSettings
	Tags            []tags.Tag
	Hex             string // 16 hex digits, random
}

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
	Matcher            *string
}

// CreateTargetGroup makes a target group, or returns the one of that name if it
// has the same settings (DuplicateTargetGroupName otherwise).
func (s *Service) CreateTargetGroup(ctx context.Context, c CreateTargetGroup) (TargetGroup, error) {
	wanted, err := newTargetGroup(c)
	if err != nil {
		return TargetGroup{}, err
	}
	var made TargetGroup
	err = s.create(ctx, c.Account, c.Region, func(tx *store.Tx) (added bool, err error) {
		if !s.network.VPC(tx, c.Account, c.Region, c.VPCID) {
			return false, fail(Invalid, "The VPC ID '%s' is not found", c.VPCID)
		}
		key := nameKey(c.Account, c.Region, "targetgroup", c.Name)
		if arn, taken := s.names.Get(tx, key); taken {
			made, _ = s.groups.Get(tx, arn)
			if !sameGroup(made, wanted) {
				return false, fail(DuplicateTargetGroupName, "A target group with the same name '%s' exists, but with different settings", c.Name)
			}
			return false, nil
		}
		if s.groupsByOwner.Count(tx, owner(c.Account, c.Region)) >= s.opts.Quotas.TargetGroups {
			return false, fail(TooManyTargetGroups, "You have reached the maximum number of target groups: %d", s.opts.Quotas.TargetGroups)
		}
		made = wanted
		s.groups.Put(tx, made.ARN, made)
		s.names.Put(tx, key, made.ARN)
		return true, s.putTags(tx, c.Account, c.Region, made.ARN, "targetgroup", c.Tags)
	})
	return made, err
}

func sameGroup(a, b TargetGroup) bool {
	return a.Protocol == b.Protocol && a.ProtocolVersion == b.ProtocolVersion && a.Port == b.Port && a.VPCID == b.VPCID &&
		a.TargetType == b.TargetType && a.AddressType == b.AddressType && a.HealthCheck == b.HealthCheck
}

func newTargetGroup(c CreateTargetGroup) (TargetGroup, error) {
	var none TargetGroup
	if err := checkName("Target group name", c.Name); err != nil {
		return none, err
	}
	switch c.TargetType {
	case "ip":
	case "lambda", "alb", "instance":
		return none, fail(InvalidConfiguration, "Target type '%s' is not supported by this installation; use 'ip'", c.TargetType)
	default:
		return none, fail(Invalid, "Target type '%s' must be one of 'instance, ip, lambda, alb'", c.TargetType)
	}
	switch {
	case c.Protocol == "":
		return none, fail(Invalid, "A protocol must be specified")
	case c.Port == 0:
		return none, fail(Invalid, "A port must be specified")
	case c.Port < 1 || c.Port > 65535:
		return none, fail(Invalid, "Target group port '%d' must be between '1-65535' inclusive", c.Port)
	case c.VPCID == "":
		return none, fail(Invalid, "A VPC ID must be specified")
	case c.Protocol != "HTTP":
		return none, fail(InvalidConfiguration, "Target group protocol '%s' is not supported by this installation; use 'HTTP'", c.Protocol)
	case c.ProtocolVersion != "" && c.ProtocolVersion != "HTTP1":
		return none, fail(InvalidConfiguration, "Protocol version '%s' is not supported by this installation; use 'HTTP1'", c.ProtocolVersion)
	case c.AddressType != "" && c.AddressType != "ipv4":
		return none, fail(InvalidConfiguration, "IP address type '%s' is not supported by this installation; use 'ipv4'", c.AddressType)
	}
	hc, err := defaultHealthCheck.change(c.HealthCheck)
	if err != nil {
		return none, err
	}
	return TargetGroup{
		ARN:             "arn:aws:elasticloadbalancing:" + c.Region + ":" + c.Account + ":targetgroup/" + c.Name + "/" + c.Hex,
		Name:            c.Name,
		Account:         c.Account,
		Region:          c.Region,
		Protocol:        c.Protocol,
		ProtocolVersion: "HTTP1",
		Port:            uint16(c.Port),
		VPCID:           c.VPCID,
		TargetType:      c.TargetType,
		AddressType:     "ipv4",
		HealthCheck:     hc,
	}, nil
}

// Defaults of CreateTargetGroup for HTTP.
const (
	defaultHealthInterval     = 30 * time.Second
	defaultHealthTimeout      = 5 * time.Second
	defaultHealthyThreshold   = 5
	defaultUnhealthyThreshold = 2
)

// ModifyTargetGroup changes a target group's health check (ELBv2 ModifyTargetGroup).
func (s *Service) ModifyTargetGroup(ctx context.Context, account, region, arn string, settings HealthCheckSettings) (TargetGroup, error) {
	var g TargetGroup
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = s.TargetGroup(tx, account, region, arn); err != nil {
			return err
		}
		if g.HealthCheck, err = g.HealthCheck.change(settings); err != nil {
			return err
		}
		s.groups.Put(tx, arn, g)
		return nil
	})
	return g, err
}

var matcher = regexp.MustCompile(`^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$`)

// defaultHealthCheck is what CreateTargetGroup begins with.
var defaultHealthCheck = HealthCheck{
	Protocol: "HTTP", Path: "/", Matcher: "200",
	Interval: defaultHealthInterval, Timeout: defaultHealthTimeout,
	HealthyThreshold: defaultHealthyThreshold, UnhealthyThreshold: defaultUnhealthyThreshold,
}

// change returns the health check with what was given in the place of what it was.
func (hc HealthCheck) change(s HealthCheckSettings) (HealthCheck, error) {
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
		return hc, fail(Invalid, "Health check enabled must be true for target groups with target type 'ip'")
	case s.Protocol != nil && *s.Protocol == "HTTPS":
		return hc, fail(InvalidConfiguration, "Health check protocol 'HTTPS' is not supported by this installation; use 'HTTP'")
	case s.Protocol != nil && *s.Protocol != "HTTP":
		return hc, fail(Invalid, "Health check protocol '%s' must be one of 'HTTP, HTTPS'", *s.Protocol)
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
	if s.Matcher != nil {
		if err := checkMatcher(*s.Matcher); err != nil {
			return hc, err
		}
		hc.Matcher = *s.Matcher
	}
	return hc, nil
}

// checkMatcher checks the HTTP codes that a healthy target answers with.
func checkMatcher(m string) error {
	if !matcher.MatchString(m) {
		return fail(InvalidParameter, "HttpCode must be like 200 | 200-399 | 200,201 ...")
	}
	for part := range strings.SplitSeq(m, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		switch { // all have three digits, so they compare as text
		case from < "200" || to > "499":
			return fail(Invalid, "Health check matcher HTTP code '%s' must be within '200-499' inclusive", m)
		case from > to:
			return fail(InvalidParameter, "HttpCode must be like 200 | 200-399 | 200,201 ...")
		}
	}
	return nil
}

// TargetGroup returns a target group of the account by ARN.
func (s *Service) TargetGroup(r store.Reader, account, region, arn string) (TargetGroup, error) {
	g, ok := s.groups.Get(r, arn)
	if !ok || !ownedBy(arn, account, region) {
		return TargetGroup{}, fail(TargetGroupNotFound, "One or more target groups not found")
	}
	return g, nil
}

// TargetGroupByName returns a target group of the account by name.
func (s *Service) TargetGroupByName(r store.Reader, account, region, name string) (TargetGroup, error) {
	arn, ok := s.names.Get(r, nameKey(account, region, "targetgroup", name))
	if !ok {
		return TargetGroup{}, fail(TargetGroupNotFound, "One or more target groups not found")
	}
	return s.TargetGroup(r, account, region, arn)
}

// TargetGroups yields the account's target groups in the region by ARN, from the
// given ARN on.
func (s *Service) TargetGroups(r store.Reader, account, region, from string) iter.Seq2[string, TargetGroup] {
	return s.groupsByOwner.From(r, owner(account, region), from)
}

// LoadBalancersOf returns the ARNs of the load balancers that forward to the
// target group.
func (s *Service) LoadBalancersOf(r store.Reader, group string) []string {
	return s.balancersOfGroup(r, group)
}

// DeleteTargetGroup deletes a target group with its targets. An unknown one is
// success; one that an action names is refused.
func (s *Service) DeleteTargetGroup(ctx context.Context, account, region, arn string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.Get(tx, arn)
		if !ok || !ownedBy(arn, account, region) {
			return nil
		}
		// A rule that comes to name the group writes it anew, and so conflicts.
		if len(s.balancersOfGroup(tx, arn)) > 0 {
			return fail(ResourceInUse, "Target group '%s' is currently in use by a listener or a rule", arn)
		}
		s.groups.Delete(tx, arn)
		s.targets.Delete(tx, arn)
		s.names.Delete(tx, nameKey(account, region, "targetgroup", g.Name))
		s.tags.Clear(tx, arn)
		return nil
	})
}
