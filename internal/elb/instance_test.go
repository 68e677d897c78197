package elb_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// A host is told the addresses of instances, and to send nothing more to one that
// has left the inventory, as to one that was terminated, or has another address
// than it was registered with.
func TestInstancesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		tg, err := w.svc.CreateTargetGroup(t.Context(), elb.CreateTargetGroup{Account: account, Region: region, Name: "web", TargetType: "instance",
			Protocol: "HTTP", Port: 80, VPCID: "vpc-1", Hex: "0123456789abcdef"})
		if err != nil {
			t.Fatal(err)
		}
		open(t, w.svc, listener(b.ARN, 80, forward(tg.ARN)))
		put := func(id, address, zone string) {
			t.Helper()
			err := w.st.Update(t.Context(), func(tx *store.Tx) error {
				if address == "" {
					w.instances.records.Delete(tx, id)
				} else {
					w.instances.records.Put(tx, id, elb.Instance{VPCID: "vpc-1", Zone: zone, Private: netip.MustParseAddr(address)})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		register := func(ids ...string) error {
			var targets []elb.TargetDescription
			for _, id := range ids {
				targets = append(targets, elb.TargetDescription{ID: id})
			}
			err := w.svc.RegisterTargets(t.Context(), account, region, tg.ARN, targets)
			synctest.Wait()
			return err
		}
		check := func(when string, told []string, want ...string) {
			t.Helper()
			var got []string
			for _, target := range w.newest().TargetGroups[0].Targets {
				got = append(got, target.AddrPort().String())
			}
			if diff := cmp.Diff(told, got); diff != "" {
				t.Errorf("%s: the host is told (-want +got):\n%s", when, diff)
			}
			health, err := w.svc.TargetHealth(w.st.Snapshot(), account, region, tg.ARN, nil)
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			for _, h := range health {
				got = append(got, h.Target.ID()+" "+h.State+" "+h.Reason)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: health (-want +got):\n%s", when, diff)
			}
		}
		const (
			one, two, three = "i-00000001", "i-00000002", "i-00000003"
			starts          = " initial Elb.RegistrationInProgress"
			gone            = " unused Target.InvalidState"
			elsewhere       = " unused Target.NotInUse"
		)
		put(one, "10.0.9.1", "local-1a")
		put(two, "10.0.9.2", "")
		put(three, "10.0.9.3", "local-1c")
		if err := register(one, two, three); err != nil {
			t.Fatal(err)
		}
		check("registered", []string{"10.0.9.1:80", "10.0.9.2:80"}, one+starts, two+starts, three+elsewhere)

		put(one, "", "")
		check("one removed", []string{"10.0.9.2:80"}, one+gone, two+starts, three+elsewhere)
		put(one, "10.0.9.1", "local-1a")
		check("and back", []string{"10.0.9.1:80", "10.0.9.2:80"}, one+starts, two+starts, three+elsewhere)

		put(one, "10.0.9.7", "local-1a")
		check("moved", []string{"10.0.9.2:80"}, one+gone, two+starts, three+elsewhere)
		if err := register(one); err != nil {
			t.Fatal(err)
		}
		check("registered where it is now", []string{"10.0.9.2:80", "10.0.9.7:80"}, two+starts, three+elsewhere, one+starts)

		put(two, "", "")
		put("i-00000004", "10.0.9.2", "")
		if err := register("i-00000004"); err != nil {
			t.Errorf("an instance can't be registered with the address that another one had: %v", err)
		}
		check("its address used again", []string{"10.0.9.2:80", "10.0.9.7:80"}, "i-00000004"+starts, three+elsewhere, one+starts)

		put(one, "", "")
		if err := w.svc.DeregisterTargets(t.Context(), account, region, tg.ARN, []elb.TargetDescription{{ID: one}, {ID: "i-00000004"}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		check("deregistered, the one that is gone at once", []string{"10.0.9.2:80"}, "i-00000004 draining Target.DeregistrationInProgress", three+elsewhere)
	})
}
