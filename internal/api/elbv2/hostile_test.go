package elbv2_test

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/wire"
)

// What no parameter can say is wrong with a request.
func TestBodiesThatArentCalls(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	for name, c := range map[string]struct{ body, code string }{
		"no version":               {"Action=DescribeLoadBalancers", "InvalidAction"},
		"no action":                {"Version=2015-12-01", "MissingAction"},
		"nothing":                  {"", "MissingAction"},
		"an action in lower case":  {"Action=describeloadbalancers&Version=2015-12-01", "InvalidAction"},
		"an action twice":          {"Action=DescribeLoadBalancers&Action=DescribeRules&Version=2015-12-01", ""},
		"a parameter twice":        {"Action=DescribeLoadBalancers&Version=2015-12-01&PageSize=1&PageSize=2", "MalformedInput"},
		"JSON":                     {`{"LoadBalancerArns": []}`, "MissingAction"},
		"percent without a number": {"Action=DescribeLoadBalancers&Version=2015-12-01&Marker=%zz", "MalformedInput"},
		"no UTF-8":                 {"Action=DescribeLoadBalancers&Version=2015-12-01&Marker=%ff", "MalformedInput"},
		"a NUL":                    {"Action=DescribeLoadBalancers&Version=2015-12-01&Marker=%00", "MalformedInput"},
		"more than 1 MiB":          {"Action=DescribeLoadBalancers&Version=2015-12-01&Marker=" + strings.Repeat("a", wire.MaxBodyBytes), "MalformedInput"},
		"too many parameters":      {"Action=AddTags&Version=2015-12-01" + members(16_384, "&ResourceArns.member.%d=a"), "MalformedInput"},
	} {
		w.unchanged(t, func() {
			status, got := w.post(t.Context(), account, region, c.body)
			if c.code != "" && (status != 400 || !strings.Contains(got, "<Code>"+c.code+"</Code>")) || status >= 500 {
				t.Errorf("%s: got %d %s, want %s", name, status, got, c.code)
			}
		})
	}
}

func members(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i+1)
	}
	return b.String()
}

// I10: requests as large as they may be are answered in bounded time, and refused
// without a change.
func TestTheLargestRequests(t *testing.T) {
	const most = 10 * time.Second // a hundred times what is needed
	w := newWorld(t, elb.DefaultQuotas)
	lb, group := *w.balancer(shop()).LoadBalancerArn, w.group("web")
	listener := *w.listener(on(lb, 80, to(group))).ListenerArn
	for name, body := range map[string]string{
		"targets that leave":  "Action=DeregisterTargets&TargetGroupArn=" + group + members(9_900, "&Targets.member.%d.Id=10.0.0.1"),
		"targets that differ": "Action=RegisterTargets&TargetGroupArn=" + group + members(4_950, "&Targets.member.%d.Id=10.0.0.1&Targets.member.%[1]d.Port=%[1]d"),
		"targets to look at":  "Action=DescribeTargetHealth&TargetGroupArn=" + group + members(9_900, "&Targets.member.%d.Id=nowhere"),
		"actions":             "Action=CreateListener&LoadBalancerArn=" + lb + "&Protocol=HTTP&Port=81" + members(4_950, "&DefaultActions.member.%d.Type=fixed-response&DefaultActions.member.%[1]d.FixedResponseConfig.StatusCode=200"),
		"groups of a forward": "Action=CreateListener&LoadBalancerArn=" + lb + "&Protocol=HTTP&Port=81&DefaultActions.member.1.Type=forward" +
			members(4_950, "&DefaultActions.member.1.ForwardConfig.TargetGroups.member.%d.TargetGroupArn=a&DefaultActions.member.1.ForwardConfig.TargetGroups.member.%[1]d.Weight=1"),
		"conditions": "Action=CreateRule&ListenerArn=" + listener + "&Priority=9&Actions.member.1.Type=fixed-response&Actions.member.1.FixedResponseConfig.StatusCode=200" +
			members(4_950, "&Conditions.member.%d.Field=http-header&Conditions.member.%[1]d.HttpHeaderConfig.HttpHeaderName=a"),
		"values of a condition": "Action=CreateRule&ListenerArn=" + listener + "&Priority=9&Actions.member.1.Type=fixed-response&Actions.member.1.FixedResponseConfig.StatusCode=200" +
			"&Conditions.member.1.Field=path-pattern" + members(9_900, "&Conditions.member.1.PathPatternConfig.RegexValues.member.%d=a"),
		"priorities":             "Action=SetRulePriorities" + members(4_950, "&RulePriorities.member.%d.RuleArn=a&RulePriorities.member.%[1]d.Priority=1"),
		"attributes":             "Action=ModifyTargetGroupAttributes&TargetGroupArn=" + group + members(4_950, "&Attributes.member.%d.Key=k%[1]d&Attributes.member.%[1]d.Value=v"),
		"tags":                   "Action=AddTags&ResourceArns.member.1=" + lb + members(9_900, "&Tags.member.%d.Key=k%[1]d"),
		"keys of tags":           "Action=RemoveTags&ResourceArns.member.1=" + lb + members(9_900, "&TagKeys.member.%d=k"),
		"names":                  "Action=DescribeLoadBalancers" + members(9_900, "&Names.member.%d=none"),
		"ARNs of rules":          "Action=DescribeRules" + members(9_900, "&RuleArns.member.%d=none"),
		"subnets":                "Action=SetSubnets&LoadBalancerArn=" + lb + members(9_900, "&Subnets.member.%d=subnet-a"),
		"security groups":        "Action=CreateLoadBalancer&Name=big&Subnets.member.1=subnet-a&Subnets.member.2=subnet-b" + members(9_900, "&SecurityGroups.member.%d=sg-%[1]d"),
		"one long name":          "Action=CreateLoadBalancer&Subnets.member.1=subnet-a&Subnets.member.2=subnet-b&Name=" + strings.Repeat("a", 1_000_000),
		"one long ARN":           "Action=DescribeTargetHealth&TargetGroupArn=" + strings.Repeat(":", 1_000_000),
		"one long matcher":       "Action=ModifyTargetGroup&TargetGroupArn=" + group + "&Matcher.HttpCode=200" + strings.Repeat(",200", 250_000),
		"one long ARN to delete": "Action=DeleteTargetGroup&TargetGroupArn=" + strings.Repeat("é", 160_000),
		"wrong enums":            "Action=CreateListener&LoadBalancerArn=" + lb + members(9_900, "&DefaultActions.member.%d.Type=%[1]d"),
	} {
		t.Run(name, func(t *testing.T) {
			if len(body) > wire.MaxBodyBytes-100 {
				t.Fatalf("the body has %d bytes, and would be refused for that", len(body))
			}
			began := time.Now()
			w.unchanged(t, func() {
				status, got := w.post(t.Context(), account, region, body+"&Version=2015-12-01")
				done := name == "keys of tags" || name == "targets that leave" // what isn't there may go
				if status != 400 && !done || status >= 500 || len(got) > 20_000 || strings.Contains(got, "<Code>MalformedInput</Code>") {
					t.Errorf("got %d and %d bytes, want a refusal of what was read: %.300s", status, len(got), got)
				}
			})
			if took := time.Since(began); took > most {
				t.Errorf("took %v", took)
			}
		})
	}
}

var codeOfReply = regexp.MustCompile(`<Error><Type>Sender</Type><Code>(\w+)</Code>`)

// I10: whatever is sent, the answer is one of the service's, and a refusal changes
// nothing.
func FuzzCalls(f *testing.F) {
	w := newWorld(f, elb.DefaultQuotas)
	lb, group := *w.balancer(shop()).LoadBalancerArn, w.group("web")
	l := w.listener(on(lb, 80, to(group)))
	there := map[string]string{"balancer": lb, "listener": *l.ListenerArn, "group": group, "rule": *w.rule(l, 7, path("/a")).RuleArn, "store": anyTrustStore}
	for _, action := range slices.Sorted(maps.Keys(named)) {
		for _, call := range named[action] {
			form := url.Values{"Action": {action}, "Version": {elbv2.Spec.Version}}
			for p := range slices.Chunk(spread(call, there), 2) {
				form.Set(p[0], p[1])
			}
			f.Add(form.Encode())
		}
	}
	f.Add("Action=CreateLoadBalancer&Version=2015-12-01&Name=a&Subnets.member.1=subnet-a&Subnets.member.2=subnet-b&Tags.member.1.Key=fairlead.ipam.block&Tags.member.1.Value=29")
	f.Add("Action=CreateTargetGroup&Version=2015-12-01&Name=a&Protocol=HTTP&Port=80&VpcId=vpc-1&ProtocolVersion=GRPC&Matcher.GrpcCode=0-99")
	f.Add("Action=CreateRule&Version=2015-12-01&Priority=9&ListenerArn=" + *l.ListenerArn + "&Conditions.member.1.Field=query-string&Conditions.member.1.QueryStringConfig.Values.member.1.Value=a" +
		"&Conditions.member.2.Field=path-pattern&Conditions.member.2.RegexValues.member.1=a{9}&Actions.member.1.Type=redirect&Actions.member.1.RedirectConfig.StatusCode=HTTP_301&Actions.member.1.RedirectConfig.Host=%23{host}")
	known := elbv2.Codes()
	for _, code := range []string{"InvalidAction", "MissingAction", "MalformedInput", "ResourceNotFound", "AssociationNotFound", "DeleteAssociationSameAccount"} {
		known[code] = true
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := w.store.Snapshot().Revision()
		status, got := w.post(t.Context(), account, region, body)
		m := codeOfReply.FindStringSubmatch(got)
		switch {
		case status == 200:
		case status != 400 || m == nil || !known[m[1]]:
			t.Errorf("got %d %s", status, got)
		case w.store.Snapshot().Revision() != before:
			t.Errorf("refused, and something has changed: %s", got)
		}
	})
}
