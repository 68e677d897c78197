package elbv2_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// described says how what an action answers is shown afterwards: the element that
// both replies have, where its ARN is, the action that shows it, and which of that
// one's parameters names it. An ARN in angle brackets is within the element,
// another is the request's parameter.
var described = map[string]struct{ element, arn, action, param string }{
	"CreateLoadBalancer":           {"LoadBalancers", "<LoadBalancerArn>", "DescribeLoadBalancers", "LoadBalancerArns.member.1"},
	"SetSubnets":                   {"AvailabilityZones", "LoadBalancerArn", "DescribeLoadBalancers", "LoadBalancerArns.member.1"},
	"SetIpAddressType":             {"IpAddressType", "LoadBalancerArn", "DescribeLoadBalancers", "LoadBalancerArns.member.1"},
	"ModifyIpPools":                {"IpamPools", "LoadBalancerArn", "DescribeLoadBalancers", "LoadBalancerArns.member.1"},
	"ModifyLoadBalancerAttributes": {"Attributes", "LoadBalancerArn", "DescribeLoadBalancerAttributes", "LoadBalancerArn"},
	"CreateListener":               {"Listeners", "<ListenerArn>", "DescribeListeners", "ListenerArns.member.1"},
	"ModifyListener":               {"Listeners", "<ListenerArn>", "DescribeListeners", "ListenerArns.member.1"},
	"ModifyListenerAttributes":     {"Attributes", "ListenerArn", "DescribeListenerAttributes", "ListenerArn"},
	"CreateRule":                   {"Rules", "<RuleArn>", "DescribeRules", "RuleArns.member.1"},
	"ModifyRule":                   {"Rules", "<RuleArn>", "DescribeRules", "RuleArns.member.1"},
	"CreateTargetGroup":            {"TargetGroups", "<TargetGroupArn>", "DescribeTargetGroups", "TargetGroupArns.member.1"},
	"ModifyTargetGroup":            {"TargetGroups", "<TargetGroupArn>", "DescribeTargetGroups", "TargetGroupArns.member.1"},
	"ModifyTargetGroupAttributes":  {"Attributes", "TargetGroupArn", "DescribeTargetGroupAttributes", "TargetGroupArn"},
	"CreateTrustStore":             {"TrustStores", "<TrustStoreArn>", "DescribeTrustStores", "TrustStoreArns.member.1"},
	"ModifyTrustStore":             {"TrustStores", "<TrustStoreArn>", "DescribeTrustStores", "TrustStoreArns.member.1"},
}

// checkEcho checks that what a call made or changed is shown exactly as it was
// answered: clients compare the two.
func (w *world) checkEcho(t *testing.T, action string, params []string, status int, body string) {
	t.Helper()
	d, ok := described[action]
	if !ok || status != 200 {
		return
	}
	answered, arn := element(body, d.element), ""
	if name, within := strings.CutPrefix(d.arn, "<"); within {
		arn = element(answered, strings.TrimSuffix(name, ">"))
	} else if i := slices.Index(params, d.arn); i >= 0 {
		arn = params[i+1]
	}
	if arn == "" {
		t.Fatalf("%s: no ARN in %s", action, body)
	}
	_, shown := w.send(t, d.action, d.param, arn)
	if diff := cmp.Diff(answered, element(shown, d.element)); diff != "" {
		t.Errorf("%s answered, %s shows (-answered +shown):\n%s", action, d.action, diff)
	}
}

// element returns what is in the first element of the name, "" if there is none.
func element(body, name string) string {
	_, after, _ := strings.Cut(body, "<"+name+">")
	inside, _, _ := strings.Cut(after, "</"+name+">")
	return inside
}
