package ec2

import (
	"context"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

// A rule reaches EC2 in three shapes: as one peer of an IpPermission, as the
// flat parameters of the oldest clients, and (to revoke it) as an id. Here they
// all become vpc.Rule, and rules become the shapes of replies.

// permissions are the parameters that the four calls about rules share.
type permissions struct {
	groupID, groupName *string
	list               []ec2.IpPermission
	ruleIDs            []string
	tagged             []ec2.TagSpecification

	// The flat form.
	cidr, protocol, sourceGroup, sourceOwner *string
	from, to                                 *int32
}

func (a *API) authorizeIngress(ctx context.Context, c *wire.Call, in *ec2.AuthorizeSecurityGroupIngressInput) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	rules, err := a.authorize(ctx, c, false, permissions{
		groupID: in.GroupId, groupName: in.GroupName, list: in.IpPermissions, tagged: in.TagSpecifications, cidr: in.CidrIp, protocol: in.IpProtocol,
		sourceGroup: in.SourceSecurityGroupName, sourceOwner: in.SourceSecurityGroupOwnerId, from: in.FromPort, to: in.ToPort,
	})
	return &ec2.AuthorizeSecurityGroupIngressOutput{Return: new(true), SecurityGroupRules: rules}, err
}

func (a *API) authorizeEgress(ctx context.Context, c *wire.Call, in *ec2.AuthorizeSecurityGroupEgressInput) (*ec2.AuthorizeSecurityGroupEgressOutput, error) {
	rules, err := a.authorize(ctx, c, true, permissions{
		groupID: in.GroupId, list: in.IpPermissions, tagged: in.TagSpecifications, cidr: in.CidrIp, protocol: in.IpProtocol,
		sourceGroup: in.SourceSecurityGroupName, sourceOwner: in.SourceSecurityGroupOwnerId, from: in.FromPort, to: in.ToPort,
	})
	return &ec2.AuthorizeSecurityGroupEgressOutput{Return: new(true), SecurityGroupRules: rules}, err
}

func (a *API) revokeIngress(ctx context.Context, c *wire.Call, in *ec2.RevokeSecurityGroupIngressInput) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	rules, err := a.revoke(ctx, c, false, permissions{
		groupID: in.GroupId, groupName: in.GroupName, list: in.IpPermissions, ruleIDs: in.SecurityGroupRuleIds, cidr: in.CidrIp, protocol: in.IpProtocol,
		sourceGroup: in.SourceSecurityGroupName, sourceOwner: in.SourceSecurityGroupOwnerId, from: in.FromPort, to: in.ToPort,
	})
	return &ec2.RevokeSecurityGroupIngressOutput{Return: new(true), RevokedSecurityGroupRules: rules, UnknownIpPermissions: []ec2.IpPermission{}}, err
}

func (a *API) revokeEgress(ctx context.Context, c *wire.Call, in *ec2.RevokeSecurityGroupEgressInput) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	rules, err := a.revoke(ctx, c, true, permissions{
		groupID: in.GroupId, list: in.IpPermissions, ruleIDs: in.SecurityGroupRuleIds, cidr: in.CidrIp, protocol: in.IpProtocol,
		sourceGroup: in.SourceSecurityGroupName, sourceOwner: in.SourceSecurityGroupOwnerId, from: in.FromPort, to: in.ToPort,
	})
	return &ec2.RevokeSecurityGroupEgressOutput{Return: new(true), RevokedSecurityGroupRules: rules, UnknownIpPermissions: []ec2.IpPermission{}}, err
}

func (a *API) authorize(ctx context.Context, c *wire.Call, egress bool, p permissions) ([]ec2.SecurityGroupRule, error) {
	change, err := a.ruleChange(c, egress, p)
	if err != nil {
		return nil, err
	}
	if change.Tags, err = specifiedTags(p.tagged, string(vpc.KindSecurityRule)); err != nil {
		return nil, err
	}
	added, err := a.vpc(c).Authorize(ctx, change)
	if err != nil {
		return nil, err
	}
	snap := a.Store.Snapshot()
	out := []ec2.SecurityGroupRule{}
	for _, r := range added {
		out = append(out, a.renderRule(snap, c, change.GroupID, r))
	}
	return out, nil
}

func (a *API) revoke(ctx context.Context, c *wire.Call, egress bool, p permissions) ([]ec2.RevokedSecurityGroupRule, error) {
	change, err := a.ruleChange(c, egress, p)
	if err != nil {
		return nil, err
	}
	removed, err := a.vpc(c).Revoke(ctx, change)
	if err != nil {
		return nil, err
	}
	out := []ec2.RevokedSecurityGroupRule{}
	for _, r := range removed {
		v4, v6 := ruleCIDRs(r)
		out = append(out, ec2.RevokedSecurityGroupRule{
			SecurityGroupRuleId: new(r.ID), GroupId: new(change.GroupID), IsEgress: new(r.Egress), IpProtocol: new(r.Protocol),
			FromPort: new(r.FromPort), ToPort: new(r.ToPort), CidrIpv4: v4, CidrIpv6: v6,
			ReferencedGroupId: unlessEmpty(r.GroupID), PrefixListId: unlessEmpty(r.PrefixListID), Description: unlessEmpty(r.Description),
		})
	}
	return out, nil
}

// ruleChange reads what a call says about a group's rules.
func (a *API) ruleChange(c *wire.Call, egress bool, p permissions) (vpc.RuleChange, error) {
	snap := a.Store.Snapshot()
	id, err := a.groupID(snap, c, p.groupID, p.groupName)
	if err != nil {
		return vpc.RuleChange{}, err
	}
	change := vpc.RuleChange{Account: c.Account, Region: c.Region, GroupID: id, Egress: egress, RuleIDs: p.ruleIDs, Time: c.Now}
	list, err := p.all()
	if err != nil {
		return vpc.RuleChange{}, err
	}
	for _, perm := range list {
		if perm.IpProtocol == nil {
			return vpc.RuleChange{}, missing("ipProtocol")
		}
		peers, err := a.peers(snap, c, egress, perm)
		if err != nil {
			return vpc.RuleChange{}, err
		}
		for _, peer := range peers {
			r, err := vpc.NewRule(peer, *perm.IpProtocol, perm.FromPort, perm.ToPort)
			if err != nil {
				return vpc.RuleChange{}, err
			}
			change.Rules = append(change.Rules, r)
		}
	}
	if len(change.Rules) == 0 && len(change.RuleIDs) == 0 {
		return vpc.RuleChange{}, apierr.New("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.")
	}
	return change, nil
}

// all returns the permissions of whichever form the call uses.
func (p permissions) all() ([]ec2.IpPermission, error) {
	flat := p.cidr != nil || p.protocol != nil || p.from != nil || p.to != nil || p.sourceGroup != nil || p.sourceOwner != nil
	switch {
	case !flat:
		return p.list, nil
	case len(p.list) > 0:
		return nil, apierr.New("InvalidParameterCombination", "The parameter ipPermissions may not be used with the parameters of a single permission")
	}
	one := ec2.IpPermission{IpProtocol: p.protocol, FromPort: p.from, ToPort: p.to}
	if p.cidr != nil {
		one.IpRanges = []ec2.IpRange{{CidrIp: p.cidr}}
	}
	if p.sourceGroup != nil {
		one.UserIdGroupPairs = []ec2.UserIdGroupPair{{GroupName: p.sourceGroup, UserId: p.sourceOwner}}
		if one.IpProtocol == nil { // "everything from that group"
			one.IpProtocol = new(vpc.AllProtocols)
		}
	}
	return []ec2.IpPermission{one}, nil
}

// peers returns a rule for each peer of a permission, with nothing else set.
func (a *API) peers(r store.Reader, c *wire.Call, egress bool, p ec2.IpPermission) ([]vpc.Rule, error) {
	var rules []vpc.Rule
	add := func(peer vpc.Rule, description *string) error {
		peer.Egress, peer.Description = egress, value(description)
		if !groupText(peer.Description) {
			return invalid(peer.Description, "description", groupTextRule)
		}
		rules = append(rules, peer)
		return nil
	}
	cidr := func(text, description *string, is func(netip.Addr) bool) error {
		p, err := netip.ParsePrefix(value(text))
		if err != nil || !is(p.Addr()) || p.Addr().Is4In6() {
			return apierr.New("InvalidParameterValue", "CIDR block %s is malformed", value(text))
		}
		return add(vpc.Rule{CIDR: p}, description)
	}
	for _, rg := range p.IpRanges {
		if err := cidr(rg.CidrIp, rg.Description, netip.Addr.Is4); err != nil {
			return nil, err
		}
	}
	for _, rg := range p.Ipv6Ranges {
		if err := cidr(rg.CidrIpv6, rg.Description, netip.Addr.Is6); err != nil {
			return nil, err
		}
	}
	for _, g := range p.UserIdGroupPairs {
		if u := value(g.UserId); u != "" && u != c.Account {
			return nil, &vpc.NotFoundError{Kind: vpc.KindSecurityGroup, ID: value(g.GroupId) + value(g.GroupName)}
		}
		id, err := a.groupID(r, c, g.GroupId, g.GroupName)
		if err != nil {
			return nil, err
		}
		if err := add(vpc.Rule{GroupID: id}, g.Description); err != nil {
			return nil, err
		}
	}
	for _, l := range p.PrefixListIds {
		if l.PrefixListId == nil {
			return nil, missing("PrefixListIds.N.PrefixListId")
		}
		if err := add(vpc.Rule{PrefixListID: *l.PrefixListId}, l.Description); err != nil {
			return nil, err
		}
	}
	if len(rules) == 0 {
		return nil, apierr.New("InvalidPermission.Malformed", "The permission names no peer: give a CIDR block, a security group or a prefix list")
	}
	return rules, nil
}

func ruleCIDRs(r vpc.Rule) (v4, v6 *string) {
	switch {
	case r.CIDR.Addr().Is4():
		v4 = new(r.CIDR.String())
	case r.CIDR.Addr().Is6():
		v6 = new(r.CIDR.String())
	}
	return v4, v6
}

func (a *API) renderRule(r store.Reader, c *wire.Call, groupID string, rule vpc.Rule) ec2.SecurityGroupRule {
	v4, v6 := ruleCIDRs(rule)
	out := ec2.SecurityGroupRule{
		SecurityGroupRuleId:  new(rule.ID),
		SecurityGroupRuleArn: new(arn.New("ec2", c.Region, c.Account, "security-group-rule/"+rule.ID).String()),
		GroupId:              new(groupID), GroupOwnerId: new(c.Account), IsEgress: new(rule.Egress),
		IpProtocol: new(rule.Protocol), FromPort: new(rule.FromPort), ToPort: new(rule.ToPort),
		CidrIpv4: v4, CidrIpv6: v6, PrefixListId: unlessEmpty(rule.PrefixListID), Description: unlessEmpty(rule.Description), Tags: renderTags(a.Tags.Of(r, rule.ID)),
	}
	if g, ok := a.VPC.Group(r, rule.GroupID); ok {
		out.ReferencedGroupInfo = &ec2.ReferencedSecurityGroup{GroupId: new(g.ID), UserId: new(g.Account), VpcId: new(g.VPCID)}
	}
	return out
}

// renderPermissions returns a group's rules of one direction, those of the same
// traffic together, in the order in which the first of each was made.
func renderPermissions(g vpc.SecurityGroup, egress bool) []ec2.IpPermission {
	type traffic struct {
		protocol string
		from, to int32
	}
	out := []ec2.IpPermission{}
	at := map[traffic]int{}
	for _, r := range g.Rules {
		if r.Egress != egress {
			continue
		}
		tr := traffic{r.Protocol, r.FromPort, r.ToPort}
		i, ok := at[tr]
		if !ok {
			i = len(out)
			at[tr] = i
			p := ec2.IpPermission{
				IpProtocol: new(r.Protocol), IpRanges: []ec2.IpRange{}, Ipv6Ranges: []ec2.Ipv6Range{},
				PrefixListIds: []ec2.PrefixListId{}, UserIdGroupPairs: []ec2.UserIdGroupPair{},
			}
			if r.Protocol != vpc.AllProtocols { // which has no ports to tell
				p.FromPort, p.ToPort = new(r.FromPort), new(r.ToPort)
			}
			out = append(out, p)
		}
		p, d := &out[i], unlessEmpty(r.Description)
		v4, v6 := ruleCIDRs(r)
		switch {
		case v4 != nil:
			p.IpRanges = append(p.IpRanges, ec2.IpRange{CidrIp: v4, Description: d})
		case v6 != nil:
			p.Ipv6Ranges = append(p.Ipv6Ranges, ec2.Ipv6Range{CidrIpv6: v6, Description: d})
		case r.PrefixListID != "":
			p.PrefixListIds = append(p.PrefixListIds, ec2.PrefixListId{PrefixListId: new(r.PrefixListID), Description: d})
		default:
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, ec2.UserIdGroupPair{GroupId: new(r.GroupID), UserId: new(g.Account), Description: d})
		}
	}
	return out
}
