package elb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// poolless is shop with addresses of the provider's.
func poolless() elb.CreateLoadBalancer {
	c := shop("subnet-a", "subnet-b")
	c.PoolID = ""
	return c
}

func (w *world) migrate(arn, to string) {
	w.t.Helper()
	if _, err := w.svc.ModifyIPPool(w.t.Context(), elb.ModifyIPPool{Account: account, Region: region, ARN: arn, PoolID: to, Remove: to == "", Time: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// named are the addresses that DNS names.
func (w *world) named(arn string) string {
	e, _ := w.svc.Endpoint(w.st.Snapshot(), arn)
	var all []string
	for _, n := range e.Nodes {
		for _, a := range n.Answers() {
			all = append(all, a.Address.String())
		}
	}
	return strings.Join(all, " ")
}

// connected has the host report so many open connections on addresses that begin so.
func connected(prefix string, n int) func(*snapshot.Report) {
	return func(r *snapshot.Report) {
		for i := range r.Nodes {
			if strings.HasPrefix(r.Nodes[i].Bound.String(), prefix) {
				r.Nodes[i].OpenConnections = n
			}
		}
	}
}

const (
	provided = "127.64.0.0 127.64.0.1"
	pooled   = "127.192.2.144 127.192.2.145"
)

// S4, I4: DNS names the old addresses until all of the new ones serve, and then
// the new ones alone; the old ones serve on until their connections have ended,
// and only then go back.
func TestAMigrationTakesOverWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		w.holding(true)
		w.migrate(b.ARN, pool)
		if got := w.named(b.ARN); got != provided {
			t.Errorf("while the new nodes come up: DNS names %s, want %s", got, provided)
		}
		w.report(func(r *snapshot.Report) { // one of two serves
			i := slices.IndexFunc(r.Nodes, func(n snapshot.NodeStatus) bool { return n.Bound.String() == "127.192.2.145" })
			r.Nodes[i].Ready = false
		})
		if got := w.named(b.ARN); got != provided {
			t.Errorf("while one of the new nodes doesn't serve: DNS names %s, want %s", got, provided)
		}
		w.report(connected("127.64.", 3))
		if got := w.named(b.ARN); got != pooled {
			t.Errorf("when all of them serve: DNS names %s, want %s", got, pooled)
		}
		if got := w.state(b.ARN); got != "active" {
			t.Errorf("state: got %s, want active all along", got)
		}
		serving := func() (n int) {
			for _, x := range w.newest().Nodes {
				if x.Phase == snapshot.NodeServing {
					n++
				}
			}
			return n
		}
		after(time.Hour) // the keepalive of a client that has connected last
		w.report(connected("127.64.", 1))
		if got := serving(); got != 4 {
			t.Errorf("within the keepalive: %d nodes serve, want the old ones, too", got)
		}
		after(62 * time.Second)
		w.report(connected("127.64.", 1))
		if got := serving(); got != 2 || len(w.newest().Nodes) != 4 {
			t.Errorf("after the keepalive: %d of %d nodes serve, want 2 of 4: the old ones drain", got, len(w.newest().Nodes))
		}
		w.report(nil)
		after(62 * time.Second) // they close
		w.report(nil)
		w.report(nil)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("at the end: %d interfaces, want 2", got)
		}
		want := []placement{{"local-1a", "127.192.2.144", pool, "in-service"}, {"local-1b", "127.192.2.145", pool, "in-service"}}
		if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	})
}

// Without connections the old addresses go back as soon as no resolver knows them.
func TestAMigrationEndsWithItsLastConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		w.migrate(b.ARN, pool)
		if got := w.named(b.ARN); got != pooled {
			t.Errorf("DNS names %s, want %s", got, pooled)
		}
		after(time.Minute)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 4 {
			t.Errorf("within a TTL: %d interfaces, want 4", got)
		}
		after(2 * time.Second)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("after it: %d interfaces, want 2", got)
		}
		w.migrate(b.ARN, "")
		if got := w.named(b.ARN); got != provided {
			t.Errorf("and back: DNS names %s, want %s", got, provided)
		}
	})
}

// A change of mind half way: the set that never served goes, and no address twice.
func TestAMigrationThatIsSupersededLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		w.holding(true)
		w.migrate(b.ARN, pool)
		w.migrate(b.ARN, "")
		if got := w.named(b.ARN); got != provided {
			t.Errorf("meanwhile: DNS names %s, want %s", got, provided)
		}
		w.holding(false)
		w.report(nil)
		after(2 * time.Minute)
		if got := w.named(b.ARN); got != "127.64.0.2 127.64.0.3" {
			t.Errorf("at the end: DNS names %s, want the provider's next addresses", got)
		}
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("at the end: %d interfaces, want 2", got)
		}
	})
}

// I2: a load balancer is deleted in the middle of its migration.
func TestAMigrationIsCutShortByDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		w.migrate(b.ARN, pool)
		w.delete(b.ARN)
		after(3 * time.Minute)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 0 || len(w.nodes(b.ARN)) != 0 {
			t.Errorf("%d interfaces and %d nodes are left, want none", got, len(w.nodes(b.ARN)))
		}
	})
}

// Zones come, one by one as they serve, and go when those that stay serve.
func TestZonesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		set := func(subnets ...string) {
			t.Helper()
			if _, err := w.svc.SetSubnets(t.Context(), subnetsOf(b, subnets...)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		set("subnet-a", "subnet-b", "subnet-c")
		if got := w.published(b.ARN); got != "local-1a local-1b local-1c" {
			t.Errorf("got %q, want the third zone, too", got)
		}
		w.holding(true)
		set("subnet-c", "subnet-a2") // another subnet of the same zone is another node
		if got := w.named(b.ARN); got != "127.192.2.144 127.192.2.145 127.192.2.146" {
			t.Errorf("before the new node serves: DNS names %s, want all that were there", got)
		}
		w.report(nil)
		if got := w.named(b.ARN); got != "127.192.2.146 127.192.2.147" {
			t.Errorf("then: DNS names %s, want the one that stays and the new one", got)
		}
		w.holding(false)
		after(2 * time.Minute)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("at the end: %d interfaces, want 2", got)
		}
	})
}

// I1, I2, I5: the control plane dies at every step of a migration.
func TestAMigrationOutlivesACrashAtEveryStep(t *testing.T) {
	for crashAt, crashed := 0, true; crashed; crashAt++ {
		crashed = false
		t.Run(fmt.Sprintf("at point %d", crashAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := &killable{Engine: memstore.New()}
				w := start(t, engine, 8)
				b := w.create(poolless())
				hits := 0
				failpoint.SetHook(func(name string) {
					engine.mu.Lock()
					defer engine.mu.Unlock()
					if hits == crashAt {
						engine.dead, crashed = true, true
						t.Logf("crash at %s", name)
					}
					hits++
				})
				defer failpoint.SetHook(nil)
				w.migrate(b.ARN, pool)
				for range 3 {
					w = w.restartIfDead(engine)
					if got := w.named(b.ARN); got != provided && got != pooled {
						t.Errorf("I4: DNS names %s, want the old set or the new one", got)
					}
					after(2 * time.Minute)
				}
				want := []placement{{"local-1a", "127.192.2.144", pool, "in-service"}, {"local-1b", "127.192.2.145", pool, "in-service"}}
				if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
					t.Errorf("at the end (-want +got):\n%s", diff)
				}
				if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
					t.Errorf("at the end: %d interfaces, want 2", got)
				}
				w.stop()
			})
		})
		if crashAt > 100 {
			t.Fatal("the migration has no end")
		}
	}
}

func TestMigrationsThatCantBeAreRefused(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	b, err := svc.CreateLoadBalancer(t.Context(), shop("subnet-a", "subnet-b"))
	if err != nil {
		t.Fatal(err)
	}
	inside := shop("subnet-a", "subnet-b")
	inside.Name, inside.Hex, inside.Scheme, inside.PoolID = "inside", "fedcba9876543210", elb.Internal, ""
	internal, err := svc.CreateLoadBalancer(t.Context(), inside)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		arn, pool string
		remove    bool
		want      elb.Kind
	}{
		"neither":               {b.ARN, "", false, elb.Invalid},
		"both":                  {b.ARN, pool, true, elb.Invalid},
		"a pool elsewhere":      {b.ARN, "ipam-pool-far", false, elb.InvalidConfiguration},
		"a private pool":        {b.ARN, "ipam-pool-private", false, elb.InvalidConfiguration},
		"no such pool":          {b.ARN, "ipam-pool-none", false, elb.InvalidConfiguration},
		"of an internal one":    {internal.ARN, pool, false, elb.InvalidConfiguration},
		"no such load balancer": {b.ARN + "0", pool, false, elb.LoadBalancerNotFound},
	} {
		if _, err := svc.ModifyIPPool(t.Context(), elb.ModifyIPPool{Account: account, Region: region, ARN: c.arn, PoolID: c.pool, Remove: c.remove}); kind(t, err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if _, err := svc.ModifyIPPool(t.Context(), elb.ModifyIPPool{Account: account, Region: region, ARN: b.ARN, PoolID: pool}); err != nil {
		t.Errorf("the pool that it has: got %v, want no change", err)
	}
	if got, _ := svc.LoadBalancer(st.Snapshot(), account, region, b.ARN); got.Generation != 0 {
		t.Errorf("got generation %d, want none of that to be a migration", got.Generation)
	}
	for name, c := range map[string]struct {
		subnets []string
		want    elb.Kind
	}{
		"one subnet":       {[]string{"subnet-a"}, elb.Invalid},
		"two of a zone":    {[]string{"subnet-a", "subnet-a2"}, elb.InvalidConfiguration},
		"of another VPC":   {[]string{"subnet-a", "subnet-other"}, elb.InvalidConfiguration},
		"one without room": {[]string{"subnet-a", "subnet-full"}, elb.InvalidSubnet},
		"one that is none": {[]string{"subnet-a", "subnet-z"}, elb.SubnetNotFound},
	} {
		if _, err := svc.SetSubnets(t.Context(), subnetsOf(b, c.subnets...)); kind(t, err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
