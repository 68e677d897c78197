package elbv2_test

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
)

func rewriteURL(regex, replace string) types.RuleTransform {
	return types.RuleTransform{Type: types.TransformTypeEnumUrlRewrite, UrlRewriteConfig: &types.UrlRewriteConfig{Rewrites: []types.RewriteConfig{{Regex: &regex, Replace: &replace}}}}
}

func rewriteHost(regex, replace string) types.RuleTransform {
	return types.RuleTransform{Type: types.TransformTypeEnumHostHeaderRewrite, HostHeaderRewriteConfig: &types.HostHeaderRewriteConfig{Rewrites: []types.RewriteConfig{{Regex: &regex, Replace: &replace}}}}
}

// told is a rule's transforms in short.
func told(r types.Rule) string {
	var out []string
	for _, t := range r.Transforms {
		switch {
		case t.UrlRewriteConfig != nil:
			out = append(out, "url "+*t.UrlRewriteConfig.Rewrites[0].Regex+" "+*t.UrlRewriteConfig.Rewrites[0].Replace)
		case t.HostHeaderRewriteConfig != nil:
			out = append(out, "host "+*t.HostHeaderRewriteConfig.Rewrites[0].Regex+" "+*t.HostHeaderRewriteConfig.Rewrites[0].Replace)
		}
	}
	return strings.Join(out, "; ")
}

func TestTransformsStayUntilTheyAreReset(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	l := w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, to(w.group("web"))))
	made, err := w.CreateRule(t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: new(int32(1)), Conditions: path("/x"), Actions: l.DefaultActions,
		Transforms: []types.RuleTransform{rewriteHost("^a", "b"), rewriteURL("^/x", "/$1")}})
	if err != nil {
		t.Fatal(err)
	}
	if got := told(made.Rules[0]); got != "host ^a b; url ^/x /$1" {
		t.Errorf("created: %q", got)
	}
	arn := made.Rules[0].RuleArn
	for _, step := range []struct {
		name string
		in   sdk.ModifyRuleInput
		want string
	}{
		{"other conditions", sdk.ModifyRuleInput{Conditions: path("/y")}, "host ^a b; url ^/x /$1"},
		{"other transforms", sdk.ModifyRuleInput{Transforms: []types.RuleTransform{rewriteURL("z", "")}}, "url z "},
		{"reset", sdk.ModifyRuleInput{ResetTransforms: new(true)}, ""},
	} {
		step.in.RuleArn = arn
		if _, err := w.ModifyRule(t.Context(), &step.in); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		out, err := w.DescribeRules(t.Context(), &sdk.DescribeRulesInput{RuleArns: []string{*arn}})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(out.Rules[0]); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
	for _, c := range []struct {
		name       string
		transforms []types.RuleTransform
		text       string
	}{
		{"two of a type", []types.RuleTransform{rewriteURL("a", "b"), rewriteURL("c", "d")}, "A rule can only have one transform of type 'url-rewrite'"},
		{"no rewrite", []types.RuleTransform{{Type: types.TransformTypeEnumUrlRewrite, UrlRewriteConfig: &types.UrlRewriteConfig{}}},
			"A 'UrlRewriteConfig' with exactly one rewrite must be specified for a transform of type 'url-rewrite'"},
		{"another's configuration", []types.RuleTransform{{Type: types.TransformTypeEnumHostHeaderRewrite, UrlRewriteConfig: rewriteURL("a", "b").UrlRewriteConfig}},
			"The 'UrlRewriteConfig' is not compatible with a transform of type 'host-header-rewrite'"},
		{"half an expression", []types.RuleTransform{rewriteURL("(a", "b")}, "The regular expression '(a' is not valid or not supported"},
		{"an expression that looks ahead", []types.RuleTransform{rewriteURL("a(?=b)", "b")}, "The regular expression 'a(?=b)' is not valid or not supported"},
		{"a long expression", []types.RuleTransform{rewriteURL(strings.Repeat("a", 1025), "b")}, "A regular expression must have 1 to 1024 characters"},
		{"a long replacement", []types.RuleTransform{rewriteURL("a", strings.Repeat("a", 1025))}, "The replacement of a transform must have at most 1024 visible ASCII characters"},
	} {
		w.unchanged(t, func() {
			_, err := w.ModifyRule(t.Context(), &sdk.ModifyRuleInput{RuleArn: arn, Transforms: c.transforms})
			if code, text := refusal(t, err); code != "ValidationError" || text != c.text {
				t.Errorf("%s: got %s: %s\nwant ValidationError: %s", c.name, code, text, c.text)
			}
		})
	}
	_, err = w.ModifyRule(t.Context(), &sdk.ModifyRuleInput{RuleArn: arn, ResetTransforms: new(true), Transforms: []types.RuleTransform{rewriteURL("a", "b")}})
	if code, text := refusal(t, err); code != "ValidationError" || text != "Transforms and 'ResetTransforms' cannot be specified at the same time" {
		t.Errorf("both: %s: %s", code, text)
	}
}
