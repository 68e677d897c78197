package elb

import (
	"net/netip"
	"regexp"

	"github.com/fairlead/fairlead/internal/store"
)

// The types of targets that are served.
const (
	targetIP       = "ip"
	targetInstance = "instance"
)

// instanceID is the shape of an instance's id.
var instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,}$`)

// instance finds an instance of the group's account, with the address that the
// group's targets are reached on; zero if it has none.
func (s *Service) instance(r store.Reader, g TargetGroup, id string) (i Instance, at netip.Addr, ok bool) {
	if s.opts.Instances == nil {
		return Instance{}, netip.Addr{}, false
	}
	if i, ok = s.opts.Instances.Instance(r, g.Account, g.Region, id); g.AddressType == "ipv6" {
		return i, i.IPv6, ok
	}
	return i, i.Private, ok
}

func (s *Service) knows(r store.Reader, g TargetGroup, id string) bool {
	_, _, ok := s.instance(r, g, id)
	return ok
}

// located returns the target with address and zone of its instance, which must
// be able to join what is registered.
func (s *Service) located(r store.Reader, g TargetGroup, t Target, regs registrations) (Target, error) {
	i, at, ok := s.instance(r, g, t.InstanceID)
	switch {
	case !ok:
		return t, fail(InvalidTarget, "The following targets are not in a running state and cannot be registered: '%s'", t.InstanceID)
	case i.VPCID != "" && i.VPCID != g.VPCID:
		return t, fail(InvalidTarget, "The following targets are not in the target group VPC '%s': '%s'", g.VPCID, t.InstanceID)
	case !at.IsValid():
		return t, fail(InvalidTarget, "The following targets have no primary IPv6 address, which a target group with the IP address type 'ipv6' needs: '%s'", t.InstanceID)
	}
	t.Addr, t.Zone = at, i.Zone
	// Requests and health go by address. Only one without a VPC can share it with
	// one in the group's; or it was that of an instance which is no more.
	if other, taken := regs.get(t.AddrPort()); taken && other.InstanceID != t.InstanceID && s.running(r, g, other) {
		return t, fail(InvalidTarget, "The target '%s' has the address of '%s', which is registered", t.InstanceID, other.InstanceID)
	}
	return t, s.reachable(t)
}

// running says whether a target can be sent to as it was registered. An instance
// that isn't in the inventory any more, or has another address now, is to its
// registration what a terminated one is.
func (s *Service) running(r store.Reader, g TargetGroup, t Target) bool {
	if t.InstanceID == "" {
		return true
	}
	_, at, ok := s.instance(r, g, t.InstanceID)
	return ok && at == t.Addr
}
