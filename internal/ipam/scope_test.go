package ipam_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

func scopeRequest(i ipam.IPAM, change ...func(*ipam.CreateScope)) ipam.CreateScope {
	req := ipam.CreateScope{ID: ids.EC2("ipam-scope"), Account: account, Region: home, IPAMID: i.ID, Time: t0}
	for _, c := range change {
		c(&req)
	}
	return req
}

func (w *world) scope(i ipam.IPAM, change ...func(*ipam.CreateScope)) ipam.Scope {
	w.t.Helper()
	return must(w.CreateScope(w.t.Context(), scopeRequest(i, change...), nil))(w.t)
}

func (w *world) modifyScope(id string, change ...func(*ipam.ModifyScope)) (ipam.Scope, error) {
	req := ipam.ModifyScope{ID: id, Account: account, Region: home}
	for _, c := range change {
		c(&req)
	}
	return w.ModifyScope(w.t.Context(), req, nil)
}

func infoblox(identifier string) func(*ipam.ModifyScope) {
	return func(r *ipam.ModifyScope) {
		r.Authority = &ipam.ExternalAuthority{Type: ipam.Infoblox, Identifier: identifier}
	}
}

func (w *world) deleteScope(id string) error {
	_, err := w.DeleteScope(w.t.Context(), account, home, id, nil)
	return err
}

func TestAScopeIsARoutingDomainOfItsOwn(t *testing.T) {
	w := single(t)
	i := w.ipam()
	token := func(r *ipam.CreateScope) {
		r.Token = idempotency.Token{Account: account, Region: home, Action: "CreateIpamScope", Client: "once", Fingerprint: "a", Time: t0}
		r.Tags = []tags.Tag{{Key: "team", Value: "edge"}}
	}
	sc := w.scope(i, token)
	if sc.Type != ipam.Private || sc.Default || sc.ToldState() != ipam.CreateComplete {
		t.Errorf("got %+v", sc)
	}
	if again := w.scope(i, token); again.ID != sc.ID {
		t.Errorf("the same token made %s, then %s", sc.ID, again.ID)
	}
	for _, scope := range []string{i.PrivateScopeID, sc.ID} {
		if c := w.provision(w.pool(scope).ID, "10.0.0.0/8"); c.State != ipam.Provisioned {
			t.Errorf("in %s: %+v", scope, c)
		}
	}
	if got := must(w.modifyScope(sc.ID, func(r *ipam.ModifyScope) { r.Description = new("lab") }))(t); got.Description != "lab" || got.ToldState() != ipam.ModifyComplete {
		t.Errorf("got %+v", got)
	}
	refused(t, w.deleteScope(sc.ID), ipam.Dependency, "pools")
	for id, p := range w.PoolsOf(w.store.Snapshot(), account, home, "") {
		if p.ScopeID == sc.ID {
			must(w.DeletePool(t.Context(), account, home, id, true, nil))(t)
		}
	}
	if err := w.deleteScope(sc.ID); err != nil {
		t.Fatal(err)
	}
	var absent *ipam.NotFoundError
	if err := w.deleteScope(sc.ID); !errors.As(err, &absent) || absent.Noun != ipam.NounScope {
		t.Errorf("twice: %v", err)
	}
	if left := w.tags.Of(w.store.Snapshot(), sc.ID); len(left) != 0 {
		t.Errorf("I2: its tags are left: %v", left)
	}
}

func TestTheDefaultScopesStay(t *testing.T) {
	w := single(t)
	i := w.ipam()
	for _, id := range []string{i.PublicScopeID, i.PrivateScopeID} {
		refused(t, w.deleteScope(id), ipam.InvalidValue, "default scope")
	}
}

// A quota holds against two servers at once.
func TestAnIPAMHasAtMostFiveScopes(t *testing.T) {
	e := memstore.New()
	a, b := open(t, e), open(t, e)
	i := a.ipam()
	if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	made := make(chan string, 8)
	for n := range 8 {
		w := []*world{a, b}[n%2]
		busy.Go(func() {
			sc, err := w.CreateScope(t.Context(), scopeRequest(i), nil)
			if err != nil {
				refused(t, err, ipam.OverLimit, "limited to 5")
				return
			}
			made <- sc.ID
		})
	}
	busy.Wait()
	close(made)
	if len(made) != 3 {
		t.Errorf("%d scopes beside the two default ones", len(made))
	}
	if err := a.deleteScope(<-made); err != nil {
		t.Fatal(err)
	}
	a.scope(i)
}

func TestAScopesExternalAuthority(t *testing.T) {
	w := single(t)
	i := w.ipam()
	for _, c := range []struct {
		name   string
		scope  string
		change func(*ipam.ModifyScope)
		reason ipam.Reason
		text   string
	}{
		{"a public scope", i.PublicScopeID, infoblox("v1.identity.account.us.7"), ipam.InvalidCombination, "private"},
		{"an identifier of another form", i.PrivateScopeID, infoblox("identity.account.us.7"), ipam.InvalidValue, "<version>.identity"},
		{"an identifier with a part missing", i.PrivateScopeID, infoblox("v1.identity.account.us."), ipam.InvalidValue, "<version>.identity"},
		{"another type", i.PrivateScopeID, func(r *ipam.ModifyScope) {
			r.Authority = &ipam.ExternalAuthority{Type: "abacus", Identifier: "v1.identity.account.us.7"}
		}, ipam.InvalidValue, "abacus"},
		{"both set and removed", i.PrivateScopeID, func(r *ipam.ModifyScope) {
			infoblox("v1.identity.account.us.7")(r)
			r.RemoveAuthority = true
		}, ipam.InvalidCombination, "both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.modifyScope(c.scope, c.change)
			refused(t, err, c.reason, c.text)
		})
	}
	want := ipam.ExternalAuthority{Type: ipam.Infoblox, Identifier: "v1.identity.account.us.7"}
	sc := w.scope(i, func(r *ipam.CreateScope) { r.Authority = &want })
	if sc.Authority == nil || *sc.Authority != want {
		t.Errorf("created: %+v", sc)
	}
	if sc = must(w.modifyScope(sc.ID, func(r *ipam.ModifyScope) { r.RemoveAuthority = true }))(t); sc.Authority != nil {
		t.Errorf("removed: %+v", sc)
	}
}

// DeleteIpam: without cascade nothing may be left, with it private scopes and
// what is in them go along, however many there are.
func TestAnIPAMIsDeletedWithItsScopes(t *testing.T) {
	w := single(t)
	i := w.ipam()
	scopes := []string{i.PrivateScopeID, w.scope(i).ID, w.scope(i).ID, w.scope(i).ID}
	_, err := w.DeleteIPAM(t.Context(), account, home, i.ID, false, nil)
	refused(t, err, ipam.Dependency, "scopes")
	for _, scope := range scopes {
		for range 49 {
			w.pool(scope)
		}
		top := w.pool(scope)
		w.provision(top.ID, "10.0.0.0/8")
		w.allocate(top, length(16))
	}
	if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	snap := w.store.Snapshot()
	if _, ok := w.IPAM(snap, account, i.ID); ok {
		t.Error("the ipam is still there")
	}
	for id := range w.Scopes(snap, account, home, "") {
		t.Errorf("I2: scope %s is left", id)
	}
	for u := range w.Pools(snap) {
		t.Errorf("I2: pool %s is left", u.Pool.ID)
	}
	fresh := w.ipam()
	if c := w.provision(w.pool(fresh.PrivateScopeID).ID, "10.0.0.0/8"); c.State != ipam.Provisioned {
		t.Errorf("the space isn't free again: %s", fmt.Sprint(c))
	}
}
