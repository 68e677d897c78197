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

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// happened are the events since an earlier one, each as kind, zone and address.
func (w *world) happened(after uint64) (out []string) {
	time.Sleep(time.Second) // for those that wait for their numbers
	synctest.Wait()
	for e := range w.events.After(w.st.Snapshot(), after) {
		line := strings.TrimRight(fmt.Sprintf("%s %s %s", e.Kind, e.Details["zone"], e.Details["address"]), " ")
		if e.OffPool {
			line += " off-pool"
		}
		out = append(out, line)
	}
	return out
}

// head is the number of the latest event.
func (w *world) head() uint64 {
	time.Sleep(time.Second)
	synctest.Wait()
	return w.events.Head(w.st.Snapshot())
}

// S2: which address came from where, and why, is told.
func TestALifeIsToldInEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 1)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		got := w.happened(0)
		want := []string{
			"address.drawn local-1a 127.192.2.144", "address.drawn local-1b 127.64.0.0 off-pool", "address.fallback local-1b",
			"load-balancer.active", "node.in-service local-1a 127.192.2.144", "node.in-service local-1b 127.64.0.0 off-pool",
		}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
			t.Errorf("creation (-want +got):\n%s", diff)
		}
		for e := range w.events.After(w.st.Snapshot(), 0) {
			if e.Account != account || e.Region != region || e.Resource != b.ARN || e.Message == "" {
				t.Errorf("%s: got %+v, want whose it is and a sentence", e.Kind, e)
			}
			if e.Kind == event.AddressFallback && (!strings.Contains(e.Message, "exhausted") || e.Details["pool"] != pool) {
				t.Errorf("got %q of pool %s, want the reason and the pool", e.Message, e.Details["pool"])
			}
		}
		head := w.head()
		w.delete(b.ARN)
		after(3 * time.Minute)
		want = []string{
			"address.returned local-1a 127.192.2.144", "address.returned local-1b 127.64.0.0 off-pool", "load-balancer.removed",
			"node.closed local-1a 127.192.2.144", "node.closed local-1b 127.64.0.0 off-pool",
			"node.draining local-1a 127.192.2.144", "node.draining local-1b 127.64.0.0 off-pool",
		}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(w.happened(head)))); diff != "" {
			t.Errorf("deletion (-want +got):\n%s", diff)
		}
	})
}

// I5: whatever crashes when, a decision is told once and not twice.
func TestACrashLosesNoEventAndDoublesNone(t *testing.T) {
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
				b := w.create(shop("subnet-a", "subnet-b"))
				w = w.restartIfDead(engine)
				w.delete(b.ARN)
				for range 3 {
					after(2 * time.Minute)
					w = w.restartIfDead(engine)
				}
				count := map[string]int{}
				for _, line := range w.happened(0) {
					count[line]++
				}
				for _, line := range []string{
					"address.drawn local-1a 127.192.2.144", "address.drawn local-1b 127.192.2.145", "node.in-service local-1a 127.192.2.144", "node.in-service local-1b 127.192.2.145",
					"load-balancer.active", "node.draining local-1a 127.192.2.144", "node.closed local-1a 127.192.2.144",
					"address.returned local-1a 127.192.2.144", "address.returned local-1b 127.192.2.145", "load-balancer.removed",
				} {
					if count[line] != 1 {
						t.Errorf("%s is told %d times, want once", line, count[line])
					}
				}
				w.stop()
			})
		})
	}
}

func TestWhatAHostReportsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		g := group(t, w.svc, "web")
		l := open(t, w.svc, listener(b.ARN, 80, forward(g.ARN)))
		var targets []snapshot.TargetStatus
		for n := range 12 {
			targets = append(targets, snapshot.TargetStatus{TargetGroupARN: g.ARN, Addr: netip.AddrFrom4([4]byte{10, 0, 1, byte(n + 1)}), Port: 80, State: snapshot.TargetInitial})
		}
		report := func(listener snapshot.ListenerStatus, state snapshot.TargetState, reason string) string {
			t.Helper()
			head := w.head()
			w.report(func(r *snapshot.Report) {
				r.Nodes[0].Listeners = []snapshot.ListenerStatus{listener}
				for i := range targets {
					targets[i].State, targets[i].Reason = state, reason
				}
				r.Targets = slices.Clone(targets)
			})
			w.happened(head)
			var out []string
			for e := range w.events.After(w.st.Snapshot(), head) {
				out = append(out, fmt.Sprint(e.Kind, ": ", e.Message))
			}
			return strings.Join(out, "\n")
		}
		bound := snapshot.ListenerStatus{ARN: l.ARN, Port: 80}
		if got := report(bound, snapshot.TargetInitial, ""); !strings.HasPrefix(got, "listener.bound: shop accepts connections on 127.192.2.14") || strings.Contains(got, "\n") {
			t.Errorf("a listener is open: got %q", got)
		}
		if got := report(bound, snapshot.TargetInitial, ""); got != "" {
			t.Errorf("nothing is new: got %q", got)
		}
		if got, want := report(bound, snapshot.TargetHealthy, ""), "10.0.1.10:80 and 2 more of web are healthy, was initial"; !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 0 {
			t.Errorf("targets of one group: got %q, want one event that ends with %q", got, want)
		}
		failed := snapshot.ListenerStatus{ARN: l.ARN, Port: 80, Error: "permission denied"}
		if got := report(failed, snapshot.TargetUnhealthy, "Target.Timeout"); !strings.Contains(got, "can't accept connections on 127.192.2.14") || !strings.Contains(got, "permission denied") || !strings.Contains(got, "are unhealthy, was healthy: Target.Timeout") {
			t.Errorf("both go wrong: got %q", got)
		}
	})
}

func TestZonesThatChangeAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		head := w.head()
		if _, err := w.svc.SetSubnets(t.Context(), subnetsOf(b, []string{"subnet-a", "subnet-c"}...)); err != nil {
			t.Fatal(err)
		}
		after(2 * time.Minute)
		got := slices.Sorted(slices.Values(w.happened(head)))
		want := []string{"address.drawn local-1c 127.192.2.146", "address.returned local-1b 127.192.2.145", "load-balancer.zones", "node.closed local-1b 127.192.2.145",
			"node.in-service local-1c 127.192.2.146", "node.retiring local-1b 127.192.2.145"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
