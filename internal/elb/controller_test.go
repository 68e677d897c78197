package elb_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// placement is what a test expects of a node.
type placement struct{ Zone, Public, Pool, Phase string }

func (w *world) placements(arn string) (out []placement) {
	for _, n := range w.nodes(arn) {
		out = append(out, placement{n.Zone, n.Public.String(), n.PoolID, string(n.Phase)})
	}
	slices.SortFunc(out, func(a, b placement) int { return strings.Compare(a.Zone, b.Zone) })
	return out
}

// S1, I3: the zones draw the lowest free addresses in the order of the subnets.
func TestNodesDrawFromThePoolInTheOrderOfTheSubnets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-c", "subnet-a", "subnet-b"))
		want := []placement{
			{"local-1a", "127.192.2.145", pool, "in-service"},
			{"local-1b", "127.192.2.146", pool, "in-service"},
			{"local-1c", "127.192.2.144", pool, "in-service"},
		}
		if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got, _ := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN); got.State != elb.Active {
			t.Errorf("state: got %s, want active", got.State)
		}
	})
}

// S2, I6: where the pool ends, the provider's begins; the load balancer is active.
func TestAnExhaustedPoolFallsBackToTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b", "subnet-c"))
		want := []placement{
			{"local-1a", "127.192.2.144", pool, "in-service"},
			{"local-1b", "127.192.2.145", pool, "in-service"},
			{"local-1c", "127.64.0.0", "", "in-service"},
		}
		if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got, _ := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN); got.State != elb.Active {
			t.Errorf("state: got %s, want active", got.State)
		}
	})
}

// I4: without a host's word that a node serves, its address is in no endpoint.
func TestANodeIsPublishedOnlyWhenItsHostSaysThatItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		w.mu.Lock()
		w.hold = true
		w.mu.Unlock()
		b := w.create(shop("subnet-a", "subnet-b"))
		if e, ok := w.svc.Endpoint(w.st.Snapshot(), b.ARN); !ok || len(e.Nodes) != 0 {
			t.Errorf("endpoint: got %+v, %v, want one without nodes", e, ok)
		}
		if got, _ := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN); got.State != elb.Provisioning {
			t.Errorf("state: got %s, want provisioning", got.State)
		}
		if got := len(w.asked.Nodes); got != 2 {
			t.Errorf("the host was asked to carry %d nodes, want 2", got)
		}
	})
}

// I3, I4: a deleted load balancer leaves the endpoint at once, serves on for a
// TTL, and its addresses are free only when the host has closed its nodes.
func TestDeletionDrainsAndGivesEverythingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		if err := w.svc.DeleteLoadBalancer(t.Context(), account, region, b.ARN); err != nil {
			t.Fatal(err)
		}
		if _, ok := w.svc.Endpoint(w.st.Snapshot(), b.ARN); ok {
			t.Error("the endpoint is still there after deletion")
		}
		time.Sleep(time.Minute - time.Second) // in the bubble's time
		synctest.Wait()
		for _, n := range w.nodes(b.ARN) {
			if n.Phase != elb.NodeDraining {
				t.Errorf("a second before the TTL ends: node is %s, want draining", n.Phase)
			}
		}
		w.mu.Lock()
		w.hold = true
		w.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("%d interfaces while the host hasn't closed the nodes, want 2", got)
		}
		w.stop()
		w2 := start(t, w.engine, 8)
		defer w2.stop()
		synctest.Wait()
		if got := w2.interfaces.records.Len(w2.st.Snapshot()); got != 0 {
			t.Errorf("%d interfaces are left, want none", got)
		}
		if got := len(w2.nodes(b.ARN)); got != 0 {
			t.Errorf("%d nodes are left, want none", got)
		}
	})
}

// I1, I2, I5: a crash before or after any step, while a load balancer is made
// and while it goes, is repaired by the next start: no address lost or doubled.
func TestACrashBetweenAnyTwoStepsIsRepaired(t *testing.T) {
	points := map[string]bool{}
	for crashAt := 0; ; crashAt++ {
		crashed := false
		t.Run(fmt.Sprintf("at point %d", crashAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := &killable{Engine: memstore.New()}
				hits := 0
				failpoint.SetHook(func(name string) {
					engine.mu.Lock()
					defer engine.mu.Unlock()
					points[name] = true
					if hits == crashAt {
						engine.dead, crashed = true, true
						t.Logf("crash at %s", name)
					}
					hits++
				})
				defer failpoint.SetHook(nil)

				w := start(t, engine, 2)
				// What an API call confirmed must be there after the crash (I5).
				b, err := w.svc.CreateLoadBalancer(t.Context(), shop("subnet-a", "subnet-b", "subnet-c"))
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				w = w.restartIfDead(engine)
				want := []placement{
					{"local-1a", "127.192.2.144", pool, "in-service"},
					{"local-1b", "127.192.2.145", pool, "in-service"},
					{"local-1c", "127.64.0.0", "", "in-service"},
				}
				if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
					t.Errorf("after creation (-want +got):\n%s", diff)
				}
				if got := w.interfaces.records.Len(w.st.Snapshot()); got != 3 {
					t.Errorf("after creation: %d interfaces, want 3", got)
				}
				if err := w.svc.DeleteLoadBalancer(t.Context(), account, region, b.ARN); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				w = w.restartIfDead(engine)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if got := w.interfaces.records.Len(w.st.Snapshot()); got != 0 {
					t.Errorf("after deletion: %d interfaces, want none; nodes %+v", got, w.nodes(b.ARN))
				}
				for arn := range w.svc.All(w.st.Snapshot()) {
					t.Errorf("after deletion: %s is still there", arn)
				}
				w.stop()
			})
		})
		if !crashed || t.Failed() {
			break
		}
	}
	for _, action := range []string{"create-nodes", "create-interface", "assign-address", "place", "serve", "activate", "drain", "close", "release", "remove"} {
		for _, when := range []string{".before", ".after"} {
			if !points["elb."+action+when] {
				t.Errorf("no crash was tried at elb.%s%s", action, when)
			}
		}
	}
}

// Two servers on one store make one node per zone.
func TestTwoControllersMakeOneNodePerZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memstore.New()
		w1, w2 := start(t, engine, 8), start(t, engine, 8)
		defer w1.stop()
		defer w2.stop()
		b := w1.create(shop("subnet-a", "subnet-b", "subnet-c"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		nodes := w2.nodes(b.ARN)
		seen := map[netip.Addr]bool{}
		for _, n := range nodes {
			seen[n.Public] = true
		}
		if len(nodes) != 3 || len(seen) != 3 {
			t.Errorf("got %d nodes with %d addresses, want 3 with 3: %+v", len(nodes), len(seen), nodes)
		}
	})
}
