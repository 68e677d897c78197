package e2e

import (
	"fmt"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/testkit"
)

// Rules that are made, given other priorities, changed and deleted lead requests
// where they say, each from the moment that the nodes have it.
func TestRulesLeadRequests(t *testing.T) {
	w := clients(t, testkit.Start(t, testkit.Config(t)))
	w.network()
	pool := w.pool("127.192.12.0/28")
	group := w.targetGroup("web", testkit.StartTarget(t, "web", nil))
	lb := w.balancer("ruled", pool)
	port := testkit.FreePort(t)
	listener := w.listener(lb, port, group)
	at := w.Resolve(t, *lb.DNSName)[0]
	wantStatus := func(what, path string, want int) {
		t.Helper()
		testkit.Eventually(t, what, func() error {
			if got, body, err := w.get(lb, at, port, path); err != nil || got != want {
				return fmt.Errorf("%s: got %d %q, %v, want %d", path, got, body, err, want)
			}
			return nil
		})
	}
	answer := func(status string) []elbtypes.Action {
		return []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: &status}}}
	}
	rule := func(priority int32, condition elbtypes.RuleCondition, actions []elbtypes.Action) *string {
		t.Helper()
		out, err := w.elb.CreateRule(t.Context(), &elb.CreateRuleInput{ListenerArn: &listener, Priority: &priority, Conditions: []elbtypes.RuleCondition{condition}, Actions: actions})
		if err != nil {
			t.Fatal(err)
		}
		return out.Rules[0].RuleArn
	}
	wantStatus("the default rule", "/a/1", 200)
	wide := rule(20, elbtypes.RuleCondition{Field: new("path-pattern"), Values: []string{"/a/*"}}, answer("410"))
	wantStatus("a rule", "/a/1", 410)
	narrow := rule(30, elbtypes.RuleCondition{Field: new("path-pattern"), RegexValues: []string{`^/a/[0-9]+$`}}, answer("418"))
	wantStatus("the lower priority number wins", "/a/1", 410)
	if _, err := w.elb.SetRulePriorities(t.Context(), &elb.SetRulePrioritiesInput{RulePriorities: []elbtypes.RulePriorityPair{{RuleArn: narrow, Priority: new(int32(10))}}}); err != nil {
		t.Fatal(err)
	}
	wantStatus("the other goes first", "/a/1", 418)
	wantStatus("what the expression doesn't match", "/a/b", 410)
	if _, err := w.elb.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: wide, Actions: answer("451")}); err != nil {
		t.Fatal(err)
	}
	wantStatus("another action", "/a/b", 451)
	if _, err := w.elb.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: wide, Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumRedirect,
		RedirectConfig: &elbtypes.RedirectActionConfig{StatusCode: elbtypes.RedirectActionStatusCodeEnumHttp302, Protocol: new("HTTPS"), Port: new("443")}}}}); err != nil {
		t.Fatal(err)
	}
	wantStatus("a redirect", "/a/b", 302)
	reply := w.raw(at, port, "GET /a/b?c HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n")
	if !strings.Contains(reply, "\r\nLocation: https://www.example.com:443/a/b?c\r\n") || !strings.Contains(reply, "\r\nContent-Length: 110\r\n") {
		t.Errorf("got the redirect\n%s", reply)
	}
	for _, r := range []*string{wide, narrow} {
		if _, err := w.elb.DeleteRule(t.Context(), &elb.DeleteRuleInput{RuleArn: r}); err != nil {
			t.Fatal(err)
		}
	}
	wantStatus("without rules", "/a/1", 200)
}
