package ec2_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	ec2api "github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

// Terraform waits for modify-complete after each of these.
func TestModifiedThingsTellSo(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	if out := ipamDo[shapes.ModifyIpamOutput](s, "ModifyIpam", &shapes.ModifyIpamInput{
		IpamId: i.IpamId, Description: new("edge"), MeteredAccount: shapes.IpamMeteredAccountResourceOwner,
		RemoveOperatingRegions: []shapes.RemoveIpamOperatingRegion{{RegionName: new("eu-central-1")}},
	}).Ipam; out.State != shapes.IpamStateModifyInProgress || *out.Description != "edge" || len(out.OperatingRegions) != 1 ||
		out.MeteredAccount != shapes.IpamMeteredAccountResourceOwner {
		t.Errorf("ModifyIpam: %+v", out)
	}
	if got := ipamDo[shapes.DescribeIpamsOutput](s, "DescribeIpams", &shapes.DescribeIpamsInput{
		Filters: []shapes.Filter{{Name: new("state"), Values: []string{"modify-complete"}}},
	}).Ipams; len(got) != 1 || got[0].State != shapes.IpamStateModifyComplete {
		t.Errorf("DescribeIpams: %+v", got)
	}

	sc := ipamDo[shapes.CreateIpamScopeOutput](s, "CreateIpamScope", &shapes.CreateIpamScopeInput{IpamId: i.IpamId, Description: new("lab")}).IpamScope
	if sc.State != shapes.IpamScopeStateCreateInProgress || sc.IpamScopeType != shapes.IpamScopeTypePrivate || *sc.IsDefault {
		t.Errorf("CreateIpamScope: %+v", sc)
	}
	sc = ipamDo[shapes.ModifyIpamScopeOutput](s, "ModifyIpamScope", &shapes.ModifyIpamScopeInput{
		IpamScopeId: sc.IpamScopeId,
		ExternalAuthorityConfiguration: &shapes.ExternalAuthorityConfiguration{
			Type: shapes.IpamScopeExternalAuthorityTypeInfoblox, ExternalResourceIdentifier: new("v1.identity.account.us.7"),
		},
	}).IpamScope
	if sc.State != shapes.IpamScopeStateModifyInProgress || *sc.Description != "lab" || *sc.ExternalAuthorityConfiguration.ExternalResourceIdentifier != "v1.identity.account.us.7" {
		t.Errorf("ModifyIpamScope: %+v", sc)
	}
	if got := ipamDo[shapes.DescribeIpamScopesOutput](s, "DescribeIpamScopes", &shapes.DescribeIpamScopesInput{IpamScopeIds: []string{*sc.IpamScopeId}}).IpamScopes; got[0].State != shapes.IpamScopeStateModifyComplete {
		t.Errorf("DescribeIpamScopes: %+v", got)
	}
	if got := ipamDo[shapes.DescribeIpamsOutput](s, "DescribeIpams", &shapes.DescribeIpamsInput{}).Ipams; *got[0].ScopeCount != 3 {
		t.Errorf("the ipam counts %d scopes", *got[0].ScopeCount)
	}
	if out := ipamDo[shapes.DeleteIpamScopeOutput](s, "DeleteIpamScope", &shapes.DeleteIpamScopeInput{IpamScopeId: sc.IpamScopeId}).IpamScope; out.State != shapes.IpamScopeStateDeleteInProgress {
		t.Errorf("DeleteIpamScope: %+v", out)
	}

	p := s.pool(i.PrivateDefaultScopeId)
	p = *ipamDo[shapes.ModifyIpamPoolOutput](s, "ModifyIpamPool", &shapes.ModifyIpamPoolInput{
		IpamPoolId: p.IpamPoolId, AllocationDefaultNetmaskLength: new(int32(24)), AutoImport: new(true),
		AddAllocationResourceTags: []shapes.RequestIpamResourceTag{{Key: new("env"), Value: new("prod")}},
	}).IpamPool
	if p.State != shapes.IpamPoolStateModifyInProgress || *p.AllocationDefaultNetmaskLength != 24 || !*p.AutoImport || *p.AllocationResourceTags[0].Value != "prod" {
		t.Errorf("ModifyIpamPool: %+v", p)
	}
	ipamDo[shapes.ModifyIpamPoolOutput](s, "ModifyIpamPool", &shapes.ModifyIpamPoolInput{
		IpamPoolId: p.IpamPoolId, ClearAllocationDefaultNetmaskLength: new(true),
		RemoveAllocationResourceTags: []shapes.RequestIpamResourceTag{{Key: new("env"), Value: new("prod")}},
	})
	if got := ipamDo[shapes.DescribeIpamPoolsOutput](s, "DescribeIpamPools", &shapes.DescribeIpamPoolsInput{}).IpamPools[0]; got.State != shapes.IpamPoolStateModifyComplete ||
		got.AllocationDefaultNetmaskLength != nil || len(got.AllocationResourceTags) != 0 || !*got.AutoImport {
		t.Errorf("DescribeIpamPools: %+v", got)
	}
}

func TestAnAccountsAllocationsOverAllPools(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	want := map[string]bool{}
	for n := range 3 {
		p := s.pool(i.PrivateDefaultScopeId)
		ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: p.IpamPoolId, Cidr: new(fmt.Sprintf("10.%d.0.0/16", n))})
		for range 400 {
			a := ipamDo[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: p.IpamPoolId, NetmaskLength: new(int32(28))}).IpamPoolAllocation
			want[*a.IpamPoolAllocationId] = true
		}
	}
	in := &shapes.DescribeIpamPoolAllocationsInput{MaxResults: new(int32(1000))}
	seen := map[string]bool{}
	var sizes []int
	for {
		out := ipamDo[shapes.DescribeIpamPoolAllocationsOutput](s, "DescribeIpamPoolAllocations", in)
		sizes = append(sizes, len(out.IpamPoolAllocations))
		for _, a := range out.IpamPoolAllocations {
			if seen[*a.IpamPoolAllocationId] || !want[*a.IpamPoolAllocationId] {
				t.Fatalf("%s shows twice, or is nobody's", *a.IpamPoolAllocationId)
			}
			seen[*a.IpamPoolAllocationId] = true
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if !slices.Equal(sizes, []int{1000, 200}) {
		t.Errorf("pages of %v", sizes)
	}
	var one string
	for one = range want {
		break
	}
	a := ipamDo[shapes.ModifyIpamPoolAllocationOutput](s, "ModifyIpamPoolAllocation", &shapes.ModifyIpamPoolAllocationInput{IpamPoolAllocationId: &one, Description: new("rack 7")}).IpamPoolAllocation
	if *a.Description != "rack 7" {
		t.Errorf("ModifyIpamPoolAllocation: %+v", a)
	}
	found := ipamDo[shapes.DescribeIpamPoolAllocationsOutput](s, "DescribeIpamPoolAllocations", &shapes.DescribeIpamPoolAllocationsInput{
		Filters: []shapes.Filter{{Name: new("description"), Values: []string{"rack*"}}},
	}).IpamPoolAllocations
	if len(found) != 1 || *found[0].IpamPoolAllocationId != one {
		t.Errorf("by its description: %+v", found)
	}
	if a := ipamDo[shapes.ModifyIpamPoolAllocationOutput](s, "ModifyIpamPoolAllocation", &shapes.ModifyIpamPoolAllocationInput{IpamPoolAllocationId: &one}).IpamPoolAllocation; a.Description != nil {
		t.Errorf("without a description: %+v", a)
	}
	s.client.AccessKeyID = stranger
	s.refused("DescribeIpamPoolAllocations", &shapes.DescribeIpamPoolAllocationsInput{IpamPoolAllocationIds: []string{one}}, 400, "InvalidIpamPoolAllocationId.NotFound", one) // I8
	s.refused("ModifyIpamPoolAllocation", &shapes.ModifyIpamPoolAllocationInput{IpamPoolAllocationId: &one}, 400, "InvalidIpamPoolAllocationId.NotFound", one)
	if got := ipamDo[shapes.DescribeIpamPoolAllocationsOutput](s, "DescribeIpamPoolAllocations", &shapes.DescribeIpamPoolAllocationsInput{}).IpamPoolAllocations; len(got) != 0 {
		t.Errorf("I8: a stranger sees %+v", got)
	}
}

// What isn't served on purpose says so, whoever asks and however, and has its row.
func TestActionsWithoutServiceSayWhy(t *testing.T) {
	w := newWorld(t)
	doc, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	actions := ec2api.UnservedActions()
	for _, action := range actions {
		status, body := w.send(t, account, action, "Any", "thing")
		if status != 400 || !strings.Contains(body, "<Code>UnsupportedOperation</Code>") || !strings.Contains(body, action) {
			t.Errorf("%s: got %d %s", action, status, body)
		}
		if !strings.Contains(string(doc), action) {
			t.Errorf("docs/compatibility.md doesn't name %s", action)
		}
	}
	if len(actions) == 0 {
		t.Error("there are none")
	}
}
