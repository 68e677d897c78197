package ec2

import (
	"context"
	"iter"
	"slices"
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
		attributes := map[string]func(ec2.NetworkAclEntry) []string{
			"cidr":        func(e ec2.NetworkAclEntry) []string { return some(value(e.CidrBlock)) },
			"ipv6-cidr":   func(e ec2.NetworkAclEntry) []string { return some(value(e.Ipv6CidrBlock)) },
			"egress":      func(e ec2.NetworkAclEntry) []string { return yesNo(*e.Egress) },
			"protocol":    func(e ec2.NetworkAclEntry) []string { return some(*e.Protocol) },
			"rule-action": func(e ec2.NetworkAclEntry) []string { return some(string(e.RuleAction)) },
			"rule-number": func(e ec2.NetworkAclEntry) []string { return some(strconv.Itoa(int(*e.RuleNumber))) },
		}
		of := attributes[attribute]
		if of == nil { // of a protocol or port, which no entry has here
			return nil, slices.Contains([]string{"icmp.code", "icmp.type", "port-range.from", "port-range.to"}, attribute)
		}
		for _, e := range aclEntries(v) {
			values = append(values, of(e)...)
		}
		return values, true
	}
	return tagAttribute(a.Tags.Of(r, v.NetworkACLID()), name)
}

// aclEntries are the entries of a VPC's default network ACL (Amazon VPC, default
// network ACL). The rules that follow all others, 32767 and 32768, are written *
// by people.
func aclEntries(v vpc.VPC) []ec2.NetworkAclEntry {
	rules := []struct {
		number int32
		action ec2.RuleAction
		v4, v6 *string
	}{
		{100, ec2.RuleActionAllow, new("0.0.0.0/0"), nil},
		{101, ec2.RuleActionAllow, nil, new("::/0")},
		{32767, ec2.RuleActionDeny, new("0.0.0.0/0"), nil},
		{32768, ec2.RuleActionDeny, nil, new("::/0")},
	}
	var entries []ec2.NetworkAclEntry
	for _, egress := range []bool{true, false} {
		for _, r := range rules {
			if r.v6 != nil && !v.HasIPv6() {
				continue
			}
			entries = append(entries, ec2.NetworkAclEntry{
				RuleNumber: new(r.number), RuleAction: r.action, Egress: new(egress), Protocol: new(vpc.AllProtocols), CidrBlock: r.v4, Ipv6CidrBlock: r.v6,
			})
		}
	}
	return entries
}

func (a *API) renderNetworkACL(r store.Reader, v vpc.VPC) ec2.NetworkAcl {
	out := ec2.NetworkAcl{
		NetworkAclId: new(v.NetworkACLID()), IsDefault: new(true), OwnerId: new(v.Account), VpcId: new(v.ID),
		Associations: []ec2.NetworkAclAssociation{}, Entries: aclEntries(v), Tags: renderTags(a.Tags.Of(r, v.NetworkACLID())),
	}
	for _, n := range a.VPC.SubnetsOf(r, v.ID) {
		out.Associations = append(out.Associations, ec2.NetworkAclAssociation{
			NetworkAclAssociationId: new(n.NetworkACLAssociationID()), NetworkAclId: new(v.NetworkACLID()), SubnetId: new(n.ID),
		})
	}
	return out
}
