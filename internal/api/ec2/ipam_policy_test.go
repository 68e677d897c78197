package ec2_test

import (
	"testing"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

func TestAPolicyFromCreationToDeletion(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	pool := s.pool(i.PublicDefaultScopeId, func(in *shapes.CreateIpamPoolInput) { in.AwsService = shapes.IpamPoolAwsServiceEc2 })
	p := ipamDo[shapes.CreateIpamPolicyOutput](s, "CreateIpamPolicy", &shapes.CreateIpamPolicyInput{
		IpamId: i.IpamId, ClientToken: new("once"),
		TagSpecifications: []shapes.TagSpecification{{ResourceType: "ipam-policy", Tags: []shapes.Tag{{Key: new("env"), Value: new("prod")}}}},
	}).IpamPolicy
	if p.State != shapes.IpamPolicyStateCreateInProgress || *p.OwnerId != account || *p.IpamPolicyRegion != region || *p.IpamId != *i.IpamId ||
		*p.IpamPolicyArn != "arn:aws:ec2::"+account+":ipam-policy/"+*p.IpamPolicyId || len(p.Tags) != 1 {
		t.Errorf("CreateIpamPolicy: %+v", p)
	}
	doc := ipamDo[shapes.ModifyIpamPolicyAllocationRulesOutput](s, "ModifyIpamPolicyAllocationRules", &shapes.ModifyIpamPolicyAllocationRulesInput{
		IpamPolicyId: p.IpamPolicyId, Locale: new(region), ResourceType: "alb",
		AllocationRules: []shapes.IpamPolicyAllocationRuleRequest{{SourceIpamPoolId: pool.IpamPoolId}},
	}).IpamPolicyDocument
	if *doc.Locale != region || doc.ResourceType != "alb" || len(doc.AllocationRules) != 1 || *doc.AllocationRules[0].SourceIpamPoolId != *pool.IpamPoolId {
		t.Errorf("ModifyIpamPolicyAllocationRules: %+v", doc)
	}
	for _, c := range []struct {
		name string
		in   shapes.GetIpamPolicyAllocationRulesInput
		want int
	}{
		{"all", shapes.GetIpamPolicyAllocationRulesInput{}, 1},
		{"its resource type", shapes.GetIpamPolicyAllocationRulesInput{ResourceType: "alb", Locale: new(region)}, 1},
		{"another resource type", shapes.GetIpamPolicyAllocationRulesInput{ResourceType: "eip"}, 0},
		{"another locale", shapes.GetIpamPolicyAllocationRulesInput{Locale: new("eu-central-1")}, 0},
	} {
		c.in.IpamPolicyId = p.IpamPolicyId
		if got := ipamDo[shapes.GetIpamPolicyAllocationRulesOutput](s, "GetIpamPolicyAllocationRules", &c.in).IpamPolicyDocuments; len(got) != c.want {
			t.Errorf("rules of %s: got %+v, want %d", c.name, got, c.want)
		}
	}

	if e := ipamDo[shapes.GetEnabledIpamPolicyOutput](s, "GetEnabledIpamPolicy", &shapes.GetEnabledIpamPolicyInput{}); *e.IpamPolicyEnabled || e.IpamPolicyId != nil {
		t.Errorf("before: %+v", e)
	}
	ipamDo[shapes.EnableIpamPolicyOutput](s, "EnableIpamPolicy", &shapes.EnableIpamPolicyInput{IpamPolicyId: p.IpamPolicyId, OrganizationTargetId: new(account)})
	if e := ipamDo[shapes.GetEnabledIpamPolicyOutput](s, "GetEnabledIpamPolicy", &shapes.GetEnabledIpamPolicyInput{}); !*e.IpamPolicyEnabled ||
		*e.IpamPolicyId != *p.IpamPolicyId || e.ManagedBy != shapes.IpamPolicyManagedByAccount {
		t.Errorf("enabled: %+v", e)
	}
	targets := ipamDo[shapes.GetIpamPolicyOrganizationTargetsOutput](s, "GetIpamPolicyOrganizationTargets", &shapes.GetIpamPolicyOrganizationTargetsInput{IpamPolicyId: p.IpamPolicyId}).OrganizationTargets
	if len(targets) != 1 || *targets[0].OrganizationTargetId != account {
		t.Errorf("targets: %+v", targets)
	}
	for _, target := range []string{"ou-ab12-11111111", "r-ab12", stranger} {
		s.refused("EnableIpamPolicy", &shapes.EnableIpamPolicyInput{IpamPolicyId: p.IpamPolicyId, OrganizationTargetId: &target}, 400, "UnsupportedOperation", "Omit OrganizationTargetId")
	}
	s.refused("EnableIpamPolicy", &shapes.EnableIpamPolicyInput{IpamPolicyId: p.IpamPolicyId, OrganizationTargetId: new("prod")}, 400, "InvalidParameterValue", "organizationTargetId")
	s.refused("DeleteIpamPolicy", &shapes.DeleteIpamPolicyInput{IpamPolicyId: p.IpamPolicyId}, 400, "DependencyViolation", "Disable it first")
	s.refused("DisableIpamPolicy", &shapes.DisableIpamPolicyInput{IpamPolicyId: p.IpamPolicyId, DryRun: new(true)}, 412, "DryRunOperation", "")
	if d := ipamDo[shapes.DisableIpamPolicyOutput](s, "DisableIpamPolicy", &shapes.DisableIpamPolicyInput{IpamPolicyId: p.IpamPolicyId}); !*d.Return {
		t.Errorf("DisableIpamPolicy: %+v", d)
	}

	for _, f := range []shapes.Filter{
		{Name: new("tag:env"), Values: []string{"prod"}}, {Name: new("ipam-id"), Values: []string{*i.IpamId}}, {Name: new("state"), Values: []string{"modify-complete"}},
	} {
		if got := ipamDo[shapes.DescribeIpamPoliciesOutput](s, "DescribeIpamPolicies", &shapes.DescribeIpamPoliciesInput{Filters: []shapes.Filter{f}}).IpamPolicies; len(got) != 1 {
			t.Errorf("filter %s: %+v", *f.Name, got)
		}
	}
	ipamDo[shapes.CreateTagsOutput](s, "CreateTags", &shapes.CreateTagsInput{Resources: []string{*p.IpamPolicyId}, Tags: []shapes.Tag{{Key: new("k"), Value: new("v")}}})
	if d := ipamDo[shapes.DeleteIpamPolicyOutput](s, "DeleteIpamPolicy", &shapes.DeleteIpamPolicyInput{IpamPolicyId: p.IpamPolicyId}).IpamPolicy; d.State != shapes.IpamPolicyStateDeleteInProgress || len(d.Tags) != 2 {
		t.Errorf("DeleteIpamPolicy: %+v", d)
	}
	for action, in := range map[string]any{
		"DescribeIpamPolicies":         &shapes.DescribeIpamPoliciesInput{IpamPolicyIds: []string{*p.IpamPolicyId}},
		"DeleteIpamPolicy":             &shapes.DeleteIpamPolicyInput{IpamPolicyId: p.IpamPolicyId},
		"EnableIpamPolicy":             &shapes.EnableIpamPolicyInput{IpamPolicyId: p.IpamPolicyId},
		"GetIpamPolicyAllocationRules": &shapes.GetIpamPolicyAllocationRulesInput{IpamPolicyId: p.IpamPolicyId},
	} {
		s.refused(action, in, 400, "InvalidIpamPolicyId.NotFound", *p.IpamPolicyId)
	}
	s.refused("CreateIpamPolicy", &shapes.CreateIpamPolicyInput{IpamId: new("ipam-0000000000000000")}, 400, "InvalidIpamId.NotFound", "ipam-0000000000000000")
}
