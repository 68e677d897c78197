package elbv2

import (
	"context"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// readTags checks tags as every operation that takes them does.
func readTags(in []elbv2.Tag) ([]tags.Tag, error) {
	var out []tags.Tag
	seen := map[string]bool{}
	for _, t := range in {
		key, val := *t.Key, value(t.Value)
		switch {
		case seen[key]:
			return nil, apierr.New("DuplicateTagKeys", "Tag key was specified more than once: %s", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, invalid("The tag key '%s' begins with 'aws:', which is reserved", key)
		}
		seen[key] = true
		out = append(out, tags.Tag{Key: key, Value: val})
	}
	if len(out) > tags.Max {
		return nil, apierr.New("TooManyTags", "The maximum number of tags on a resource is %d", tags.Max)
	}
	return out, nil
}

func (a *API) addTags(ctx context.Context, c *wire.Call, in *elbv2.AddTagsInput) (*elbv2.AddTagsOutput, error) {
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &elbv2.AddTagsOutput{}, a.elb.AddTags(ctx, c.Account, c.Region, in.ResourceArns, tg)
}

func (a *API) removeTags(ctx context.Context, c *wire.Call, in *elbv2.RemoveTagsInput) (*elbv2.RemoveTagsOutput, error) {
	return &elbv2.RemoveTagsOutput{}, a.elb.RemoveTags(ctx, c.Account, c.Region, in.ResourceArns, in.TagKeys)
}

func (a *API) describeTags(_ context.Context, c *wire.Call, in *elbv2.DescribeTagsInput) (*elbv2.DescribeTagsOutput, error) {
	snap := a.store.Snapshot()
	out := &elbv2.DescribeTagsOutput{TagDescriptions: []elbv2.TagDescription{}}
	for _, arn := range in.ResourceArns {
		tg, err := a.elb.TagsOf(snap, c.Account, c.Region, arn)
		if err != nil {
			return nil, err
		}
		d := elbv2.TagDescription{ResourceArn: new(arn), Tags: []elbv2.Tag{}}
		for _, t := range tg {
			d.Tags = append(d.Tags, elbv2.Tag{Key: new(t.Key), Value: new(t.Value)})
		}
		out.TagDescriptions = append(out.TagDescriptions, d)
	}
	return out, nil
}
