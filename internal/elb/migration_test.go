package elb_test

import (
	"fmt"
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

func (w *world) view(arn string) elb.MigrationView {
	w.t.Helper()
	v, ok, err := w.svc.Migration(w.st.Snapshot(), account, region, arn)
	if err != nil || !ok {
		w.t.Fatalf("no migration: %t, %v", ok, err)
	}
	return v
}

func (w *world) cancel(arn string) error {
	_, err := w.svc.CancelMigration(w.t.Context(), account, region, arn, time.Now())
	synctest.Wait()
	return err
}

// outline is a migration as state, sets, and how many connections each has.
func (w *world) outline(arn string) string {
	w.t.Helper()
	v := w.view(arn)
	set := func(nodes []elb.MigratingNode) string {
		var out []string
		for _, n := range nodes {
			x := n.Public.String()
			if n.InDNS {
				x += "*"
			}
			if n.Connections > 0 {
				x += fmt.Sprintf("+%d", n.Connections)
			}
			out = append(out, x)
		}
		return strings.Join(out, " ")
	}
	return fmt.Sprintf("%s: %s > %s", v.Migration.State(), set(v.Old), set(v.New))
}

// B4: both sets with their connections and the time that is left, from beginning to end.
func TestAMigrationIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		if _, ok, err := w.svc.Migration(w.st.Snapshot(), account, region, b.ARN); ok || err != nil {
			t.Errorf("before there is one: got %t, %v", ok, err)
		}
		is := func(when, want string) elb.MigrationView {
			t.Helper()
			if got := w.outline(b.ARN); got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", when, got, want)
			}
			return w.view(b.ARN)
		}
		w.holding(true)
		began := time.Now()
		w.migrate(b.ARN, pool)
		v := is("while the new set comes up", "preparing: 127.64.0.0* 127.64.0.1* > 127.192.2.144 127.192.2.145")
		if v.Migration.FromPool != "" || v.Migration.ToPool != pool || !v.Migration.Began.Equal(began) || !v.EndsBy.IsZero() || v.Obstacle != "" {
			t.Errorf("got %+v, ends by %v, %q", v.Migration, v.EndsBy, v.Obstacle)
		}
		w.report(connected("127.64.", 3))
		v = is("when it serves", "draining: 127.64.0.0+3 127.64.0.1+3 > 127.192.2.144* 127.192.2.145*")
		// A TTL, a client's keepalive, and at the end another TTL and the limit.
		if got, want := v.EndsBy.Sub(v.Migration.Moved), 61*time.Second+time.Hour+61*time.Second+5*time.Minute; got != want || v.Obstacle != "" {
			t.Errorf("time left: got %v, %q, want %v", got, v.Obstacle, want)
		}
		after(time.Hour + 62*time.Second)
		w.report(connected("127.64.", 1))
		v = is("after the keepalive", "draining: 127.64.0.0+1 127.64.0.1+1 > 127.192.2.144* 127.192.2.145*")
		if got := time.Until(v.EndsBy).Round(time.Minute); got != 6*time.Minute || !strings.Contains(v.Obstacle, "127.64.0.0 in local-1a is being given back") {
			t.Errorf("time left: got %v, %q", got, v.Obstacle)
		}
		w.report(nil)
		w.holding(false)
		after(2 * time.Minute)
		v = is("at the end", "completed:  > 127.192.2.144* 127.192.2.145*")
		if !strings.Contains(v.Obstacle, "it ended at ") || !v.EndsBy.IsZero() {
			t.Errorf("at the end: got %q, ends by %v", v.Obstacle, v.EndsBy)
		}
	})
}

// Before the new set serves, and after: the old set is in DNS again, whole, and
// the new one goes. B4.
func TestAMigrationIsCancelled(t *testing.T) {
	for name, c := range map[string]struct {
		serves bool // the new set, when it is cancelled
		middle string
	}{
		"before the new set serves": {false, "cancelled: 127.64.0.0* 127.64.0.1* > "},
		"after DNS names it":        {true, "returning: 127.64.0.0*+2 127.64.0.1*+2 > 127.192.2.144 127.192.2.145"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, memstore.New(), 8)
				defer w.stop()
				b := w.create(poolless())
				w.holding(true)
				w.migrate(b.ARN, pool)
				busy := connected("127.64.", 2)
				if c.serves {
					w.report(busy)
				}
				if err := w.cancel(b.ARN); err != nil {
					t.Fatal(err)
				}
				if got := w.named(b.ARN); got != provided {
					t.Errorf("at once: DNS names %s, want %s", got, provided)
				}
				if !c.serves {
					w.holding(false)
					w.report(nil)
				} else {
					w.report(busy)
				}
				if got := w.outline(b.ARN); got != c.middle {
					t.Errorf("then: got %s, want %s", got, c.middle)
				}
				if err := w.cancel(b.ARN); err != nil {
					t.Errorf("once more: %v", err)
				}
				w.holding(false)
				after(2 * time.Minute)
				w.report(nil)
				after(time.Minute)
				if got, want := w.outline(b.ARN), "cancelled: 127.64.0.0* 127.64.0.1* > "; got != want {
					t.Errorf("at the end: got %s, want %s", got, want)
				}
				if err := w.cancel(b.ARN); err != nil {
					t.Errorf("when it is over: %v", err)
				}
				got, err := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN)
				if err != nil || got.PoolID != "" || got.State != elb.Active || w.interfaces.records.Len(w.st.Snapshot()) != 2 {
					t.Errorf("at the end: pool %q, %s, %d interfaces, %v; want none, active and 2", got.PoolID, got.State, w.interfaces.records.Len(w.st.Snapshot()), err)
				}
				// The next one is a new generation, though the number before was given already.
				w.migrate(b.ARN, pool)
				after(2 * time.Minute)
				if got, want := w.outline(b.ARN), "completed:  > 127.192.2.144* 127.192.2.145*"; got != want {
					t.Errorf("the next migration: got %s, want %s", got, want)
				}
			})
		})
	}
}

// A change of mind about a set that never served goes back to the one that does.
func TestASupersededMigrationIsCancelledToTheSetThatServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		w.holding(true)
		w.migrate(b.ARN, pool)
		w.migrate(b.ARN, "")
		if err := w.cancel(b.ARN); err != nil {
			t.Fatal(err)
		}
		w.holding(false)
		w.report(nil)
		after(2 * time.Minute)
		if got := w.named(b.ARN); got != provided {
			t.Errorf("DNS names %s, want %s: the same addresses as ever", got, provided)
		}
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("%d interfaces are left, want 2", got)
		}
	})
}

func TestWhatCantBeCancelledIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		refused := func(when, why string) {
			t.Helper()
			err := w.cancel(b.ARN)
			if kind(t, err) != elb.OperationNotPermitted || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: got %v, want %q", when, err, why)
			}
		}
		refused("nothing to cancel", "load balancer 'shop' has none")
		w.migrate(b.ARN, pool)
		w.report(func(r *snapshot.Report) { // one of the old nodes is idle, the other one isn't
			for i := range r.Nodes {
				if r.Nodes[i].Bound.String() == "127.64.0.1" {
					r.Nodes[i].OpenConnections = 1
				}
			}
		})
		w.holding(true)
		after(62 * time.Second)
		refused("one of two is closed", "127.64.0.0 in local-1a is being given back")
		w.report(connected("127.64.0.1", 1))
		refused("one of two is gone", "its old address in local-1a was given back")
		w.holding(false)
		w.report(nil)
		after(2 * time.Minute)
		refused("it is over", "it ended at ")
		if _, err := w.svc.CancelMigration(t.Context(), "444455556666", region, b.ARN, time.Now()); kind(t, err) != elb.LoadBalancerNotFound {
			t.Errorf("I8: another account's: got %v", err)
		}
		if got := w.named(b.ARN); got != pooled {
			t.Errorf("DNS names %s, want %s: nothing that was refused did anything", got, pooled)
		}
	})
}

// A zone that is left and taken again before its node is gone serves again.
func TestAZoneThatIsTakenBackServesAgain(t *testing.T) {
	for name, later := range map[string]time.Duration{"while it serves on": 10 * time.Second, "while it drains": 62*time.Second + time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, memstore.New(), 8)
				defer w.stop()
				b := w.create(shop("subnet-a", "subnet-b", "subnet-c"))
				set := func(subnets ...string) {
					t.Helper()
					if _, err := w.svc.SetSubnets(t.Context(), subnetsOf(b, subnets...)); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				set("subnet-a", "subnet-b")
				w.report(connected("127.192.2.146", 1))
				after(later)
				w.report(connected("127.192.2.146", 1))
				set("subnet-a", "subnet-b", "subnet-c")
				after(10 * time.Minute)
				w.report(nil)
				after(10 * time.Minute)
				if got := w.published(b.ARN); got != "local-1a local-1b local-1c" {
					t.Errorf("DNS names nodes of %q", got)
				}
				if got := w.interfaces.records.Len(w.st.Snapshot()); got != 3 {
					t.Errorf("%d interfaces, want 3", got)
				}
			})
		})
	}
}

// I1, I2, I4, I5: the control plane dies at every step of a migration that is
// cancelled, before and after DNS has moved.
func TestACancelledMigrationOutlivesACrashAtEveryStep(t *testing.T) {
	for _, serves := range []bool{false, true} {
		for crashAt, crashed := 0, true; crashed; crashAt++ {
			crashed = false
			t.Run(fmt.Sprintf("served %t, at point %d", serves, crashAt), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					engine := &killable{Engine: memstore.New()}
					w := start(t, engine, 8)
					b := w.create(poolless())
					w.holding(!serves)
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
					if !engine.isDead() {
						if err := w.cancel(b.ARN); err != nil && !engine.isDead() {
							t.Fatal(err)
						}
					}
					w = w.restartIfDead(engine)
					w.holding(false)
					w.report(nil)
					if err := w.cancel(b.ARN); err != nil { // the caller, who has no answer, asks again
						t.Fatal(err)
					}
					for range 3 {
						after(2 * time.Minute)
						w = w.restartIfDead(engine)
						if got := w.named(b.ARN); got != provided {
							t.Errorf("I4: DNS names %s, want %s", got, provided)
						}
					}
					want := []placement{{"local-1a", "127.64.0.0", "", "in-service"}, {"local-1b", "127.64.0.1", "", "in-service"}}
					if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
						t.Errorf("at the end (-want +got):\n%s", diff)
					}
					if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
						t.Errorf("at the end: %d interfaces, want 2", got)
					}
					if got := w.view(b.ARN).Migration.State(); got != elb.MigrationCancelled {
						t.Errorf("at the end the migration is %s", got)
					}
					ends := 0
					for _, line := range w.happened(0) {
						if line == "migration.ended" || line == "migration.cancelled" || line == "migration.begun" {
							ends++
						}
					}
					if ends != 3 {
						t.Errorf("beginning, cancellation and end are told %d times, want once each", ends)
					}
					w.stop()
				})
			})
			if crashAt > 100 {
				t.Fatal("the migration has no end")
			}
		}
	}
}

func (k *killable) isDead() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.dead }
