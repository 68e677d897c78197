package ec2

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerSecurityGroups(svc *wire.Service) {
	network(a, svc, "CreateSecurityGroup", a.createSecurityGroup)
	network(a, svc, "DescribeSecurityGroups", a.describeSecurityGroups)
	network(a, svc, "DeleteSecurityGroup", a.deleteSecurityGroup)
	network(a, svc, "AuthorizeSecurityGroupIngress", a.authorizeIngress)
	network(a, svc, "AuthorizeSecurityGroupEgress", a.authorizeEgress)
	network(a, svc, "RevokeSecurityGroupIngress", a.revokeIngress)
	network(a, svc, "RevokeSecurityGroupEgress", a.revokeEgress)
}

// maxGroupText is the most characters of a security group's name, and of its
// and its rules' descriptions.
const maxGroupText = 255

// groupText says whether s may be a name or description of a group in a VPC
// (EC2 CreateSecurityGroup).
func groupText(s string) bool {
	return utf8.RuneCountInString(s) <= maxGroupText && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r)
	})
}

const groupTextRule = "Character sets beyond a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$* are not allowed, nor are more than 255 characters."

func (a *API) createSecurityGroup(ctx context.Context, c *wire.Call, in *ec2.CreateSecurityGroupInput) (*ec2.CreateSecurityGroupOutput, error) {
	name, description := *in.GroupName, *in.Description
	switch {
	case name == "":
		return nil, missing("GroupName")
	case description == "":
		return nil, missing("GroupDescription")
	case strings.HasPrefix(name, "sg-"):
		return nil, invalid(name, "groupName", "Group names may not be in the format sg-*.")
	case !groupText(name):
		return nil, invalid(name, "groupName", groupTextRule)
	case !groupText(description):
		return nil, invalid(description, "groupDescription", groupTextRule)
	}
	tg, err := specifiedTags(in.TagSpecifications, string(vpc.KindSecurityGroup))
	if err != nil {
		return nil, err
	}
	g, err := a.vpc(c).CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{
		ID: ids.EC2("sg"), Account: c.Account, Region: c.Region, VPCID: value(in.VpcId), Name: name, Description: description, Tags: tg,
	})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateSecurityGroupOutput{GroupId: new(g.ID), SecurityGroupArn: new(groupARN(g)), Tags: renderTags(tg)}, nil
}

func groupARN(g vpc.SecurityGroup) string {
	return arn.New("ec2", g.Region, g.Account, "security-group/"+g.ID).String()
}

func (a *API) describeSecurityGroups(_ context.Context, c *wire.Call, in *ec2.DescribeSecurityGroupsInput) (*ec2.DescribeSecurityGroupsOutput, error) {
	snap := a.Store.Snapshot()
	groupIDs := slices.Clone(in.GroupIds)
	for _, id := range groupIDs {
		if err := wellFormedGroup(id); err != nil {
			return nil, err
		}
	}
	for _, name := range in.GroupNames {
		id, err := a.groupID(snap, c, nil, &name)
		if err != nil {
			return nil, err
		}
		groupIDs = append(groupIDs, id)
	}
	items, next, err := list(c, query{IDs: groupIDs, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.SecurityGroup]{
			from: func(key string) iter.Seq2[string, vpc.SecurityGroup] {
				return a.VPC.SecurityGroups(snap, c.Account, c.Region, key)
			},
			get:    func(id string) (vpc.SecurityGroup, bool) { return a.VPC.SecurityGroup(snap, c.Account, c.Region, id) },
			absent: func(id string) error { return &vpc.NotFoundError{Kind: vpc.KindSecurityGroup, ID: id} },
			attribute: func(g vpc.SecurityGroup, name string) ([]string, bool) {
				return a.groupAttribute(snap, g, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupsOutput{SecurityGroups: []ec2.SecurityGroup{}, NextToken: next}
	for _, g := range items {
		out.SecurityGroups = append(out.SecurityGroups, a.renderGroup(snap, g))
	}
	return out, nil
}

func wellFormedGroup(id string) error {
	if !ids.WellFormed(id, "sg") {
		return apierr.New("InvalidGroupId.Malformed", "Invalid id: \"%s\" (expecting \"sg-...\")", id)
	}
	return nil
}

// groupID returns the id of the group that a call names by id or, in the
// default VPC, by name.
func (a *API) groupID(r store.Reader, c *wire.Call, id, name *string) (string, error) {
	switch {
	case value(id) != "":
		return *id, wellFormedGroup(*id)
	case value(name) == "":
		return "", apierr.New("MissingParameter", "The request must contain the parameter groupName or groupId")
	}
	v, ok := a.VPC.DefaultVPC(r, c.Account, c.Region)
	if ok {
		var g vpc.SecurityGroup
		if g, ok = a.VPC.GroupByName(r, v.ID, *name); ok {
			return g.ID, nil
		}
	}
	return "", &vpc.NotFoundError{Kind: vpc.KindSecurityGroup, ID: *name}
}

func (a *API) groupAttribute(r store.Reader, g vpc.SecurityGroup, name string) (values []string, known bool) {
	switch name {
	case "description":
		return some(g.Description), true
	case "group-id":
		return some(g.ID), true
	case "group-name":
		return some(g.Name), true
	case "owner-id":
		return some(g.Account), true
	case "vpc-id":
		return some(g.VPCID), true
	}
	permission, egress := strings.CutPrefix(name, "egress.")
	permission, ok := strings.CutPrefix(permission, "ip-permission.")
	if !ok {
		return tagAttribute(a.Tags.Of(r, g.ID), name)
	}
	for _, rule := range append([]vpc.Rule{{Egress: egress}}, g.Rules...) {
		v, known := a.ruleAttribute(r, rule, permission)
		if !known {
			return nil, false
		}
		if rule.Egress == egress && rule.ID != "" {
			values = append(values, v...)
		}
	}
	return values, true
}

// ruleAttribute returns a rule's values for what follows "ip-permission." in a
// filter's name.
func (a *API) ruleAttribute(r store.Reader, rule vpc.Rule, name string) ([]string, bool) {
	peer, _ := a.VPC.Group(r, rule.GroupID)
	switch name {
	case "cidr":
		if rule.CIDR.Addr().Is4() {
			return some(rule.CIDR.String()), true
		}
	case "ipv6-cidr":
		if rule.CIDR.Addr().Is6() {
			return some(rule.CIDR.String()), true
		}
	case "from-port":
		return some(strconv.Itoa(int(rule.FromPort))), true
	case "to-port":
		return some(strconv.Itoa(int(rule.ToPort))), true
	case "protocol":
		return some(rule.Protocol), true
	case "group-id":
		return some(rule.GroupID), true
	case "group-name":
		return some(peer.Name), true
	case "user-id":
		return some(peer.Account), true
	case "prefix-list-id":
		return some(rule.PrefixListID), true
	default:
		return nil, false
	}
	return nil, true
}

func (a *API) renderGroup(r store.Reader, g vpc.SecurityGroup) ec2.SecurityGroup {
	return ec2.SecurityGroup{
		GroupId: new(g.ID), GroupName: new(g.Name), Description: new(g.Description), OwnerId: new(g.Account),
		SecurityGroupArn: new(groupARN(g)), VpcId: new(g.VPCID),
		IpPermissions:       renderPermissions(g, false),
		IpPermissionsEgress: renderPermissions(g, true),
		Tags:                renderTags(a.Tags.Of(r, g.ID)),
	}
}

func (a *API) deleteSecurityGroup(ctx context.Context, c *wire.Call, in *ec2.DeleteSecurityGroupInput) (*ec2.DeleteSecurityGroupOutput, error) {
	id, err := a.groupID(a.Store.Snapshot(), c, in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	return &ec2.DeleteSecurityGroupOutput{Return: new(true), GroupId: new(id)}, a.vpc(c).DeleteSecurityGroup(ctx, c.Account, c.Region, id)
}
