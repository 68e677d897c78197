package elb_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func reserve(arn string, units int, at time.Time) elb.ModifyCapacity {
	return elb.ModifyCapacity{Account: account, Region: region, ARN: arn, Units: units, Reset: units == 0, Time: at}
}

func TestCapacityReservations(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.UnitsPerRegion = 20_000
	svc, st := room(t, quotas)
	made := func(name string) string {
		c := poolless()
		c.Name = name
		b, err := svc.CreateLoadBalancer(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return b.ARN
	}
	shop, other := made("shop"), made("other")
	begin := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		call elb.ModifyCapacity
		want elb.Kind
		has  string // units and decreases left
	}{
		{"fewer than can be reserved", reserve(shop, 99, begin), elb.InvalidConfiguration, "0 2"},
		{"more than one can have", reserve(shop, 15_001, begin), elb.TooManyUnits, "0 2"},
		{"neither units nor reset", elb.ModifyCapacity{Account: account, Region: region, ARN: shop}, elb.Invalid, "0 2"},
		{"both", elb.ModifyCapacity{Account: account, Region: region, ARN: shop, Units: 100, Reset: true}, elb.Invalid, "0 2"},
		{"of a load balancer that doesn't exist", reserve("arn:none", 100, begin), elb.LoadBalancerNotFound, "0 2"},
		{"the first", reserve(shop, 15_000, begin), "", "15000 2"},
		{"the same again", reserve(shop, 15_000, begin), "", "15000 2"},
		{"more than the region may have", reserve(other, 5001, begin), elb.TooManyUnits, "15000 2"},
		{"all that the region may have", reserve(other, 5000, begin), "", "15000 2"},
		{"less", reserve(shop, 100, begin.Add(time.Hour)), "", "100 1"},
		{"less than can be reserved", reserve(shop, 1, begin.Add(time.Hour)), elb.InvalidConfiguration, "100 1"},
		{"none", reserve(shop, 0, begin.Add(2*time.Hour)), "", "0 0"},
		{"more again", reserve(shop, 200, begin.Add(3*time.Hour)), "", "200 0"},
		{"the third decrease of a day", reserve(shop, 0, begin.Add(24*time.Hour)), elb.TooManyDecreases, "200 0"},
		{"a day after the first", reserve(shop, 0, begin.Add(25*time.Hour)), "", "0 0"},
	} {
		before := st.Snapshot().Revision()
		_, err := svc.ModifyCapacity(t.Context(), c.call)
		if got := kind(t, err); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if err != nil && st.Snapshot().Revision() != before {
			t.Errorf("%s: something was written (I10)", c.name)
		}
		got, err := svc.Capacity(st.Snapshot(), account, region, shop, c.call.Time)
		if has := fmt.Sprint(got.Units, " ", got.DecreasesLeft); err != nil || c.call.ARN == shop && !c.call.Time.IsZero() && has != c.has {
			t.Errorf("%s: has %s, %v; want %s", c.name, has, err, c.has)
		}
	}
}

// Of two that take the last of the region's units at once, one is refused.
func TestTwoReservationsAtOnce(t *testing.T) {
	quotas := elb.DefaultQuotas
	quotas.UnitsPerRegion = 150
	s := twoServers(t, quotas)
	arns := [2]string{}
	for i, name := range []string{"shop", "other"} {
		c := poolless()
		c.Name = name
		b, err := s.svc[0].CreateLoadBalancer(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		arns[i] = b.ARN
	}
	got := s.cross(func(i int, svc *elb.Service) error {
		_, err := svc.ModifyCapacity(t.Context(), reserve(arns[i], 100, time.Now()))
		return err
	})
	if got[""] != 1 || got[elb.TooManyUnits] != 1 {
		t.Errorf("got %v, want one done and one refused", got)
	}
}

// A zone has its share when its node serves.
func TestAZonesShareOfAReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startHolding(t, memstore.New(), 8)
		defer w.stop()
		b := w.create(shop("subnet-a", "subnet-b"))
		if _, err := w.svc.ModifyCapacity(t.Context(), reserve(b.ARN, 101, time.Now())); err != nil {
			t.Fatal(err)
		}
		zones := func() string {
			c, err := w.svc.Capacity(w.st.Snapshot(), account, region, b.ARN, time.Now())
			if err != nil {
				t.Error(err)
			}
			return fmt.Sprint(c.Zones)
		}
		if got, want := zones(), "[{local-1a 50.5 false} {local-1b 50.5 false}]"; got != want {
			t.Errorf("before they serve: got %s, want %s", got, want)
		}
		w.holding(false)
		w.report(nil)
		if got, want := zones(), "[{local-1a 50.5 true} {local-1b 50.5 true}]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
