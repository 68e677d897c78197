package server

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

// shown is what the tenant's pool and DescribeAddresses say is held.
func (p *pair) shown(t testing.TB) (addresses []shapes.Address, held []string) {
	t.Helper()
	var out shapes.DescribeAddressesOutput
	p.must(t, "DescribeAddresses", &shapes.DescribeAddressesInput{}, &out)
	var blocks shapes.GetIpamPoolAllocationsOutput
	p.must(t, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: &p.pool}, &blocks)
	for _, b := range blocks.IpamPoolAllocations {
		held = append(held, strings.TrimSuffix(*b.Cidr, "/32"))
	}
	return out.Addresses, held
}

// I1, I2, I3: two servers are asked at once for more than there is, and then to
// give everything back.
func TestServersAllocateAddressesAtOnce(t *testing.T) {
	for _, c := range []struct {
		name     string
		fromPool bool
		want     int
		refusal  string
	}{
		{"from a pool of eight", true, 8, "InsufficientAddressCapacity"},
		{"from the provider's, of which an account has five", false, 5, "AddressLimitExceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, 0)
			in := &shapes.AllocateAddressInput{}
			if c.fromPool {
				in.IpamPoolId = &p.pool
			}
			for round := range 2 { // the second finds everything given back
				var mu sync.Mutex // guards the following
				var got []shapes.AllocateAddressOutput
				var callers sync.WaitGroup
				for n := range 32 {
					callers.Go(func() {
						var out shapes.AllocateAddressOutput
						code, err := p.call(n%2, "AllocateAddress", in, &out)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil:
							got = append(got, out)
						case code != c.refusal:
							t.Errorf("got %v, want %s", err, c.refusal)
						}
					})
				}
				callers.Wait()
				var public []netip.Addr
				for _, a := range got {
					public = append(public, netip.MustParseAddr(*a.PublicIp))
				}
				slices.SortFunc(public, netip.Addr.Compare)
				if len(public) != c.want {
					t.Fatalf("round %d: %d were allocated, want %d", round, len(public), c.want)
				}
				for n := range public[1:] {
					if public[n+1] != public[n].Next() {
						t.Errorf("round %d: got %v, want the lowest, each once", round, public)
						break
					}
				}
				addresses, held := p.shown(t)
				if len(addresses) != c.want || c.fromPool && len(held) != c.want {
					t.Errorf("round %d: %d addresses are shown, the pool has given %d, want %d", round, len(addresses), len(held), c.want)
				}
				for n, a := range got { // twice each, of which one is refused
					for server := range 2 {
						callers.Go(func() {
							code, err := p.call((n+server)%2, "ReleaseAddress", &shapes.ReleaseAddressInput{AllocationId: a.AllocationId}, nil)
							if err != nil && code != "InvalidAllocationID.NotFound" {
								t.Error(err)
							}
						})
					}
				}
				callers.Wait()
				if addresses, held := p.shown(t); len(addresses)+len(held) > 0 {
					t.Errorf("round %d: %d addresses are left, and the pool holds %v; want nothing (I2)", round, len(addresses), held)
				}
			}
		})
	}
}

// An address may be had back while it cools, by itself.
func TestAReleasedAddressIsRecovered(t *testing.T) {
	p := newPair(t, time.Minute)
	var first, second, again shapes.AllocateAddressOutput
	p.must(t, "AllocateAddress", &shapes.AllocateAddressInput{}, &first)
	p.must(t, "ReleaseAddress", &shapes.ReleaseAddressInput{AllocationId: first.AllocationId}, nil)
	p.must(t, "AllocateAddress", &shapes.AllocateAddressInput{}, &second)
	if *second.PublicIp == *first.PublicIp {
		t.Errorf("%s was allocated again while it cools (I3)", *first.PublicIp)
	}
	p.must(t, "AllocateAddress", &shapes.AllocateAddressInput{Address: first.PublicIp}, &again)
	if *again.PublicIp != *first.PublicIp || *again.AllocationId == *first.AllocationId || *again.PublicIpv4Pool != "amazon" {
		t.Errorf("got %s, %s from %s; want %s as another allocation", *again.PublicIp, *again.AllocationId, *again.PublicIpv4Pool, *first.PublicIp)
	}
	for address, want := range map[string]string{
		*again.PublicIp: "InvalidAddress.NotFound", // held, by oneself
		"127.64.0.200":  "InvalidAddress.NotFound", // never had
		"198.51.100.1":  "InvalidAddress.NotFound", // nobody's
		"192.0.2.152":   "InvalidAddress.NotFound", // behind the pool's last
	} {
		if code, err := p.call(1, "AllocateAddress", &shapes.AllocateAddressInput{Address: &address}, nil); code != want {
			t.Errorf("%s: got %v, want %s", address, err, want)
		}
	}
	var own shapes.AllocateAddressOutput
	p.must(t, "AllocateAddress", &shapes.AllocateAddressInput{Address: new("192.0.2.150")}, &own)
	if *own.PublicIp != "192.0.2.150" || *own.PublicIpv4Pool != p.pool {
		t.Errorf("got %s from %s, want 192.0.2.150 out of the pool that has it", *own.PublicIp, *own.PublicIpv4Pool)
	}
}

// I10, spec of AllocateAddress's pools: what elastic IPs can't come out of.
func TestPoolsWithoutElasticIPs(t *testing.T) {
	p := newPair(t, 0)
	var managers shapes.DescribeIpamsOutput
	p.must(t, "DescribeIpams", &shapes.DescribeIpamsInput{}, &managers)
	manager := managers.Ipams[0]
	pool := func(in shapes.CreateIpamPoolInput) string {
		var out shapes.CreateIpamPoolOutput
		p.must(t, "CreateIpamPool", &in, &out)
		return *out.IpamPool.IpamPoolId
	}
	private := pool(shapes.CreateIpamPoolInput{IpamScopeId: manager.PrivateDefaultScopeId, AddressFamily: "ipv4", Locale: new(locale)})
	six := pool(shapes.CreateIpamPoolInput{IpamScopeId: manager.PublicDefaultScopeId, AddressFamily: "ipv6", Locale: new(locale), AwsService: "ec2", PublicIpSource: "amazon"})
	nowhere := pool(shapes.CreateIpamPoolInput{IpamScopeId: manager.PublicDefaultScopeId, AddressFamily: "ipv4", AwsService: "ec2", PublicIpSource: "byoip"})
	short := pool(shapes.CreateIpamPoolInput{IpamScopeId: manager.PublicDefaultScopeId, AddressFamily: "ipv4", Locale: new(locale), AwsService: "ec2", PublicIpSource: "byoip", AllocationMaxNetmaskLength: new(int32(28)), AllocationMinNetmaskLength: new(int32(24))})
	tagged := pool(shapes.CreateIpamPoolInput{
		IpamScopeId: manager.PublicDefaultScopeId, AddressFamily: "ipv4", Locale: new(locale), AwsService: "ec2", PublicIpSource: "byoip",
		AllocationResourceTags: []shapes.RequestIpamResourceTag{{Key: new("team"), Value: new("edge")}},
	})
	empty := pool(shapes.CreateIpamPoolInput{IpamScopeId: manager.PublicDefaultScopeId, AddressFamily: "ipv4", Locale: new(locale), AwsService: "ec2", PublicIpSource: "byoip"})
	p.must(t, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &short, Cidr: new("198.51.100.0/24")}, nil)
	p.must(t, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &tagged, Cidr: new("203.0.113.0/24")}, nil)

	team := []shapes.TagSpecification{{ResourceType: "elastic-ip", Tags: []shapes.Tag{{Key: new("team"), Value: new("edge")}}}}
	for _, c := range []struct {
		name, want string
		in         shapes.AllocateAddressInput
	}{
		{"a private pool", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &private}},
		{"an IPv6 pool", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &six}},
		{"a pool without a locale", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &nowhere}},
		{"a pool of larger blocks", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &short}},
		{"an empty pool", "InsufficientAddressCapacity", shapes.AllocateAddressInput{IpamPoolId: &empty}},
		{"a tag that the pool asks for is missing", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &tagged}},
		{"a tag that the pool asks for is there", "", shapes.AllocateAddressInput{IpamPoolId: &tagged, TagSpecifications: team}},
		{"a pool that doesn't exist", "InvalidIpamPoolId.NotFound", shapes.AllocateAddressInput{IpamPoolId: new("ipam-pool-0123456789abcdef0")}},
		{"the provider's pool by its own name", "InvalidIpamPoolId.Malformed", shapes.AllocateAddressInput{IpamPoolId: new("provider-local-1-addresses-ipv4")}},
		{"the provider's pool as a public one", "InvalidPublicIpv4PoolID.NotFound", shapes.AllocateAddressInput{PublicIpv4Pool: new("provider-local-1-addresses-ipv4")}},
		{"the provider's pool as EC2 shows it", "", shapes.AllocateAddressInput{PublicIpv4Pool: new("amazon")}},
		{"a public pool that doesn't exist", "InvalidPublicIpv4PoolID.NotFound", shapes.AllocateAddressInput{PublicIpv4Pool: new("ipv4pool-ec2-0123456789abcdef0")}},
		{"both kinds of pool", "InvalidParameterCombination", shapes.AllocateAddressInput{IpamPoolId: &empty, PublicIpv4Pool: new("amazon")}},
		{"an address outside the pool", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &p.pool, Address: new("192.0.2.1")}},
		{"an address of the pool", "", shapes.AllocateAddressInput{IpamPoolId: &p.pool, Address: new("192.0.2.146")}},
		{"an address of the pool that is taken", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &p.pool, Address: new("192.0.2.146")}},
		{"an IPv6 address", "InvalidParameterValue", shapes.AllocateAddressInput{IpamPoolId: &p.pool, Address: new("2001:db8::1")}},
		{"a dry run", "DryRunOperation", shapes.AllocateAddressInput{IpamPoolId: &p.pool, DryRun: new(true)}},
		{"a dry run on an empty pool", "InsufficientAddressCapacity", shapes.AllocateAddressInput{IpamPoolId: &empty, DryRun: new(true)}},
	} {
		before, _ := p.shown(t)
		code, err := p.call(0, "AllocateAddress", &c.in, nil)
		if code != c.want || c.want == "" && err != nil {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if after, _ := p.shown(t); (len(after) > len(before)) != (c.want == "") {
			t.Errorf("%s: %d addresses before, %d after", c.name, len(before), len(after))
		}
	}
}

// B5, and public address insights: an account's own addresses are told from a
// load balancer's, and who had which private address is remembered, secondary
// ones too.
func TestElasticIPsAndInterfacesAreWatched(t *testing.T) {
	p := newPair(t, 0)
	p.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
	var managers shapes.DescribeIpamsOutput
	p.must(t, "DescribeIpams", &shapes.DescribeIpamsInput{}, &managers)
	manager := managers.Ipams[0]
	var mine, amazons shapes.AllocateAddressOutput
	p.must(t, "AllocateAddress", &shapes.AllocateAddressInput{IpamPoolId: &p.pool}, &mine)
	p.must(t, "AllocateAddress", &shapes.AllocateAddressInput{}, &amazons)
	var eni shapes.CreateNetworkInterfaceOutput
	p.must(t, "CreateNetworkInterface", &shapes.CreateNetworkInterfaceInput{SubnetId: &p.subnet, SecondaryPrivateIpAddressCount: new(int32(1)), Description: new("ELB app/feigned/1")}, &eni)
	id := eni.NetworkInterface.NetworkInterfaceId
	p.must(t, "AssociateAddress", &shapes.AssociateAddressInput{AllocationId: mine.AllocationId, NetworkInterfaceId: id, PrivateIpAddress: new("10.0.0.5")}, nil)

	var public shapes.GetIpamDiscoveredPublicAddressesOutput
	p.must(t, "GetIpamDiscoveredPublicAddresses", &shapes.GetIpamDiscoveredPublicAddressesInput{AddressRegion: new(locale), IpamResourceDiscoveryId: manager.DefaultResourceDiscoveryId}, &public)
	got := map[string]string{}
	for _, a := range public.IpamDiscoveredPublicAddresses {
		got[*a.Address] = string(a.AddressType) + " " + string(a.AssociationStatus)
		if a.ServiceResource != nil {
			t.Errorf("%s serves %s", *a.Address, *a.ServiceResource)
		}
	}
	if got[*mine.PublicIp] != "byoip associated" || got[*amazons.PublicIp] != "amazon-owned-eip disassociated" {
		t.Errorf("got %v", got)
	}

	history := func() (records []shapes.IpamAddressHistoryRecord) {
		var out shapes.GetIpamAddressHistoryOutput
		p.must(t, "GetIpamAddressHistory", &shapes.GetIpamAddressHistoryInput{Cidr: new("10.0.0.5/32"), IpamScopeId: manager.PrivateDefaultScopeId, StartTime: new(time.Now().Add(-time.Hour))}, &out)
		return out.HistoryRecords
	}
	if got := history(); len(got) != 1 || *got[0].ResourceId != *id || got[0].SampledEndTime != nil {
		t.Errorf("while the interface has it: got %+v", got)
	}
	p.must(t, "UnassignPrivateIpAddresses", &shapes.UnassignPrivateIpAddressesInput{NetworkInterfaceId: id, PrivateIpAddresses: []string{"10.0.0.5"}}, nil)
	if got := history(); len(got) != 1 || *got[0].ResourceId != *id || got[0].SampledEndTime == nil {
		t.Errorf("after it was unassigned: got %+v", got)
	}
}

// The enabled policy's pools are tried in order for an address that was asked of
// no pool, then the provider's.
func TestAnElasticIPComesFromItsPolicysPools(t *testing.T) {
	p := newPair(t, 0)
	var manager shapes.DescribeIpamsOutput
	p.must(t, "DescribeIpams", &shapes.DescribeIpamsInput{}, &manager)
	i := manager.Ipams[0]
	pool := func(cidr string, wants ...shapes.RequestIpamResourceTag) string {
		var out shapes.CreateIpamPoolOutput
		p.must(t, "CreateIpamPool", &shapes.CreateIpamPoolInput{
			IpamScopeId: i.PublicDefaultScopeId, AddressFamily: "ipv4", Locale: new(locale), AwsService: "ec2", PublicIpSource: "byoip", AllocationResourceTags: wants,
		}, &out)
		p.must(t, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: out.IpamPool.IpamPoolId, Cidr: &cidr}, nil)
		return *out.IpamPool.IpamPoolId
	}
	tagged := pool("198.51.100.0/30", shapes.RequestIpamResourceTag{Key: new("env"), Value: new("prod")}) // refuses what has no such tag
	small := pool("203.0.113.8/31")
	var policy shapes.CreateIpamPolicyOutput
	p.must(t, "CreateIpamPolicy", &shapes.CreateIpamPolicyInput{IpamId: i.IpamId}, &policy)
	var rules []shapes.IpamPolicyAllocationRuleRequest
	for _, id := range []string{tagged, small, p.pool} {
		rules = append(rules, shapes.IpamPolicyAllocationRuleRequest{SourceIpamPoolId: &id})
	}
	p.must(t, "ModifyIpamPolicyAllocationRules", &shapes.ModifyIpamPolicyAllocationRulesInput{
		IpamPolicyId: policy.IpamPolicy.IpamPolicyId, Locale: new(locale), ResourceType: "eip", AllocationRules: rules,
	}, nil)
	p.must(t, "EnableIpamPolicy", &shapes.EnableIpamPolicyInput{IpamPolicyId: policy.IpamPolicy.IpamPolicyId}, nil)

	check := func(when, want, from string, in shapes.AllocateAddressInput) {
		t.Helper()
		var out shapes.AllocateAddressOutput
		p.must(t, "AllocateAddress", &in, &out)
		if *out.PublicIpv4Pool != from || want != "" && *out.PublicIp != want {
			t.Errorf("%s: got %s from %s, want %s from %s", when, *out.PublicIp, *out.PublicIpv4Pool, want, from)
		}
	}
	if code, err := p.call(0, "AllocateAddress", &shapes.AllocateAddressInput{DryRun: new(true)}, nil); code != "DryRunOperation" {
		t.Errorf("a dry run: got %v", err)
	}
	check("the first that gives one", "203.0.113.8", small, shapes.AllocateAddressInput{})
	check("a pool by name", "192.0.2.144", p.pool, shapes.AllocateAddressInput{IpamPoolId: &p.pool})
	check("the provider's by name", "", "amazon", shapes.AllocateAddressInput{PublicIpv4Pool: new("amazon")})
	check("an address by name", "192.0.2.150", p.pool, shapes.AllocateAddressInput{Address: new("192.0.2.150")})
	check("the first again", "203.0.113.9", small, shapes.AllocateAddressInput{})
	check("the next, as the first is exhausted", "192.0.2.145", p.pool, shapes.AllocateAddressInput{})
	check("what the tags allow", "198.51.100.0", tagged, shapes.AllocateAddressInput{
		TagSpecifications: []shapes.TagSpecification{{ResourceType: "elastic-ip", Tags: []shapes.Tag{{Key: new("env"), Value: new("prod")}}}},
	})
	for range 5 {
		check("the rest of the last", "", p.pool, shapes.AllocateAddressInput{})
	}
	check("when none has any", "", "amazon", shapes.AllocateAddressInput{})
	p.must(t, "DisableIpamPolicy", &shapes.DisableIpamPolicyInput{IpamPolicyId: policy.IpamPolicy.IpamPolicyId}, nil)
	check("without a policy", "", "amazon", shapes.AllocateAddressInput{})
}
