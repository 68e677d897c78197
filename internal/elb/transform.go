package elb

import "slices"

// The types of a transform (ELBv2 RuleTransform.Type).
const (
	TransformHost = "host-header-rewrite"
	TransformURL  = "url-rewrite"
)

// maxRewriteText is how long an expression and its replacement may be.
const maxRewriteText = 1024

// Transform rewrites what a request that meets a rule asks its target for. "$1"
// in Replace stands for what the first group of Regex has matched.
type Transform struct {
	Type           string
	Regex, Replace string
}

func checkTransforms(transforms []Transform) error {
	for n, t := range transforms {
		switch {
		case t.Type != TransformHost && t.Type != TransformURL:
			return fail(Invalid, "Transform type '%s' must be one of '[%s, %s]'", t.Type, TransformHost, TransformURL)
		case slices.ContainsFunc(transforms[:n], func(o Transform) bool { return o.Type == t.Type }):
			return fail(Invalid, "A rule can only have one transform of type '%s'", t.Type)
		case len(t.Replace) > maxRewriteText || !visible.MatchString(t.Replace):
			return fail(Invalid, "The replacement of a transform must have at most %d visible ASCII characters", maxRewriteText)
		}
		if err := checkExpression(t.Regex, maxRewriteText); err != nil {
			return err
		}
	}
	return nil
}
