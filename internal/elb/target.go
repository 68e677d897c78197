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

// targetsPerTxn bounds one transaction of RegisterTargets and DeregisterTargets.
const targetsPerTxn = 100

// RegisterTargets adds targets. One that is registered stays as it is; one that
// drains is registered again.
func (s *Service) RegisterTargets(ctx context.Context, account, region, group string, targets []TargetDescription) error {
	g, err := s.TargetGroup(s.store.Snapshot(), account, region, group)
	if err != nil {
		return err
	}
	records := make([]Target, 0, len(targets))
	for _, t := range targets {
		rec, err := s.target(g, t)
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	for chunk := range slices.Chunk(records, targetsPerTxn) {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			g, err := s.TargetGroup(tx, account, region, group)
			if err != nil {
				return err
			}
			n := s.targetsByGroup.Count(tx, group)
			for _, t := range chunk {
				key := targetKey(group, netip.AddrPortFrom(t.Addr, t.Port))
				if old, ok := s.targets.Get(tx, key); !ok {
					n++
				} else if old.DrainUntil.IsZero() && old.Zone == t.Zone {
					continue
				}
				s.targets.Put(tx, key, t)
			}
			if n > s.opts.Quotas.TargetsPerGroup {
				return fail(TooManyTargets, "A target group can have %d targets at most", s.opts.Quotas.TargetsPerGroup)
			}
			s.groups.Put(tx, group, g) // so that a deletion of the group, and another registration, conflict
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeregisterTargets takes targets out. They finish what they have for the
// group's deregistration delay, if anything forwards to the group. Unknown ones
// are no error.
func (s *Service) DeregisterTargets(ctx context.Context, account, region, group string, targets []TargetDescription, now time.Time) error {
	for chunk := range slices.Chunk(targets, targetsPerTxn) {
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			g, err := s.TargetGroup(tx, account, region, group)
			if err != nil {
				return err
			}
			inUse := len(s.balancersOfGroup(tx, group)) > 0
			for _, d := range chunk {
				t, err := s.target(g, d)
				if err != nil {
					return err
				}
				key := targetKey(group, netip.AddrPortFrom(t.Addr, t.Port))
				old, ok := s.targets.Get(tx, key)
				switch {
				case !ok || !old.DrainUntil.IsZero():
				case inUse:
					old.DrainUntil = now.Add(g.DeregistrationDelay())
					s.targets.Put(tx, key, old)
				default:
					s.targets.Delete(tx, key)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	return Target{TargetGroupARN: g.ARN, Addr: addr, Port: port, Zone: d.Zone}, nil
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
	inUse := len(s.balancersOfGroup(r, group)) > 0
	var health []TargetHealth
	if only == nil {
		for _, t := range s.targetsByGroup.Each(r, group) {
			health = append(health, s.healthOf(g, t, inUse))
		}
		return health, nil
	}
	for _, d := range only {
		want, err := s.target(g, d)
		if err != nil {
			return nil, err
		}
		t, ok := s.targets.Get(r, targetKey(group, netip.AddrPortFrom(want.Addr, want.Port)))
		if !ok {
			health = append(health, TargetHealth{Target: want, HealthCheckPort: healthPort(g, want), State: "unused",
				Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"})
			continue
		}
		health = append(health, s.healthOf(g, t, inUse))
	}
	return health, nil
}

func (s *Service) healthOf(g TargetGroup, t Target, inUse bool) TargetHealth {
	h := TargetHealth{Target: t, HealthCheckPort: healthPort(g, t)}
	if !inUse {
		h.State, h.Reason, h.Description = "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
		return h
	}
	if !t.DrainUntil.IsZero() {
		h.State, h.Reason, h.Description = string(snapshot.TargetDraining), "Target.DeregistrationInProgress", "Target deregistration is in progress"
		return h
	}
	seen, ok := s.health.target(t)
	if !ok {
		h.State, h.Reason, h.Description = string(snapshot.TargetInitial), "Elb.RegistrationInProgress", "Target registration is in progress"
		return h
	}
	h.State, h.Reason, h.Description = string(seen.State), seen.Reason, seen.Description
	return h
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
