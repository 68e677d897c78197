package ec2_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/apierr"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// ipamSite is a client of a world's, whose account and region may be changed.
type ipamSite struct {
	t      *testing.T
	client *wire.Client
}

func newIPAMSite(t *testing.T) *ipamSite {
	t.Helper()
	return &ipamSite{t, newWorld(t).client(account)}
}

// ipamDo calls an action and returns its reply.
func ipamDo[Out any](s *ipamSite, action string, in any) *Out {
	s.t.Helper()
	out := new(Out)
	if err := s.client.Do(s.t.Context(), action, in, out); err != nil {
		s.t.Fatalf("%s: %v", action, err)
	}
	return out
}

// refused fails the test unless a call ends with the code and a message that has the text.
func (s *ipamSite) refused(action string, in any, status int, code, text string) {
	s.t.Helper()
	var e *apierr.Error
	err := s.client.Do(s.t.Context(), action, in, &struct{}{})
	if !errors.As(err, &e) || e.Status != status || e.Code != code || !strings.Contains(e.Message, text) {
		s.t.Errorf("%s: got %#v, want %d %s with %q", action, err, status, code, text)
	}
}

func (s *ipamSite) ipam() shapes.Ipam {
	s.t.Helper()
	return *ipamDo[shapes.CreateIpamOutput](s, "CreateIpam", &shapes.CreateIpamInput{
		OperatingRegions: []shapes.AddIpamOperatingRegion{{RegionName: new("eu-central-1")}},
	}).Ipam
}

func (s *ipamSite) pool(scope *string, change ...func(*shapes.CreateIpamPoolInput)) shapes.IpamPool {
	s.t.Helper()
	in := &shapes.CreateIpamPoolInput{IpamScopeId: scope, AddressFamily: shapes.AddressFamilyIpv4, Locale: new("us-east-1")}
	for _, c := range change {
		c(in)
	}
	return *ipamDo[shapes.CreateIpamPoolOutput](s, "CreateIpamPool", in).IpamPool
}

// S1 and S5, as a client sees them.
func TestIPAMFromCreationToDeletion(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	if i.State != shapes.IpamStateCreateInProgress || *i.ScopeCount != 2 || *i.ResourceDiscoveryAssociationCount != 1 ||
		*i.IpamArn != "arn:aws:ec2::"+account+":ipam/"+*i.IpamId || len(i.OperatingRegions) != 2 || i.Tier != shapes.IpamTierAdvanced {
		t.Errorf("CreateIpam: %+v", i)
	}
	described := ipamDo[shapes.DescribeIpamsOutput](s, "DescribeIpams", &shapes.DescribeIpamsInput{IpamIds: []string{*i.IpamId}}).Ipams
	if len(described) != 1 || described[0].State != shapes.IpamStateCreateComplete {
		t.Errorf("DescribeIpams: %+v", described)
	}

	top := s.pool(i.PublicDefaultScopeId, func(in *shapes.CreateIpamPoolInput) { in.AwsService = shapes.IpamPoolAwsServiceEc2 })
	if top.State != shapes.IpamPoolStateCreateInProgress || top.PubliclyAdvertisable != nil || top.AllocationMinNetmaskLength != nil ||
		top.AutoImport == nil || *top.PoolDepth != 1 || top.PublicIpSource != shapes.IpamPoolPublicIpSourceByoip {
		t.Errorf("CreateIpamPool: %+v", top)
	}
	pool := s.pool(i.PublicDefaultScopeId, func(in *shapes.CreateIpamPoolInput) { in.SourceIpamPoolId = top.IpamPoolId })
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: top.IpamPoolId, Cidr: new("192.0.2.0/24")})
	given := ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, NetmaskLength: new(int32(29))}).IpamPoolCidr
	if given.State != shapes.IpamPoolCidrStatePendingProvision || given.Cidr != nil || *given.NetmaskLength != 29 || len(*given.IpamPoolCidrId) != len("ipam-pool-cidr-")+33 {
		t.Errorf("ProvisionIpamPoolCidr: %+v", given)
	}
	cidrs := ipamDo[shapes.GetIpamPoolCidrsOutput](s, "GetIpamPoolCidrs", &shapes.GetIpamPoolCidrsInput{IpamPoolId: pool.IpamPoolId}).IpamPoolCidrs
	if len(cidrs) != 1 || *cidrs[0].Cidr != "192.0.2.0/29" || cidrs[0].State != shapes.IpamPoolCidrStateProvisioned {
		t.Errorf("GetIpamPoolCidrs: %+v", cidrs)
	}

	a := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, NetmaskLength: new(int32(32))}).IpamPoolAllocation
	if *a.Cidr != "192.0.2.0/32" || a.ResourceType != shapes.IpamPoolAllocationResourceTypeCustom || *a.ResourceOwner != account || a.ResourceId != nil {
		t.Errorf("AllocateIpamPoolCidr: %+v", a)
	}
	held := ipamDo[shapes.GetIpamPoolAllocationsOutput](s, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: pool.IpamPoolId, IpamPoolAllocationId: a.IpamPoolAllocationId}).IpamPoolAllocations
	if len(held) != 1 || *held[0].Cidr != "192.0.2.0/32" {
		t.Errorf("GetIpamPoolAllocations: %+v", held)
	}
	leave := &shapes.DeprovisionIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, Cidr: new("192.0.2.0/29")}
	if c := ipamDo[shapes.DeprovisionIpamPoolCidrOutput](s, "DeprovisionIpamPoolCidr", leave).IpamPoolCidr; c.State != shapes.IpamPoolCidrStatePendingDeprovision {
		t.Errorf("DeprovisionIpamPoolCidr: %+v", c)
	}
	cidrs = ipamDo[shapes.GetIpamPoolCidrsOutput](s, "GetIpamPoolCidrs", &shapes.GetIpamPoolCidrsInput{IpamPoolId: pool.IpamPoolId}).IpamPoolCidrs
	if len(cidrs) != 1 || cidrs[0].State != shapes.IpamPoolCidrStateFailedDeprovision || *cidrs[0].FailureReason.Message != "The CIDR has one or more allocations." || cidrs[0].FailureReason.Code != "" {
		t.Errorf("while in use: %+v", cidrs)
	}
	release := &shapes.ReleaseIpamPoolAllocationInput{IpamPoolId: pool.IpamPoolId, Cidr: a.Cidr, IpamPoolAllocationId: a.IpamPoolAllocationId}
	if out := ipamDo[shapes.ReleaseIpamPoolAllocationOutput](s, "ReleaseIpamPoolAllocation", release); !*out.Success {
		t.Error("ReleaseIpamPoolAllocation: no success")
	}
	s.refused("ReleaseIpamPoolAllocation", release, 400, "InvalidParameterCombination", "No allocation found")
	ipamDo[shapes.DeprovisionIpamPoolCidrOutput](s, "DeprovisionIpamPoolCidr", leave)
	s.refused("DeprovisionIpamPoolCidr", leave, 400, "IncorrectState", "192.0.2.0/29")
	s.refused("DeleteIpamPool", &shapes.DeleteIpamPoolInput{IpamPoolId: top.IpamPoolId}, 400, "DependencyViolation", "There are one or more pool cidrs provisioned in the pool.")
	ipamDo[shapes.DeprovisionIpamPoolCidrOutput](s, "DeprovisionIpamPoolCidr", &shapes.DeprovisionIpamPoolCidrInput{IpamPoolId: top.IpamPoolId, Cidr: new("192.0.2.0/24")})
	for _, p := range []shapes.IpamPool{pool, top} {
		if out := ipamDo[shapes.DeleteIpamPoolOutput](s, "DeleteIpamPool", &shapes.DeleteIpamPoolInput{IpamPoolId: p.IpamPoolId}).IpamPool; out.State != shapes.IpamPoolStateDeleteInProgress {
			t.Errorf("DeleteIpamPool: %+v", out)
		}
		s.refused("DescribeIpamPools", &shapes.DescribeIpamPoolsInput{IpamPoolIds: []string{*p.IpamPoolId}}, 400, "InvalidIpamPoolId.NotFound", "The ipam-pool ID '"+*p.IpamPoolId+"' does not exist")
	}
	ipamDo[shapes.DeleteIpamOutput](s, "DeleteIpam", &shapes.DeleteIpamInput{IpamId: i.IpamId})
	s.refused("DeleteIpam", &shapes.DeleteIpamInput{IpamId: i.IpamId}, 400, "InvalidIpamId.NotFound", *i.IpamId)
}

func TestIPAMRefusals(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	pool := s.pool(i.PrivateDefaultScopeId)
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, Cidr: new("10.0.0.0/24")})
	id := pool.IpamPoolId
	for _, c := range []struct {
		name, action string
		in           any
		status       int
		code, text   string
	}{
		{"a second ipam", "CreateIpam", &shapes.CreateIpamInput{}, 400, "ResourceLimitExceeded", "You have created 1 ipams and you are limited to 1."},
		{"an unknown scope", "CreateIpamPool", &shapes.CreateIpamPoolInput{IpamScopeId: new("ipam-scope-0123456789abcdef0"), AddressFamily: "ipv4"}, 400, "InvalidIpamScopeId.NotFound", "ipam-scope-0123456789abcdef0"},
		{"tags for another type", "CreateIpamPool", &shapes.CreateIpamPoolInput{IpamScopeId: i.PrivateDefaultScopeId, AddressFamily: "ipv4", TagSpecifications: []shapes.TagSpecification{{ResourceType: "vpc"}}}, 400, "InvalidParameterValue", "vpc"},
		{"neither size nor default", "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id}, 400, "InvalidParameterCombination", "The request cannot contain empty CIDR and Netmask Length"},
		{"a block too big", "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id, NetmaskLength: new(int32(8))}, 400, "InvalidParameterValue", "The allocation size is too big for the pool."},
		{"what isn't a CIDR", "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id, Cidr: new("10.0.0.0")}, 400, "InvalidParameterValue", "10.0.0.0"},
		{"a dry run", "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id, NetmaskLength: new(int32(28)), DryRun: new(true)}, 412, "DryRunOperation", "Request would have succeeded"},
		{"a dry run that wouldn't succeed", "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id, NetmaskLength: new(int32(8)), DryRun: new(true)}, 400, "InvalidParameterValue", "too big"},
		{"an unknown allocation", "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: id, IpamPoolAllocationId: new("ipam-pool-alloc-0123456789abcdef0123456789abcdef0")}, 400, "InvalidIpamPoolAllocationId.NotFound", "The IPAM pool allocation (ipam-pool-alloc-0123456789abcdef0123456789abcdef0) does not exist."},
		{"a small page of allocations", "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: id, MaxResults: new(int32(999))}, 400, "InvalidParameterValue", "1000"},
		{"a small page of pools", "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{MaxResults: new(int32(4))}, 400, "InvalidParameterValue", "5"},
		{"ids with a page size", "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{IpamPoolIds: []string{*id}, MaxResults: new(int32(5))}, 400, "InvalidParameterCombination", "maxResults"},
		{"an unknown filter", "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{Filters: []shapes.Filter{{Name: new("colour"), Values: []string{"red"}}}}, 400, "InvalidParameterValue", "The filter 'colour' is invalid"},
		{"an action that isn't served", "RunInstances", &shapes.DescribeIpamsInput{}, 400, "InvalidAction", "RunInstances"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.refused(c.action, c.in, c.status, c.code, c.text)
		})
	}
}

func TestIPAMIsAskedWhereItBelongs(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	pool := s.pool(i.PrivateDefaultScopeId, func(in *shapes.CreateIpamPoolInput) { in.Locale = new("eu-central-1") })
	provision := &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, Cidr: new("10.0.0.0/24")}
	allocate := &shapes.AllocateIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, NetmaskLength: new(int32(28))}

	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", provision)
	s.refused("AllocateIpamPoolCidr", allocate, 400, "InvalidParameterValue", "eu-central-1")
	s.client.Region = "eu-central-1"
	s.refused("ProvisionIpamPoolCidr", provision, 400, "InvalidIpamPoolId.NotFound", *pool.IpamPoolId)
	if a := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", allocate).IpamPoolAllocation; *a.ResourceRegion != "eu-central-1" {
		t.Errorf("got %+v", a)
	}
	if got := ipamDo[shapes.DescribeIpamPoolsOutput](s, "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{}).IpamPools; len(got) != 1 {
		t.Errorf("the pool isn't seen in its locale: %+v", got)
	}
	s.client.AccessKeyID = stranger
	s.refused("AllocateIpamPoolCidr", allocate, 400, "InvalidIpamPoolId.NotFound", *pool.IpamPoolId) // I8
}

func TestIPAMPoolsAreFilteredAndPaged(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	var all []string
	for n := range 12 {
		p := s.pool(i.PrivateDefaultScopeId, func(in *shapes.CreateIpamPoolInput) {
			if n%2 == 0 {
				in.Description = new("even")
				in.TagSpecifications = []shapes.TagSpecification{{ResourceType: "ipam-pool", Tags: []shapes.Tag{{Key: new("n"), Value: new("even")}}}}
			}
		})
		all = append(all, *p.IpamPoolId)
	}
	slices.Sort(all)
	var paged []string
	in := &shapes.DescribeIpamPoolsInput{MaxResults: new(int32(5))}
	for pages := 1; ; pages++ {
		out := ipamDo[shapes.DescribeIpamPoolsOutput](s, "DescribeIpamPools", in)
		for _, p := range out.IpamPools {
			paged = append(paged, *p.IpamPoolId)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if !slices.Equal(paged, all) {
		t.Errorf("paged: %v, want %v", paged, all)
	}
	for _, c := range []struct {
		name, value string
		want        int
	}{
		{"description", "even", 6},
		{"tag:n", "ev*", 6},
		{"tag-key", "n", 6},
		{"address-family", "ipv4", 12},
		{"address-family", "ipv6", 0},
		{"locale", "us-east-1", 12},
		{"state", "create-complete", 12},
		{"pool-depth", "1", 12},
		{"auto-import", "false", 12},
		{"ipam-scope-id", *i.PrivateDefaultScopeId, 12},
		{"ipam-pool-id", all[3], 1},
	} {
		out := ipamDo[shapes.DescribeIpamPoolsOutput](s, "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{Filters: []shapes.Filter{{Name: new(c.name), Values: []string{c.value}}}})
		if len(out.IpamPools) != c.want {
			t.Errorf("%s=%s: %d pools, want %d", c.name, c.value, len(out.IpamPools), c.want)
		}
	}
}

func TestAnIPAMCallIsRepeatedByItsToken(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	pool := s.pool(i.PrivateDefaultScopeId)
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, Cidr: new("10.0.0.0/24")})
	in := &shapes.AllocateIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, NetmaskLength: new(int32(28)), ClientToken: new("once")}
	first := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", in).IpamPoolAllocation
	second := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", in).IpamPoolAllocation
	if *first.IpamPoolAllocationId != *second.IpamPoolAllocationId {
		t.Errorf("%s, then %s", *first.IpamPoolAllocationId, *second.IpamPoolAllocationId)
	}
	in.NetmaskLength = new(int32(27))
	s.refused("AllocateIpamPoolCidr", in, 400, "IdempotentParameterMismatch", "token")
}

func TestIPAMResourcesAreTagged(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	pool := s.pool(i.PrivateDefaultScopeId)
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, Cidr: new("10.0.0.0/24")})
	a := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: pool.IpamPoolId, NetmaskLength: new(int32(28))}).IpamPoolAllocation
	resources := []string{*i.IpamId, *i.PrivateDefaultScopeId, *pool.IpamPoolId, *a.IpamPoolAllocationId}
	ipamDo[shapes.CreateTagsOutput](s, "CreateTags", &shapes.CreateTagsInput{Resources: resources, Tags: []shapes.Tag{{Key: new("team"), Value: new("edge")}}})
	kinds := map[string]bool{}
	for _, d := range ipamDo[shapes.DescribeTagsOutput](s, "DescribeTags", &shapes.DescribeTagsInput{}).Tags {
		kinds[string(d.ResourceType)] = true
	}
	for _, want := range []string{"ipam", "ipam-scope", "ipam-pool", "ipam-pool-allocation"} {
		if !kinds[want] {
			t.Errorf("no tag of an %s: %v", want, kinds)
		}
	}
	if got := ipamDo[shapes.DescribeIpamScopesOutput](s, "DescribeIpamScopes", &shapes.DescribeIpamScopesInput{IpamScopeIds: []string{*i.PrivateDefaultScopeId}}).IpamScopes; len(got) != 1 || len(got[0].Tags) != 1 {
		t.Errorf("DescribeIpamScopes: %+v", got)
	}
}
