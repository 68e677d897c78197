package elb

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

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

// Versions of HTTP that targets are spoken to in.
const (
	versionHTTP1 = "HTTP1"
	versionHTTP2 = "HTTP2"
	versionGRPC  = "GRPC"
)

var protocolVersions = []string{versionHTTP1, versionHTTP2, versionGRPC}

func newTargetGroup(c CreateTargetGroup) (TargetGroup, error) {
	var none TargetGroup
	if err := checkName("Target group name", c.Name); err != nil {
		return none, err
	}
	switch c.TargetType {
	case targetIP, targetInstance:
	case "lambda", "alb":
		return none, fail(InvalidConfiguration, "Target type '%s' is not supported by this installation; use 'instance' or 'ip'", c.TargetType)
	default:
		return none, fail(Invalid, "Target type '%s' must be one of 'instance, ip, lambda, alb'", c.TargetType)
	}
	version, family := cmp.Or(c.ProtocolVersion, versionHTTP1), cmp.Or(c.AddressType, "ipv4")
	switch {
	case c.Protocol == "":
		return none, fail(Invalid, "A protocol must be specified")
	case c.Port == 0:
		return none, fail(Invalid, "A port must be specified")
	case c.Port < 1 || c.Port > 65535:
		return none, fail(Invalid, "Target group port '%d' must be between '1-65535' inclusive", c.Port)
	case c.VPCID == "":
		return none, fail(Invalid, "A VPC ID must be specified")
	case c.Protocol != "HTTP" && c.Protocol != "HTTPS":
		return none, fail(InvalidConfiguration, "Target group protocol '%s' is of network or gateway load balancers, which this installation does not support; use 'HTTP' or 'HTTPS'", c.Protocol)
	case !slices.Contains(protocolVersions, version):
		return none, fail(Invalid, "Protocol version '%s' must be one of '%s'", version, strings.Join(protocolVersions, ", "))
	case family != "ipv4" && family != "ipv6":
		return none, fail(Invalid, "IP address type '%s' must be one of 'ipv4, ipv6'", family)
	}
	hc, err := defaultHealthCheck(version).change(c.HealthCheck, c.TargetType, version)
	if err != nil {
		return none, err
	}
	return TargetGroup{
		ARN:             "arn:aws:elasticloadbalancing:" + c.Region + ":" + c.Account + ":targetgroup/" + c.Name + "/" + c.Hex,
		Name:            c.Name,
		Account:         c.Account,
		Region:          c.Region,
		Protocol:        c.Protocol,
		ProtocolVersion: version,
		Port:            uint16(c.Port),
		VPCID:           c.VPCID,
		TargetType:      c.TargetType,
		AddressType:     family,
		HealthCheck:     hc,
	}, nil
}

// ModifyTargetGroup changes a target group's health check (ELBv2 ModifyTargetGroup).
func (s *Service) ModifyTargetGroup(ctx context.Context, account, region, arn string, settings HealthCheckSettings) (TargetGroup, error) {
	var g TargetGroup
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = s.TargetGroup(tx, account, region, arn); err != nil {
			return err
		}
		if g.HealthCheck, err = g.HealthCheck.change(settings, g.TargetType, g.ProtocolVersion); err != nil {
			return err
		}
		s.groups.Put(tx, arn, g)
		return nil
	})
	return g, err
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
