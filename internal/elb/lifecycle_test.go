package elb_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func (w *world) state(arn string) string {
	w.t.Helper()
	b, err := w.svc.LoadBalancer(w.st.Snapshot(), account, region, arn)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(b.State) + " " + b.Reason)
}

// published is what DNS is to say: the zones of the nodes in service.
func (w *world) published(arn string) string {
	e, _ := w.svc.Endpoint(w.st.Snapshot(), arn)
	var zones []string
	for _, n := range e.Nodes {
		zones = append(zones, n.Zone)
	}
	return strings.Join(zones, " ")
}

func (w *world) phases(arn string) string {
	var out []string
	for _, p := range w.placements(arn) {
		out = append(out, p.Phase)
	}
	return strings.Join(out, " ")
}

func (w *world) delete(arn string) {
	w.t.Helper()
	if err := w.svc.DeleteLoadBalancer(w.t.Context(), account, region, arn); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// after lets time pass in the bubble.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAnInternalLoadBalancerHasPrivateAddressesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		c := shop("subnet-a", "subnet-b")
		c.Scheme, c.PoolID = elb.Internal, ""
		b := w.create(c)
		if got := w.state(b.ARN); got != "active" {
			t.Errorf("state: got %s, want active", got)
		}
		var addresses []string
		e, _ := w.svc.Endpoint(w.st.Snapshot(), b.ARN)
		for _, n := range e.Nodes {
			addresses = append(addresses, n.Address().String())
		}
		if diff := cmp.Diff([]string{"10.0.0.4", "10.0.0.5"}, addresses); diff != "" || !strings.HasPrefix(e.Name, "internal-shop-") {
			t.Errorf("endpoint %s (-want +got):\n%s", e.Name, diff)
		}
		for _, f := range w.interfaces.records.All(w.st.Snapshot()) {
			if f.Public.IsValid() {
				t.Errorf("interface %s has the public address %s", f.ID, f.Public)
			}
		}
	})
}

// I4: a node that its host reports as unready, or doesn't report, leaves DNS at
// once, and is back when it serves again.
func TestANodeIsPublishedWhileItsHostSaysThatItServes(t *testing.T) {
	for name, change := range map[string]func(*snapshot.Report){
		"it isn't ready":     func(r *snapshot.Report) { r.Nodes[0].Ready = false },
		"it isn't mentioned": func(r *snapshot.Report) { r.Nodes = r.Nodes[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, memstore.New(), 8)
				defer w.stop()
				b := w.create(shop("subnet-a", "subnet-b"))
				if got := len(strings.Fields(w.published(b.ARN))); got != 2 {
					t.Fatalf("%d nodes are published, want 2", got)
				}
				w.holding(true)
				w.report(change)
				if got := len(strings.Fields(w.published(b.ARN))); got != 1 {
					t.Errorf("%d nodes are published, want 1", got)
				}
				after(time.Hour) // and stays so, however often the plan is made
				if got := len(strings.Fields(w.published(b.ARN))); got != 1 {
					t.Errorf("an hour later %d nodes are published, want 1", got)
				}
				w.report(nil)
				if got := w.published(b.ARN); got != "local-1a local-1b" {
					t.Errorf("back again: %q is published, want both zones", got)
				}
				if got := w.state(b.ARN); got != "active" {
					t.Errorf("state: got %s, want active", got)
				}
			})
		})
	}
}

// I7: from the silence of hosts after a start nothing is concluded.
func TestARestartedControlPlaneLeavesWhatServesInDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		b := w.create(shop("subnet-a", "subnet-b"))
		w.stop()
		w = startHolding(t, w.engine, 8)
		defer w.stop()
		after(2 * time.Hour)
		if got := w.published(b.ARN); got != "local-1a local-1b" {
			t.Errorf("%q is published, want both zones", got)
		}
	})
}

// I4: connections are let end before a node is closed, but not for ever.
func TestANodeDrainsUntilItsConnectionsEndOrTheLimit(t *testing.T) {
	const ttl, delay, limit = time.Minute, time.Second, 5 * time.Minute
	for name, c := range map[string]struct {
		endAfter time.Duration // the last connection's end; 0: never
		closed   time.Duration // when the host is told to close
	}{
		"closed as soon as no resolver knows it":          {endAfter: 10 * time.Second, closed: ttl + delay},
		"closed when its last connection ends":            {endAfter: 3 * time.Minute, closed: 3 * time.Minute},
		"closed at the limit though a connection is open": {closed: ttl + delay + limit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, memstore.New(), 8)
				defer w.stop()
				b := w.create(shop("subnet-a", "subnet-b"))
				w.holding(true)
				busy := func(r *snapshot.Report) {
					for i := range r.Nodes {
						r.Nodes[i].OpenConnections = 1
					}
				}
				w.report(busy)
				w.delete(b.ARN)
				w.report(busy)
				if c.endAfter > 0 {
					time.AfterFunc(c.endAfter, func() { _ = w.controller.Report(context.Background(), carry(w.newest())) })
				}
				after(c.closed - time.Millisecond)
				if got := w.phases(b.ARN); got != "draining draining" {
					t.Errorf("a moment before: %q, want that both drain", got)
				}
				after(2 * time.Millisecond)
				if got := w.phases(b.ARN); got != "closed closed" {
					t.Errorf("a moment after: %q, want that both are closed", got)
				}
			})
		})
	}
}

// I6 has an end: when the provider has no address either, the load balancer
// says so, tries again, and comes up when there is one.
func TestALoadBalancerWaitsForAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		w.interfaces.provider.Store(1)
		b := w.create(shop("subnet-a", "subnet-b", "subnet-c"))
		after(10 * time.Minute)
		if got, want := w.state(b.ARN), "provisioning No public IPv4 address is free in the pools that the load balancer draws from"; got != want {
			t.Errorf("state: got %q, want %q", got, want)
		}
		if got := strings.Count(w.log.String(), "load balancer step failed"); got < 15 || got > 40 {
			t.Errorf("%d attempts in ten minutes, want more than one in 40 s and fewer than one in 15 s", got)
		}
		w.interfaces.provider.Store(2)
		after(31 * time.Second)
		if got := w.state(b.ARN); got != "active" {
			t.Errorf("state: got %q, want active", got)
		}
		want := []placement{
			{"local-1a", "127.192.2.144", pool, "in-service"},
			{"local-1b", "127.64.0.0", "", "in-service"},
			{"local-1c", "127.64.0.1", "", "in-service"},
		}
		if diff := cmp.Diff(want, w.placements(b.ARN)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// I1, I3: a load balancer is deleted while its nodes are on their way to their
// host. Their addresses go back only when the host has seen them and closed them.
func TestAnAddressIsNotGivenBackWhileItsNodeIsOnItsWayToTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		w.report(nil)   // about an assignment without nodes
		w.holding(true) // and the next one is still under way
		b := w.create(shop("subnet-a", "subnet-b"))
		if got := w.phases(b.ARN); got != "starting starting" {
			t.Fatalf("nodes are %q, want that they start", got)
		}
		w.delete(b.ARN)
		after(time.Hour)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 2 {
			t.Errorf("%d interfaces while the host may be about to open them, want 2", got)
		}
		w.holding(false)
		w.report(nil)
		if got := w.interfaces.records.Len(w.st.Snapshot()); got != 0 || len(w.nodes(b.ARN)) != 0 {
			t.Errorf("%d interfaces and nodes %v are left, want none", got, w.nodes(b.ARN))
		}
	})
}

// I3: releases don't wait for a moment in which nothing else changes.
func TestANodeIsReleasedThoughAssignmentsKeepChanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		stay := shop("subnet-a", "subnet-b")
		stay.Name, stay.Hex = "stay", "fedcba9876543210"
		other := w.create(stay)
		w.delete(b.ARN)
		after(time.Minute)
		w.holding(true)
		after(time.Second + time.Millisecond) // the nodes are closed now
		late := w.newest()
		for port := range 5 { // each makes an assignment, and the host is always one behind
			open(t, w.svc, listener(other.ARN, 8000+port, fixed))
			synctest.Wait()
			_ = w.controller.Report(t.Context(), carry(late))
			synctest.Wait()
			late = w.newest()
		}
		if got := w.nodes(b.ARN); len(got) != 0 {
			t.Errorf("nodes %v are left, want none", got)
		}
	})
}

// I9: deleting a load balancer and then its target group, as infrastructure code
// does, must not keep changes of other load balancers from the host meanwhile.
// The world's host refuses an assignment with a rule that leads nowhere.
func TestATargetGroupMayGoWhileItsLoadBalancerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b, tg := w.create(shop("subnet-a", "subnet-b")), group(t, w.svc, "web")
		open(t, w.svc, listener(b.ARN, 80, forward(tg.ARN)))
		w.delete(b.ARN)
		if err := w.svc.DeleteTargetGroup(t.Context(), account, region, tg.ARN); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := []*snapshot.TargetGroup{{ARN: tg.ARN, Protocol: snapshot.HTTP}}
		if diff := cmp.Diff(want, w.newest().TargetGroups); diff != "" {
			t.Errorf("target groups while it drains (-want +got):\n%s", diff)
		}
		after(2 * time.Minute)
		if a := w.newest(); len(a.LoadBalancers)+len(a.TargetGroups)+len(a.Nodes) != 0 {
			t.Errorf("the host is still to carry %+v", a)
		}
	})
}

// I2: what belongs to a node that doesn't exist is given back at the start, and
// the log says so.
func TestALeftoverInterfaceIsReleased(t *testing.T) {
	leave := func(w *world) {
		w.t.Helper()
		i, err := w.interfaces.Create(w.t.Context(), elb.InterfaceSpec{NodeID: "node-gone"})
		if err == nil {
			_, err = w.interfaces.AssignAddress(w.t.Context(), i.ID, elb.Source{PoolID: pool}, time.Now())
		}
		if err != nil {
			w.t.Fatal(err)
		}
		synctest.Wait()
	}
	left := func(w *world) int { return w.interfaces.records.Len(w.st.Snapshot()) }
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		b := w.create(shop("subnet-a", "subnet-b"))
		leave(w)
		w.stop()

		// The host is silent at first: it could still carry the node.
		w = startHolding(t, w.engine, 8)
		after(time.Minute)
		if got := left(w); got != 3 {
			t.Errorf("%d interfaces before the host has said what it carries, want 3", got)
		}
		w.report(func(r *snapshot.Report) {
			r.Nodes = append(r.Nodes, snapshot.NodeStatus{NodeID: "node-gone", Phase: snapshot.NodeDraining})
		})
		after(time.Minute)
		if got := left(w); got != 3 {
			t.Errorf("%d interfaces while the host closes the node, want 3", got)
		}
		w.report(nil)
		after(5 * time.Second)
		if got := left(w); got != 2 {
			t.Errorf("%d interfaces, want the 2 of the nodes that exist", got)
		}
		for _, want := range []string{"node=node-gone", "interface=eni-10.0.0.6", "public=127.192.2.146", "pool=" + pool} {
			if !strings.Contains(w.log.String(), want) {
				t.Errorf("the log doesn't say %s:\n%s", want, w.log)
			}
		}
		if got := w.published(b.ARN); got != "local-1a local-1b" {
			t.Errorf("%q is published, want both zones", got)
		}

		leave(w)
		after(59 * time.Minute)
		if got := left(w); got != 3 {
			t.Errorf("%d interfaces before the hour is over, want 3", got)
		}
		after(2 * time.Minute)
		if got := left(w); got != 2 {
			t.Errorf("%d interfaces after the hour, want 2", got)
		}
		w.stop()
	})
}

// I2, I5: a crash while a load balancer of many listeners is removed leaves
// nothing behind.
func TestACrashDuringRemovalLeavesNoListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &killable{Engine: memstore.New()}
		w := start(t, engine, 8)
		b := w.create(shop("subnet-a", "subnet-b"))
		for port := range 50 {
			open(t, w.svc, listener(b.ARN, 8000+port, fixed))
		}
		// It dies with the listeners gone and the load balancer's record still there.
		failpoint.SetHook(func(name string) {
			if name == "elb.remove.between" {
				engine.kill()
			}
		})
		defer failpoint.SetHook(nil)
		w.delete(b.ARN)
		after(2 * time.Minute)
		if got := len(keys(t, engine, "elb.loadbalancer")); got != 1 {
			t.Errorf("%d load balancers at the crash, want 1", got)
		}
		failpoint.SetHook(nil)
		w = w.restartIfDead(engine)
		after(time.Minute)
		defer w.stop()
		for collection, n := range map[string]int{"elb.loadbalancer": 0, "elb.listener": 0, "elb.rule": 0, "elb.port": 0, "elb.node": 0, "iface": 0} {
			if got := keys(t, engine, collection); len(got) != n {
				t.Errorf("%s has %v, want none", collection, got)
			}
		}
	})
}

// keys are those of a collection's records in the engine.
func keys(t *testing.T, engine store.Engine, collection string) (out []string) {
	t.Helper()
	_, err := engine.Load(t.Context(), "/test/"+collection+"/", func(kv store.KV) error {
		out = append(out, kv.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A target's health is what its host says, while it is in use there; a
// deregistered one drains for the delay, to the second.
func TestTargetHealthFollowsTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b, tg := w.create(shop("subnet-a", "subnet-b")), group(t, w.svc, "web")
		open(t, w.svc, listener(b.ARN, 80, forward(tg.ARN)))
		targets := []elb.TargetDescription{{ID: "10.0.9.1"}, {ID: "10.0.9.2"}, {ID: "10.0.9.3", Zone: "local-1c"}}
		register := func() {
			t.Helper()
			if err := w.svc.RegisterTargets(t.Context(), account, region, tg.ARN, targets); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		check := func(when string, want ...string) {
			t.Helper()
			h, err := w.svc.TargetHealth(w.st.Snapshot(), account, region, tg.ARN, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, states(h)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		register()
		if got := len(w.newest().TargetGroups[0].Targets); got != 2 {
			t.Errorf("the host has %d targets, want those 2 whose zone is enabled", got)
		}
		says := func(state snapshot.TargetState, reason string) func(*snapshot.Report) {
			return func(r *snapshot.Report) {
				for _, target := range w.newest().TargetGroups[0].Targets {
					r.Targets = append(r.Targets, snapshot.TargetStatus{TargetGroupARN: tg.ARN, Addr: target.Addr, Port: target.Port, State: state, Reason: reason})
				}
			}
		}
		w.holding(true) // from here on it says what the test has it say
		w.report(says(snapshot.TargetHealthy, ""))
		const elsewhere = "10.0.9.3:80 unused Target.NotInUse"
		check("healthy", "10.0.9.1:80 healthy", "10.0.9.2:80 healthy", elsewhere)
		w.report(says(snapshot.TargetUnhealthy, "Target.Timeout"))
		check("unhealthy", "10.0.9.1:80 unhealthy Target.Timeout", "10.0.9.2:80 unhealthy Target.Timeout", elsewhere)

		if err := w.svc.DeregisterTargets(t.Context(), account, region, tg.ARN, targets[:1], time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		const second = "10.0.9.2:80 unhealthy Target.Timeout"
		w.report(says(snapshot.TargetUnhealthy, "Target.Timeout"))
		check("one deregistered", "10.0.9.1:80 draining Target.DeregistrationInProgress", second, elsewhere)
		after(300*time.Second - time.Millisecond)
		check("just before the delay ends", "10.0.9.1:80 draining Target.DeregistrationInProgress", second, elsewhere)
		after(2 * time.Millisecond)
		check("just after it", second, elsewhere)

		if err := w.svc.DeregisterTargets(t.Context(), account, region, tg.ARN, targets[1:2], time.Now()); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		w.report(says(snapshot.TargetDraining, "Target.DeregistrationInProgress"))
		register()
		check("registered again, before the host knows", "10.0.9.1:80 initial Elb.RegistrationInProgress", "10.0.9.2:80 initial Elb.RegistrationInProgress", elsewhere)
		after(time.Hour)
		if h, _ := w.svc.TargetHealth(w.st.Snapshot(), account, region, tg.ARN, nil); len(h) != 3 {
			t.Errorf("an hour later %v are registered, want all three: the deregistration is off", states(h))
		}
	})
}
