package vpc

import (
	"net/netip"
	"strconv"
	"strings"
)

// Rule allows one kind of traffic with one peer, in normal form: two rules
// allow the same exactly if they are equal but for ID and Description.
type Rule struct {
	ID     string // "sgr-…"
	Egress bool   // to the peer, not from it

	Protocol         string // "tcp", "udp", "icmp", "icmpv6", another's number, or AllProtocols
	FromPort, ToPort int32  // tcp, udp: 0 to 65535; icmp, icmpv6: type and code, -1 for any; others: -1

	// The peer, one of:
	CIDR    netip.Prefix // masked
	GroupID string       // the interfaces of a security group

	// PrefixListID is a list of CIDRs, as many of which it counts for as the
	// list may have.
	PrefixListID string `json:",omitempty"`

	Description string
}

// AllProtocols is the protocol of a rule that allows every one, on every port.
const AllProtocols = "-1"

var (
	anyIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	anyIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// traffic returns the rule without what doesn't change its effect.
func (r Rule) traffic() Rule {
	r.ID, r.Description = "", ""
	return r
}

// peerName names the rule's peer, as its fault messages do.
func (r Rule) peerName() string {
	switch {
	case r.GroupID != "":
		return r.GroupID
	case r.PrefixListID != "":
		return r.PrefixListID
	}
	return r.CIDR.String()
}

func (r Rule) String() string {
	s := "peer: " + r.peerName() + ", "
	switch {
	case r.Protocol == AllProtocols:
		s += "ALL"
	case r.hasPorts():
		s += strings.ToUpper(r.Protocol) + ", from port: " + strconv.Itoa(int(r.FromPort)) + ", to port: " + strconv.Itoa(int(r.ToPort))
	default:
		s += strings.ToUpper(r.Protocol) + ", type: " + strconv.Itoa(int(r.FromPort)) + ", code: " + strconv.Itoa(int(r.ToPort))
	}
	return s + ", ALLOW"
}

func (r Rule) hasPorts() bool { return r.Protocol == "tcp" || r.Protocol == "udp" }
func (r Rule) isICMP() bool   { return r.Protocol == "icmp" || r.Protocol == "icmpv6" }

// allRule completes a rule of a new group that allows every protocol.
func allRule(groupID string, r Rule) Rule {
	r.Protocol, r.FromPort, r.ToPort = AllProtocols, -1, -1
	r.ID = derived("sgr", groupID, strconv.FormatBool(r.Egress), r.String())
	return r
}

// protocols that have names, by number (IANA, Protocol Numbers).
var protocols = map[int]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}

// normalise puts what a caller wrote into normal form. from and to are nil
// where the caller said nothing.
func (r *Rule) normalise(protocol string, from, to *int32) error {
	r.CIDR = r.CIDR.Masked()
	p := strings.ToLower(protocol)
	if p == "all" {
		p = AllProtocols
	}
	if n, err := strconv.Atoi(p); err == nil && p != AllProtocols {
		if n < 0 || n > 255 {
			return fail(InvalidValue, KindSecurityRule, "Invalid value '%s' for IP protocol. Unknown protocol.", protocol)
		}
		p = strconv.Itoa(n)
		if name, ok := protocols[n]; ok {
			p = name
		}
	} else if err != nil && p != "tcp" && p != "udp" && p != "icmp" && p != "icmpv6" {
		return fail(InvalidValue, KindSecurityRule, "Invalid value '%s' for IP protocol. Unknown protocol.", protocol)
	}
	r.Protocol, r.FromPort, r.ToPort = p, -1, -1
	switch {
	case r.hasPorts():
		if from == nil || to == nil {
			return fail(InvalidValue, KindSecurityRule, "Invalid value 'null' for portRange. Must specify both from and to ports with TCP/UDP.")
		}
		for _, port := range []int32{*from, *to} {
			if port < 0 || port > 65535 {
				return fail(InvalidValue, KindSecurityRule, "TCP/UDP port (%d) out of range", port)
			}
		}
		if *from > *to {
			return fail(InvalidValue, KindSecurityRule, "Invalid TCP/UDP port range (%d:%d)", *from, *to)
		}
		r.FromPort, r.ToPort = *from, *to
	case r.isICMP():
		change(&r.FromPort, from)
		change(&r.ToPort, to)
		if r.FromPort < -1 || r.FromPort > 255 || r.ToPort < -1 || r.ToPort > 255 {
			return fail(InvalidValue, KindSecurityRule, "ICMP type and code must be between -1 and 255.")
		}
		if r.FromPort == -1 && r.ToPort != -1 {
			return fail(InvalidValue, KindSecurityRule, "ICMP code (%d) must be -1 where the type is.", r.ToPort)
		}
	}
	return nil
}

// NewRule returns the normal form of a rule: the given direction, peer and
// description, with the protocol and ports as callers write them (EC2
// IpPermission), from and to being nil where nothing was said.
func NewRule(r Rule, protocol string, from, to *int32) (Rule, error) {
	err := r.normalise(protocol, from, to)
	return r, err
}
