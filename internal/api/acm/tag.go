package acm

import (
	"context"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/acm"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

var tagChars = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// readTags checks tags as every operation that takes them does.
func readTags(in []acm.Tag) ([]tags.Tag, error) {
	if in != nil && len(in) == 0 {
		return nil, constraint("[]", "tags", "Member must have length greater than or equal to 1")
	}
	var out []tags.Tag
	seen := map[string]bool{}
	for _, t := range in {
		var val string
		if t.Value != nil {
			val = *t.Value
		}
		switch key := *t.Key; {
		case key == "" || utf8.RuneCountInString(key) > tags.MaxKey || !tagChars.MatchString(key):
			return nil, invalid("The tag key '%s' must have 1 to 128 letters, digits, spaces and characters of _.:/=+-@", key)
		case utf8.RuneCountInString(val) > tags.MaxValue || !tagChars.MatchString(val):
			return nil, invalid("The value of tag '%s' must have at most 256 letters, digits, spaces and characters of _.:/=+-@", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, apierr.New("InvalidTagException", "The tag key '%s' begins with 'aws:', which is reserved.", key)
		case seen[key]:
			return nil, apierr.New("InvalidTagException", "The tag key '%s' is given more than once.", key)
		}
		seen[*t.Key] = true
		out = append(out, tags.Tag{Key: *t.Key, Value: val})
	}
	if len(out) > tags.Max {
		return nil, apierr.New("TooManyTagsException", "A certificate can have at most %d tags.", tags.Max)
	}
	return out, nil
}

func (a *API) addTags(ctx context.Context, c *wire.Call, in *acm.AddTagsToCertificateInput) (*acm.AddTagsToCertificateOutput, error) {
	if err := checkARN(*in.CertificateArn); err != nil {
		return nil, err
	}
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &acm.AddTagsToCertificateOutput{}, a.certs.AddTags(ctx, c.Account, c.Region, *in.CertificateArn, tg)
}

// removeTags removes a tag that is named with its value only if it has that value.
func (a *API) removeTags(ctx context.Context, c *wire.Call, in *acm.RemoveTagsFromCertificateInput) (*acm.RemoveTagsFromCertificateOutput, error) {
	if err := checkARN(*in.CertificateArn); err != nil {
		return nil, err
	}
	if _, err := readTags(in.Tags); err != nil {
		return nil, err
	}
	return &acm.RemoveTagsFromCertificateOutput{}, a.certs.RemoveTags(ctx, c.Account, c.Region, *in.CertificateArn, func(t tags.Tag) bool {
		for _, named := range in.Tags {
			if *named.Key == t.Key && (named.Value == nil || *named.Value == t.Value) {
				return true
			}
		}
		return false
	})
}

func (a *API) listTags(_ context.Context, c *wire.Call, in *acm.ListTagsForCertificateInput) (*acm.ListTagsForCertificateOutput, error) {
	if err := checkARN(*in.CertificateArn); err != nil {
		return nil, err
	}
	tg, err := a.certs.Tags(a.store.Snapshot(), c.Account, c.Region, *in.CertificateArn)
	if err != nil {
		return nil, err
	}
	out := &acm.ListTagsForCertificateOutput{Tags: []acm.Tag{}}
	for _, t := range tg {
		out.Tags = append(out.Tags, acm.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out, nil
}
