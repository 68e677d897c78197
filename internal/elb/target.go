package elb

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// TargetDescription names a target, as callers do.
type TargetDescription struct {
	ID   string // an IP address
	Port int    // 0: the target group's
	Zone string // "", "all", or a zone
}

// RegisterTargets adds targets, all or none. One that is registered stays as it
// is; one that drains is registered again.
func (s *Service) RegisterTargets(ctx context.Context, account, region, group string, targets []TargetDescription) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		g, err := s.TargetGroup(tx, account, region, group)
		if err != nil {
			return err
		}
		old, _ := s.targets.Get(tx, group)
		regs, changed := old.clone(), false
		for _, d := range targets {
			t, err := s.target(g, d)
			if err != nil {
				return err
			}
			if was, ok := regs.get(t.AddrPort()); !ok || was != t {
				regs.put(t)
				changed = true
			}
		}
		switch {
		case !changed:
			return nil
		case len(regs.Targets) > len(old.Targets) && len(regs.Targets) > s.opts.Quotas.TargetsPerGroup:
			return fail(TooManyTargets, "A target group can have %d targets at most", s.opts.Quotas.TargetsPerGroup)
		}
		s.targets.Put(tx, group, regs)
		return nil
	})
}

// DeregisterTargets takes targets out, all or none. They finish what they have
// for the group's deregistration delay, if anything forwards to the group.
// Unknown ones are no error.
func (s *Service) DeregisterTargets(ctx context.Context, account, region, group string, targets []TargetDescription, now time.Time) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		g, err := s.TargetGroup(tx, account, region, group)
		if err != nil {
			return err
		}
		inUse := len(s.balancersOfGroup(tx, group)) > 0
		old, _ := s.targets.Get(tx, group)
		regs, changed := old.clone(), false
		for _, d := range targets {
			want, err := s.target(g, d)
			if err != nil {
				return err
			}
			t, ok := regs.get(want.AddrPort())
			switch {
			case !ok || !t.DrainUntil.IsZero():
				continue
			case inUse:
				t.DrainUntil = now.Add(g.DeregistrationDelay())
				regs.put(t)
			default:
				regs.remove(func(o Target) bool { return o == t })
			}
			changed = true
		}
		if changed {
			s.targets.Put(tx, group, regs)
		}
		return nil
	})
}

func (s *Service) target(g TargetGroup, d TargetDescription) (Target, error) {
	addr, err := netip.ParseAddr(d.ID)
	if err != nil || addr.Zone() != "" {
		return Target{}, fail(Invalid, "The IP address '%s' is not a valid IPv4 address", d.ID)
	}
	addr = addr.Unmap()
	switch {
	case !addr.Is4():
		return Target{}, fail(Invalid, "The IP address '%s' is not a valid IPv4 address", d.ID)
	case addr.IsLoopback() && !s.opts.AllowLoopbackTargets:
		return Target{}, fail(InvalidTarget, "The IP address '%s' is a loopback address; targets must be reachable from every node", d.ID)
	case addr.IsUnspecified(), addr.IsMulticast(), addr.IsLinkLocalUnicast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return Target{}, fail(InvalidTarget, "The IP address '%s' cannot be a target", d.ID)
	case d.Port < 0 || d.Port > 65535:
		return Target{}, fail(Invalid, "Target port '%d' must be between '1-65535' inclusive", d.Port)
	}
	port := uint16(d.Port)
	if port == 0 {
		port = g.Port
	}
	return Target{Addr: addr, Port: port, Zone: d.Zone}, nil
}

// TargetHealth is one target with what is known of its health.
type TargetHealth struct {
	Target          Target
	HealthCheckPort string
	State           string // ELBv2 TargetHealthStateEnum
	Reason          string
	Description     string
}

// TargetHealth returns the health of the targets named, or of all that are
// registered or drain.
func (s *Service) TargetHealth(r store.Reader, account, region, group string, only []TargetDescription) ([]TargetHealth, error) {
	g, err := s.TargetGroup(r, account, region, group)
	if err != nil {
		return nil, err
	}
	zones, inUse := s.zonesOf(r, group)
	regs, _ := s.targets.Get(r, group)
	health := make([]TargetHealth, 0, len(regs.Targets))
	if only == nil {
		for _, t := range regs.Targets {
			health = append(health, s.healthOf(g, t, inUse, zones))
		}
		return health, nil
	}
	for _, d := range only {
		want, err := s.target(g, d)
		if err != nil {
			return nil, err
		}
		t, ok := regs.get(want.AddrPort())
		if !ok {
			health = append(health, TargetHealth{Target: want, HealthCheckPort: healthPort(g, want), State: "unused",
				Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"})
			continue
		}
		health = append(health, s.healthOf(g, t, inUse, zones))
	}
	return health, nil
}

// zonesOf returns the zones of the load balancers that forward to the group;
// false if none does.
func (s *Service) zonesOf(r store.Reader, group string) (zones []string, inUse bool) {
	for _, arn := range s.balancersOfGroup(r, group) {
		b, _ := s.balancers.Get(r, arn)
		for _, z := range b.Zones {
			zones = append(zones, z.Zone)
		}
		inUse = true
	}
	return zones, inUse
}

// enabled says whether load balancers in the zones send requests to the target.
func (t Target) enabled(zones []string) bool {
	return t.Zone == "" || t.Zone == anyZone || slices.Contains(zones, t.Zone)
}

// anyZone is a target's zone that stands for all.
const anyZone = "all"

func (s *Service) healthOf(g TargetGroup, t Target, inUse bool, zones []string) TargetHealth {
	h := TargetHealth{Target: t, HealthCheckPort: healthPort(g, t)}
	is := func(state snapshot.TargetState, reason, description string) TargetHealth {
		h.State, h.Reason, h.Description = string(state), reason, description
		return h
	}
	switch {
	case !inUse:
		return is("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
	case !t.enabled(zones):
		return is("unused", "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer")
	case !t.DrainUntil.IsZero():
		return is(snapshot.TargetDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress")
	}
	seen, ok := s.health.target(g.ARN, t.AddrPort())
	if !ok || seen.State == snapshot.TargetDraining { // of its registration before, which its host hasn't got over yet
		return is(snapshot.TargetInitial, "Elb.RegistrationInProgress", "Target registration is in progress")
	}
	return is(seen.State, seen.Reason, seen.Description)
}

func healthPort(g TargetGroup, t Target) string {
	if g.HealthCheck.Port != 0 {
		return strconv.Itoa(int(g.HealthCheck.Port))
	}
	return strconv.Itoa(int(t.Port))
}

// DeregistrationDelay returns how long a deregistered target finishes its requests.
func (g TargetGroup) DeregistrationDelay() time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(g.Attributes["deregistration_delay.timeout_seconds"]))
	if err != nil {
		return 300 * time.Second
	}
	return time.Duration(n) * time.Second
}
