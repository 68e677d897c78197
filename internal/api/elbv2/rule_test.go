package elbv2_test

import (
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
)

// path is the conditions of a rule for one path.
func path(p string) []types.RuleCondition {
	return []types.RuleCondition{{Field: new("path-pattern"), Values: []string{p}}}
}

// rule makes a rule on a listener, to its own default target group.
func (w *world) rule(l types.Listener, priority int32, conditions []types.RuleCondition) types.Rule {
	w.t.Helper()
	out, err := w.CreateRule(w.t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: &priority, Conditions: conditions, Actions: to(*l.DefaultActions[0].TargetGroupArn)})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Rules[0]
}

// priorities lists a listener's rules as they are told: each with its path.
func (w *world) priorities(l types.Listener) (rows []string) {
	w.t.Helper()
	in := &sdk.DescribeRulesInput{ListenerArn: l.ListenerArn}
	for {
		out, err := w.DescribeRules(w.t.Context(), in)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range out.Rules {
			row := *r.Priority
			for _, c := range r.Conditions {
				row += " " + strings.Join(c.Values, ",")
			}
			rows = append(rows, row)
		}
		if in.Marker = out.NextMarker; in.Marker == nil {
			return rows
		}
	}
}

// Clients compare what they sent with what is told.
func TestARuleIsToldInItsNormalForm(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	l := w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, to(w.group("web"))))
	for name, c := range map[string]struct{ sent, told types.RuleCondition }{
		"a host beside the field": {
			types.RuleCondition{Field: new("host-header"), Values: []string{"*.example.com"}},
			types.RuleCondition{Field: new("host-header"), Values: []string{"*.example.com"}, HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"*.example.com"}}},
		},
		"paths in their configuration": {
			types.RuleCondition{Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/a/*", "/b"}}},
			types.RuleCondition{Field: new("path-pattern"), Values: []string{"/a/*", "/b"}, PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/a/*", "/b"}}},
		},
		"a path by expression": {
			types.RuleCondition{Field: new("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{RegexValues: []string{`^/v[0-9]+/`}}},
			types.RuleCondition{Field: new("path-pattern"), RegexValues: []string{`^/v[0-9]+/`}, PathPatternConfig: &types.PathPatternConditionConfig{RegexValues: []string{`^/v[0-9]+/`}}},
		},
		"a header": {
			types.RuleCondition{Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: new("X-Plan"), Values: []string{"gold*"}}},
			types.RuleCondition{Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: new("X-Plan"), Values: []string{"gold*"}}},
		},
		"methods": {
			types.RuleCondition{Field: new("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"GET", "M-SEARCH"}}},
			types.RuleCondition{Field: new("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"GET", "M-SEARCH"}}},
		},
		"a query": {
			types.RuleCondition{Field: new("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Value: new(`what\?`)}, {Key: new("v"), Value: new("2")}}}},
			types.RuleCondition{Field: new("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Value: new(`what\?`)}, {Key: new("v"), Value: new("2")}}}},
		},
		"sources": {
			types.RuleCondition{Field: new("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"192.0.2.0/24", "2001:db8::/32"}}},
			types.RuleCondition{Field: new("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"192.0.2.0/24", "2001:db8::/32"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			made := w.rule(l, 7, []types.RuleCondition{c.sent})
			want := types.Rule{RuleArn: made.RuleArn, Priority: new("7"), IsDefault: new(false), Conditions: []types.RuleCondition{c.told}, Actions: l.DefaultActions}
			same(t, "answered", want, made)
			described, err := w.DescribeRules(t.Context(), &sdk.DescribeRulesInput{RuleArns: []string{*made.RuleArn}})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "described", []types.Rule{want}, described.Rules)
			if prefix := strings.Replace(*l.ListenerArn, ":listener/", ":listener-rule/", 1) + "/"; !strings.HasPrefix(*made.RuleArn, prefix) {
				t.Errorf("got the ARN %s, want one below %s", *made.RuleArn, prefix)
			}
			if _, err := w.DeleteRule(t.Context(), &sdk.DeleteRuleInput{RuleArn: made.RuleArn}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestARedirectIsToldWhole(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	sent := types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		StatusCode: types.RedirectActionStatusCodeEnumHttp302, Protocol: new("HTTPS"), Port: new("443")}}
	told := types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		StatusCode: types.RedirectActionStatusCodeEnumHttp302, Protocol: new("HTTPS"), Port: new("443"),
		Host: new("#{host}"), Path: new("/#{path}"), Query: new("#{query}")}}
	l := w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, []types.Action{sent}))
	same(t, "the redirect", []types.Action{told}, l.DefaultActions)
}

func TestRulesAreModified(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	l := w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, to(w.group("web"))))
	r := w.rule(l, 7, path("/a"))
	modify := func(in sdk.ModifyRuleInput) types.Rule {
		t.Helper()
		in.RuleArn = r.RuleArn
		out, err := w.ModifyRule(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Rules[0]
	}
	changed := modify(sdk.ModifyRuleInput{Conditions: path("/b")})
	same(t, "the actions stay", l.DefaultActions, changed.Actions)
	fixed := []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("410")}}}
	changed = modify(sdk.ModifyRuleInput{Actions: fixed})
	same(t, "the actions", fixed, changed.Actions)
	if got := w.priorities(l); !cmp.Equal(got, []string{"7 /b", "default"}) {
		t.Errorf("got the rules %q, want the new path", got)
	}
}

func TestPrioritiesChangePlacesInOneCall(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	l := w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, to(w.group("web"))))
	a, b := w.rule(l, 10, path("/a")), w.rule(l, 20, path("/b"))
	w.rule(l, 30, path("/c"))
	set := func(pairs ...types.RulePriorityPair) error {
		_, err := w.SetRulePriorities(t.Context(), &sdk.SetRulePrioritiesInput{RulePriorities: pairs})
		return err
	}
	to := func(r types.Rule, p int32) types.RulePriorityPair {
		return types.RulePriorityPair{RuleArn: r.RuleArn, Priority: &p}
	}
	if err := set(to(a, 20), to(b, 10)); err != nil {
		t.Fatal(err)
	}
	want := []string{"10 /b", "20 /a", "30 /c", "default"}
	if diff := cmp.Diff(want, w.priorities(l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rules, err := w.DescribeRules(t.Context(), &sdk.DescribeRulesInput{ListenerArn: l.ListenerArn})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pairs []types.RulePriorityPair
		code  string
	}{
		"one that another rule has": {[]types.RulePriorityPair{to(a, 1), to(b, 30)}, "PriorityInUse"},
		"one twice":                 {[]types.RulePriorityPair{to(a, 5), to(b, 5)}, "ValidationError"},
		"a rule twice":              {[]types.RulePriorityPair{to(a, 5), to(a, 6)}, "ValidationError"},
		"none that there is":        {[]types.RulePriorityPair{to(a, 50001)}, "ValidationError"},
		"the default rule":          {[]types.RulePriorityPair{to(rules.Rules[3], 5)}, "OperationNotPermitted"},
		"no rule":                   {[]types.RulePriorityPair{to(types.Rule{RuleArn: new(*a.RuleArn + "0")}, 5)}, "RuleNotFound"},
	} {
		if err := set(c.pairs...); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	if diff := cmp.Diff(want, w.priorities(l)); diff != "" {
		t.Errorf("after the refusals (-want +got):\n%s", diff)
	}
}

// I10.
func TestRulesThatCantBeAreRefused(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	l := w.listener(on(*w.balancer(shop()).LoadBalancerArn, 80, to(w.group("web"))))
	r := w.rule(l, 7, path("/a"))
	host := func(values ...string) []types.RuleCondition {
		return []types.RuleCondition{{Field: new("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: values}}}
	}
	header := func(name string, values ...string) types.RuleCondition {
		return types.RuleCondition{Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: &name, Values: values}}
	}
	source := func(values ...string) []types.RuleCondition {
		return []types.RuleCondition{{Field: new("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: values}}}
	}
	for name, c := range map[string]struct {
		conditions []types.RuleCondition
		text       string
	}{
		"an unknown field":           {[]types.RuleCondition{{Field: new("weather"), Values: []string{"rain"}}}, "Condition field 'weather' must be one of"},
		"no value":                   {[]types.RuleCondition{{Field: new("path-pattern")}}, "A condition value must be specified"},
		"no configuration":           {[]types.RuleCondition{{Field: new("source-ip")}}, "A 'SourceIpConfig' must be specified with 'source-ip'"},
		"two plain values":           {[]types.RuleCondition{{Field: new("host-header"), Values: []string{"a.b", "c.d"}}}, "The 'host-header' field contains too many values; the limit is '1'"},
		"both forms":                 {[]types.RuleCondition{{Field: new("path-pattern"), Values: []string{"/a"}, PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/b"}}}}, "You cannot provide both Values and 'PathPatternConfig'"},
		"values of another field":    {[]types.RuleCondition{{Field: new("http-header"), Values: []string{"x"}}}, "The 'Values' field is not compatible with 'http-header'"},
		"another's configuration":    {[]types.RuleCondition{{Field: new("path-pattern"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"a.b"}}}}, "The 'HostHeaderConfig' is not compatible"},
		"a long value":               {path("/" + strings.Repeat("a", 128)), "The 'path-pattern' value is too long; the limit is '128'"},
		"a path without a slash":     {path("a"), "must begin with /"},
		"a strange path":             {path("/a b"), "the allowed characters"},
		"a host without a period":    {host("localhost"), "must have a period"},
		"a host that ends in digits": {host("a.b1"), "only letters after the last one"},
		"a method in lower case":     {[]types.RuleCondition{{Field: new("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"get"}}}}, "the allowed characters are A-Z, hyphen and underscore"},
		"the header Host":            {[]types.RuleCondition{header("host", "a")}, "use a 'host-header' condition"},
		"a long header name":         {[]types.RuleCondition{header(strings.Repeat("h", 41), "a")}, "The 'HttpHeaderName' value is too long; the limit is '40'"},
		"a source that is none":      {source("192.0.2.1"), "CIDR notation"},
		"the broadcast address":      {source("255.255.255.255/32"), "not allowed"},
		"a broken expression":        {[]types.RuleCondition{{Field: new("path-pattern"), RegexValues: []string{"("}}}, "is not valid or not supported"},
		"a look-ahead":               {[]types.RuleCondition{{Field: new("path-pattern"), RegexValues: []string{"(?=a)"}}}, "is not valid or not supported"},
		"a Unicode class":            {[]types.RuleCondition{{Field: new("path-pattern"), RegexValues: []string{`\p{L}`}}}, "is not valid or not supported"},
		"a field twice":              {append(path("/a"), path("/b")...), "A rule can only have one 'path-pattern' condition"},
		"six values":                 {append(source("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"), header("a", "b", "c", "d")), "'5' condition values"},
		"four values of one":         {host("a.a", "a.b", "a.c", "a.d"), "too many values; the limit is '3'"},
		"six wildcards":              {host("*.*.a", "*.*.b", "*.*.c"), "'5' wildcards"},
	} {
		t.Run(name, func(t *testing.T) {
			w.unchanged(t, func() {
				_, err := w.CreateRule(t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: new(int32(8)), Conditions: c.conditions, Actions: l.DefaultActions})
				if code, text := refusal(t, err); code != "ValidationError" || !strings.Contains(text, c.text) {
					t.Errorf("got %s: %s\nwant ValidationError: …%s…", code, text, c.text)
				}
			})
		})
	}
	for name, c := range map[string]struct {
		call func() error
		code string
	}{
		"a priority in use": {func() error {
			_, err := w.CreateRule(t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: new(int32(7)), Conditions: path("/b"), Actions: l.DefaultActions})
			return err
		}, "PriorityInUse"},
		"a priority of nothing": {func() error {
			_, err := w.CreateRule(t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: new(int32(0)), Conditions: path("/b"), Actions: l.DefaultActions})
			return err
		}, "ValidationError"},
		"a change of nothing": {func() error {
			_, err := w.ModifyRule(t.Context(), &sdk.ModifyRuleInput{RuleArn: r.RuleArn})
			return err
		}, "ValidationError"},
		"another account's rule": {func() error {
			_, err := w.as("444455556666").DeleteRule(t.Context(), &sdk.DeleteRuleInput{RuleArn: r.RuleArn})
			return err
		}, "RuleNotFound"},
	} {
		w.unchanged(t, func() {
			if err := c.call(); codeOf(err) != c.code {
				t.Errorf("%s: got %v, want %s", name, err, c.code)
			}
		})
	}
}

// A listener with more rules than a transaction holds goes with all of them, and
// leaves its port and its target groups free.
func TestAListenerGoesWithItsRules(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	b := w.balancer(shop())
	group := w.group("web")
	l := w.listener(on(*b.LoadBalancerArn, 80, to(group)))
	var last types.Rule
	for n := range 100 {
		last = w.rule(l, int32(n+1), path(fmt.Sprint("/", n)))
	}
	_, err := w.CreateRule(t.Context(), &sdk.CreateRuleInput{ListenerArn: l.ListenerArn, Priority: new(int32(101)), Conditions: path("/b"), Actions: l.DefaultActions})
	if codeOf(err) != "TooManyRules" {
		t.Errorf("got %v, want TooManyRules", err)
	}
	if got := len(w.priorities(l)); got != 101 {
		t.Errorf("got %d rules, want 100 and the default rule", got)
	}
	if _, err := w.DeleteListener(t.Context(), &sdk.DeleteListenerInput{ListenerArn: l.ListenerArn}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DescribeRules(t.Context(), &sdk.DescribeRulesInput{RuleArns: []string{*last.RuleArn}}); codeOf(err) != "RuleNotFound" {
		t.Errorf("got %v, want RuleNotFound", err)
	}
	for key := range w.records() {
		if strings.Contains(key, "elb.rule/") || strings.Contains(key, "elb.listener/") {
			t.Errorf("left: %s", key)
		}
	}
	w.listener(on(*b.LoadBalancerArn, 80, to(group)))
	if _, err := w.DeleteTargetGroup(t.Context(), &sdk.DeleteTargetGroupInput{TargetGroupArn: &group}); codeOf(err) != "ResourceInUse" {
		t.Errorf("got %v, want ResourceInUse", err)
	}
}
