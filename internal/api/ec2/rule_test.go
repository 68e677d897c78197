package ec2_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

// newGroup returns a security group of a new VPC, without rules.
func newGroup(t *testing.T, w *world, cidr string) (group, vpcID string) {
	t.Helper()
	vpcID = *do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: &cidr}).Vpc.VpcId
	group = *do[ec2.CreateSecurityGroupOutput](t, w, "CreateSecurityGroup", &ec2.CreateSecurityGroupInput{GroupName: new("web"), Description: new("d"), VpcId: &vpcID}).GroupId
	do[ec2.RevokeSecurityGroupEgressOutput](t, w, "RevokeSecurityGroupEgress", &ec2.RevokeSecurityGroupEgressInput{GroupId: &group, IpPermissions: everywhere("-1", nil)})
	return group, vpcID
}

func everywhere(protocol string, port *int32) []ec2.IpPermission {
	return []ec2.IpPermission{{IpProtocol: &protocol, FromPort: port, ToPort: port, IpRanges: []ec2.IpRange{{CidrIp: new("0.0.0.0/0")}}}}
}

func authorize(t *testing.T, w *world, group string, port int32, tags ...ec2.TagSpecification) string {
	t.Helper()
	return *do[ec2.AuthorizeSecurityGroupIngressOutput](t, w, "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &group, IpPermissions: everywhere("tcp", &port), TagSpecifications: tags,
	}).SecurityGroupRules[0].SecurityGroupRuleId
}

// rules returns rules as words.
func rules(t *testing.T, w *world, in *ec2.DescribeSecurityGroupRulesInput) []string {
	t.Helper()
	got := []string{}
	for _, r := range do[ec2.DescribeSecurityGroupRulesOutput](t, w, "DescribeSecurityGroupRules", in).SecurityGroupRules {
		peer, description := r.CidrIpv4, ""
		if r.CidrIpv6 != nil {
			peer = r.CidrIpv6
		}
		if r.ReferencedGroupInfo != nil {
			peer = r.ReferencedGroupInfo.GroupId
		}
		if r.Description != nil {
			description = *r.Description
		}
		got = append(got, fmt.Sprintf("%s %s %d-%d %q %d", *peer, *r.IpProtocol, *r.FromPort, *r.ToPort, description, len(r.Tags)))
	}
	return got
}

func wantRules(t *testing.T, w *world, in *ec2.DescribeSecurityGroupRulesInput, want ...string) {
	t.Helper()
	if got := rules(t, w, in); !slices.Equal(got, want) {
		t.Errorf("rules: got %q, want %q", got, want)
	}
}

func TestARuleIsAResource(t *testing.T) {
	w := newWorld(t)
	group, vpcID := newGroup(t, w, "10.0.0.0/16")
	id := authorize(t, w, group, 80, tagged("security-group-rule", "web")...)
	only := &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{id}}
	wantRules(t, w, only, `0.0.0.0/0 tcp 80-80 "" 1`)
	wantRules(t, w, &ec2.DescribeSecurityGroupRulesInput{Filters: append(filter("group-id", group), filter("tag:Name", "web")...)}, `0.0.0.0/0 tcp 80-80 "" 1`)
	wantRules(t, w, &ec2.DescribeSecurityGroupRulesInput{Filters: append(filter("group-id", group), filter("tag:Name", "shop")...)})
	wantRules(t, w, &ec2.DescribeSecurityGroupRulesInput{Filters: filter("security-group-rule-id", id)}, `0.0.0.0/0 tcp 80-80 "" 1`)

	modify := func(in ec2.SecurityGroupRuleRequest) {
		t.Helper()
		do[ec2.ModifySecurityGroupRulesOutput](t, w, "ModifySecurityGroupRules", &ec2.ModifySecurityGroupRulesInput{GroupId: &group, SecurityGroupRules: []ec2.SecurityGroupRuleUpdate{{SecurityGroupRuleId: &id, SecurityGroupRule: &in}}})
	}
	modify(ec2.SecurityGroupRuleRequest{CidrIpv4: new("10.0.0.7/8"), IpProtocol: new("6"), FromPort: new(int32(443)), ToPort: new(int32(444)), Description: new("inside")})
	wantRules(t, w, only, `10.0.0.0/8 tcp 443-444 "inside" 1`)
	do[ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput](t, w, "UpdateSecurityGroupRuleDescriptionsIngress", &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &group, SecurityGroupRuleDescriptions: []ec2.SecurityGroupRuleDescription{{SecurityGroupRuleId: &id, Description: new("by id")}},
	})
	wantRules(t, w, only, `10.0.0.0/8 tcp 443-444 "by id" 1`)
	do[ec2.UpdateSecurityGroupRuleDescriptionsIngressOutput](t, w, "UpdateSecurityGroupRuleDescriptionsIngress", &ec2.UpdateSecurityGroupRuleDescriptionsIngressInput{
		GroupId: &group, IpPermissions: []ec2.IpPermission{{IpProtocol: new("tcp"), FromPort: new(int32(443)), ToPort: new(int32(444)), IpRanges: []ec2.IpRange{{CidrIp: new("10.0.0.0/8"), Description: new("by traffic")}}}},
	})
	wantRules(t, w, only, `10.0.0.0/8 tcp 443-444 "by traffic" 1`)
	do[ec2.CreateTagsOutput](t, w, "CreateTags", &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2.Tag{{Key: new("env"), Value: new("test")}}})
	wantRules(t, w, only, `10.0.0.0/8 tcp 443-444 "by traffic" 2`)

	for _, c := range []struct {
		name, code, action string
		params             []string
	}{
		{"no such rule", "InvalidSecurityGroupRuleId.NotFound", "DescribeSecurityGroupRules", []string{"SecurityGroupRuleId.1", "sgr-0123456789abcdef0"}},
		{"an unknown filter", "InvalidParameterValue", "DescribeSecurityGroupRules", []string{"Filter.1.Name", "colour", "Filter.1.Value.1", "red"}},
		{"no such rule to change", "InvalidSecurityGroupRuleId.NotFound", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", "sgr-0123456789abcdef0", "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8"}},
		{"another kind of peer", "InvalidParameterValue", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv6", "::/0"}},
		{"two peers", "InvalidParameterCombination", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv6", "::/0", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8"}},
		{"no peer", "InvalidParameterCombination", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1"}},
		{"no protocol", "MissingParameter", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8"}},
		{"ports the wrong way round", "InvalidParameterValue", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp", "SecurityGroupRule.1.SecurityGroupRule.FromPort", "9", "SecurityGroupRule.1.SecurityGroupRule.ToPort", "8", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8"}},
		{"no content", "MissingParameter", "ModifySecurityGroupRules", []string{"SecurityGroupRule.1.SecurityGroupRuleId", id}},
		{"no rules", "MissingParameter", "ModifySecurityGroupRules", nil},
		{"a description in strange letters", "InvalidParameterValue", "UpdateSecurityGroupRuleDescriptionsIngress", []string{"SecurityGroupRuleDescription.1.SecurityGroupRuleId", id, "SecurityGroupRuleDescription.1.Description", "é"}},
		{"a rule of the other direction", "InvalidSecurityGroupRuleId.NotFound", "UpdateSecurityGroupRuleDescriptionsEgress", []string{"SecurityGroupRuleDescription.1.SecurityGroupRuleId", id}},
		{"a rule that isn't", "InvalidPermission.NotFound", "UpdateSecurityGroupRuleDescriptionsIngress", []string{"IpPermissions.1.IpProtocol", "-1", "IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"}},
		{"tags of a group", "InvalidParameterValue", "AuthorizeSecurityGroupIngress", []string{"IpProtocol", "-1", "CidrIp", "0.0.0.0/0", "TagSpecification.1.ResourceType", "security-group", "TagSpecification.1.Tag.1.Key", "a"}},
		{"a dry run", "DryRunOperation", "ModifySecurityGroupRules", []string{"DryRun", "true", "SecurityGroupRule.1.SecurityGroupRuleId", id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "-1", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.9.0.0/16"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			params := c.params
			if c.action != "DescribeSecurityGroupRules" {
				params = append([]string{"GroupId", group}, params...)
			}
			w.wantCode(t, c.code, c.action, params...)
			wantRules(t, w, only, `10.0.0.0/8 tcp 443-444 "by traffic" 2`)
		})
	}

	// A second rule can't become the first one; and when rules go, so do their tags.
	second := authorize(t, w, group, 22, tagged("security-group-rule", "ssh")...)
	w.wantCode(t, "InvalidPermission.Duplicate", "ModifySecurityGroupRules", "GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", second,
		"SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp", "SecurityGroupRule.1.SecurityGroupRule.FromPort", "443",
		"SecurityGroupRule.1.SecurityGroupRule.ToPort", "444", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8")
	do[ec2.RevokeSecurityGroupIngressOutput](t, w, "RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, SecurityGroupRuleIds: []string{id}})
	do[ec2.DeleteSecurityGroupOutput](t, w, "DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: &group})
	do[ec2.DeleteVpcOutput](t, w, "DeleteVpc", &ec2.DeleteVpcInput{VpcId: &vpcID})
	if left := do[ec2.DescribeTagsOutput](t, w, "DescribeTags", &ec2.DescribeTagsInput{}).Tags; len(left) > 0 {
		t.Errorf("I2: tags of what is gone: %+v", left)
	}
	w.wantCode(t, "InvalidID", "CreateTags", "ResourceId.1", second, "Tag.1.Key", "a", "Tag.1.Value", "b")
}

func TestRulesComeInPages(t *testing.T) {
	w := newWorld(t)
	group, _ := newGroup(t, w, "10.0.0.0/16")
	for port := range int32(13) {
		authorize(t, w, group, port)
	}
	for name, c := range map[string]struct {
		filters []ec2.Filter
		want    int
	}{
		"of one group":      {filter("group-id", group), 13},
		"by a pattern":      {filter("group-id", group[:10]+"*"), 13},
		"of all the groups": {nil, 13 + 2 + 2}, // and those of two default groups
	} {
		seen := map[string]bool{}
		in := ec2.DescribeSecurityGroupRulesInput{MaxResults: new(int32(5)), Filters: c.filters}
		for {
			out := do[ec2.DescribeSecurityGroupRulesOutput](t, w, "DescribeSecurityGroupRules", &in)
			for _, r := range out.SecurityGroupRules {
				seen[*r.SecurityGroupRuleId] = true
			}
			if len(out.SecurityGroupRules) > 5 {
				t.Fatalf("%s: a page of %d", name, len(out.SecurityGroupRules))
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if len(seen) != c.want {
			t.Errorf("%s: got %d rules, want %d", name, len(seen), c.want)
		}
	}
	// I8: another account sees none of them.
	var theirs ec2.DescribeSecurityGroupRulesOutput
	if err := w.client(stranger).Do(t.Context(), "DescribeSecurityGroupRules", &ec2.DescribeSecurityGroupRulesInput{Filters: filter("group-id", group)}, &theirs); err != nil || len(theirs.SecurityGroupRules) > 0 {
		t.Errorf("another account: got %+v, %v", theirs, err)
	}
}
