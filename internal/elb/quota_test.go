package elb_test

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/elb"
)

// addresses are targets: so many addresses, each on the ports.
func addresses(first, n int, ports ...int) (targets []elb.TargetDescription) {
	for i := range n {
		for _, port := range ports {
			targets = append(targets, elb.TargetDescription{ID: fmt.Sprint("10.0.0.", first+i), Port: port})
		}
	}
	return targets
}

func TestTargetsPerLoadBalancer(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.TargetsPerBalancer, quotas.RegistrationsPerTarget, quotas.TargetsPerGroup = 6, 3, 5
	svc, st := room(t, quotas)
	b, err := svc.CreateLoadBalancer(t.Context(), poolless())
	if err != nil {
		t.Fatal(err)
	}
	register := func(g elb.TargetGroup, targets []elb.TargetDescription) error {
		return svc.RegisterTargets(t.Context(), account, region, g.ARN, targets)
	}
	first, second, alone := group(t, svc, "first"), group(t, svc, "second"), group(t, svc, "by-itself")
	l := open(t, svc, listener(b.ARN, 80, forward(first.ARN, second.ARN)))
	for _, c := range []struct {
		name string
		do   func() error
		want elb.Kind
	}{
		{"more than a group may have", func() error { return register(first, addresses(1, 6, 80)) }, elb.TooManyTargets},
		{"as many", func() error { return register(first, addresses(1, 5, 80)) }, ""},
		{"more in another group than the load balancer may have", func() error { return register(second, addresses(11, 2, 80)) }, elb.TooManyTargets},
		{"as many as it may have", func() error { return register(second, addresses(11, 1, 80)) }, ""},
		{"one of them again", func() error { return register(second, addresses(11, 1, 80)) }, ""},
		{"in a group of its own", func() error { return register(alone, addresses(21, 1, 80)) }, ""},
		{"of which the load balancer has none", func() error {
			_, err := svc.CreateRule(t.Context(), elb.CreateRule{Account: account, Region: region, ListenerARN: l.ARN, Priority: 1, RuleHex: "1",
				Conditions: []elb.Condition{{Field: elb.FieldPath, Values: []string{"/x"}}}, Actions: forward(alone.ARN)})
			return err
		}, elb.TooManyTargets},
		{"fewer", func() error {
			return svc.DeregisterTargets(t.Context(), account, region, alone.ARN, addresses(21, 1, 80), b.Created)
		}, ""},
		{"one target too often", func() error { return register(alone, addresses(21, 1, 1, 2, 3, 4)) }, ""},
		{"and then for the load balancer", func() error {
			return withActions(t, svc, l, forward(alone.ARN))
		}, elb.TooManyRegistrations},
	} {
		before := st.Snapshot().Revision()
		if got := kind(t, c.do()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		} else if got != "" && st.Snapshot().Revision() != before {
			t.Errorf("%s: something was written (I10)", c.name)
		}
	}
}

func withActions(t *testing.T, svc *elb.Service, l elb.Listener, actions []elb.Action) error {
	t.Helper()
	_, _, err := svc.ModifyListener(t.Context(), elb.ModifyListener{Account: account, Region: region, ARN: l.ARN, Actions: actions})
	return err
}

// Of two that take the last targets of a load balancer at once, one is refused:
// by registering them, or by a rule that brings a group of them.
func TestTheLastTargetsAreTakenAtOnce(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.TargetsPerBalancer = 5
	const first, second = 0, 1
	for name, c := range map[string]struct {
		has     int // the group that has three targets beforehand, -1 for none
		meets   int // the group whose registration meets another
		another int // group's registration; -1: the rule that brings the second group
	}{
		"in two of its groups":                         {-1, first, second},
		"in a group that comes to it meanwhile":        {first, second, -1},
		"in its group, while another comes to it, too": {second, first, -1},
	} {
		t.Run(name, func(t *testing.T) {
			for range 8 { // whoever is first
				s := twoServers(t, quotas)
				b, err := s.svc[0].CreateLoadBalancer(t.Context(), poolless())
				if err != nil {
					t.Fatal(err)
				}
				groups := [2]elb.TargetGroup{group(t, s.svc[0], "first"), group(t, s.svc[0], "second")}
				register := func(svc *elb.Service, g int) error {
					return svc.RegisterTargets(t.Context(), account, region, groups[g].ARN, addresses(1+10*g, 3, 80))
				}
				l := open(t, s.svc[0], listener(b.ARN, 80, forward(groups[first].ARN)))
				if c.another == second {
					open(t, s.svc[0], listener(b.ARN, 81, forward(groups[second].ARN)))
				}
				if c.has >= 0 {
					if err := register(s.svc[0], c.has); err != nil {
						t.Fatal(err)
					}
				}
				got := s.cross(func(i int, svc *elb.Service) error {
					switch {
					case i == 0:
						return register(svc, c.meets)
					case c.another >= 0:
						return register(svc, c.another)
					}
					_, err := svc.CreateRule(t.Context(), elb.CreateRule{Account: account, Region: region, ListenerARN: l.ARN, Priority: 1, RuleHex: "1",
						Conditions: []elb.Condition{{Field: elb.FieldPath, Values: []string{"/x"}}}, Actions: forward(groups[second].ARN)})
					return err
				})
				if got[""] != 1 || got[elb.TooManyTargets] != 1 {
					t.Errorf("got %v, want one done and one refused", got)
				}
			}
		})
	}
}
