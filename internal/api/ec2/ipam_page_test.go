package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

// What a page costs is bounded: one whose filters hardly anything passes ends
// early, with a token, and the pages together are complete.
func TestAPageThatFindsLittleEndsEarly(t *testing.T) {
	s := newIPAMSite(t)
	p := s.pool(s.ipam().PrivateDefaultScopeId)
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: p.IpamPoolId, Cidr: new("10.0.0.0/16")})
	const n = 7000 // more than one page looks at
	var last shapes.IpamPoolAllocation
	for i := range n {
		last = *ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{
			IpamPoolId: p.IpamPoolId, NetmaskLength: new(int32(32)), Description: new(fmt.Sprintf("number %d", i)),
		}).IpamPoolAllocation
	}
	page := func(token *string, max *int32, filters ...shapes.Filter) *shapes.GetIpamPoolAllocationsOutput {
		return ipamDo[shapes.GetIpamPoolAllocationsOutput](s, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{
			IpamPoolId: p.IpamPoolId, MaxResults: max, NextToken: token, Filters: filters,
		})
	}
	filter := func(name, value string) shapes.Filter { return shapes.Filter{Name: &name, Values: []string{value}} }

	t.Run("by what isn't indexed", func(t *testing.T) {
		var found []string
		var token *string
		pages := 0
		for pages == 0 || token != nil {
			out := page(token, nil, filter("description", "number 6999"))
			for _, a := range out.IpamPoolAllocations {
				found = append(found, *a.Cidr)
			}
			token = out.NextToken
			pages++
		}
		if strings.Join(found, " ") != *last.Cidr || pages != 2 {
			t.Errorf("found %v in %d pages, want %s in 2", found, pages, *last.Cidr)
		}
	})
	for name, value := range map[string]string{"ipam-pool-allocation-id": *last.IpamPoolAllocationId, "cidr": *last.Cidr} {
		t.Run("by "+name, func(t *testing.T) {
			out := page(nil, nil, filter("description", "number*"), filter(name, value))
			if len(out.IpamPoolAllocations) != 1 || *out.IpamPoolAllocations[0].Cidr != *last.Cidr || out.NextToken != nil {
				t.Errorf("got %+v", out)
			}
			if out := page(nil, nil, filter("description", "other"), filter(name, value)); len(out.IpamPoolAllocations) != 0 || out.NextToken != nil {
				t.Errorf("with a filter that it doesn't pass: %+v", out)
			}
			if out := page(nil, nil, filter(name, value+"9")); len(out.IpamPoolAllocations) != 0 || out.NextToken != nil {
				t.Errorf("of what isn't there: %+v", out)
			}
		})
	}
	t.Run("without a size", func(t *testing.T) {
		if out := page(nil, nil); len(out.IpamPoolAllocations) != 1000 || out.NextToken == nil {
			t.Errorf("got %d items", len(out.IpamPoolAllocations))
		}
	})
	t.Run("with a size and all passing", func(t *testing.T) {
		out := page(nil, new(int32(n)), filter("resource-type", "custom"))
		if len(out.IpamPoolAllocations) != n || out.NextToken != nil {
			t.Errorf("got %d items, token %v", len(out.IpamPoolAllocations), out.NextToken)
		}
	})
}

func TestPoolsAreFoundByTheirID(t *testing.T) {
	s := newIPAMSite(t)
	scope := s.ipam().PrivateDefaultScopeId
	s.pool(scope)
	want := s.pool(scope)
	out := ipamDo[shapes.DescribeIpamPoolsOutput](s, "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{
		Filters: []shapes.Filter{{Name: new("ipam-pool-id"), Values: []string{*want.IpamPoolId}}},
	})
	if len(out.IpamPools) != 1 || *out.IpamPools[0].IpamPoolId != *want.IpamPoolId {
		t.Errorf("got %+v", out.IpamPools)
	}
	other := *s.client
	other.AccessKeyID = "999900001111"
	var foreign shapes.DescribeIpamPoolsOutput
	if err := other.Do(t.Context(), "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{
		Filters: []shapes.Filter{{Name: new("ipam-pool-id"), Values: []string{*want.IpamPoolId}}},
	}, &foreign); err != nil || len(foreign.IpamPools) != 0 {
		t.Errorf("another account: %+v, %v", foreign.IpamPools, err)
	}
}

// A filter finds what has the value that the reply shows, whether it is read from
// the reply or, for the frequent ones, from the record.
func TestFiltersReadWhatRepliesShow(t *testing.T) {
	s := newIPAMSite(t)
	scope := s.ipam().PrivateDefaultScopeId
	top := s.pool(scope)
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: top.IpamPoolId, Cidr: new("10.0.0.0/16")})
	p := s.pool(scope, func(in *shapes.CreateIpamPoolInput) {
		in.SourceIpamPoolId, in.Description = top.IpamPoolId, new("web")
		in.TagSpecifications = []shapes.TagSpecification{{ResourceType: "ipam-pool", Tags: []shapes.Tag{{Key: new("team"), Value: new("blue")}}}}
	})
	for name, value := range map[string]string{
		"description": *p.Description, "locale": *p.Locale, "address-family": string(p.AddressFamily), "source-ipam-pool-id": *p.SourceIpamPoolId,
		"pool-depth": "2", "ipam-pool-arn": *p.IpamPoolArn, "tag:team": "blue", "tag-key": "team", "ipam-scope-id": *scope,
	} {
		found := func(value string) bool {
			out := ipamDo[shapes.DescribeIpamPoolsOutput](s, "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{Filters: []shapes.Filter{{Name: &name, Values: []string{value}}}})
			return slices.ContainsFunc(out.IpamPools, func(q shapes.IpamPool) bool { return *q.IpamPoolId == *p.IpamPoolId })
		}
		if !found(value) || found("other") {
			t.Errorf("pools by %s: with %s found %v, with another value %v", name, value, found(value), found("other"))
		}
	}
	a := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{
		IpamPoolId: top.IpamPoolId, NetmaskLength: new(int32(28)), Description: new("db"),
		TagSpecifications: []shapes.TagSpecification{{ResourceType: "ipam-pool-allocation", Tags: []shapes.Tag{{Key: new("team"), Value: new("red")}}}},
	}).IpamPoolAllocation
	for name, value := range map[string]string{
		"description": *a.Description, "resource-type": string(a.ResourceType), "resource-owner": *a.ResourceOwner, "resource-region": *a.ResourceRegion,
		"cidr": *a.Cidr, "allocation-id": *a.IpamPoolAllocationId, "ipam-pool-allocation-id": *a.IpamPoolAllocationId, "tag:team": "red", "tag-key": "team",
	} {
		found := func(value string) bool {
			out := ipamDo[shapes.GetIpamPoolAllocationsOutput](s, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{
				IpamPoolId: top.IpamPoolId, Filters: []shapes.Filter{{Name: &name, Values: []string{value}}},
			})
			return slices.ContainsFunc(out.IpamPoolAllocations, func(b shapes.IpamPoolAllocation) bool { return *b.IpamPoolAllocationId == *a.IpamPoolAllocationId })
		}
		if !found(value) || found("other") {
			t.Errorf("allocations by %s: with %s found %v, with another value %v", name, value, found(value), found("other"))
		}
	}
}
