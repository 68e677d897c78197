package ec2

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerTags(svc *wire.Service) {
	handle(svc, "CreateTags", a.createTags)
	handle(svc, "DeleteTags", a.deleteTags)
	handle(svc, "DescribeTags", a.describeTags)
}

// taggable is a kind of resource that tags can be put on by id.
type taggable struct {
	prefix string // of its ids: "subnet"
	kind   string // resource type: "subnet"
	exists func(r store.Reader, account, region, id string) bool
}

func (a *API) taggables() []taggable {
	return append([]taggable{
		{"vpc", string(vpc.KindVPC), has(a.VPC.VPC)},
		{"subnet", string(vpc.KindSubnet), has(a.VPC.Subnet)},
		{"igw", string(vpc.KindGateway), has(a.VPC.Gateway)},
		{"rtb", string(vpc.KindRouteTable), has(a.VPC.RouteTable)},
		{"sg", string(vpc.KindSecurityGroup), has(a.VPC.SecurityGroup)},
		{"sgr", string(vpc.KindSecurityRule), has(a.VPC.Rule)},
		{"eni", string(vpc.KindInterface), has(a.VPC.Interface)},
		{"eipalloc", string(vpc.KindAddress), has(a.VPC.Address)},
		{"i", instance.TagType, has(a.Instances.Instance)},
		{"pl", prefixlist.TagType, has(a.PrefixLists.List)},
		{"acl", string(vpc.KindNetworkACL), a.hasNetworkACL},
		{"dopt", string(vpc.KindDHCPOptions), hasDHCPOptions},
	}, a.ipamTaggables()...)
}

func has[T any](get func(r store.Reader, account, region, id string) (T, bool)) func(store.Reader, string, string, string) bool {
	return func(r store.Reader, account, region, id string) bool {
		_, ok := get(r, account, region, id)
		return ok
	}
}

func (a *API) hasNetworkACL(r store.Reader, account, region, id string) bool {
	for _, v := range a.VPC.VPCs(r, account, region, "") {
		if v.NetworkACLID() == id {
			_, ok := a.VPC.VPC(r, account, region, v.ID) // which a transaction must read by key
			return ok
		}
	}
	return false
}

// A call may name a thousand resources (EC2 CreateTags), which one transaction
// can't hold: each takes a read of the resource and of its tags.
const (
	maxTagResources    = 1000
	resourcesPerCommit = store.MaxTxnOps / 4
)

// eachResource runs f for every resource that a call names, so that none of a
// transaction's resources can vanish meanwhile. That all exist is checked before
// anything is written.
func (a *API) eachResource(ctx context.Context, c *wire.Call, resources []string, f func(tx *store.Tx, id, kind string) error) error {
	if len(resources) > maxTagResources {
		return apierr.New("InvalidParameterValue", "A call can tag at most %d resources", maxTagResources)
	}
	kinds := a.taggables()
	kindOf := func(r store.Reader, id string) (string, error) {
		for _, k := range kinds {
			if ids.WellFormed(id, k.prefix) && k.exists(r, c.Account, c.Region, id) {
				return k.kind, nil
			}
		}
		return "", apierr.New("InvalidID", "The ID '%s' is not valid", id)
	}
	resources = unique(resources)
	snap := a.Store.Snapshot()
	for _, id := range resources {
		if _, err := kindOf(snap, id); err != nil {
			return err
		}
	}
	if err := c.CheckDryRun(); err != nil {
		return err
	}
	for some := range slices.Chunk(resources, resourcesPerCommit) {
		err := a.Store.Update(ctx, func(tx *store.Tx) error {
			for _, id := range some {
				kind, err := kindOf(tx, id)
				if err != nil {
					return err
				}
				if err := f(tx, id, kind); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *API) createTags(ctx context.Context, c *wire.Call, in *ec2.CreateTagsInput) (*ec2.CreateTagsOutput, error) {
	tg, err := checkTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateTagsOutput{}, a.eachResource(ctx, c, in.Resources, func(tx *store.Tx, id, kind string) error {
		if kind == string(vpc.KindSecurityRule) {
			a.VPC.TouchRule(tx, c.Account, c.Region, id)
		}
		return a.Tags.Put(tx, tags.Set{Account: c.Account, Region: c.Region, Resource: id, Type: kind, Tags: tg})
	})
}

// deleteTags removes the tags that the call names: by key where it gives no
// value, else only with that value; all of them if it names none (EC2 DeleteTags).
func (a *API) deleteTags(ctx context.Context, c *wire.Call, in *ec2.DeleteTagsInput) (*ec2.DeleteTagsOutput, error) {
	drop := func(t tags.Tag) bool {
		return len(in.Tags) == 0 || slices.ContainsFunc(in.Tags, func(d ec2.Tag) bool {
			return value(d.Key) == t.Key && (d.Value == nil || *d.Value == t.Value)
		})
	}
	return &ec2.DeleteTagsOutput{}, a.eachResource(ctx, c, in.Resources, func(tx *store.Tx, id, _ string) error {
		a.Tags.Remove(tx, id, drop)
		return nil
	})
}

// taggedResource is one row of DescribeTags.
type taggedResource struct {
	tags.Tag
	resource, kind string
}

func (a *API) describeTags(_ context.Context, c *wire.Call, in *ec2.DescribeTagsInput) (*ec2.DescribeTagsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		source[taggedResource]{
			from: func(key string) iter.Seq2[string, taggedResource] { return a.tagRows(snap, c, key) },
			attribute: func(t taggedResource, name string) ([]string, bool) {
				switch name {
				case "key":
					return some(t.Key), true
				case "resource-id":
					return some(t.resource), true
				case "resource-type":
					return some(t.kind), true
				case "value":
					return []string{t.Value}, true
				}
				if key, ok := strings.CutPrefix(name, "tag:"); ok {
					if t.Key != key {
						return nil, true
					}
					return []string{t.Value}, true
				}
				return nil, false
			},
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeTagsOutput{Tags: []ec2.TagDescription{}, NextToken: next}
	for _, t := range items {
		out.Tags = append(out.Tags, ec2.TagDescription{
			Key: new(t.Key), Value: new(t.Value), ResourceId: new(t.resource), ResourceType: ec2.ResourceType(t.kind),
		})
	}
	return out, nil
}

// tagRows yields the tags of the call's account and region, by resource and
// key. The tags of other services' resources, which go by ARN, aren't EC2's.
func (a *API) tagRows(r store.Reader, c *wire.Call, from string) iter.Seq2[string, taggedResource] {
	resource, firstKey, _ := strings.Cut(from, " ") // an id has no space
	return func(yield func(string, taggedResource) bool) {
		for id, set := range a.Tags.Each(r, c.Account, c.Region, resource) {
			if strings.HasPrefix(id, "arn:") {
				continue
			}
			for _, t := range set.Tags {
				if id == resource && t.Key < firstKey {
					continue
				}
				if !yield(id+" "+t.Key, taggedResource{t, id, set.Type}) {
					return
				}
			}
		}
	}
}
