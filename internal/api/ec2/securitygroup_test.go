package ec2_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func TestRulesOfASecurityGroup(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc
	made := do[ec2.CreateSecurityGroupOutput](t, w, "CreateSecurityGroup", &ec2.CreateSecurityGroupInput{
		GroupName: new("web"), Description: new("web servers"), VpcId: v.VpcId, TagSpecifications: tagged("security-group", "web"),
	})
	id := *made.GroupId
	if *made.SecurityGroupArn != "arn:aws:ec2:us-east-1:"+account+":security-group/"+id || len(made.Tags) != 1 {
		t.Errorf("CreateSecurityGroup: got %+v", made)
	}
	w.wantCode(t, "InvalidGroup.Duplicate", "CreateSecurityGroup", "GroupName", "web", "GroupDescription", "d", "VpcId", *v.VpcId)

	in := do[ec2.AuthorizeSecurityGroupIngressOutput](t, w, "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: &id, IpPermissions: []ec2.IpPermission{
			{IpProtocol: new("6"), FromPort: new(int32(80)), ToPort: new(int32(80)), IpRanges: []ec2.IpRange{
				{CidrIp: new("192.0.2.7/24"), Description: new("office")}, {CidrIp: new("198.51.100.0/24")},
			}},
			{IpProtocol: new("tcp"), FromPort: new(int32(80)), ToPort: new(int32(80)), Ipv6Ranges: []ec2.Ipv6Range{{CidrIpv6: new("2001:db8::/32")}}},
			{IpProtocol: new("-1"), UserIdGroupPairs: []ec2.UserIdGroupPair{{GroupId: &id}}},
		},
	})
	if len(in.SecurityGroupRules) != 4 || !strings.HasPrefix(*in.SecurityGroupRules[0].SecurityGroupRuleId, "sgr-") ||
		*in.SecurityGroupRules[0].CidrIpv4 != "192.0.2.0/24" || *in.SecurityGroupRules[3].ReferencedGroupInfo.GroupId != id {
		t.Fatalf("AuthorizeSecurityGroupIngress: got %+v", in)
	}
	g := do[ec2.DescribeSecurityGroupsOutput](t, w, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}}).SecurityGroups[0]
	if len(g.IpPermissions) != 2 || len(g.IpPermissions[0].IpRanges) != 2 || len(g.IpPermissions[0].Ipv6Ranges) != 1 ||
		g.IpPermissions[1].FromPort != nil || len(g.IpPermissions[1].UserIdGroupPairs) != 1 {
		t.Errorf("ingress: got %+v", g.IpPermissions)
	}
	if len(g.IpPermissionsEgress) != 1 || *g.IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" {
		t.Errorf("egress: got %+v, want all allowed", g.IpPermissionsEgress)
	}

	_, body := w.send(t, account, "AuthorizeSecurityGroupIngress", "GroupId", id, "IpProtocol", "tcp", "FromPort", "80", "ToPort", "80", "CidrIp", "192.0.2.0/24")
	want := "the specified rule &#34;peer: 192.0.2.0/24, TCP, from port: 80, to port: 80, ALLOW&#34; already exists"
	if !strings.Contains(body, "<Code>InvalidPermission.Duplicate</Code>") || !strings.Contains(strings.ReplaceAll(body, "&quot;", "&#34;"), want) {
		t.Errorf("duplicate: got %s, want %s", body, want)
	}

	for name, found := range map[string]bool{
		"ip-permission.cidr=192.0.2.0/24": true, "ip-permission.ipv6-cidr=2001:db8::/32": true, "ip-permission.from-port=80": true,
		"ip-permission.protocol=udp": false, "ip-permission.group-id=" + id: true, "ip-permission.group-name=web": true,
		"egress.ip-permission.cidr=0.0.0.0/0": true, "egress.ip-permission.cidr=192.0.2.0/24": false, "ip-permission.cidr=0.0.0.0/0": false,
		"group-name=w*": true, "description=web servers": true, "tag:Name=web": true,
	} {
		key, val, _ := strings.Cut(name, "=")
		out := do[ec2.DescribeSecurityGroupsOutput](t, w, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{
			Filters: append(filter(key, val), filter("group-id", id)...),
		})
		if (len(out.SecurityGroups) == 1) != found {
			t.Errorf("filter %s: found %v, want %v", name, len(out.SecurityGroups) == 1, found)
		}
	}

	out := do[ec2.RevokeSecurityGroupEgressOutput](t, w, "RevokeSecurityGroupEgress", &ec2.RevokeSecurityGroupEgressInput{
		GroupId: &id, IpPermissions: []ec2.IpPermission{{IpProtocol: new("-1"), IpRanges: []ec2.IpRange{{CidrIp: new("0.0.0.0/0")}}}},
	})
	if len(out.RevokedSecurityGroupRules) != 1 || !*out.RevokedSecurityGroupRules[0].IsEgress {
		t.Errorf("RevokeSecurityGroupEgress: got %+v", out)
	}
	do[ec2.RevokeSecurityGroupIngressOutput](t, w, "RevokeSecurityGroupIngress", &ec2.RevokeSecurityGroupIngressInput{
		GroupId: &id, SecurityGroupRuleIds: []string{*in.SecurityGroupRules[0].SecurityGroupRuleId},
	})
	if got := do[ec2.DeleteSecurityGroupOutput](t, w, "DeleteSecurityGroup", &ec2.DeleteSecurityGroupInput{GroupId: &id}); *got.GroupId != id {
		t.Errorf("DeleteSecurityGroup: got %+v", got)
	}
}

func TestOldClientsNameGroupsAndRulesFlatly(t *testing.T) {
	w := newWorld(t) // in the default VPC
	for _, name := range []string{"web", "front"} {
		do[ec2.CreateSecurityGroupOutput](t, w, "CreateSecurityGroup", &ec2.CreateSecurityGroupInput{GroupName: &name, Description: new("d")})
	}
	for _, params := range [][]string{
		{"IpProtocol", "tcp", "FromPort", "22", "ToPort", "22", "CidrIp", "192.0.2.0/24"},
		{"SourceSecurityGroupName", "front"},
	} {
		if status, body := w.send(t, account, "AuthorizeSecurityGroupIngress", append(params, "GroupName", "web")...); status != 200 {
			t.Errorf("%v: got %d %s", params, status, body)
		}
	}
	g := do[ec2.DescribeSecurityGroupsOutput](t, w, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"web"}}).SecurityGroups[0]
	if got, want := fmt.Sprintf("%s %d, %s", *g.IpPermissions[0].IpProtocol, *g.IpPermissions[0].FromPort, *g.IpPermissions[1].IpProtocol), "tcp 22, -1"; got != want {
		t.Errorf("rules: got %s, want %s", got, want)
	}
	w.wantCode(t, "DependencyViolation", "DeleteSecurityGroup", "GroupName", "front")
}
