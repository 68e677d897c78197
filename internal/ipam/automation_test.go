package ipam_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func TestTagsThatAskForSomethingAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		tags []tags.Tag
		want ipam.Automation
		err  string
	}{
		"others are left alone": {tags: []tags.Tag{{Key: "team", Value: "edge"}, {Key: "Fairlead", Value: "x"}}},
		"all of them": {
			tags: []tags.Tag{{Key: ipam.TagRefillBelow, Value: "20"}, {Key: ipam.TagRefillNetmask, Value: "28"}, {Key: ipam.TagRefillMax, Value: "4"}, {Key: ipam.TagNotice, Value: "14d"}},
			want: ipam.Automation{RefillBelow: 0.2, RefillNetmask: 28, RefillMax: 4, Notice: 14 * 24 * time.Hour},
		},
		"hours":                   {tags: []tags.Tag{{Key: ipam.TagNotice, Value: "72h"}}, want: ipam.Automation{Notice: 72 * time.Hour}},
		"a key that isn't one":    {tags: []tags.Tag{{Key: "fairlead:refil", Value: "1"}}, err: "'fairlead:refil' is not known"},
		"a share above all":       {tags: []tags.Tag{{Key: ipam.TagRefillBelow, Value: "100"}}, err: "from 1 to 99"},
		"a share with a sign":     {tags: []tags.Tag{{Key: ipam.TagRefillBelow, Value: "20%"}}, err: "from 1 to 99"},
		"no length":               {tags: []tags.Tag{{Key: ipam.TagRefillNetmask, Value: "/28"}}, err: "netmask length"},
		"more CIDRs than may be":  {tags: []tags.Tag{{Key: ipam.TagRefillMax, Value: "51"}}, err: "from 1 to 50"},
		"a period without a unit": {tags: []tags.Tag{{Key: ipam.TagNotice, Value: "14"}}, err: "72h or 14d"},
		"a period of ages":        {tags: []tags.Tag{{Key: ipam.TagNotice, Value: "367d"}}, err: "at most 366 days"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ipam.ParseAutomation(c.tags)
			if c.err != "" {
				if refusal, ok := errors.AsType[*ipam.CallError](err); !ok || !strings.Contains(refusal.Text, c.err) {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("got %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func (w *world) tagPool(p ipam.Pool, tg ...tags.Tag) {
	w.t.Helper()
	err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		return w.tags.Put(tx, tags.Set{Account: p.Account, Region: p.Region, Resource: p.ID, Type: "ipam-pool", Tags: tg})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) cidrs(pool string) (all []string) {
	for _, c := range w.CIDRs(w.store.Snapshot(), pool, "") {
		all = append(all, c.CIDR.String()+" "+string(c.State))
	}
	return all
}

// low is a child pool of one /28, which asks for another when less than a
// quarter is free, up to three.
func low(w *world) (source, child ipam.Pool) {
	source = w.private("10.0.0.0/26")
	child = w.pool(source.ScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = source.ID })
	w.provision(child.ID, "10.0.0.0/28")
	w.tagPool(child, tags.Tag{Key: ipam.TagRefillBelow, Value: "25"}, tags.Tag{Key: ipam.TagRefillNetmask, Value: "28"}, tags.Tag{Key: ipam.TagRefillMax, Value: "3"})
	return source, child
}

// B6: the pool is refilled when it runs low, once, and not beyond the cap. Two
// servers look after it.
func TestAPoolThatRunsLowIsRefilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memstore.New()
		w := open(t, e)
		open(t, e)
		_, p := low(w)
		taken := 0
		for _, step := range []struct {
			take int
			want []string
		}{
			{12, []string{"10.0.0.0/28 provisioned"}}, // a quarter is free
			{1, []string{"10.0.0.0/28 provisioned", "10.0.0.16/28 provisioned"}},
			{11, []string{"10.0.0.0/28 provisioned", "10.0.0.16/28 provisioned"}},
			{1, []string{"10.0.0.0/28 provisioned", "10.0.0.16/28 provisioned", "10.0.0.32/28 provisioned"}},
			{23, []string{"10.0.0.0/28 provisioned", "10.0.0.16/28 provisioned", "10.0.0.32/28 provisioned"}},
		} {
			for range step.take {
				must(w.draw(p.ID))(t)
			}
			taken += step.take
			time.Sleep(time.Minute)
			synctest.Wait()
			if diff := cmp.Diff(step.want, w.cidrs(p.ID)); diff != "" {
				t.Errorf("with %d taken (-want +got):\n%s", taken, diff)
			}
		}
	})
}

// A source that is dry leaves no trace in the pool, and is asked again later.
func TestARefillThatFindsNothingIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := single(t)
		source, p := low(w)
		blocker := w.allocate(source, exactly("10.0.0.16/28"))
		w.allocate(source, exactly("10.0.0.32/27"))
		for range 16 {
			must(w.draw(p.ID))(t)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.0.0.0/28 provisioned"}, w.cidrs(p.ID)); diff != "" {
			t.Errorf("dry (-want +got):\n%s", diff)
		}
		w.release(blocker)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"10.0.0.0/28 provisioned", "10.0.0.16/28 provisioned"}, w.cidrs(p.ID)); diff != "" {
			t.Errorf("with room (-want +got):\n%s", diff)
		}
	})
}

// B1: a CIDR with a notice period is told of at once and used only after.
func TestANewCIDRIsUsedAfterItsNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memstore.New()
		w := open(t, e)
		p := w.private("10.0.0.0/32")
		w.tagPool(p, tags.Tag{Key: ipam.TagNotice, Value: "2d"})
		req := ipam.ProvisionCIDR{ID: "ipam-pool-cidr-1", Account: account, Region: home, PoolID: p.ID, CIDR: netip.MustParsePrefix("10.9.0.0/24"), Time: time.Now()}
		c := must(w.ProvisionCIDR(t.Context(), req, nil))(t)
		if c.State != ipam.Provisioned || !c.UsableFrom.Equal(time.Now().Add(48*time.Hour)) {
			t.Errorf("got %+v, want a provisioned CIDR that is usable in two days", c)
		}
		if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.0.0/32" {
			t.Errorf("got %s, want the address of the old CIDR", a.CIDR)
		}
		time.Sleep(47 * time.Hour)
		synctest.Wait()
		if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrPoolExhausted) {
			t.Errorf("within the notice: got %v, want ErrPoolExhausted", err)
		}
		if _, err := w.Allocate(t.Context(), allocateRequest(p, exactly("10.9.0.7/32")), nil); err == nil {
			t.Error("within the notice: an address was allocated by its name")
		}
		time.Sleep(time.Hour + 2*time.Second)
		synctest.Wait()
		if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.9.0.0/32" {
			t.Errorf("after the notice: got %s, want 10.9.0.0/32", a.CIDR)
		}
	})
}

func TestACIDRCanBeTakenBackWithinItsNotice(t *testing.T) {
	w := single(t)
	p := w.private()
	w.tagPool(p, tags.Tag{Key: ipam.TagNotice, Value: "2d"})
	w.provision(p.ID, "10.9.0.0/24")
	c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, netip.MustParsePrefix("10.9.0.0/24"), nil))(t)
	if c.State != ipam.Deprovisioned || w.cidrs(p.ID) != nil {
		t.Errorf("got %s and %v, want it to be gone", c.State, w.cidrs(p.ID))
	}
	w.provision(p.ID, "10.9.0.0/24")
}
