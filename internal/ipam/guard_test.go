package ipam_test

import (
	"errors"
	"testing"

	"github.com/fairlead/fairlead/internal/ipam"
)

// What a call has found to be so is still so when it commits: somebody else's
// change between the check and the commit has it look again. The dry run's
// question is asked in that very moment.
func TestNothingHappensBetweenACheckAndItsCommit(t *testing.T) {
	for _, c := range []struct {
		name    string
		call    func(w *world, i ipam.IPAM, between func() error) error
		between func(w *world, i ipam.IPAM) error
		reason  ipam.Reason // of the call's refusal
	}{
		{"a region is removed, and a pool made in it", func(w *world, i ipam.IPAM, between func() error) error {
			_, err := w.ModifyIPAM(w.t.Context(), ipam.ModifyIPAM{ID: i.ID, Account: account, Region: home, RemoveRegions: []string{abroad}}, between)
			return err
		}, func(w *world, i ipam.IPAM) error {
			_, err := w.CreatePool(w.t.Context(), poolRequest(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = abroad }), nil)
			return err
		}, ipam.Dependency},
		{"the tier is changed, and a private pool made", func(w *world, i ipam.IPAM, between func() error) error {
			_, err := w.ModifyIPAM(w.t.Context(), ipam.ModifyIPAM{ID: i.ID, Account: account, Region: home, Tier: ipam.Free}, between)
			return err
		}, func(w *world, i ipam.IPAM) error {
			_, err := w.CreatePool(w.t.Context(), poolRequest(i.PrivateScopeID), nil)
			return err
		}, ipam.Dependency},
		{"the tier is changed, and a scope made", func(w *world, i ipam.IPAM, between func() error) error {
			_, err := w.ModifyIPAM(w.t.Context(), ipam.ModifyIPAM{ID: i.ID, Account: account, Region: home, Tier: ipam.Free}, between)
			return err
		}, func(w *world, i ipam.IPAM) error {
			_, err := w.CreateScope(w.t.Context(), scopeRequest(i), nil)
			return err
		}, ipam.Dependency},
		{"a private pool is made, and the tier changed", func(w *world, i ipam.IPAM, between func() error) error {
			_, err := w.CreatePool(w.t.Context(), poolRequest(i.PrivateScopeID), between)
			return err
		}, func(w *world, i ipam.IPAM) error {
			_, err := w.modify(i, tier(ipam.Free))
			return err
		}, ipam.Unsupported},
		{"an IPAM is deleted, and a scope made", func(w *world, i ipam.IPAM, between func() error) error {
			_, err := w.DeleteIPAM(w.t.Context(), account, home, i.ID, false, between)
			return err
		}, func(w *world, i ipam.IPAM) error {
			_, err := w.CreateScope(w.t.Context(), scopeRequest(i), nil)
			return err
		}, ipam.Dependency},
		{"two modifications that are right one by one", func(w *world, i ipam.IPAM, between func() error) error {
			p := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.Description = "rules" })
			_, err := w.ModifyPool(w.t.Context(), ipam.ModifyPool{ID: p.ID, Account: account, Region: home, MinNetmask: new(24)}, between)
			return err
		}, func(w *world, i ipam.IPAM) error {
			for id, p := range w.PoolsOf(w.store.Snapshot(), account, home, "") {
				if p.Description == "rules" {
					_, err := w.modifyPool(id, func(r *ipam.ModifyPool) { r.MaxNetmask = new(20) })
					return err
				}
			}
			return errors.New("no such pool")
		}, ipam.InvalidCombination},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := single(t)
			i := w.ipam()
			asked := 0
			err := c.call(w, i, func() error {
				if asked++; asked == 1 {
					return c.between(w, i)
				}
				return nil
			})
			refused(t, err, c.reason, "")
			if asked != 1 {
				t.Errorf("asked %d times: the refusal comes from the second look", asked)
			}
		})
	}
	t.Run("a scope is deleted, and a pool made in it", func(t *testing.T) {
		w := single(t)
		sc := w.scope(w.ipam())
		asked := 0
		_, err := w.DeleteScope(t.Context(), account, home, sc.ID, func() error {
			if asked++; asked == 1 {
				w.pool(sc.ID)
			}
			return nil
		})
		refused(t, err, ipam.Dependency, "pools")
	})
	t.Run("a pool is deleted, and fails to be given a CIDR, which would stay", func(t *testing.T) {
		w := single(t)
		i := w.ipam()
		p, other := w.pool(i.PrivateScopeID), w.pool(i.PrivateScopeID)
		w.provision(other.ID, "10.0.0.0/16")
		asked := 0
		_, err := w.DeletePool(t.Context(), account, home, p.ID, false, func() error {
			if asked++; asked == 1 {
				w.provision(p.ID, "10.0.0.0/16")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for c := range w.BookedCIDRs(w.store.Snapshot()) {
			if c.PoolID != other.ID {
				t.Errorf("I2: %s of %s is there: %s", c.CIDR, c.PoolID, c.State)
			}
		}
	})
}
