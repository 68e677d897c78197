package ec2

import (
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/tags"
)

// specifiedTags reads the tags of a resource about to be created, all of whose
// specifications must be for its kind ("vpc", "ipam-pool").
func specifiedTags(specs []ec2.TagSpecification, kind string) ([]tags.Tag, error) {
	var all []ec2.Tag
	for _, s := range specs {
		if s.ResourceType == "" {
			return nil, apierr.New("InvalidParameterValue", "Tag specification resource type must have a value")
		}
		if string(s.ResourceType) != kind {
			return nil, apierr.New("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		all = append(all, s.Tags...)
	}
	return checkTags(all)
}

// checkTags refuses tags that can't be set.
func checkTags(in []ec2.Tag) ([]tags.Tag, error) {
	var out []tags.Tag
	for _, t := range in {
		out = append(out, tags.Tag{Key: value(t.Key), Value: value(t.Value)})
	}
	if err := tags.Check(out); err != nil {
		return nil, err
	}
	_, err := ipam.ParseAutomation(out) // those of pools, for which alone there are reserved keys
	return out, err
}

// renderTags returns a reply's tag set, which is never absent.
func renderTags(tg []tags.Tag) []ec2.Tag {
	out := make([]ec2.Tag, 0, len(tg))
	for _, t := range tg {
		out = append(out, ec2.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out
}
