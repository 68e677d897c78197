package ec2

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerNetworkACLs(svc *wire.Service) {
	network(a, svc, "DescribeNetworkAcls", a.describeNetworkACLs)
}

// describeNetworkACLs shows the one network ACL that each VPC has, which allows
// everything and can't be changed: there is no record of it beside the VPC's.
// Pages follow the order of the VPCs.
func (a *API) describeNetworkACLs(_ context.Context, c *wire.Call, in *ec2.DescribeNetworkAclsInput) (*ec2.DescribeNetworkAclsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.NetworkAclIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[vpc.VPC]{
			from: func(key string) iter.Seq2[string, vpc.VPC] { return a.VPC.VPCs(snap, c.Account, c.Region, key) },
			get:  func(id string) (vpc.VPC, bool) { return a.vpcOfACL(snap, c, id) },
			absent: func(id string) error {
				return &vpc.NotFoundError{Kind: vpc.KindNetworkACL, ID: id}
			},
			attribute: func(v vpc.VPC, name string) ([]string, bool) {
				return a.networkACLAttribute(snap, v, name)
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNetworkAclsOutput{NetworkAcls: []ec2.NetworkAcl{}, NextToken: next}
	for _, v := range items {
		out.NetworkAcls = append(out.NetworkAcls, a.renderNetworkACL(snap, v))
	}
	return out, nil
}

func (a *API) vpcOfACL(r store.Reader, c *wire.Call, id string) (vpc.VPC, bool) {
	for _, v := range a.VPC.VPCs(r, c.Account, c.Region, "") {
		if v.NetworkACLID() == id {
			return v, true
		}
	}
	return vpc.VPC{}, false
}

func (a *API) networkACLAttribute(r store.Reader, v vpc.VPC, name string) (values []string, known bool) {
	switch name {
	case "default":
		return yesNo(true), true
	case "network-acl-id", "association.network-acl-id":
		return some(v.NetworkACLID()), true
	case "owner-id":
		return some(v.Account), true
	case "vpc-id":
		return some(v.ID), true
	case "association.association-id", "association.subnet-id":
		for _, as := range a.renderNetworkACL(r, v).Associations {
			if name == "association.subnet-id" {
				values = append(values, *as.SubnetId)
			} else {
				values = append(values, *as.NetworkAclAssociationId)
			}
		}
		return values, true
	}
	if attribute, ok := strings.CutPrefix(name, "entry."); ok {
		for _, e := range aclEntries() {
			switch attribute {
			case "cidr":
				values = append(values, *e.CidrBlock)
			case "egress":
				values = append(values, yesNo(*e.Egress)...)
			case "protocol":
				values = append(values, *e.Protocol)
			case "rule-action":
				values = append(values, string(e.RuleAction))
			case "rule-number":
				values = append(values, strconv.Itoa(int(*e.RuleNumber)))
			case "icmp.code", "icmp.type", "ipv6-cidr", "port-range.from", "port-range.to":
			default:
				return nil, false
			}
		}
		return values, true
	}
	return tagAttribute(a.Tags.Of(r, v.NetworkACLID()), name)
}

// lastACLRule is the number of the rule that follows all others, written * by people.
const lastACLRule = 32767

// aclEntries are the entries of every default network ACL.
func aclEntries() []ec2.NetworkAclEntry {
	var entries []ec2.NetworkAclEntry
	for _, egress := range []bool{true, false} {
		for _, e := range []struct {
			number int32
			action ec2.RuleAction
		}{{100, ec2.RuleActionAllow}, {lastACLRule, ec2.RuleActionDeny}} {
			entries = append(entries, ec2.NetworkAclEntry{
				RuleNumber: new(e.number), RuleAction: e.action, Egress: new(egress), Protocol: new(vpc.AllProtocols), CidrBlock: new("0.0.0.0/0"),
			})
		}
	}
	return entries
}

func (a *API) renderNetworkACL(r store.Reader, v vpc.VPC) ec2.NetworkAcl {
	out := ec2.NetworkAcl{
		NetworkAclId: new(v.NetworkACLID()), IsDefault: new(true), OwnerId: new(v.Account), VpcId: new(v.ID),
		Associations: []ec2.NetworkAclAssociation{}, Entries: aclEntries(), Tags: renderTags(a.Tags.Of(r, v.NetworkACLID())),
	}
	for _, n := range a.VPC.SubnetsOf(r, v.ID) {
		out.Associations = append(out.Associations, ec2.NetworkAclAssociation{
			NetworkAclAssociationId: new(n.NetworkACLAssociationID()), NetworkAclId: new(v.NetworkACLID()), SubnetId: new(n.ID),
		})
	}
	return out
}
