package elb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/tags"
)

func named(name string) elb.CreateLoadBalancer {
	c := shop("subnet-a", "subnet-b")
	c.Name = name
	return c
}

var fixed = []elb.Action{{Type: "fixed-response", FixedResponse: &elb.FixedResponse{StatusCode: 200}}}

func balancer(t *testing.T, svc *elb.Service, c elb.CreateLoadBalancer) elb.LoadBalancer {
	t.Helper()
	b, err := svc.CreateLoadBalancer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A quota is a rule about a set: two calls that each add a record to it touch no
// record in common by themselves, and must conflict all the same.
func TestQuotasHoldForCallsThatCross(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.LoadBalancers, quotas.TargetGroups, quotas.ListenersPerBalancer, quotas.TargetsPerGroup = 1, 1, 1, 1
	s := twoServers(t, quotas)
	check := func(what string, ends map[elb.Kind]int, refusal elb.Kind) {
		t.Helper()
		if diff := cmp.Diff(map[elb.Kind]int{"": 1, refusal: 1}, ends); diff != "" {
			t.Errorf("two %s, with room for one (-want +got):\n%s", what, diff)
		}
	}
	check("load balancers", s.cross(func(i int, svc *elb.Service) error {
		_, err := svc.CreateLoadBalancer(t.Context(), named(fmt.Sprintf("lb-%d", i)))
		return err
	}), elb.TooManyLoadBalancers)
	check("target groups", s.cross(func(i int, svc *elb.Service) error {
		_, err := svc.CreateTargetGroup(t.Context(), elb.CreateTargetGroup{Account: account, Region: region, Name: fmt.Sprintf("tg-%d", i),
			TargetType: "ip", Protocol: "HTTP", Port: 80, VPCID: "vpc-1", Hex: "0123456789abcdef"})
		return err
	}), elb.TooManyTargetGroups)

	lb, tg := s.only()
	check("listeners", s.cross(func(i int, svc *elb.Service) error {
		_, _, err := svc.CreateListener(t.Context(), listener(lb, 8000+i, fixed))
		return err
	}), elb.TooManyListeners)
	check("targets", s.cross(func(i int, svc *elb.Service) error {
		return svc.RegisterTargets(t.Context(), account, region, tg, []elb.TargetDescription{{ID: "10.0.0.1", Port: 9000 + i}})
	}), elb.TooManyTargets)
}

// only returns the one load balancer and the one target group that there are.
func (s *servers) only() (lb, tg string) {
	for arn := range s.svc[0].LoadBalancers(s.st[0].Snapshot(), account, region, "") {
		lb = arn
	}
	for arn := range s.svc[0].TargetGroups(s.st[0].Snapshot(), account, region, "") {
		tg = arn
	}
	return lb, tg
}

// A quota counts what there is: deletion makes room.
func TestDeletionMakesRoomInTheQuota(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.LoadBalancers = 1
	svc, _ := room(t, quotas)
	first := balancer(t, svc, named("one"))
	if _, err := svc.CreateLoadBalancer(t.Context(), named("two")); kind(t, err) != elb.TooManyLoadBalancers {
		t.Errorf("a second one: got %v, want TooManyLoadBalancers", err)
	}
	if got := balancer(t, svc, named("one")); got.ARN != first.ARN {
		t.Errorf("the first one again, with the quota full: got %s, want %s", got.ARN, first.ARN)
	}
	if err := svc.DeleteLoadBalancer(t.Context(), account, region, first.ARN); err != nil {
		t.Fatal(err)
	}
	balancer(t, svc, named("two"))
}

// Rules of two load balancers that come to name one target group at once.
func TestATargetGroupHasOneLoadBalancer(t *testing.T) {
	s := twoServers(t, elb.DefaultQuotas)
	tg := group(t, s.svc[0], "web").ARN
	lbs := []string{balancer(t, s.svc[0], named("one")).ARN, balancer(t, s.svc[0], named("two")).ARN}
	ends := s.cross(func(i int, svc *elb.Service) error {
		_, _, err := svc.CreateListener(t.Context(), listener(lbs[i], 80, forward(tg)))
		return err
	})
	if diff := cmp.Diff(map[elb.Kind]int{"": 1, elb.TargetGroupAssociationLimit: 1}, ends); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.svc[0].LoadBalancersOf(s.st[0].Snapshot(), tg); len(got) != 1 {
		t.Errorf("the target group has the load balancers %v, want one", got)
	}
}

func TestALoadBalancerHasALimitOfDifferentTargetGroups(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.TargetGroupsPerBalancer = 3
	svc, _ := room(t, quotas)
	lb := balancer(t, svc, named("shop")).ARN
	a, b, c, d := group(t, svc, "a").ARN, group(t, svc, "bb").ARN, group(t, svc, "ccc").ARN, group(t, svc, "dddd").ARN
	open(t, svc, listener(lb, 80, forward(a, b)))
	open(t, svc, listener(lb, 81, forward(b, c)))
	if _, _, err := svc.CreateListener(t.Context(), listener(lb, 82, forward(a, d))); kind(t, err) != elb.TooManyUniqueTargetGroups {
		t.Errorf("a fourth target group: got %v, want TooManyUniqueTargetGroups", err)
	}
	open(t, svc, listener(lb, 82, forward(a, b, c))) // none that is new
}

func manyTargets(n int) (targets []elb.TargetDescription) {
	for i := range n {
		targets = append(targets, elb.TargetDescription{ID: fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)})
	}
	return targets
}

// I5, I10: a call that names a thousand targets happens wholly or not at all.
func TestTargetsAreRegisteredAllOrNone(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	tg := group(t, svc, "web").ARN
	count := func() int {
		t.Helper()
		h, err := svc.TargetHealth(st.Snapshot(), account, region, tg, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(h)
	}
	refused := map[string][]elb.TargetDescription{
		"one more than there may be":    manyTargets(1001),
		"the last is no address":        append(manyTargets(999), elb.TargetDescription{ID: "i-0123"}),
		"the last has no possible port": append(manyTargets(999), elb.TargetDescription{ID: "10.0.0.1", Port: 65536}),
	}
	for name, targets := range refused {
		if err := svc.RegisterTargets(t.Context(), account, region, tg, targets); kind(t, err) == "" {
			t.Errorf("%s: accepted", name)
		}
		if got := count(); got != 0 {
			t.Errorf("%s: %d targets are registered, want none", name, got)
		}
	}

	before := st.Snapshot().Revision()
	if err := svc.RegisterTargets(t.Context(), account, region, tg, manyTargets(1000)); err != nil {
		t.Fatal(err)
	}
	if got := st.Snapshot().Revision(); got != before+1 {
		t.Errorf("1000 targets took %d transactions, want 1", got-before)
	}
	if err := svc.RegisterTargets(t.Context(), account, region, tg, manyTargets(1000)); err != nil || st.Snapshot().Revision() != before+1 {
		t.Errorf("the same ones again: %v, revision %d, want no change", err, st.Snapshot().Revision())
	}
	if err := svc.DeregisterTargets(t.Context(), account, region, tg, append(manyTargets(500), elb.TargetDescription{ID: "nonsense"}), time.Now()); kind(t, err) != elb.Invalid {
		t.Errorf("deregistration with an address that is none: got %v, want Invalid", err)
	}
	if got := count(); got != 1000 {
		t.Errorf("after a refused deregistration %d are registered, want 1000", got)
	}
	if err := svc.DeregisterTargets(t.Context(), account, region, tg, manyTargets(500), time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 500 {
		t.Errorf("nothing forwards to the group, so 500 are forgotten at once; got %d left", got)
	}
	if err := svc.DeleteTargetGroup(t.Context(), account, region, tg); err != nil {
		t.Fatal(err)
	}
	again := group(t, svc, "web") // with the same digits, so the same ARN
	if h, err := svc.TargetHealth(st.Snapshot(), account, region, again.ARN, nil); err != nil || len(h) != 0 {
		t.Errorf("a target group made anew has %d targets, %v", len(h), err)
	}
}

// I8: what belongs to others doesn't exist: neither by ARN, nor in a list.
func TestOthersSeeAndTouchNothing(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	lb, tg := balancer(t, svc, named("shop")), group(t, svc, "web")
	l := open(t, svc, listener(lb.ARN, 80, forward(tg.ARN)))
	rule, _ := svc.DefaultRule(st.Snapshot(), l.ARN)
	before := st.Snapshot().Revision()
	for _, who := range []struct{ account, region string }{{"444455556666", region}, {account, "other-1"}} {
		r := st.Snapshot()
		for name, err := range map[string]error{
			"LoadBalancer":      last(svc.LoadBalancer(r, who.account, who.region, lb.ARN)),
			"by name":           last(svc.LoadBalancerByName(r, who.account, who.region, "shop")),
			"Listener":          last(svc.Listener(r, who.account, who.region, l.ARN)),
			"Rule":              last(svc.Rule(r, who.account, who.region, rule.ARN)),
			"TargetGroup":       last(svc.TargetGroup(r, who.account, who.region, tg.ARN)),
			"TargetHealth":      last(svc.TargetHealth(r, who.account, who.region, tg.ARN, nil)),
			"TagsOf":            last(svc.TagsOf(r, who.account, who.region, lb.ARN)),
			"DeleteListener":    svc.DeleteListener(t.Context(), who.account, who.region, l.ARN),
			"RegisterTargets":   svc.RegisterTargets(t.Context(), who.account, who.region, tg.ARN, manyTargets(1)),
			"DeregisterTargets": svc.DeregisterTargets(t.Context(), who.account, who.region, tg.ARN, manyTargets(1), time.Now()),
			"AddTags":           svc.AddTags(t.Context(), who.account, who.region, []string{rule.ARN}, []tags.Tag{{Key: "k"}}),
			"RemoveTags":        svc.RemoveTags(t.Context(), who.account, who.region, []string{tg.ARN}, []string{"k"}),
		} {
			if !strings.HasSuffix(string(kind(t, err)), "NotFound") {
				t.Errorf("%s for %v: got %v, want that nothing is found", name, who, err)
			}
		}
		// Deleting what isn't there is success, and does nothing.
		if err := svc.DeleteLoadBalancer(t.Context(), who.account, who.region, lb.ARN); err != nil {
			t.Error(err)
		}
		if err := svc.DeleteTargetGroup(t.Context(), who.account, who.region, tg.ARN); err != nil {
			t.Error(err)
		}
		for arn := range svc.LoadBalancers(r, who.account, who.region, "") {
			t.Errorf("%v is shown %s", who, arn)
		}
	}
	if got := st.Snapshot().Revision(); got != before {
		t.Errorf("%d changes were written, want none", got-before)
	}
}

func last[T any](_ T, err error) error { return err }

// What a deleted load balancer leaves behind until it has drained is no longer
// shown, and no longer in the way.
func TestADeletedLoadBalancerIsOutOfTheWayAtOnce(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	lb, tg := balancer(t, svc, named("shop")), group(t, svc, "web")
	l := open(t, svc, listener(lb.ARN, 80, forward(tg.ARN)))
	if err := svc.DeleteTargetGroup(t.Context(), account, region, tg.ARN); kind(t, err) != elb.ResourceInUse {
		t.Errorf("deleting a target group in use: got %v, want ResourceInUse", err)
	}
	if err := svc.DeleteLoadBalancer(t.Context(), account, region, lb.ARN); err != nil {
		t.Fatal(err)
	}
	r := st.Snapshot()
	if _, err := svc.Listener(r, account, region, l.ARN); kind(t, err) != elb.ListenerNotFound {
		t.Errorf("its listener: got %v, want ListenerNotFound", err)
	}
	if got := svc.LoadBalancersOf(r, tg.ARN); len(got) != 0 {
		t.Errorf("the target group has the load balancers %v, want none", got)
	}
	if _, _, err := svc.CreateListener(t.Context(), listener(lb.ARN, 81, forward(tg.ARN))); kind(t, err) != elb.LoadBalancerNotFound {
		t.Errorf("a listener for it: got %v, want LoadBalancerNotFound", err)
	}
	if err := svc.AddTags(t.Context(), account, region, []string{l.ARN}, []tags.Tag{{Key: "k"}}); kind(t, err) != elb.ListenerNotFound {
		t.Errorf("a tag for its listener: got %v, want ListenerNotFound", err)
	}
	next := named("shop")
	next.Hex = "fedcba9876543210"
	if again := balancer(t, svc, next); again.ARN == lb.ARN {
		t.Error("a new one of that name is the old one")
	}
	if err := svc.DeleteTargetGroup(t.Context(), account, region, tg.ARN); err != nil {
		t.Errorf("deleting the target group: %v", err)
	}
}

// The largest AddTags that the API lets through: twenty resources, fifty tags.
func TestTagsGoOnAllResourcesOrOnNone(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	var arns []string
	for i := range 20 {
		lb := balancer(t, svc, named(fmt.Sprintf("lb-%d", i)))
		l := open(t, svc, listener(lb.ARN, 80, fixed))
		rule, _ := svc.DefaultRule(st.Snapshot(), l.ARN)
		arns = append(arns, rule.ARN)
	}
	var fifty []tags.Tag
	for i := range tags.Max {
		fifty = append(fifty, tags.Tag{Key: fmt.Sprintf("%03d%s", i, strings.Repeat("k", 125)), Value: strings.Repeat("v", 256)})
	}
	if err := svc.AddTags(t.Context(), account, region, append(slices.Clone(arns), arns[0]+"0"), fifty); kind(t, err) != elb.RuleNotFound {
		t.Errorf("with one that isn't there: got %v, want RuleNotFound", err)
	}
	if got, _ := svc.TagsOf(st.Snapshot(), account, region, arns[0]); got != nil {
		t.Errorf("a refused call left %d tags", len(got))
	}
	if err := svc.AddTags(t.Context(), account, region, arns, fifty); err != nil {
		t.Fatal(err)
	}
	for _, arn := range arns {
		if got, _ := svc.TagsOf(st.Snapshot(), account, region, arn); !slices.Equal(got, fifty) {
			t.Errorf("%s has %d tags, want all 50", arn, len(got))
		}
	}
	if err := svc.AddTags(t.Context(), account, region, arns[:1], []tags.Tag{{Key: "one more"}}); kind(t, err) != elb.TooManyTags {
		t.Errorf("one tag more: got %v, want TooManyTags", err)
	}
	if err := svc.RemoveTags(t.Context(), account, region, arns, []string{fifty[0].Key, "absent"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := svc.TagsOf(st.Snapshot(), account, region, arns[19]); !slices.Equal(got, fifty[1:]) {
		t.Errorf("after removing one: %d tags, want 49", len(got))
	}
}

// What was asked for twice is made once (spec: same settings), whatever order
// lists are in; what differs is refused.
func TestAnEqualCreationReturnsWhatIsThere(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	first := named("shop")
	first.Tags = []tags.Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}
	lb := balancer(t, svc, first)
	before := st.Snapshot().Revision()

	same := first
	same.Subnets = []string{"subnet-b", "subnet-a"}
	same.SecurityGroups = []string{"sg-default"} // what the default came to
	same.Tags = []tags.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	same.Hex = "1111111111111111"
	if got := balancer(t, svc, same); got.ARN != lb.ARN || got.DNSName != lb.DNSName {
		t.Errorf("got %s, want %s", got.ARN, lb.ARN)
	}
	for what, change := range map[string]func(*elb.CreateLoadBalancer){
		"subnets":         func(c *elb.CreateLoadBalancer) { c.Subnets = []string{"subnet-a", "subnet-c"} },
		"scheme":          func(c *elb.CreateLoadBalancer) { c.Scheme, c.PoolID = elb.Internal, "" },
		"pool":            func(c *elb.CreateLoadBalancer) { c.PoolID = "" },
		"security groups": func(c *elb.CreateLoadBalancer) { c.SecurityGroups = []string{"sg-1"} },
		"a tag":           func(c *elb.CreateLoadBalancer) { c.Tags = c.Tags[:1] },
	} {
		c := first
		change(&c)
		if _, err := svc.CreateLoadBalancer(t.Context(), c); kind(t, err) != elb.DuplicateLoadBalancerName {
			t.Errorf("with other %s: got %v, want DuplicateLoadBalancerName", what, err)
		}
	}
	if got := st.Snapshot().Revision(); got != before {
		t.Errorf("%d changes were written, want none", got-before)
	}
}

// Nodes don't exist in the bare room, so this is what the API says before any
// host has reported; controller_test.go has what hosts say.
func TestTargetHealthWithoutAHost(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	tg := group(t, svc, "web").ARN
	add := func(d ...elb.TargetDescription) {
		t.Helper()
		if err := svc.RegisterTargets(t.Context(), account, region, tg, d); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, want ...string) {
		t.Helper()
		health, err := svc.TargetHealth(st.Snapshot(), account, region, tg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, states(health)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	add(elb.TargetDescription{ID: "10.0.0.9"}, elb.TargetDescription{ID: "10.0.0.9", Port: 8080},
		elb.TargetDescription{ID: "10.0.0.2", Zone: "all"}, elb.TargetDescription{ID: "10.0.0.3", Zone: "local-1b"}, elb.TargetDescription{ID: "10.0.0.4", Zone: "local-1c"})
	check("without a load balancer",
		"10.0.0.2:80 unused Target.NotInUse", "10.0.0.3:80 unused Target.NotInUse", "10.0.0.4:80 unused Target.NotInUse",
		"10.0.0.9:80 unused Target.NotInUse", "10.0.0.9:8080 unused Target.NotInUse")

	open(t, svc, listener(balancer(t, svc, named("shop")).ARN, 80, forward(tg)))
	check("of a load balancer in local-1a and local-1b",
		"10.0.0.2:80 initial Elb.RegistrationInProgress", "10.0.0.3:80 initial Elb.RegistrationInProgress", "10.0.0.4:80 unused Target.NotInUse",
		"10.0.0.9:80 initial Elb.RegistrationInProgress", "10.0.0.9:8080 initial Elb.RegistrationInProgress")

	if err := svc.DeregisterTargets(t.Context(), account, region, tg, []elb.TargetDescription{{ID: "10.0.0.9"}, {ID: "10.9.9.9"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	check("one was deregistered from its default port",
		"10.0.0.2:80 initial Elb.RegistrationInProgress", "10.0.0.3:80 initial Elb.RegistrationInProgress", "10.0.0.4:80 unused Target.NotInUse",
		"10.0.0.9:80 draining Target.DeregistrationInProgress", "10.0.0.9:8080 initial Elb.RegistrationInProgress")
	add(elb.TargetDescription{ID: "10.0.0.9"})
	named, err := svc.TargetHealth(st.Snapshot(), account, region, tg, []elb.TargetDescription{{ID: "10.0.0.77"}, {ID: "10.0.0.9"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"10.0.0.77:80 unused Target.NotRegistered", "10.0.0.9:80 initial Elb.RegistrationInProgress"}, states(named)); diff != "" {
		t.Errorf("of those named, one registered again (-want +got):\n%s", diff)
	}
}

func states(health []elb.TargetHealth) (out []string) {
	for _, h := range health {
		out = append(out, strings.TrimSpace(h.Target.AddrPort().String()+" "+h.State+" "+h.Reason))
	}
	return out
}

// A deletion of a target group and a rule that comes to name it, at once: either
// the group is gone and unnamed, or it is there.
func TestATargetGroupIsNotDeletedUnderANewRule(t *testing.T) {
	s := twoServers(t, elb.DefaultQuotas)
	tg, lb := group(t, s.svc[0], "web").ARN, balancer(t, s.svc[0], named("shop")).ARN
	ends := s.cross(func(i int, svc *elb.Service) error {
		if i == 0 {
			return svc.DeleteTargetGroup(t.Context(), account, region, tg)
		}
		_, _, err := svc.CreateListener(t.Context(), listener(lb, 80, forward(tg)))
		return err
	})
	r := s.st[0].Snapshot()
	_, err := s.svc[0].TargetGroup(r, account, region, tg)
	if used := len(s.svc[0].LoadBalancersOf(r, tg)) > 0; used != (err == nil) || len(ends) != 2 {
		t.Errorf("the group is named: %v, it is there: %v, the calls ended %v", used, err == nil, ends)
	}
}

// Whichever of the two comes first, no target outlives its group.
func TestATargetIsNotRegisteredInADeletedGroup(t *testing.T) {
	s := twoServers(t, elb.DefaultQuotas)
	tg := group(t, s.svc[0], "web").ARN
	s.cross(func(i int, svc *elb.Service) error {
		if i == 0 {
			return svc.DeleteTargetGroup(t.Context(), account, region, tg)
		}
		return svc.RegisterTargets(t.Context(), account, region, tg, manyTargets(1))
	})
	if again := group(t, s.svc[0], "web").ARN; again != tg {
		t.Fatalf("made anew: got %s, want %s", again, tg)
	}
	h, err := s.svc[0].TargetHealth(s.st[0].Snapshot(), account, region, tg, nil)
	if err != nil || len(h) > 0 {
		t.Errorf("a group made anew has %v, %v, want no targets", states(h), err)
	}
}
