package elb_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store/memstore"
)

const secondPool = "ipam-pool-0b1b2c3d4e5f60718"

// I6: a policy's pools are tried in order, for each node, before the provider's.
func TestALoadBalancerWithoutAPoolDrawsFromItsPolicysPools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		w.pools.policy = []string{pool, secondPool}
		c := shop("subnet-a", "subnet-b", "subnet-c")
		c.PoolID = ""
		want := []placement{
			{"local-1a", "127.192.2.144", pool, "in-service"},
			{"local-1b", "127.193.2.144", secondPool, "in-service"},
			{"local-1c", "127.64.0.0", "", "in-service"},
		}
		if diff := cmp.Diff(want, w.placements(w.create(c).ARN)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, text := range []string{"falling back to the next pool", "falling back to the provider's pool"} {
			if !strings.Contains(w.log.String(), text) {
				t.Errorf("the log doesn't say %q", text)
			}
		}
	})
}

// The pool that a load balancer names comes in place of a policy's, not before them.
func TestALoadBalancersOwnPoolLeavesThePolicyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		w.pools.policy = []string{secondPool}
		want := []placement{
			{"local-1a", "127.192.2.144", pool, "in-service"},
			{"local-1b", "127.64.0.0", "", "in-service"},
		}
		if diff := cmp.Diff(want, w.placements(w.create(shop("subnet-a", "subnet-b")).ARN)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
