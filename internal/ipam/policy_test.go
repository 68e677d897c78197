package ipam_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func policyRequest(i ipam.IPAM) ipam.CreatePolicy {
	return ipam.CreatePolicy{ID: ids.EC2("ipam-policy"), Account: account, Region: home, IPAMID: i.ID, Time: t0}
}

func (w *world) policy(i ipam.IPAM) ipam.Policy {
	w.t.Helper()
	return must(w.CreatePolicy(w.t.Context(), policyRequest(i), nil))(w.t)
}

func (w *world) setRules(p ipam.Policy, locale string, use ipam.PolicyUse, pools ...string) error {
	_, err := w.ModifyPolicyRules(w.t.Context(), ipam.ModifyPolicyRules{
		PolicyID: p.ID, Account: account, Region: home, PolicyRules: ipam.PolicyRules{Locale: locale, Use: use, Pools: pools},
	}, nil)
	return err
}

func forEC2(r *ipam.CreatePool)   { r.AWSService = ipam.ServiceEC2 }
func inAbroad(r *ipam.CreatePool) { r.Locale = abroad }

func refusedFor(err error) ipam.Reason {
	if e, ok := errors.AsType[*ipam.CallError](err); ok {
		return e.Reason
	}
	return ""
}

func TestAPolicySaysWhichPoolsToDrawFrom(t *testing.T) {
	w := single(t)
	i := w.ipam()
	a, b := w.pool(i.PublicScopeID, forEC2), w.pool(i.PublicScopeID, forEC2)
	far := w.pool(i.PublicScopeID, forEC2, inAbroad)
	p := w.policy(i)
	for _, set := range []struct {
		locale string
		use    ipam.PolicyUse
		pools  []string
	}{
		{home, ipam.ForLoadBalancers, []string{b.ID, a.ID}},
		{home, ipam.ForElasticIPs, []string{a.ID}},
		{abroad, ipam.ForLoadBalancers, []string{far.ID}},
		{home, ipam.ForElasticIPs, nil}, // cleared again
	} {
		if err := w.setRules(p, set.locale, set.use, set.pools...); err != nil {
			t.Fatal(err)
		}
	}
	pools := func(acct, region string, use ipam.PolicyUse) string {
		return fmt.Sprint(w.PolicyPools(w.store.Snapshot(), acct, region, use))
	}
	if got := pools(account, home, ipam.ForLoadBalancers); got != "[]" {
		t.Errorf("before it is enabled: got %s", got)
	}
	if err := w.EnablePolicy(t.Context(), account, home, p.ID, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		account, region string
		use             ipam.PolicyUse
		want            []string
	}{
		{account, home, ipam.ForLoadBalancers, []string{b.ID, a.ID}},
		{account, abroad, ipam.ForLoadBalancers, []string{far.ID}},
		{account, home, ipam.ForElasticIPs, nil},
		{"444455556666", home, ipam.ForLoadBalancers, nil},
	} {
		if got, want := pools(c.account, c.region, c.use), fmt.Sprint(c.want); got != want {
			t.Errorf("%s %s %s: got %s, want %s", c.account, c.region, c.use, got, want)
		}
	}

	other := w.policy(i)
	if err := w.EnablePolicy(t.Context(), account, home, other.ID, nil); err != nil {
		t.Fatal(err)
	}
	if got := pools(account, home, ipam.ForLoadBalancers); got != "[]" {
		t.Errorf("replaced by an empty one: got %s", got)
	}
	if err := w.DisablePolicy(t.Context(), account, home, p.ID, nil); err != nil { // the one that isn't enabled
		t.Fatal(err)
	}
	if got, ok := w.EnabledPolicy(w.store.Snapshot(), account); !ok || got.ID != other.ID {
		t.Errorf("enabled: got %v %v, want %s", got.ID, ok, other.ID)
	}
}

func TestWhatAPolicyRefuses(t *testing.T) {
	w := single(t)
	i := w.ipam()
	good, p := w.pool(i.PublicScopeID, forEC2), w.policy(i)
	many := make([]string, 11)
	for n := range many {
		many[n] = good.ID
	}
	six := w.pool(i.PublicScopeID, forEC2, func(r *ipam.CreatePool) { r.Family = ipam.IPv6 })
	for name, c := range map[string]struct {
		locale string
		pools  []string
		want   ipam.Reason
	}{
		"a pool twice":                            {home, []string{good.ID, good.ID}, ipam.InvalidValue},
		"eleven pools":                            {home, many, ipam.OverLimit},
		"a pool of another locale":                {home, []string{w.pool(i.PublicScopeID, forEC2, inAbroad).ID}, ipam.InvalidValue},
		"a private pool":                          {home, []string{w.pool(i.PrivateScopeID).ID}, ipam.InvalidValue},
		"a pool that isn't for EC2":               {home, []string{w.pool(i.PublicScopeID).ID}, ipam.InvalidValue},
		"an IPv6 pool":                            {home, []string{six.ID}, ipam.InvalidValue},
		"a locale where the IPAM doesn't operate": {"mars-1", nil, ipam.InvalidValue},
	} {
		if err := w.setRules(p, c.locale, ipam.ForElasticIPs, c.pools...); refusedFor(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if err := w.setRules(p, home, ipam.ForElasticIPs, "ipam-pool-none"); !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("a pool that isn't there: got %v", err)
	}
	if got, _ := w.Policy(w.store.Snapshot(), account, home, p.ID); got.Modified || len(got.Rules) > 0 {
		t.Errorf("after refusals: got %+v, want it unchanged", got)
	}
	var absent *ipam.NotFoundError
	if err := w.EnablePolicy(t.Context(), "444455556666", home, p.ID, nil); !errors.As(err, &absent) || absent.Noun != ipam.NounPolicy {
		t.Errorf("enabled by a stranger: got %v", err) // I8
	}
}

func TestAPolicyStandsInTheWayOfItsIPAM(t *testing.T) {
	w := single(t)
	i := w.ipam()
	p := w.policy(i)
	del := func() error { _, err := w.DeletePolicy(t.Context(), account, home, p.ID, nil); return err }
	if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); refusedFor(err) != ipam.Dependency {
		t.Errorf("delete the IPAM: got %v, want %s", err, ipam.Dependency)
	}
	if _, err := w.ModifyIPAM(t.Context(), ipam.ModifyIPAM{ID: i.ID, Account: account, Region: home, Tier: ipam.Free}, nil); refusedFor(err) != ipam.Dependency {
		t.Errorf("downgrade the IPAM: got %v, want %s", err, ipam.Dependency)
	}
	if err := w.EnablePolicy(t.Context(), account, home, p.ID, nil); err != nil {
		t.Fatal(err)
	}
	if err := del(); refusedFor(err) != ipam.Dependency {
		t.Errorf("delete an enabled policy: got %v, want %s", err, ipam.Dependency)
	}
	if err := w.DisablePolicy(t.Context(), account, home, p.ID, nil); err != nil {
		t.Fatal(err)
	}
	if err := del(); err != nil {
		t.Fatal(err)
	}
	must(w.ModifyIPAM(t.Context(), ipam.ModifyIPAM{ID: i.ID, Account: account, Region: home, Tier: ipam.Free}, nil))(t)
	if _, err := w.CreatePolicy(t.Context(), policyRequest(i), nil); refusedFor(err) != ipam.Unsupported {
		t.Errorf("in the free tier: got %v, want %s", err, ipam.Unsupported)
	}
	must(w.DeleteIPAM(t.Context(), account, home, i.ID, false, nil))(t)
}

// Two servers that create at once keep the quota, which is a rule about a set.
func TestTwoServersKeepTheQuotaOfPolicies(t *testing.T) {
	engine := memstore.New()
	first, second := open(t, engine), open(t, engine)
	i := first.ipam()
	if err := second.store.WaitRevision(t.Context(), first.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var refused []ipam.Reason
	for n := range 14 {
		w := []*world{first, second}[n%2]
		wg.Go(func() {
			_, err := w.CreatePolicy(t.Context(), policyRequest(i), nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, refusedFor(err))
			}
		})
	}
	wg.Wait()
	if want := slices.Repeat([]ipam.Reason{ipam.OverLimit}, 4); !slices.Equal(refused, want) {
		t.Errorf("refusals: got %v, want %v", refused, want)
	}
}

func TestAPolicyIsMadeOncePerToken(t *testing.T) {
	w := single(t)
	req := policyRequest(w.ipam())
	req.Token = idempotency.Token{Account: account, Region: home, Action: "CreateIpamPolicy", Client: "once", Fingerprint: "f", Time: t0}
	first := must(w.CreatePolicy(t.Context(), req, nil))(t)
	req.ID = ids.EC2("ipam-policy")
	if again := must(w.CreatePolicy(t.Context(), req, nil))(t); again.ID != first.ID {
		t.Errorf("again: got %s, want %s", again.ID, first.ID)
	}
}
