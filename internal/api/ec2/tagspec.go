package ec2

import (
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/tags"
)

// The longest tag (EC2 CreateTags, in characters).
const (
	maxTagKey   = 128
	maxTagValue = 256
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
	seen := map[string]bool{}
	for _, t := range in {
		key, val := value(t.Key), value(t.Value)
		switch {
		case key == "":
			return nil, apierr.New("InvalidParameterValue", "Tag key cannot be empty")
		case utf8.RuneCountInString(key) > maxTagKey:
			return nil, apierr.New("InvalidParameterValue", "Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(val) > maxTagValue:
			return nil, apierr.New("InvalidParameterValue", "Tag value exceeds the maximum length of %d characters", maxTagValue)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, apierr.New("InvalidTagKey.Malformed", "Tag keys starting with 'aws:' are reserved for internal use")
		case seen[key]:
			return nil, apierr.New("InvalidParameterValue", "Duplicate tag key '%s' specified.", key)
		}
		seen[key] = true
		out = append(out, tags.Tag{Key: key, Value: val})
	}
	if len(out) > tags.Max {
		return nil, tags.ErrTooMany
	}
	return out, nil
}

// renderTags returns a reply's tag set, which is never absent.
func renderTags(tg []tags.Tag) []ec2.Tag {
	out := make([]ec2.Tag, 0, len(tg))
	for _, t := range tg {
		out = append(out, ec2.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out
}
