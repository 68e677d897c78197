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
	ID   string // an IP address, or an instance's id
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
			t, err := s.named(g, d)
			if err == nil && t.Zone == anyZone && g.zoneOnly() {
				err = fail(InvalidConfiguration, "Targets with the Availability Zone 'all' can't be registered with a target group that has cross-zone load balancing turned off")
			}
			if err == nil && t.InstanceID != "" {
				// A thousand reads would be too many guards; an instance that goes
				// meanwhile is found gone whenever it is looked for.
				t, err = s.located(tx.Snapshot(), g, t, regs)
			}
			if err != nil {
				return err
			}
			was, ok := regs.of(t)
			if ok && was == t {
				continue
			}
			if ok { // an instance's address may be another one
				regs.remove(func(o Target) bool { return o == was })
			}
			regs.put(t)
			changed = true
		}
		if !changed {
			return nil
		}
		if len(regs.Targets) > len(old.Targets) {
			if err := s.checkMoreTargets(tx, group, regs); err != nil {
				return err
			}
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
			want, err := s.named(g, d)
			if err != nil {
				return err
			}
			t, ok := regs.of(want)
			switch {
			case !ok || !t.DrainUntil.IsZero():
				continue
			case inUse && s.running(tx.Snapshot(), g, t):
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

// named returns the target that a caller names; an instance's address is not
// looked for.
func (s *Service) named(g TargetGroup, d TargetDescription) (Target, error) {
	if d.Port < 0 || d.Port > 65535 {
		return Target{}, fail(Invalid, "Target port '%d' must be between '1-65535' inclusive", d.Port)
	}
	t := Target{Port: uint16(d.Port), Zone: d.Zone}
	if t.Port == 0 {
		t.Port = g.Port
	}
	if g.TargetType == targetInstance {
		switch {
		case !instanceID.MatchString(d.ID):
			return Target{}, fail(Invalid, "Instance ID '%s' is not valid", d.ID)
		case d.Zone != "":
			return Target{}, fail(Invalid, "An Availability Zone cannot be specified for targets of target groups with target type 'instance'")
		}
		t.InstanceID = d.ID
		return t, nil
	}
	addr, err := netip.ParseAddr(d.ID)
	if err != nil || addr.Zone() != "" {
		addr = netip.Addr{}
	}
	if t.Addr = addr.Unmap(); !g.family(t.Addr) {
		return Target{}, fail(Invalid, "The IP address '%s' is not a valid %s address", d.ID, map[string]string{"ipv4": "IPv4", "ipv6": "IPv6"}[g.AddressType])
	}
	return t, s.reachable(t)
}

// family says whether an address is of the kind that the group's targets have.
func (g TargetGroup) family(a netip.Addr) bool {
	if g.AddressType == "ipv6" {
		return a.Is6()
	}
	return a.Is4()
}

// reachable refuses a target whose address no node could send to.
func (s *Service) reachable(t Target) error {
	switch a := t.Addr; {
	case a.IsLoopback() && !s.opts.AllowLoopbackTargets:
		return fail(InvalidTarget, "The IP address '%s' is a loopback address; targets must be reachable from every node", a)
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fail(InvalidTarget, "The IP address '%s' cannot be a target", a)
	}
	return nil
}

// TargetHealth is one target with what is known of its health.
type TargetHealth struct {
	Target          Target
	HealthCheckPort string
	State           string // ELBv2 TargetHealthStateEnum
	Reason          string
	Description     string

	// Of requests, as the host that carries them finds.
	Anomalous bool // they fail markedly more often than at other targets
	Mitigated bool // the target gets fewer for it
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
			health = append(health, s.healthOf(r, g, t, inUse, zones))
		}
		return health, nil
	}
	for _, d := range only {
		want, err := s.named(g, d)
		if err != nil {
			return nil, err
		}
		t, ok := regs.of(want)
		if !ok && want.InstanceID != "" && !s.knows(r, g, want.InstanceID) {
			return nil, fail(InvalidTarget, "The following targets are not in the inventory of instances: '%s'", want.InstanceID)
		}
		if !ok {
			health = append(health, TargetHealth{Target: want, HealthCheckPort: healthPort(g, want), State: "unused",
				Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"})
			continue
		}
		health = append(health, s.healthOf(r, g, t, inUse, zones))
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
const anyZone = snapshot.AnyZone

func (s *Service) healthOf(r store.Reader, g TargetGroup, t Target, inUse bool, zones []string) TargetHealth {
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
	case !s.running(r, g, t):
		return is("unused", "Target.InvalidState", "Target is in the terminated state")
	case !t.DrainUntil.IsZero():
		return is(snapshot.TargetDraining, "Target.DeregistrationInProgress", "Target deregistration is in progress")
	}
	seen, ok := s.health.target(g.ARN, t.AddrPort())
	if !ok || seen.State == snapshot.TargetDraining { // of its registration before, which its host hasn't got over yet
		return is(snapshot.TargetInitial, "Elb.RegistrationInProgress", "Target registration is in progress")
	}
	h.Anomalous, h.Mitigated = seen.Anomalous, seen.Mitigated
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
