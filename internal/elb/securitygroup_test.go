package elb_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func groupsTo(b elb.LoadBalancer, groups ...string) elb.SetSecurityGroups {
	return elb.SetSecurityGroups{Account: account, Region: region, ARN: b.ARN, SecurityGroups: groups, Time: time.Now()}
}

// The interfaces of a load balancer's nodes follow into its security groups, also
// when the server dies before or after it has moved one of them.
func TestInterfacesFollowTheSecurityGroups(t *testing.T) {
	for _, crash := range []string{"", "elb.set-security-groups.before", "elb.set-security-groups.after"} {
		t.Run("dying at "+crash, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := &killable{Engine: memstore.New()}
				w := start(t, engine, 4)
				defer func() { w.stop() }()
				b := w.create(shop("subnet-a", "subnet-b"))
				if crash != "" {
					once := sync.OnceFunc(engine.kill)
					failpoint.SetHook(func(name string) {
						if name == crash {
							once()
						}
					})
					defer failpoint.SetHook(nil)
				}
				if _, err := w.svc.SetSecurityGroups(t.Context(), groupsTo(b, "sg-1", "sg-2", "sg-1")); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				w = w.restartIfDead(engine)
				time.Sleep(time.Minute)
				synctest.Wait()
				snap := w.st.Snapshot()
				got, _ := w.svc.LoadBalancer(snap, account, region, b.ARN)
				if !slices.Equal(got.SecurityGroups, []string{"sg-1", "sg-2"}) {
					t.Errorf("the load balancer is in %v, want sg-1 and sg-2", got.SecurityGroups)
				}
				for _, n := range w.nodes(b.ARN) {
					if i, _ := w.interfaces.Of(snap, n.ID); !slices.Equal(i.SecurityGroups, []string{"sg-1", "sg-2"}) {
						t.Errorf("the interface in %s is in %v, want sg-1 and sg-2", n.Zone, i.SecurityGroups)
					}
				}
			})
		})
	}
}

func TestSetSecurityGroupsRefuses(t *testing.T) {
	svc, st := room(t, elb.Quotas{LoadBalancers: 1, SecurityGroupsPerBalancer: 1})
	b, err := svc.CreateLoadBalancer(t.Context(), shop("subnet-a", "subnet-b"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call elb.SetSecurityGroups
		want elb.Kind
	}{
		"none":                       {groupsTo(b), elb.InvalidConfiguration},
		"more than the quota allows": {groupsTo(b, "sg-1", "sg-2"), elb.InvalidConfiguration},
		"one that doesn't exist":     {groupsTo(b, "sg-gone"), elb.InvalidSecurityGroup},
		"a stranger's load balancer": {elb.SetSecurityGroups{Account: "444455556666", Region: region, ARN: b.ARN, SecurityGroups: []string{"sg-1"}}, elb.LoadBalancerNotFound},
	} {
		before := st.Snapshot().Revision()
		_, err := svc.SetSecurityGroups(t.Context(), c.call)
		if got := kind(t, err); got != c.want {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if st.Snapshot().Revision() != before {
			t.Errorf("%s: something was written (I10)", name)
		}
	}
}
