package elbv2

import (
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
)

func readTransforms(in []elbv2.RuleTransform) ([]elb.Transform, error) {
	out := make([]elb.Transform, 0, len(in))
	for _, t := range in {
		var rewrites []elbv2.RewriteConfig
		name := ""
		switch t.Type {
		case elbv2.TransformTypeEnumHostHeaderRewrite:
			name = "HostHeaderRewriteConfig"
			if t.UrlRewriteConfig != nil {
				return nil, invalid("The 'UrlRewriteConfig' is not compatible with a transform of type '%s'", t.Type)
			}
			if t.HostHeaderRewriteConfig != nil {
				rewrites = t.HostHeaderRewriteConfig.Rewrites
			}
		case elbv2.TransformTypeEnumUrlRewrite:
			name = "UrlRewriteConfig"
			if t.HostHeaderRewriteConfig != nil {
				return nil, invalid("The 'HostHeaderRewriteConfig' is not compatible with a transform of type '%s'", t.Type)
			}
			if t.UrlRewriteConfig != nil {
				rewrites = t.UrlRewriteConfig.Rewrites
			}
		}
		if len(rewrites) != 1 {
			return nil, invalid("A '%s' with exactly one rewrite must be specified for a transform of type '%s'", name, t.Type)
		}
		out = append(out, elb.Transform{Type: string(t.Type), Regex: *rewrites[0].Regex, Replace: *rewrites[0].Replace})
	}
	return out, nil
}

func renderTransforms(transforms []elb.Transform) []elbv2.RuleTransform {
	var out []elbv2.RuleTransform
	for _, t := range transforms {
		r := elbv2.RuleTransform{Type: elbv2.TransformTypeEnum(t.Type)}
		rewrites := []elbv2.RewriteConfig{{Regex: &t.Regex, Replace: &t.Replace}}
		if t.Type == elb.TransformHost {
			r.HostHeaderRewriteConfig = &elbv2.HostHeaderRewriteConfig{Rewrites: rewrites}
		} else {
			r.UrlRewriteConfig = &elbv2.UrlRewriteConfig{Rewrites: rewrites}
		}
		out = append(out, r)
	}
	return out
}
