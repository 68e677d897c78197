package discovery

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Management says whether a CIDR comes from a pool (EC2 IpamManagementState).
type Management string

// The management states.
const (
	Managed   Management = "managed"
	Unmanaged Management = "unmanaged"
	Ignored   Management = "ignored" // by its owner's wish
)

// Compliance says whether a CIDR keeps to its pool's rules (EC2 IpamComplianceStatus).
type Compliance string

// The compliance states beside Unmanaged and Ignored, which are as above.
const (
	Compliant    Compliance = "compliant"
	Noncompliant Compliance = "noncompliant"
)

// Overlap says whether a CIDR shares addresses with others of its scope (EC2
// IpamOverlapStatus).
type Overlap string

// The overlap states.
const (
	Overlapping    Overlap = "overlapping"
	Nonoverlapping Overlap = "nonoverlapping"
	OverlapIgnored Overlap = "ignored"
)

// ResourceCIDR is what an IPAM makes of a resource's CIDR.
type ResourceCIDR struct {
	Resource
	Tags            []tags.Tag
	IPAMID, ScopeID string
	PoolID          string     // "": none of the IPAM's
	Management      Management // "" for what IPAMs only watch, as subnets that no pool gave
	Compliance      Compliance // likewise
	Overlap         Overlap
}

// Name returns the value of the tag "Name".
func (c ResourceCIDR) Name() string { return nameOf(c.Tags) }

func nameOf(tg []tags.Tag) string {
	for _, t := range tg {
		if t.Key == "Name" {
			return t.Value
		}
	}
	return ""
}

// View is what an IPAM sees at one moment. It costs the number of the account's
// VPCs, once, and then what it is asked for.
type View struct {
	s       *Service
	r       store.Snapshot
	ipam    IPAM
	regions []string             // watched, sorted
	placed  map[string][]*placed // by VPC
	scopes  map[string]cidrSet   // the VPCs' CIDRs by scope, but for ignored ones
}

// placed is a CIDR of a VPC with where it belongs.
type placed struct {
	Resource
	scopeID string
	held    *Allocation // nil: no pool of the IPAM's
	chosen  placement   // zero: nothing
	alone   *bool       // nothing is allocated in it but for itself; nil: not looked at
}

// View returns what an IPAM sees.
func (s *Service) View(r store.Snapshot, i IPAM) *View {
	v := &View{s: s, r: r, ipam: i, regions: s.regionsOf(r, i), placed: map[string][]*placed{}, scopes: map[string]cidrSet{}}
	members := map[string][]member{}
	for _, region := range v.regions {
		for res := range s.opts.Networks.Resources(r, i.Account, region, VPC, "") {
			p := s.place(r, i, res)
			v.placed[res.ID] = append(v.placed[res.ID], &p)
			if !p.chosen.Ignored {
				members[p.scopeID] = append(members[p.scopeID], member{res.CIDR, res.ID})
			}
		}
	}
	for scope, m := range members {
		v.scopes[scope] = newCIDRSet(m)
	}
	return v
}

// ViewOf returns the view of a scope's IPAM, for an account and the home region
// of the IPAM.
func (s *Service) ViewOf(r store.Snapshot, account, region, scopeID string) (*View, Scope, error) {
	sc, err := s.ScopeIn(r, account, region, scopeID)
	if err != nil {
		return nil, sc, err
	}
	i, _ := s.opts.Managers.IPAM(r, account, sc.IPAMID)
	return s.View(r, i), sc, nil
}

// ScopeIn returns a scope of an account's, which calls name in the home region of
// its IPAM.
func (s *Service) ScopeIn(r store.Reader, account, region, id string) (Scope, error) {
	sc, ok := s.opts.Managers.Scope(r, account, id)
	if !ok || sc.Region != region {
		return sc, &NotFoundError{NounScope, id}
	}
	return sc, nil
}

// watches says whether the IPAM looks into a region.
func (v *View) watches(region string) bool { return slices.Contains(v.regions, region) }

// place finds where a CIDR of a VPC's belongs in an IPAM.
func (s *Service) place(r store.Snapshot, i IPAM, res Resource) placed {
	p := placed{Resource: res}
	p.chosen, _ = s.placements.Get(r, placementKey(i.ID, res.ID, res.CIDR))
	if p.held = s.heldIn(r, i, res); p.held != nil {
		p.scopeID = p.held.ScopeID
		return p
	}
	if p.scopeID = p.chosen.ScopeID; p.scopeID != "" {
		// A scope that has been deleted since holds nothing.
		if _, ok := s.opts.Managers.Scope(r, i.Account, p.scopeID); ok {
			return p
		}
	}
	p.scopeID = i.defaultScope(res)
	return p
}

// heldIn returns what an IPAM's pools have allocated for exactly the CIDR of a
// resource.
func (s *Service) heldIn(r store.Snapshot, i IPAM, res Resource) *Allocation {
	for a := range s.opts.Pools.Held(r, res.ID) {
		if a.IPAMID == i.ID && a.CIDR == res.CIDR {
			return &a
		}
	}
	return nil
}

// globalUnicast are the IPv6 addresses that belong to the internet (RFC 4291 §2.4).
var globalUnicast = netip.MustParsePrefix("2000::/3")

func (i IPAM) defaultScope(res Resource) string {
	if res.Type == EIP || globalUnicast.Contains(res.CIDR.Addr()) {
		return i.PublicScope
	}
	return i.PrivateScope
}

// home returns the CIDR of its VPC that a subnet or an interface lies in.
func (v *View) home(res Resource) (*placed, bool) {
	if res.Type == EIP {
		return nil, false // though a VPC may have the same addresses for its own
	}
	for _, p := range v.placed[res.VPCID] {
		if p.CIDR.Bits() <= res.CIDR.Bits() && p.CIDR.Contains(res.CIDR.Addr()) {
			return p, true
		}
	}
	return nil, false
}

// scopeOf returns the scope of a resource's CIDR, and the CIDR of its VPC that
// it is in for, nil if that has no say. ignored is its owner's wish.
func (v *View) scopeOf(res Resource) (scopeID string, at *placed, ignored bool) {
	if at, ok := v.home(res); ok {
		return at.scopeID, at, at.chosen.Ignored
	}
	return v.ipam.defaultScope(res), nil, false
}

// In yields the CIDRs of a type of resource that are in a scope, but for ignored
// ones. Nothing is judged: they have their tags and scope, and no more.
func (v *View) In(scopeID string, t Type) iter.Seq[ResourceCIDR] {
	return func(yield func(ResourceCIDR) bool) {
		for _, res := range v.s.walk(v.r, v.ipam.Account, v.regions, []Type{t}, "") {
			in, _, ignored := v.scopeOf(res)
			if in != scopeID || ignored {
				continue
			}
			c := ResourceCIDR{Resource: res, IPAMID: v.ipam.ID, ScopeID: in, Tags: v.s.tags.Of(v.r, res.ID)}
			if !yield(c) {
				return
			}
		}
	}
}

// Judge says what the IPAM makes of a resource's CIDR.
func (v *View) Judge(res Resource) ResourceCIDR {
	c := ResourceCIDR{Resource: res, IPAMID: v.ipam.ID, Tags: v.s.tags.Of(v.r, res.ID)}
	held := v.s.heldIn(v.r, v.ipam, res)
	if held != nil {
		c.PoolID = held.PoolID
	}
	scopeID, at, ignored := v.scopeOf(res)
	c.ScopeID = scopeID
	c.Management, c.Compliance = v.state(res, held, ignored, c.Tags)
	switch {
	case ignored:
		c.Overlap = OverlapIgnored
	case v.overlaps(c, at):
		c.Overlap = Overlapping
	default:
		c.Overlap = Nonoverlapping
	}
	return c
}

// state returns management and compliance of a CIDR.
func (v *View) state(res Resource, held *Allocation, ignored bool, tg []tags.Tag) (Management, Compliance) {
	manageable := res.Type == VPC || res.Type == EIP
	switch {
	case held != nil && held.Complies(res.Region, tg):
		return Managed, Compliant
	case held != nil:
		return Managed, Noncompliant
	case !manageable:
		return "", ""
	case ignored:
		return Ignored, Compliance(Ignored)
	}
	return Unmanaged, Compliance(Unmanaged)
}

// overlaps says whether a CIDR, which lies in one of a VPC's if at isn't nil,
// shares an address with what isn't its own.
func (v *View) overlaps(c ResourceCIDR, at *placed) bool {
	if v.scopes[c.ScopeID].overlaps(c.CIDR, c.VPCID) {
		return true
	}
	if at == nil {
		return v.allocatedTo(c, c.CIDR)
	}
	// Where a VPC's CIDR meets no allocation none of its many subnets does.
	if at.alone == nil {
		at.alone = new(!v.allocatedTo(c, at.CIDR))
	}
	return !*at.alone && v.allocatedTo(c, c.CIDR)
}

// allocatedTo says whether a part of a CIDR is allocated in the scope to others
// than c and its VPC.
func (v *View) allocatedTo(c ResourceCIDR, p netip.Prefix) bool {
	sc, _ := v.s.opts.Managers.Scope(v.r, v.ipam.Account, c.ScopeID)
	for a := range v.s.opts.Pools.Overlapping(v.r, sc, p) {
		// A subnet's allocation lies in its VPC, whose CIDR counts for it.
		own := a.ResourceID != "" && (a.ResourceID == c.ID || a.ResourceID == c.VPCID)
		if !own && a.Kind != string(Subnet) {
			return true
		}
	}
	return false
}

// typesOf are what may be in a scope, in the order of a view.
func typesOf(sc Scope) []Type {
	if sc.Public {
		return []Type{EIP, Subnet, VPC}
	}
	return []Type{Subnet, VPC}
}

// Query narrows Page.
type Query struct {
	Scope      Scope
	ResourceID string // "": any
	Type       Type   // "": any
	Match      func(ResourceCIDR) bool
}

// maxLooks is how many resources Page looks at for one page, so that one that
// finds few costs no more than one that finds many.
const maxLooks = 20_000

// Page returns up to limit of a scope's resource CIDRs, by region, type, id and
// CIDR, beginning with a key. next is the key that the following page begins
// with, "" for none; a page may be short, and even empty, and have a next one.
func (v *View) Page(q Query, limit int, from string) (items []ResourceCIDR, next string) {
	items = []ResourceCIDR{}
	looks := 0
	for key, res := range v.resources(q, from) {
		if len(items) == limit || looks == maxLooks {
			return items, key
		}
		looks++
		if c := v.Judge(res); c.ScopeID == q.Scope.ID && (q.Match == nil || q.Match(c)) {
			items = append(items, c)
		}
	}
	return items, ""
}

func (v *View) resources(q Query, from string) iter.Seq2[string, Resource] {
	types := slices.DeleteFunc(typesOf(q.Scope), func(t Type) bool { return q.Type != "" && t != q.Type })
	if q.ResourceID == "" {
		return v.s.walk(v.r, v.ipam.Account, v.regions, types, from)
	}
	return func(yield func(string, Resource) bool) {
		for _, region := range v.regions {
			for _, res := range v.s.opts.Networks.Of(v.r, v.ipam.Account, region, q.ResourceID) {
				key := resourceKey(res)
				if key >= from && slices.Contains(types, res.Type) && !yield(key, res) {
					return
				}
			}
		}
	}
}

// resourceKey orders resources by region, type, id and CIDR. None of the first
// three has a space in it.
func resourceKey(res Resource) string {
	return res.Region + " " + string(res.Type) + " " + res.ID + " " + cidrOrder(res.CIDR)
}

// cidrOrder writes a CIDR so that the order of the text is that of the CIDRs.
func cidrOrder(p netip.Prefix) string {
	return fmt.Sprintf("%03d/%x/%03d", p.Addr().BitLen(), p.Addr().AsSlice(), p.Bits())
}

// walk yields an account's resources of the types in the regions, each sorted,
// from a key on.
func (s *Service) walk(r store.Snapshot, account string, regions []string, types []Type, from string) iter.Seq2[string, Resource] {
	at, rest, _ := strings.Cut(from, " ")
	atType, rest, _ := strings.Cut(rest, " ")
	atID, _, _ := strings.Cut(rest, " ")
	return func(yield func(string, Resource) bool) {
		for _, region := range regions {
			for _, t := range types {
				if region < at || region == at && string(t) < atType {
					continue
				}
				first := ""
				if region == at && string(t) == atType {
					first = atID
				}
				for res := range s.opts.Networks.Resources(r, account, region, t, first) {
					if key := resourceKey(res); key >= from && !yield(key, res) {
						return
					}
				}
			}
		}
	}
}
