package elb_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

// tagged is shop with tags that set attributes at once.
func tagged(subnets []string, kv ...string) elb.CreateLoadBalancer {
	c := shop(subnets...)
	for i := 0; i < len(kv); i += 2 {
		c.Tags = append(c.Tags, tags.Tag{Key: kv[i], Value: kv[i+1]})
	}
	return c
}

var threeSubnets = []string{"subnet-a", "subnet-b", "subnet-c"}

func (w *world) set(arn, key, value string) error {
	w.t.Helper()
	_, err := w.svc.ModifyLoadBalancerAttributes(w.t.Context(), account, region, arn, map[string]string{key: value}, time.Now())
	synctest.Wait()
	return err
}

func (w *world) all(arn string) map[string]string {
	w.t.Helper()
	b, err := w.svc.LoadBalancer(w.st.Snapshot(), account, region, arn)
	if err != nil {
		w.t.Fatal(err)
	}
	return b.AllAttributes()
}

// count is how many events of a kind there are.
func (w *world) count(k event.Kind) (n int) {
	w.happened(0)
	for e := range w.events.After(w.st.Snapshot(), 0) {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// B2, I6: with deny, creation fails with a reason rather than use an address off
// the pool, and goes on as soon as the pool has room.
func TestALoadBalancerThatDeniesTheFallbackFailsLoudly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		b := w.create(tagged(threeSubnets, "fairlead:fallback", "deny"))
		after(10 * time.Second)
		got, err := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN)
		if err != nil || got.State != elb.Failed || !strings.Contains(got.Reason, "fairlead.ipam.fallback is deny") {
			t.Errorf("got %s, %q, %v, want failed and why", got.State, got.Reason, err)
		}
		for _, n := range w.nodes(b.ARN) {
			if n.Public.IsValid() && n.PoolID != pool {
				t.Errorf("a node has %s of %q", n.Public, n.PoolID)
			}
		}
		if denied, failed := w.count(event.AddressDenied), w.count(event.BalancerFailed); denied != 1 || failed != 1 {
			t.Errorf("told %d and %d times, want each once however often it is tried", denied, failed)
		}
		w.interfaces.poolSize.Store(3)
		after(time.Minute)
		want := []placement{{"local-1a", "127.192.2.144", pool, "in-service"}, {"local-1b", "127.192.2.145", pool, "in-service"}, {"local-1c", "127.192.2.146", pool, "in-service"}}
		if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" || w.state(b.ARN) != "active" {
			t.Errorf("when the pool has room: %s (-want +got):\n%s", w.state(b.ARN), diff)
		}
	})
}

// With deny, a migration that gets no addresses stays where it is.
func TestADeniedMigrationStaysWhereItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		b := w.create(poolless())
		if err := w.set(b.ARN, "fairlead.ipam.fallback", "deny"); err != nil {
			t.Fatal(err)
		}
		w.migrate(b.ARN, pool)
		after(time.Minute)
		if got := w.named(b.ARN); got != provided || w.state(b.ARN) != "active" {
			t.Errorf("%s, DNS names %s, want active with %s", w.state(b.ARN), got, provided)
		}
		if err := w.cancel(b.ARN); err != nil {
			t.Fatal(err)
		}
		after(2 * time.Minute)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("cancelled: %d interfaces, want 2", got)
		}
	})
}

// B2: what fell back moves home by itself, zone by zone, when the pool has room,
// whatever crashes when (I1, I2, I4).
func TestAnAddressThatFellBackReturnsHome(t *testing.T) {
	for crashAt, crashed := -1, true; crashed; crashAt++ {
		crashed = crashAt < 0
		t.Run(fmt.Sprintf("crash at point %d", crashAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := &killable{Engine: memstore.New()}
				w := start(t, engine, 1)
				b := w.create(tagged(threeSubnets, "fairlead:fallback", "return"))
				const away = "127.64.0.0 127.64.0.1 127.192.2.144"
				if got := w.named(b.ARN); got != away {
					t.Fatalf("DNS names %s, want %s", got, away)
				}
				after(time.Minute)
				if got := w.named(b.ARN); got != away {
					t.Errorf("without room: DNS names %s, want %s", got, away)
				}
				hits := 0
				failpoint.SetHook(func(string) {
					engine.mu.Lock()
					defer engine.mu.Unlock()
					if hits == crashAt {
						engine.dead, crashed = true, true
					}
					hits++
				})
				defer failpoint.SetHook(nil)
				w.interfaces.poolSize.Store(3)
				w.pools.room.Store(true)
				for range 6 {
					after(time.Minute)
					w = w.restartIfDead(engine)
					w.pools.room.Store(true)
					for _, zone := range []string{"local-1a", "local-1b", "local-1c"} {
						if !strings.Contains(w.published(b.ARN), zone) {
							t.Errorf("I4: DNS names no node of %s", zone)
						}
					}
				}
				want := []placement{{"local-1a", "127.192.2.144", pool, "in-service"}, {"local-1b", "127.192.2.145", pool, "in-service"}, {"local-1c", "127.192.2.146", pool, "in-service"}}
				if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
					t.Errorf("at the end (-want +got):\n%s", diff)
				}
				if got := w.interfaces.records.Len(w.st.Snapshot()); got != 3 {
					t.Errorf("at the end: %d interfaces, want 3", got)
				}
				if got := w.count(event.AddressReturning); got != 2 {
					t.Errorf("told %d times, want once for each", got)
				}
				w.stop()
			})
		})
		if crashAt > 100 {
			t.Fatal("it has no end")
		}
	}
}

// One that allows the fallback stays where it is.
func TestAnAddressThatFellBackStaysUnlessItIsToReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		w.pools.room.Store(true)
		b := w.create(shop("subnet-a", "subnet-b"))
		before := w.named(b.ARN)
		w.interfaces.poolSize.Store(8)
		after(time.Hour)
		if got := w.named(b.ARN); got != before {
			t.Errorf("DNS names %s, want %s", got, before)
		}
	})
}

// Room that somebody else takes: the node that serves goes on serving.
func TestAReturnThatFindsNoRoomHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		w.pools.room.Store(true) // it looks so
		b := w.create(tagged([]string{"subnet-a", "subnet-b"}, "fairlead:fallback", "return"))
		after(10 * time.Minute)
		if got := w.named(b.ARN); got != "127.64.0.0 127.192.2.144" {
			t.Errorf("DNS names %s", got)
		}
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 3 {
			t.Errorf("%d interfaces, want one that waits for an address beside the two", got)
		}
		w.interfaces.poolSize.Store(2)
		after(2 * time.Minute)
		if got := w.named(b.ARN); got != "127.192.2.144 127.192.2.145" {
			t.Errorf("then: DNS names %s", got)
		}
	})
}

// B7: a block is drawn from first, then the pool, then the provider's; it goes
// with the load balancer, and not before its addresses.
func TestABlockIsDrawnFromFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(tagged(threeSubnets, "fairlead:block", "/31"))
		want := []placement{{"local-1a", "127.192.2.160", pool, "in-service"}, {"local-1b", "127.192.2.161", pool, "in-service"}, {"local-1c", "127.192.2.144", pool, "in-service"}}
		if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := w.all(b.ARN)["fairlead.ipam.block"]; got != "127.192.2.160/31" {
			t.Errorf("attribute: got %q, want the CIDR that was found", got)
		}
		for _, again := range []string{"/31", "31", "127.192.2.160/31"} {
			if err := w.set(b.ARN, "fairlead.ipam.block", again); err != nil || w.all(b.ARN)["fairlead.ipam.block"] != "127.192.2.160/31" {
				t.Errorf("%s again: %v, %q, want no change", again, err, w.all(b.ARN)["fairlead.ipam.block"])
			}
		}
		if again, err := w.svc.CreateLoadBalancer(t.Context(), tagged(threeSubnets, "fairlead:block", "/31")); err != nil || again.ARN != b.ARN || w.pools.blocks.Len(w.st.Snapshot()) != 1 {
			t.Errorf("created again: %v, %d blocks", err, w.pools.blocks.Len(w.st.Snapshot()))
		}
		if err := w.set(b.ARN, "fairlead.ipam.block", ""); err != nil {
			t.Fatal(err)
		}
		if w.all(b.ARN)["fairlead.ipam.block"] != "" || w.pools.blocks.Len(w.st.Snapshot()) != 1 {
			t.Errorf("emptied: %q, %d blocks, want none told and one that is still in use", w.all(b.ARN)["fairlead.ipam.block"], w.pools.blocks.Len(w.st.Snapshot()))
		}
		w.delete(b.ARN)
		after(3 * time.Minute)
		if got := w.pools.blocks.Len(w.st.Snapshot()); got != 0 {
			t.Errorf("deleted: %d blocks, want none", got)
		}
		if reserved, released := w.count(event.BlockReserved), w.count(event.BlockReleased); reserved != 1 || released != 1 {
			t.Errorf("told %d and %d times, want each once", reserved, released)
		}
	})
}

// A block is of the pool that the load balancer draws from, and comes back with it.
func TestABlockStaysWithItsPool(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, memstore.New(), 8)
			defer w.stop()
			b := w.create(tagged([]string{"subnet-a", "subnet-b"}, "fairlead:block", "/31"))
			w.holding(true)
			w.migrate(b.ARN, "")
			if got := w.all(b.ARN)["fairlead.ipam.block"]; got != "" || w.pools.blocks.Len(w.st.Snapshot()) != 1 {
				t.Errorf("moved: %q", got)
			}
			if cancel {
				if err := w.cancel(b.ARN); err != nil {
					t.Fatal(err)
				}
			}
			w.holding(false)
			w.report(nil)
			after(3 * time.Minute)
			block, left := w.all(b.ARN)["fairlead.ipam.block"], w.pools.blocks.Len(w.st.Snapshot())
			if cancel && (block != "127.192.2.160/31" || left != 1) || !cancel && (block != "" || left != 0) {
				t.Errorf("cancelled %t: %q, %d blocks", cancel, block, left)
			}
		})
	}
}

// With deny, a block is all that there is: the addresses it can ever have. B7.
func TestABlockWithoutFallbackIsAllThereIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(tagged(threeSubnets, "fairlead:block", "/31", "fairlead:fallback", "deny"))
		after(time.Minute)
		if !strings.HasPrefix(w.state(b.ARN), "failed") {
			t.Errorf("three zones in a block of two: %s, want failed", w.state(b.ARN))
		}
	})
}

// I1, I2: the control plane dies at every step of a life with a block.
func TestABlockOutlivesACrashAtEveryStep(t *testing.T) {
	for crashAt, crashed := 0, true; crashed; crashAt++ {
		crashed = false
		t.Run(fmt.Sprintf("at point %d", crashAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := &killable{Engine: memstore.New()}
				hits := 0
				failpoint.SetHook(func(string) {
					engine.mu.Lock()
					defer engine.mu.Unlock()
					if hits == crashAt {
						engine.dead, crashed = true, true
					}
					hits++
				})
				defer failpoint.SetHook(nil)
				w := start(t, engine, 8)
				b := w.create(tagged([]string{"subnet-a", "subnet-b"}, "fairlead:block", "/31"))
				w = w.restartIfDead(engine)
				want := []placement{{"local-1a", "127.192.2.160", pool, "in-service"}, {"local-1b", "127.192.2.161", pool, "in-service"}}
				if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if err := w.svc.DeleteLoadBalancer(t.Context(), account, region, b.ARN); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					after(2 * time.Minute)
					w = w.restartIfDead(engine)
				}
				if got := w.pools.blocks.Len(w.st.Snapshot()); got != 0 {
					t.Errorf("%d blocks are left", got)
				}
				for arn := range w.svc.All(w.st.Snapshot()) {
					t.Errorf("%s is left", arn)
				}
				w.stop()
			})
		})
		if crashAt > 100 {
			t.Fatal("it has no end")
		}
	}
}

func TestBlocksAndFallbacksThatCantBeAreRefused(t *testing.T) {
	svc, _ := room(t, elb.DefaultQuotas)
	b, err := svc.CreateLoadBalancer(t.Context(), shop("subnet-a", "subnet-b"))
	if err != nil {
		t.Fatal(err)
	}
	c := shop("subnet-a", "subnet-b")
	c.Name, c.Hex, c.PoolID = "other", "fedcba9876543210", ""
	other, err := svc.CreateLoadBalancer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	c.Name, c.Hex, c.Scheme = "inside", "0edcba9876543210", elb.Internal
	inside, err := svc.CreateLoadBalancer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	set := func(arn, key, value string) error {
		_, err := svc.ModifyLoadBalancerAttributes(t.Context(), account, region, arn, map[string]string{key: value}, time.Now())
		return err
	}
	for name, err := range map[string]error{
		"a policy that there isn't": set(b.ARN, "fairlead.ipam.fallback", "never"),
		"a block that is no CIDR":   set(b.ARN, "fairlead.ipam.block", "many"),
		"one with host bits":        set(b.ARN, "fairlead.ipam.block", "127.192.2.161/28"),
		"one of a single address":   set(b.ARN, "fairlead.ipam.block", "/32"),
		"one that is too large":     set(b.ARN, "fairlead.ipam.block", "8"),
		"one of IPv6":               set(b.ARN, "fairlead.ipam.block", "2001:db8::/124"),
		"one without a pool":        set(other.ARN, "fairlead.ipam.block", "/28"),
		"one of internal addresses": set(inside.ARN, "fairlead.ipam.block", "/28"),
		"a policy of internal ones": set(inside.ARN, "fairlead.ipam.fallback", "deny"),
	} {
		if kind(t, err) != elb.InvalidConfiguration {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := set(b.ARN, "fairlead.ipam.block", "127.192.2.160/28"); err != nil {
		t.Errorf("a block that is free: %v", err)
	}
	if err := set(b.ARN, "fairlead.ipam.block", "/29"); kind(t, err) != elb.InvalidConfiguration {
		t.Errorf("another one, of a pool that has no room: got %v", err)
	}
	for name, kv := range map[string][]string{
		"a tag that isn't known":   {"fairlead:colour", "red"},
		"a policy that isn't":      {"fairlead:fallback", "never"},
		"a block that is no block": {"fairlead:block", "x"},
	} {
		c := tagged([]string{"subnet-a", "subnet-b"}, kv...)
		c.Name, c.Hex = "tagged", "1edcba9876543210"
		if _, err := svc.CreateLoadBalancer(t.Context(), c); err == nil {
			t.Errorf("%s: is accepted", name)
		}
	}
}
