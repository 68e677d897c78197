package elbv2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/elb"
)

// same compares replies, but for what the SDK adds to them.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(types.LoadBalancer{}, types.LoadBalancerState{}, types.AvailabilityZone{}, types.LoadBalancerAddress{},
		types.IpamPools{}, types.Listener{}, types.Action{}, types.ForwardActionConfig{}, types.TargetGroupTuple{}, types.TargetGroupStickinessConfig{},
		types.FixedResponseActionConfig{}, types.RedirectActionConfig{}, types.HostHeaderConditionConfig{}, types.PathPatternConditionConfig{},
		types.HttpHeaderConditionConfig{}, types.HttpRequestMethodConditionConfig{}, types.QueryStringConditionConfig{}, types.QueryStringKeyValuePair{},
		types.SourceIpConditionConfig{}, types.TargetGroup{}, types.Matcher{}, types.Rule{}, types.RuleCondition{}, types.TargetHealthDescription{},
		types.TargetDescription{}, types.TargetHealth{}, types.AnomalyDetection{}, types.AdministrativeOverride{}, types.TagDescription{}, types.Tag{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// The whole of what infrastructure code reads back, in the normal forms in which
// it compares it.
func TestDescribesShowNormalForms(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	in := shop()
	in.SecurityGroups = []string{"sg-2", "sg-1", "sg-2"}
	in.IpamPools = &types.IpamPools{Ipv4IpamPoolId: new(pool)}
	made := w.balancer(in)
	arn := *made.LoadBalancerArn
	id := strings.TrimPrefix(arn, "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/shop/")
	if len(id) != 16 || made.CreatedTime == nil || !strings.HasPrefix(*made.DNSName, "shop-") || !strings.HasSuffix(*made.DNSName, ".us-east-1.elb.example") {
		t.Errorf("got %s, named %s, created %v", arn, *made.DNSName, made.CreatedTime)
	}
	want := types.LoadBalancer{
		LoadBalancerArn: &arn, LoadBalancerName: new("shop"), DNSName: made.DNSName, CanonicalHostedZoneId: made.CanonicalHostedZoneId, CreatedTime: made.CreatedTime,
		Scheme: types.LoadBalancerSchemeEnumInternetFacing, Type: types.LoadBalancerTypeEnumApplication, IpAddressType: types.IpAddressTypeIpv4, VpcId: new("vpc-1"),
		State: &types.LoadBalancerState{Code: types.LoadBalancerStateEnumProvisioning}, SecurityGroups: []string{"sg-2", "sg-1"},
		IpamPools: &types.IpamPools{Ipv4IpamPoolId: new(pool)},
		AvailabilityZones: []types.AvailabilityZone{
			{ZoneName: new("us-east-1a"), SubnetId: new("subnet-a"), LoadBalancerAddresses: []types.LoadBalancerAddress{}},
			{ZoneName: new("us-east-1b"), SubnetId: new("subnet-b"), LoadBalancerAddresses: []types.LoadBalancerAddress{}},
		},
	}
	same(t, "the creation's reply", want, made)
	out, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Names: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the load balancer", []types.LoadBalancer{want}, out.LoadBalancers)
	w.unchanged(t, func() {
		again := shop()
		again.SubnetMappings, again.Subnets = []types.SubnetMapping{{SubnetId: new("subnet-b")}, {SubnetId: new("subnet-a")}}, nil
		again.SecurityGroups, again.IpamPools = []string{"sg-1", "sg-2"}, in.IpamPools
		same(t, "an equal creation's reply", want, w.balancer(again))
	})

	tg := w.group("web")
	group := types.TargetGroup{
		TargetGroupArn: &tg, TargetGroupName: new("web"), Protocol: types.ProtocolEnumHttp, ProtocolVersion: new("HTTP1"), Port: new(int32(80)), VpcId: new("vpc-1"),
		TargetType: types.TargetTypeEnumIp, IpAddressType: types.TargetGroupIpAddressTypeEnumIpv4,
		HealthCheckEnabled: new(true), HealthCheckProtocol: types.ProtocolEnumHttp, HealthCheckPort: new("traffic-port"), HealthCheckPath: new("/"),
		HealthCheckIntervalSeconds: new(int32(30)), HealthCheckTimeoutSeconds: new(int32(5)), HealthyThresholdCount: new(int32(5)), UnhealthyThresholdCount: new(int32(2)),
		Matcher: &types.Matcher{HttpCode: new("200")}, LoadBalancerArns: []string{},
	}
	describeGroup := func(what string, in *sdk.DescribeTargetGroupsInput, want ...types.TargetGroup) {
		t.Helper()
		out, err := w.DescribeTargetGroups(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, what, want, out.TargetGroups)
	}
	describeGroup("the target group", &sdk.DescribeTargetGroupsInput{TargetGroupArns: []string{tg}}, group)
	w.unchanged(t, func() {
		if again := w.group("web"); again != tg {
			t.Errorf("an equal creation made %s, want %s", again, tg)
		}
	})

	normal := types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &tg, ForwardConfig: &types.ForwardActionConfig{
		TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &tg, Weight: new(int32(1))}}, TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: new(false)}}}
	l := w.listener(on(arn, 80, to(tg)))
	listener := types.Listener{ListenerArn: l.ListenerArn, LoadBalancerArn: &arn, Port: new(int32(80)), Protocol: types.ProtocolEnumHttp, DefaultActions: []types.Action{normal}}
	same(t, "the listener", listener, l)
	w.unchanged(t, func() { // in the other form of a forward; a write of what is there already doesn't change it
		same(t, "an equal listener", listener, w.listener(on(arn, 80, []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{
			TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &tg}}}}})))
	})
	rules, err := w.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: l.ListenerArn})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the rules", []types.Rule{{RuleArn: rules.Rules[0].RuleArn, Priority: new("default"), IsDefault: new(true), Conditions: []types.RuleCondition{}, Actions: []types.Action{normal}}}, rules.Rules)
	if want := strings.Replace(*l.ListenerArn, ":listener/", ":listener-rule/", 1) + "/"; !strings.HasPrefix(*rules.Rules[0].RuleArn, want) {
		t.Errorf("rule ARN: got %s, want one below %s", *rules.Rules[0].RuleArn, want)
	}
	group.LoadBalancerArns = []string{arn}
	describeGroup("target groups of the load balancer", &sdk.DescribeTargetGroupsInput{LoadBalancerArn: &arn}, group)

	answer := []types.Action{{Type: types.ActionTypeEnumFixedResponse, Order: new(int32(7)),
		FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("404"), ContentType: new("text/plain"), MessageBody: new("no")}}}
	same(t, "a fixed response", answer, w.listener(on(arn, 81, answer)).DefaultActions)
}

// The twins of what is asked of a load balancer right after it was made.
func TestDefaultAttributesAreShown(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	b := w.balancer(shop())
	l := w.listener(on(*b.LoadBalancerArn, 80, to(w.group("web"))))
	lb, err := w.DescribeLoadBalancerAttributes(t.Context(), &sdk.DescribeLoadBalancerAttributesInput{LoadBalancerArn: b.LoadBalancerArn})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range lb.Attributes {
		got[*a.Key] = *a.Value
	}
	tg, err := w.DescribeTargetGroupAttributes(t.Context(), &sdk.DescribeTargetGroupAttributesInput{TargetGroupArn: l.DefaultActions[0].TargetGroupArn})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range tg.Attributes {
		got[*a.Key] = *a.Value
	}
	listener, err := w.DescribeListenerAttributes(t.Context(), &sdk.DescribeListenerAttributesInput{ListenerArn: l.ListenerArn})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range listener.Attributes {
		got[*a.Key] = *a.Value
	}
	for k, want := range map[string]string{
		"idle_timeout.timeout_seconds": "60", "client_keep_alive.seconds": "3600", "deletion_protection.enabled": "false", "access_logs.s3.bucket": "",
		"deregistration_delay.timeout_seconds": "300", "stickiness.type": "lb_cookie", "routing.http.response.server.enabled": "true",
	} {
		if v, ok := got[k]; v != want || !ok {
			t.Errorf("%s: got %q, %v, want %q", k, v, ok, want)
		}
	}
}

func TestListsComeInPages(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	var names []string
	for i := range 7 {
		names = append(names, fmt.Sprintf("lb-%d", i))
		w.balancer(&sdk.CreateLoadBalancerInput{Name: &names[i], Subnets: []string{"subnet-a", "subnet-b"}})
		w.group(fmt.Sprintf("tg-%d", i))
	}
	arn := *w.balancer(&sdk.CreateLoadBalancerInput{Name: &names[0], Subnets: []string{"subnet-a", "subnet-b"}}).LoadBalancerArn
	answer := []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("200")}}}
	for port := range int32(7) {
		w.listener(on(arn, 80+port, answer))
	}
	for size, wantPages := range map[int32]int{1: 7, 3: 3, 7: 1, 400: 1} {
		var got []string
		pages := 0
		for p := sdk.NewDescribeLoadBalancersPaginator(w, &sdk.DescribeLoadBalancersInput{PageSize: &size}); p.HasMorePages(); pages++ {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range out.LoadBalancers {
				got = append(got, *b.LoadBalancerName)
			}
		}
		if !slices.Equal(got, names) || pages != wantPages {
			t.Errorf("load balancers by %d: got %v in %d pages, want all seven in %d", size, got, pages, wantPages)
		}
		groups, pages := 0, 0
		for p := sdk.NewDescribeTargetGroupsPaginator(w, &sdk.DescribeTargetGroupsInput{PageSize: &size}); p.HasMorePages(); pages++ {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			groups += len(out.TargetGroups)
		}
		if groups != 7 || pages != wantPages {
			t.Errorf("target groups by %d: got %d in %d pages, want 7 in %d", size, groups, pages, wantPages)
		}
		ports, pages := map[int32]bool{}, 0
		for p := sdk.NewDescribeListenersPaginator(w, &sdk.DescribeListenersInput{LoadBalancerArn: &arn, PageSize: &size}); p.HasMorePages(); pages++ {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range out.Listeners {
				ports[*l.Port] = true
			}
		}
		if len(ports) != 7 || pages != wantPages {
			t.Errorf("listeners by %d: got %v in %d pages, want 7 in %d", size, ports, pages, wantPages)
		}
	}

	// A list goes on where it was though what it would go on with is gone.
	first, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{PageSize: new(int32(3))})
	if err != nil {
		t.Fatal(err)
	}
	next, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Names: []string{"lb-3"}})
	if err == nil {
		_, err = w.DeleteLoadBalancer(ctx, &sdk.DeleteLoadBalancerInput{LoadBalancerArn: next.LoadBalancers[0].LoadBalancerArn})
	}
	if err != nil {
		t.Fatal(err)
	}
	rest, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{Marker: first.NextMarker})
	if err != nil || len(rest.LoadBalancers) != 3 || *rest.LoadBalancers[0].LoadBalancerName != "lb-4" || rest.NextMarker != nil {
		t.Errorf("got %+v, %v, want lb-4 to lb-6", rest, err)
	}
}

// What is named twice is shown once; a page that began with the second of two
// would be the first page again.
func TestWhatIsNamedTwiceIsShownOnce(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	lb := *w.balancer(shop()).LoadBalancerArn
	balancers, err := w.DescribeLoadBalancers(t.Context(), &sdk.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb, lb}})
	if err != nil || len(balancers.LoadBalancers) != 1 {
		t.Errorf("got %+v, %v, want one load balancer", balancers, err)
	}
	const name = "ELBSecurityPolicy-2016-08"
	policies, err := w.DescribeSSLPolicies(t.Context(), &sdk.DescribeSSLPoliciesInput{Names: []string{name, name}, PageSize: new(int32(1))})
	if err != nil || len(policies.SslPolicies) != 1 || policies.NextMarker != nil {
		t.Errorf("got %+v, %v, want one policy on one page", policies, err)
	}
}

func TestTagsAreShownAsTheyWereAsked(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	in := shop()
	in.Tags = []types.Tag{tag("b", "2"), tag("a", "1")}
	lb, tg := *w.balancer(in).LoadBalancerArn, w.group("web")
	l := *w.listener(on(lb, 80, to(tg))).ListenerArn
	if _, err := w.AddTags(ctx, &sdk.AddTagsInput{ResourceArns: []string{lb, l}, Tags: []types.Tag{tag("a", "new"), {Key: new("empty")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RemoveTags(ctx, &sdk.RemoveTagsInput{ResourceArns: []string{lb, tg}, TagKeys: []string{"b", "absent"}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{l, tg, lb}})
	if err != nil {
		t.Fatal(err)
	}
	both := []types.Tag{tag("a", "new"), tag("empty", "")}
	same(t, "tags, in the order of the call", []types.TagDescription{
		{ResourceArn: &l, Tags: both}, {ResourceArn: &tg, Tags: []types.Tag{}}, {ResourceArn: &lb, Tags: both}}, out.TagDescriptions)
}

func TestTargetHealthIsShown(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	tg := w.group("web")
	if _, err := w.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: &tg, Targets: []types.TargetDescription{
		{Id: new("10.0.0.2"), Port: new(int32(8080)), AvailabilityZone: new("all")}, {Id: new("10.0.0.1")}}}); err != nil {
		t.Fatal(err)
	}
	unused := &types.TargetHealth{State: types.TargetHealthStateEnumUnused, Reason: types.TargetHealthReasonEnumNotInUse,
		Description: new("Target group is not configured to receive traffic from the load balancer")}
	override := &types.AdministrativeOverride{State: types.TargetAdministrativeOverrideStateEnumNoOverride,
		Reason: types.TargetAdministrativeOverrideReasonEnumNoOverrideEngaged, Description: new("No override is currently active on target")}
	one := types.TargetHealthDescription{Target: &types.TargetDescription{Id: new("10.0.0.1"), Port: new(int32(80))}, HealthCheckPort: new("80"),
		TargetHealth: unused, AdministrativeOverride: override}
	two := types.TargetHealthDescription{Target: &types.TargetDescription{Id: new("10.0.0.2"), Port: new(int32(8080)), AvailabilityZone: new("all")}, HealthCheckPort: new("8080"),
		TargetHealth: unused, AdministrativeOverride: override}
	get := func(in *sdk.DescribeTargetHealthInput) []types.TargetHealthDescription {
		t.Helper()
		in.TargetGroupArn = &tg
		out, err := w.DescribeTargetHealth(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return out.TargetHealthDescriptions
	}
	same(t, "all", []types.TargetHealthDescription{one, two}, get(&sdk.DescribeTargetHealthInput{}))
	normal := one
	normal.AnomalyDetection = &types.AnomalyDetection{Result: types.AnomalyResultEnumNormal, MitigationInEffect: types.MitigationInEffectEnumNo}
	same(t, "one, with anomaly detection", []types.TargetHealthDescription{normal}, get(&sdk.DescribeTargetHealthInput{
		Targets: []types.TargetDescription{{Id: new("10.0.0.1")}}, Include: []types.DescribeTargetHealthInputIncludeEnum{types.DescribeTargetHealthInputIncludeEnumAnomaly}}))
	same(t, "one on another port", []types.TargetHealthDescription{{Target: &types.TargetDescription{Id: new("10.0.0.2"), Port: new(int32(80))}, HealthCheckPort: new("80"),
		TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnumUnused, Reason: types.TargetHealthReasonEnumNotRegistered, Description: new("Target is not registered to the target group")}}},
		get(&sdk.DescribeTargetHealthInput{Targets: []types.TargetDescription{{Id: new("10.0.0.2")}}}))
}

// I8: another account finds nothing by ARN, sees nothing in lists, and its own
// names are its own.
func TestAnotherAccountSeesNothing(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	lb, tg := *w.balancer(shop()).LoadBalancerArn, w.group("web")
	l := *w.listener(on(lb, 80, to(tg))).ListenerArn
	s := w.as(stranger)
	w.unchanged(t, func() {
		for name, call := range map[string]func() error{
			"DescribeLoadBalancers": func() error {
				_, err := s.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb}})
				return err
			},
			"DescribeListeners": func() error {
				_, err := s.DescribeListeners(ctx, &sdk.DescribeListenersInput{ListenerArns: []string{l}})
				return err
			},
			"DescribeListeners of the load balancer": func() error {
				_, err := s.DescribeListeners(ctx, &sdk.DescribeListenersInput{LoadBalancerArn: &lb})
				return err
			},
			"DescribeRules": func() error {
				_, err := s.DescribeRules(ctx, &sdk.DescribeRulesInput{ListenerArn: &l})
				return err
			},
			"DescribeTags": func() error {
				_, err := s.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{tg}})
				return err
			},
			"DescribeTargetHealth": func() error {
				_, err := s.DescribeTargetHealth(ctx, &sdk.DescribeTargetHealthInput{TargetGroupArn: &tg})
				return err
			},
			"CreateListener": func() error { _, err := s.CreateListener(ctx, on(lb, 81, to(tg))); return err },
			"DeleteListener": func() error {
				_, err := s.DeleteListener(ctx, &sdk.DeleteListenerInput{ListenerArn: &l})
				return err
			},
			"RegisterTargets": func() error {
				_, err := s.RegisterTargets(ctx, &sdk.RegisterTargetsInput{TargetGroupArn: &tg, Targets: addresses(1)})
				return err
			},
		} {
			if code, _ := refusal(t, call()); !strings.HasSuffix(code, "NotFound") {
				t.Errorf("%s: got %q, want that nothing is found", name, code)
			}
		}
		// Deleting what isn't there is success.
		if _, err := s.DeleteLoadBalancer(ctx, &sdk.DeleteLoadBalancerInput{LoadBalancerArn: &lb}); err != nil {
			t.Error(err)
		}
		if _, err := s.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: &tg}); err != nil {
			t.Error(err)
		}
		lbs, err := s.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{})
		if err != nil || len(lbs.LoadBalancers) != 0 {
			t.Errorf("got %v, %v, want none", lbs, err)
		}
		tgs, err := s.DescribeTargetGroups(ctx, &sdk.DescribeTargetGroupsInput{})
		if err != nil || len(tgs.TargetGroups) != 0 {
			t.Errorf("got %v, %v, want none", tgs, err)
		}
	})
}

func TestDeletionIsSeenAtOnceAndMayBeRepeated(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	lb, tg := *w.balancer(shop()).LoadBalancerArn, w.group("web")
	w.listener(on(lb, 80, to(tg)))
	for range 2 {
		if _, err := w.DeleteLoadBalancer(ctx, &sdk.DeleteLoadBalancerInput{LoadBalancerArn: &lb}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.DeleteTargetGroup(ctx, &sdk.DeleteTargetGroupInput{TargetGroupArn: &tg}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb}})
	if code, _ := refusal(t, err); code != "LoadBalancerNotFound" {
		t.Errorf("got %v, want LoadBalancerNotFound", err)
	}
	out, err := w.DescribeLoadBalancers(ctx, &sdk.DescribeLoadBalancersInput{})
	if err != nil || len(out.LoadBalancers) != 0 {
		t.Errorf("got %v, %v, want none", out, err)
	}
}

func TestAccountLimitsAreThoseThatHold(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.LoadBalancers = 3
	w := newWorld(t, quotas)
	got := map[string]string{}
	for p := sdk.NewDescribeAccountLimitsPaginator(w, &sdk.DescribeAccountLimitsInput{PageSize: new(int32(2))}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range out.Limits {
			got[*l.Name] = *l.Max
		}
	}
	want := map[string]string{
		"application-load-balancers": "3", "target-groups": "3000", "listeners-per-application-load-balancer": "50", "targets-per-target-group": "1000",
		"rules-per-application-load-balancer": "100", "targets-per-application-load-balancer": "1000", "target-id-registrations-per-application-load-balancer": "1000",
		"condition-values-per-alb-rule": "5", "condition-wildcards-per-alb-rule": "5",
		"target-groups-per-action-on-application-load-balancer": "5", "target-groups-per-application-load-balancer": "100", "certificates-per-application-load-balancer": "25",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
