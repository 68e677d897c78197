package discovery

import "net/netip"

// The set of overlap.go, for the test against its slow twin.
type Member = member

func NewMember(p netip.Prefix, vpcID string) Member { return member{p, vpcID} }
func (m member) CIDR() netip.Prefix                 { return m.cidr }
func (m member) VPC() string                        { return m.vpcID }

var NewCIDRSet = newCIDRSet

func (s cidrSet) Overlaps(p netip.Prefix, but string) bool { return s.overlaps(p, but) }

// AddressTypeOf is addressType.
var AddressTypeOf = addressType
