package ipam_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/ipam"
)

func (w *world) modify(i ipam.IPAM, change ...func(*ipam.ModifyIPAM)) (ipam.IPAM, error) {
	req := ipam.ModifyIPAM{ID: i.ID, Account: account, Region: home}
	for _, c := range change {
		c(&req)
	}
	return w.ModifyIPAM(w.t.Context(), req, nil)
}

func tier(t ipam.Tier) func(*ipam.ModifyIPAM) { return func(r *ipam.ModifyIPAM) { r.Tier = t } }

func TestAnIPAMIsModified(t *testing.T) {
	w := single(t)
	i := w.ipam()
	got := must(w.modify(i, func(r *ipam.ModifyIPAM) {
		r.Description, r.PrivateGUA, r.MeteredAccount = new("edge"), new(true), "resource-owner"
		r.RemoveRegions = []string{abroad}
	}))(t)
	if got.Description != "edge" || !got.PrivateGUA || got.MeteredAccount != "resource-owner" || got.Tier != ipam.Advanced ||
		!slices.Equal(got.OperatingRegions, []string{home}) || got.ToldState() != ipam.ModifyComplete {
		t.Errorf("got %+v", got)
	}
	got = must(w.modify(i, func(r *ipam.ModifyIPAM) { r.AddRegions = []string{abroad, home} }))(t)
	if got.Description != "edge" || !slices.Equal(got.OperatingRegions, []string{abroad, home}) {
		t.Errorf("got %+v", got)
	}
	six := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.Family = ipam.IPv6 })
	if c := w.provision(six.ID, "2001:db8::/32"); c.State != ipam.Provisioned {
		t.Errorf("with EnablePrivateGua: %+v", c)
	}
}

func TestModifyIPAMRefusals(t *testing.T) {
	add := func(regions ...string) func(*ipam.ModifyIPAM) {
		return func(r *ipam.ModifyIPAM) { r.AddRegions = regions }
	}
	remove := func(regions ...string) func(*ipam.ModifyIPAM) {
		return func(r *ipam.ModifyIPAM) { r.RemoveRegions = regions }
	}
	for _, c := range []struct {
		name   string
		given  func(*world, ipam.IPAM)
		change func(*ipam.ModifyIPAM)
		reason ipam.Reason
		text   string
	}{
		{"a region that doesn't exist", nil, add("mars-1"), ipam.InvalidValue, "mars-1"},
		{"more than fifty regions", nil, add(slices.Repeat([]string{home}, 51)...), ipam.InvalidValue, "50"},
		{"the home region's removal", nil, remove(home), ipam.InvalidValue, "home region"},
		{"the removal of a region that isn't there", nil, remove("ap-south-1"), ipam.InvalidValue, "not an operating region"},
		{"one region both ways", nil, func(r *ipam.ModifyIPAM) { r.AddRegions, r.RemoveRegions = []string{abroad}, []string{abroad} }, ipam.InvalidCombination, "both"},
		{"the removal of a pool's locale", func(w *world, i ipam.IPAM) {
			w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = abroad })
		}, remove(abroad), ipam.Dependency, "locale"},
		{"the free tier with a private pool", func(w *world, i ipam.IPAM) { w.pool(i.PrivateScopeID) }, tier(ipam.Free), ipam.Dependency, "private scope"},
		{"the free tier with a pool abroad", func(w *world, i ipam.IPAM) {
			w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = abroad })
		}, tier(ipam.Free), ipam.Dependency, "locale"},
		{"the free tier with another scope", func(w *world, i ipam.IPAM) { w.scope(i) }, tier(ipam.Free), ipam.Dependency, "scopes"},
		{"the free tier with an external authority", func(w *world, i ipam.IPAM) {
			must(w.modifyScope(i.PrivateScopeID, infoblox("v1.identity.account.us.7")))(w.t)
		}, tier(ipam.Free), ipam.Dependency, "external authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := single(t)
			i := w.ipam()
			if c.given != nil {
				c.given(w, i)
			}
			before := w.store.Snapshot().Revision()
			_, err := w.modify(i, c.change)
			refused(t, err, c.reason, c.text)
			if now := w.store.Snapshot().Revision(); now != before {
				t.Error("I10: something was written")
			}
		})
	}
	t.Run("another account's", func(t *testing.T) {
		w := single(t)
		i := w.ipam()
		_, err := w.ModifyIPAM(t.Context(), ipam.ModifyIPAM{ID: i.ID, Account: "444455556666", Region: home}, nil)
		var absent *ipam.NotFoundError
		if !errors.As(err, &absent) || absent.Noun != ipam.NounIPAM {
			t.Errorf("I8: got %v", err)
		}
	})
}

// What is in the way of the free tier can be cleared away, and what only the
// advanced tier has is refused from then on.
func TestAnIPAMChangesItsTier(t *testing.T) {
	w := single(t)
	i := w.ipam()
	keep := w.pool(i.PublicScopeID)
	gone := w.pool(i.PrivateScopeID)
	if _, err := w.DeletePool(t.Context(), account, home, gone.ID, false, nil); err != nil {
		t.Fatal(err)
	}
	if got := must(w.modify(i, tier(ipam.Free)))(t); got.Tier != ipam.Free {
		t.Errorf("got %s", got.Tier)
	}
	_, err := w.CreatePool(t.Context(), poolRequest(i.PrivateScopeID), nil)
	refused(t, err, ipam.Unsupported, "advanced tier")
	_, err = w.CreateScope(t.Context(), scopeRequest(i), nil)
	refused(t, err, ipam.Unsupported, "advanced tier")
	_, err = w.modifyScope(i.PrivateScopeID, infoblox("v1.identity.account.us.7"))
	refused(t, err, ipam.Unsupported, "advanced tier")
	w.provision(keep.ID, "192.0.2.0/24") // what the free tier has goes on
	must(w.modify(i, tier(ipam.Advanced)))(t)
	w.pool(i.PrivateScopeID)
}

// The free tier may have a longer quarantine than the advanced one.
func TestWhatIsReleasedOnTheFreeTierWaitsLonger(t *testing.T) {
	for free, want := range map[ipam.Tier]string{ipam.Free: "192.0.2.1/32", ipam.Advanced: "192.0.2.0/32"} {
		synctest.Test(t, func(t *testing.T) {
			w := single(t, func(o *ipam.Options) { o.Quarantine, o.FreeTierQuarantine = time.Minute, new(48*time.Hour) })
			p := w.pool(w.ipam(func(r *ipam.CreateIPAM) { r.Tier = free }).PublicScopeID)
			w.provision(p.ID, "192.0.2.0/24")
			if err := w.giveBack(must(w.draw(p.ID))(t), time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if a := must(w.draw(p.ID))(t); a.CIDR.String() != want {
				t.Errorf("%s: after two minutes: got %s, want %s", free, a.CIDR, want)
			}
		})
	}
}
