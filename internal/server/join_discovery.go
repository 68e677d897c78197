package server

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
)

// networks is the vpc room as the discovery room needs it.
type networks struct{ vpc *vpc.Service }

func (n networks) Resources(r store.Reader, account, region string, t discovery.Type, from string) iter.Seq[discovery.Resource] {
	return func(yield func(discovery.Resource) bool) {
		switch t {
		case discovery.VPC:
			for _, v := range n.vpc.VPCs(r, account, region, from) {
				if !yieldAll(n.ofVPC(r, v), yield) {
					return
				}
			}
		case discovery.Subnet:
			for _, s := range n.vpc.Subnets(r, account, region, from) {
				if !yieldAll(ofSubnet(s), yield) {
					return
				}
			}
		case discovery.ENI:
			for _, i := range n.vpc.Interfaces(r, account, region, from) {
				if !yieldAll(ofInterface(i), yield) {
					return
				}
			}
		case discovery.EIP:
			for _, a := range n.vpc.Addresses(r, account, region, from) {
				if !yield(ofAddress(a)) {
					return
				}
			}
		}
	}
}

func yieldAll(all []discovery.Resource, yield func(discovery.Resource) bool) bool {
	for _, res := range all {
		if !yield(res) {
			return false
		}
	}
	return true
}

func (n networks) ofVPC(r store.Reader, v vpc.VPC) []discovery.Resource {
	return eachCIDR(v.CIDRs(), func(cidr netip.Prefix) discovery.Resource {
		usage := func() float64 {
			covered := 0.0
			for _, s := range n.vpc.SubnetsOf(r, v.ID) {
				for _, b := range s.CIDRs() {
					if cidr.Contains(b.CIDR.Addr()) {
						covered += share(b.CIDR, cidr)
					}
				}
			}
			return covered
		}
		return discovery.Resource{
			Type: discovery.VPC, ID: v.ID, CIDR: cidr, Account: v.Account, Region: v.Region, VPCID: v.ID, Since: v.Created, Usage: usage,
		}
	})
}

// eachCIDR makes a resource of each of a network's CIDRs, in order of address.
func eachCIDR(blocks []vpc.CIDRBlock, of func(netip.Prefix) discovery.Resource) []discovery.Resource {
	all := make([]discovery.Resource, 0, len(blocks))
	for _, b := range blocks {
		all = append(all, of(b.CIDR))
	}
	slices.SortFunc(all, func(a, b discovery.Resource) int { return a.CIDR.Compare(b.CIDR) })
	return all
}

// share returns how much of a CIDR one inside it is.
func share(inner, outer netip.Prefix) float64 {
	part := 1.0
	for range inner.Bits() - outer.Bits() {
		part /= 2
	}
	return part
}

func ofSubnet(s vpc.Subnet) []discovery.Resource {
	return eachCIDR(s.CIDRs(), func(cidr netip.Prefix) discovery.Resource {
		res := discovery.Resource{
			Type: discovery.Subnet, ID: s.ID, CIDR: cidr, Account: s.Account, Region: s.Region,
			VPCID: s.VPCID, SubnetID: s.ID, Zone: s.Zone, Since: s.Created,
		}
		if cidr.Addr().Is4() { // of IPv6 addresses in use nobody asks (IpamResourceCidr)
			res.Usage = func() float64 { return float64(s.Held) * share(single(cidr.Addr()), cidr) }
		}
		return res
	})
}

func ofInterface(i vpc.Interface) (all []discovery.Resource) {
	addresses := i.Addresses()
	if i.IPv6.Addr.IsValid() {
		addresses = append(addresses, i.IPv6)
	}
	for _, p := range addresses {
		all = append(all, discovery.Resource{
			Type: discovery.ENI, ID: i.ID, CIDR: single(p.Addr), Account: i.Account, Region: i.Region,
			VPCID: i.VPCID, SubnetID: i.SubnetID, Zone: i.Zone, InUse: i.RequesterManaged(), Since: p.Since,
		})
	}
	return all
}

func ofAddress(a vpc.Address) discovery.Resource {
	return discovery.Resource{
		Type: discovery.EIP, ID: a.ID, CIDR: single(a.Public), Account: a.Account, Region: a.Region, VPCID: a.VPCID, Since: a.Created,
	}
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func (n networks) Of(r store.Reader, account, region, id string) []discovery.Resource {
	if v, ok := n.vpc.VPC(r, account, region, id); ok {
		return n.ofVPC(r, v)
	}
	if s, ok := n.vpc.Subnet(r, account, region, id); ok {
		return ofSubnet(s)
	}
	if i, ok := n.vpc.Interface(r, account, region, id); ok {
		return ofInterface(i)
	}
	if a, ok := n.vpc.Address(r, account, region, id); ok {
		return []discovery.Resource{ofAddress(a)}
	}
	return nil
}

func (n networks) At(r store.Reader, account string, a netip.Addr) iter.Seq[discovery.Resource] {
	return func(yield func(discovery.Resource) bool) {
		has := func(res discovery.Resource) bool { return res.CIDR.Contains(a) }
		for _, v := range n.vpc.AllVPCs(r) {
			cidrs := n.ofVPC(r, v)
			if account != "" && v.Account != account || !slices.ContainsFunc(cidrs, has) {
				continue
			}
			if !yieldAll(slices.DeleteFunc(cidrs, func(res discovery.Resource) bool { return !has(res) }), yield) {
				return
			}
			for _, s := range n.vpc.SubnetsOf(r, v.ID) {
				for _, res := range ofSubnet(s) {
					if has(res) && !(yield(res) && n.at(r, s, a, yield)) {
						return
					}
				}
			}
		}
	}
}

// at yields the interface of a subnet's that has an address.
func (n networks) at(r store.Reader, s vpc.Subnet, a netip.Addr, yield func(discovery.Resource) bool) bool {
	for _, i := range n.vpc.InterfacesOf(r, s.ID) {
		for _, res := range ofInterface(i) {
			if res.CIDR.Addr() == a && !yield(res) {
				return false
			}
		}
	}
	return true
}

func (n networks) PublicAddresses(r store.Reader, account, region, from string) iter.Seq[discovery.PublicAddress] {
	return func(yield func(discovery.PublicAddress) bool) {
		for _, a := range n.vpc.Addresses(r, account, region, from) {
			out := discovery.PublicAddress{
				Address: a.Public, ID: a.ID, Account: a.Account, Region: a.Region, PoolID: a.PoolID,
				ServiceManaged: a.ServiceManaged() != "", InterfaceID: a.InterfaceID, VPCID: a.VPCID,
			}
			if i, ok := n.vpc.Interface(r, account, region, a.InterfaceID); ok {
				out.InterfaceDescription, out.SubnetID = i.Description, i.SubnetID
				// An interface of a load balancer's node says whose it is.
				if id, ok := strings.CutPrefix(i.Description, "ELB "); ok && i.RequesterManaged() {
					out.ServiceResource = arn.New("elasticloadbalancing", region, account, "loadbalancer/"+id).String()
				}
				for _, id := range i.SecurityGroups {
					g, _ := n.vpc.SecurityGroup(r, account, region, id)
					out.SecurityGroups = append(out.SecurityGroups, discovery.SecurityGroup{ID: id, Name: g.Name})
				}
			}
			if !yield(out) {
				return
			}
		}
	}
}

func (n networks) Guard(tx *store.Tx, account, region string) { n.vpc.GuardVPCs(tx, account, region) }

func (n networks) Hold(tx *store.Tx, account, region, vpcID string) error {
	return n.vpc.HoldVPC(tx, account, region, vpcID)
}

func (n networks) Changed() string { return n.vpc.VPCsCollection() }

func (n networks) Account(r store.Reader, vpcID string) (string, bool) {
	account, _, ok := n.vpc.OwnerOf(r, vpcID)
	return account, ok
}

var resourceTypes = map[vpc.Kind]discovery.Type{
	vpc.KindVPC: discovery.VPC, vpc.KindSubnet: discovery.Subnet, vpc.KindInterface: discovery.ENI,
}

// ended tells the discovery room what the vpc room ends.
func (r *rooms) ended(tx *store.Tx, e vpc.Ended) error {
	return r.discovery.Ended(tx, discovery.Resource{
		Type: resourceTypes[e.Kind], ID: e.ID, CIDR: e.CIDR, Account: e.Account, Region: e.Region, VPCID: e.VPCID, Since: e.Since,
	}, time.Now())
}

// managers is the ipam room as the discovery room needs it.
type managers struct{ ipam *ipam.Service }

func discoveredIPAM(i ipam.IPAM) discovery.IPAM {
	return discovery.IPAM{
		ID: i.ID, Account: i.Account, Region: i.Region, OperatingRegions: i.OperatingRegions,
		PublicScope: i.PublicScopeID, PrivateScope: i.PrivateScopeID,
		DiscoveryID: i.DiscoveryID, AssociationID: i.DiscoveryAssociationID, Advanced: i.Tier == ipam.Advanced,
	}
}

func (m managers) IPAM(r store.Reader, account, id string) (discovery.IPAM, bool) {
	i, ok := m.ipam.IPAM(r, account, id)
	return discoveredIPAM(i), ok
}

func (m managers) Scope(r store.Reader, account, id string) (discovery.Scope, bool) {
	sc, ok := m.ipam.Scope(r, account, id)
	return discovery.Scope{
		ID: sc.ID, IPAMID: sc.IPAMID, Account: sc.Account, Region: sc.Region,
		Public: sc.Type == ipam.Public, Default: sc.Default,
	}, ok
}

func (m managers) IPAMs(r store.Reader, account string) iter.Seq[discovery.IPAM] {
	return func(yield func(discovery.IPAM) bool) {
		for i := range m.ipam.IPAMsOf(r, account) {
			if !yield(discoveredIPAM(i)) {
				return
			}
		}
	}
}

func (m managers) IPAMIn(r store.Reader, account, region string) (discovery.IPAM, bool) {
	i, ok := m.ipam.IPAMIn(r, account, region)
	return discoveredIPAM(i), ok
}

func (m managers) Held(r store.Snapshot, resourceID string) iter.Seq[discovery.Allocation] {
	return func(yield func(discovery.Allocation) bool) {
		for _, a := range m.ipam.HeldBy(r, resourceID) {
			if !yield(m.allocation(r, a)) {
				return
			}
		}
	}
}

func (m managers) Overlapping(r store.Snapshot, sc discovery.Scope, p netip.Prefix) iter.Seq[discovery.Allocation] {
	return func(yield func(discovery.Allocation) bool) {
		in, _ := m.ipam.Scope(r, sc.Account, sc.ID)
		for a := range m.ipam.Overlapping(r, in, p) {
			if !yield(m.allocation(r, a)) {
				return
			}
		}
	}
}

func (m managers) allocation(r store.Snapshot, a ipam.Allocation) discovery.Allocation {
	p, _ := m.ipam.PoolOf(r, a)
	return discovery.Allocation{
		IPAMID: p.IPAMID, ScopeID: p.ScopeID, PoolID: p.ID, CIDR: a.CIDR, Kind: string(a.Holder.Type), ResourceID: a.Holder.ResourceID,
		Complies: func(region string, tg []tags.Tag) bool { return p.Complies(a.CIDR, region, tg) },
	}
}

func (m managers) Source(r store.Reader, poolID string) discovery.Source {
	p, ok := m.ipam.PoolOf(r, ipam.Allocation{PoolID: poolID})
	if !ok {
		return discovery.NoSource
	}
	return discovery.Source(cmp.Or(string(p.PublicSource), string(discovery.NoSource)))
}

func (m managers) Return(tx *store.Tx, resourceID string, cidr netip.Prefix, ipamID string, now time.Time) error {
	return m.ipam.ReturnHeld(tx, resourceID, cidr, ipamID, now)
}

// watched is the discovery room as the ipam room needs it. It is there before
// the room is, which needs the ipam room first.
type watched struct{ rooms *rooms }

func (w watched) Live(r store.Reader, p ipam.Pool) iter.Seq[ipam.Network] {
	return func(yield func(ipam.Network) bool) {
		in := discovery.Pool{Account: p.Account, IPAMID: p.IPAMID, ScopeID: p.ScopeID, Locale: p.Locale}
		for res := range w.rooms.discovery.Live(r, in) {
			if !yield(ipam.Network{VPCID: res.ID, Account: res.Account, Region: res.Region, CIDR: res.CIDR}) {
				return
			}
		}
	}
}

func (w watched) Hold(tx *store.Tx, n ipam.Network) error {
	return w.rooms.discovery.Hold(tx, n.Account, n.Region, n.VPCID)
}

func (w watched) Collections() []string { return w.rooms.discovery.LiveCollections() }

func (w watched) Account(r store.Reader, k store.Key) (string, bool) {
	return w.rooms.discovery.LiveAccount(r, k)
}

func (w watched) Existing(tx *store.Tx, account, region string) string {
	return w.rooms.discovery.Existing(tx, account, region)
}

func (w watched) Obstacle(r store.Reader, i ipam.IPAM) string {
	if w.rooms.resolvers.Count(r, i.ID) > 0 {
		return "prefix list resolvers"
	}
	return ""
}

func (w watched) Gone(tx *store.Tx, i ipam.IPAM) {
	w.rooms.discovery.Gone(tx, discoveredIPAM(i))
	w.rooms.resolvers.Gone(tx, i.ID)
}
