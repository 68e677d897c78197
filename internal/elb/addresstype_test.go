package elb_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/failpoint"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func typed(arn, addressType string) elb.SetAddressType {
	return elb.SetAddressType{Account: account, Region: region, ARN: arn, AddressType: addressType, Time: time.Now()}
}

func (w *world) setType(arn, addressType string) {
	w.t.Helper()
	if _, err := w.svc.SetAddressType(w.t.Context(), typed(arn, addressType)); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// six counts the interfaces of nodes that have IPv6 addresses.
func (w *world) six(arn string) (count int) {
	for _, n := range w.nodes(arn) {
		if i, ok := w.interfaces.Of(w.st.Snapshot(), n.ID); ok && i.IPv6.IsValid() {
			count++
		}
	}
	return count
}

const pooledDual = "127.192.2.144 fdfa:1ead::4 127.192.2.145 fdfa:1ead::5"

// S9, I3, I4: IPv6 comes to nodes that serve and goes from them, and their IPv4
// addresses stay what they are. An IPv6 address leaves DNS first, serves on for a
// TTL, is closed, and then goes back, whatever crashes when.
func TestIPv6ComesToANodeAndGoes(t *testing.T) {
	for crashAt, crashed := -1, true; crashed; crashAt++ {
		crashed = crashAt < 0
		t.Run(fmt.Sprintf("crash at point %d", crashAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := &killable{Engine: memstore.New()}
				w := start(t, engine, 8)
				defer func() { w.stop() }()
				b := w.create(shop("subnet-a", "subnet-b"))
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
				settle := func(want string, six int) {
					t.Helper()
					for range 3 {
						w = w.restartIfDead(engine)
						after(time.Minute)
					}
					if got := w.named(b.ARN); got != want {
						t.Errorf("DNS names %s, want %s", got, want)
					}
					if got := w.six(b.ARN); got != six {
						t.Errorf("%d interfaces have IPv6 addresses, want %d (I2)", got, six)
					}
					if got := w.state(b.ARN); got != "active" {
						t.Errorf("the load balancer is %s", got)
					}
				}
				w.setType(b.ARN, "dualstack")
				settle(pooledDual, 2)
				w.setType(b.ARN, "ipv4")
				if w = w.restartIfDead(engine); w.six(b.ARN) != 2 {
					t.Error("an IPv6 address has gone back before resolvers have forgotten it (I4)")
				}
				settle(pooled, 0)
				w.setType(b.ARN, "dualstack")
				settle(pooledDual, 2)
			})
		})
	}
}

// An IPv6 address that the host hasn't closed doesn't go back (I1).
func TestAnIPv6AddressWaitsForItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		w.setType(b.ARN, "dualstack")
		w.holding(true)
		w.setType(b.ARN, "ipv4")
		if got := w.named(b.ARN); got != pooled {
			t.Errorf("at once: DNS names %s, want %s", got, pooled)
		}
		after(2 * time.Hour)
		if got := w.six(b.ARN); got != 2 {
			t.Errorf("%d IPv6 addresses are left while the host has them, want 2", got)
		}
		w.holding(false)
		w.report(nil)
		if got := w.six(b.ARN); got != 0 {
			t.Errorf("%d IPv6 addresses are left, want none", got)
		}
	})
}

// The order in which the AWS Load Balancer Controller calls: the pool is removed,
// the type is set, the pool is set. S4, S9: public IPv4 addresses come and go with a
// set of nodes each, and DNS names one whole set at any time.
func TestATypeWithoutPublicIPv4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		if _, err := w.svc.SetAddressType(t.Context(), typed(b.ARN, "dualstack-without-public-ipv4")); kind(t, err) != elb.InvalidConfiguration {
			t.Errorf("with a pool: got %v, want InvalidConfiguration", err)
		}
		w.migrate(b.ARN, "")
		w.setType(b.ARN, "dualstack-without-public-ipv4")
		after(2 * time.Hour)
		const six = "fdfa:1ead::4 fdfa:1ead::5"
		if got := w.named(b.ARN); len(got) != len(six) || got[:11] != six[:11] {
			t.Errorf("DNS names %s, want two IPv6 addresses", got)
		}
		for _, n := range w.nodes(b.ARN) {
			if i, _ := w.interfaces.Of(w.st.Snapshot(), n.ID); i.Public.IsValid() || n.Public.IsValid() {
				t.Errorf("%s has the public address %s", n.Zone, i.Public)
			}
		}
		if _, err := w.svc.ModifyIPPool(t.Context(), elb.ModifyIPPool{Account: account, Region: region, ARN: b.ARN, PoolID: pool, Time: time.Now()}); kind(t, err) != elb.InvalidConfiguration {
			t.Errorf("a pool without public IPv4: got %v, want InvalidConfiguration", err)
		}
		w.setType(b.ARN, "ipv4")
		w.migrate(b.ARN, pool)
		after(2 * time.Hour)
		if got := w.named(b.ARN); got != pooled {
			t.Errorf("DNS names %s, want %s", got, pooled)
		}
		if n := len(w.nodes(b.ARN)); n != 2 || w.six(b.ARN) != 0 {
			t.Errorf("%d nodes are left, %d with IPv6; want 2, and none", n, w.six(b.ARN))
		}
	})
}

// B4: a migration to another type is cancelled with it.
func TestAMigrationToAnotherTypeIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(poolless())
		w.setType(b.ARN, "dualstack")
		before := w.named(b.ARN)
		w.holding(true)
		w.setType(b.ARN, "dualstack-without-public-ipv4")
		if err := w.cancel(b.ARN); err != nil {
			t.Fatal(err)
		}
		w.holding(false)
		w.report(nil)
		after(2 * time.Hour)
		if got := w.named(b.ARN); got != before {
			t.Errorf("DNS names %s, want %s", got, before)
		}
		if got, _ := w.svc.LoadBalancer(w.st.Snapshot(), account, region, b.ARN); got.AddressType != "dualstack" || len(w.nodes(b.ARN)) != 2 {
			t.Errorf("the type is %s with %d nodes, want dualstack with 2", got.AddressType, len(w.nodes(b.ARN)))
		}
	})
}

func TestSetAddressTypeRefuses(t *testing.T) {
	svc, st := room(t, elb.DefaultQuotas)
	made := func(name string, change func(c *elb.CreateLoadBalancer)) string {
		c := shop("subnet-a", "subnet-b")
		c.Name = name
		if change(&c); name == "internal" {
			c.Scheme, c.PoolID = elb.Internal, ""
		}
		b, err := svc.CreateLoadBalancer(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return b.ARN
	}
	internal := made("internal", func(*elb.CreateLoadBalancer) {})
	narrow := made("narrow", func(c *elb.CreateLoadBalancer) { c.Subnets = []string{"subnet-a", "subnet-c"} })
	for name, c := range map[string]struct {
		call elb.SetAddressType
		want elb.Kind
	}{
		"an internal one without public IPv4":      {typed(internal, "dualstack-without-public-ipv4"), elb.InvalidConfiguration},
		"a subnet without an IPv6 block":           {typed(narrow, "dualstack"), elb.InvalidSubnet},
		"a type that is none":                      {typed(internal, "ipv6"), elb.Invalid},
		"a load balancer that doesn't exist":       {typed("arn:aws:elasticloadbalancing:local-1:111122223333:loadbalancer/app/x/1", "dualstack"), elb.LoadBalancerNotFound},
		"the same again, of one that has it: none": {typed(internal, "ipv4"), ""},
	} {
		before := st.Snapshot().Revision()
		_, err := svc.SetAddressType(t.Context(), c.call)
		if got := kind(t, err); got != c.want {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if st.Snapshot().Revision() != before {
			t.Errorf("%s: something was written (I10)", name)
		}
	}
	if _, err := svc.SetAddressType(t.Context(), typed(internal, "dualstack")); err != nil {
		t.Errorf("an internal one of both: %v", err)
	}
}
