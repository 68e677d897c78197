package ipam_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// refused fails the test unless err is a CallError with the reason and text.
func refused(t *testing.T, err error, want ipam.Reason, text string) {
	t.Helper()
	var e *ipam.CallError
	if !errors.As(err, &e) || e.Reason != want || !strings.Contains(e.Text, text) {
		t.Errorf("got %v, want %s with %q", err, want, text)
	}
}

func TestAnIPAMComesWithTwoScopesAndItsHomeRegion(t *testing.T) {
	w := single(t)
	i := w.ipam()
	if want := []string{abroad, home}; !slices.Equal(i.OperatingRegions, want) || i.Tier != ipam.Advanced {
		t.Errorf("got regions %v and tier %s, want %v and advanced", i.OperatingRegions, i.Tier, want)
	}
	snap := w.store.Snapshot()
	for id, want := range map[string]ipam.ScopeType{i.PublicScopeID: ipam.Public, i.PrivateScopeID: ipam.Private} {
		if sc, ok := w.Scope(snap, account, id); !ok || sc.Type != want || !sc.Default {
			t.Errorf("scope %s: %+v", id, sc)
		}
		if _, ok := w.Scope(snap, "444455556666", id); ok {
			t.Error("I8: another account sees the scope")
		}
	}
}

func TestAnAccountHasOneIPAMInARegion(t *testing.T) {
	w := single(t)
	w.ipam()
	_, err := w.CreateIPAM(t.Context(), ipamRequest(), nil)
	refused(t, err, ipam.OverLimit, "You have created 1 ipams and you are limited to 1.")
	w.ipam(func(r *ipam.CreateIPAM) { r.Region = abroad })
	w.ipam(func(r *ipam.CreateIPAM) { r.Account = "444455556666" })
}

func TestAnIPAMsRegionsExist(t *testing.T) {
	w := single(t)
	_, err := w.CreateIPAM(t.Context(), ipamRequest(func(r *ipam.CreateIPAM) { r.OperatingRegions = []string{"mars-1"} }), nil)
	refused(t, err, ipam.InvalidValue, "mars-1")
}

func TestCreatingIsIdempotentByToken(t *testing.T) {
	w := single(t)
	tok := func(action string) idempotency.Token {
		return idempotency.Token{Account: account, Region: home, Action: action, Client: "once", Fingerprint: "a", Time: t0}
	}
	i := w.ipam(func(r *ipam.CreateIPAM) { r.Token = tok("CreateIpam") })
	if again := w.ipam(func(r *ipam.CreateIPAM) { r.Token = tok("CreateIpam") }); again.ID != i.ID {
		t.Errorf("ipam: %s, then %s", i.ID, again.ID)
	}
	create := func() ipam.Pool {
		return w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.Token = tok("CreateIpamPool") })
	}
	p := create()
	if again := create(); again.ID != p.ID {
		t.Errorf("pool: %s, then %s", p.ID, again.ID)
	}
	provision := func() ipam.PoolCIDR {
		req := provisionRequest(p.ID, "10.0.0.0/16")
		req.Token = tok("ProvisionIpamPoolCidr")
		return must(w.ProvisionCIDR(t.Context(), req, nil))(t)
	}
	c := provision()
	if again := provision(); again.ID != c.ID || again.State != ipam.Provisioned {
		t.Errorf("cidr: %s, then %+v", c.ID, again)
	}
}

func TestCreatePool(t *testing.T) {
	no, n8, n16, n24, n33 := false, 8, 16, 24, 33
	for _, c := range []struct {
		name   string
		scope  ipam.ScopeType
		change func(*ipam.CreatePool)
		reason ipam.Reason
		text   string
	}{
		{"a locale that the ipam doesn't operate in", ipam.Private, func(r *ipam.CreatePool) { r.Locale = "ap-south-1" }, ipam.InvalidValue, "not an operating region"},
		{"auto-import without a locale", ipam.Private, func(r *ipam.CreatePool) { r.Locale, r.AutoImport = "", true }, ipam.InvalidCombination, "AutoImport"},
		{"advertisable IPv4", ipam.Public, func(r *ipam.CreatePool) { r.Advertisable = &no }, ipam.InvalidCombination, "PubliclyAdvertisable if the AddressFamily is IPv6"},
		{"a service in a private scope", ipam.Private, func(r *ipam.CreatePool) { r.AWSService = ipam.ServiceEC2 }, ipam.InvalidCombination, "AwsService"},
		{"a public source in a private scope", ipam.Private, func(r *ipam.CreatePool) { r.PublicSource = ipam.BYOIP }, ipam.InvalidCombination, "PublicIpSource"},
		{"Amazon's addresses without a locale", ipam.Public, func(r *ipam.CreatePool) { r.PublicSource, r.Locale = ipam.Amazon, "" }, ipam.InvalidCombination, "locale"},
		{"a global pool for EC2", ipam.Public, func(r *ipam.CreatePool) { r.Locale = ipam.GlobalLocale }, ipam.InvalidCombination, "global-services"},
		{"a netmask beyond the address", ipam.Private, func(r *ipam.CreatePool) { r.MaxNetmask = &n33 }, ipam.InvalidValue, "between 0 and 32"},
		{"a minimum above the maximum", ipam.Private, func(r *ipam.CreatePool) { r.MinNetmask, r.MaxNetmask = &n24, &n16 }, ipam.InvalidCombination, "greater"},
		{"a default outside the bounds", ipam.Private, func(r *ipam.CreatePool) { r.MinNetmask, r.DefaultNetmask = &n16, &n8 }, ipam.InvalidCombination, "Default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := single(t)
			i := w.ipam()
			scope := i.PrivateScopeID
			if c.scope == ipam.Public {
				scope = i.PublicScopeID
			}
			_, err := w.CreatePool(t.Context(), poolRequest(scope, c.change), nil)
			refused(t, err, c.reason, c.text)
			if sc, _ := w.Scope(w.store.Snapshot(), account, scope); sc.PoolCount != 0 {
				t.Errorf("I10: the scope counts %d pools", sc.PoolCount)
			}
		})
	}
}

func TestTheFreeTierRefusesWhatNeedsTheAdvancedOne(t *testing.T) {
	w := single(t)
	i := w.ipam(func(r *ipam.CreateIPAM) { r.Tier = ipam.Free })
	_, err := w.CreatePool(t.Context(), poolRequest(i.PrivateScopeID), nil)
	refused(t, err, ipam.Unsupported, "private scope")
	_, err = w.CreatePool(t.Context(), poolRequest(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = abroad }), nil)
	refused(t, err, ipam.Unsupported, "home region")
	w.pool(i.PublicScopeID)
}

func TestAChildPoolInheritsAndMustMatchItsSource(t *testing.T) {
	w := single(t)
	i := w.ipam()
	top := w.pool(i.PrivateScopeID)
	child := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID, r.Locale = top.ID, "" })
	if child.Depth != 2 || child.Locale != home {
		t.Errorf("got depth %d and locale %s, want 2 and %s", child.Depth, child.Locale, home)
	}
	for _, c := range []struct {
		name   string
		change func(*ipam.CreatePool)
		reason ipam.Reason
		text   string
	}{
		{"another scope", func(r *ipam.CreatePool) { r.ScopeID = i.PublicScopeID }, ipam.InvalidCombination, "same scope"},
		{"another family", func(r *ipam.CreatePool) { r.Family = ipam.IPv6 }, ipam.InvalidCombination, "family"},
		{"another locale", func(r *ipam.CreatePool) { r.Locale = abroad }, ipam.InvalidValue, "does not match"},
	} {
		_, err := w.CreatePool(t.Context(), poolRequest(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID }, c.change), nil)
		t.Run(c.name, func(t *testing.T) { refused(t, err, c.reason, c.text) })
	}
	for depth := 3; depth <= 10; depth++ {
		child = w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = child.ID })
	}
	_, err := w.CreatePool(t.Context(), poolRequest(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = child.ID }), nil)
	refused(t, err, ipam.OverLimit, "depth")
}

func TestAScopeHasAtMostFiftyPools(t *testing.T) {
	w := single(t)
	i := w.ipam()
	for range 50 {
		w.pool(i.PrivateScopeID)
	}
	_, err := w.CreatePool(t.Context(), poolRequest(i.PrivateScopeID), nil)
	refused(t, err, ipam.OverLimit, "limited to 50")
	// The largest cascade there is fits.
	if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.IPAM(w.store.Snapshot(), account, i.ID); ok {
		t.Error("the ipam is still there")
	}
}

func TestProvisionRefusals(t *testing.T) {
	type pool = func(*ipam.CreatePool)
	public := func(r *ipam.CreatePool) {}
	six := func(r *ipam.CreatePool) { r.Family = ipam.IPv6 }
	amazon := func(r *ipam.CreatePool) { r.PublicSource = ipam.Amazon }
	for _, c := range []struct {
		name   string
		scope  ipam.ScopeType
		pool   pool
		cidr   string
		length int // 0: none
		reason ipam.Reason
		text   string
	}{
		{"neither CIDR nor length", ipam.Private, public, "", 0, ipam.InvalidCombination, "exactly one"},
		{"both", ipam.Private, public, "10.0.0.0/8", 8, ipam.InvalidCombination, "exactly one"},
		{"a length for a private top-level pool", ipam.Private, public, "", 16, ipam.InvalidCombination, "only contain Cidr"},
		{"bits beyond the netmask", ipam.Private, public, "10.0.0.1/8", 0, ipam.InvalidValue, "bits set"},
		{"the other family", ipam.Private, public, "fd12::/16", 0, ipam.InvalidValue, "family"},
		{"global IPv6 in a private scope", ipam.Private, six, "2001:db8::/32", 0, ipam.InvalidValue, "private scope"},
		{"the reserved part of the unique local space", ipam.Private, six, "fd00::/24", 0, ipam.InvalidValue, "private scope"},
		{"all of it", ipam.Private, six, "fd00::/8", 0, ipam.InvalidValue, "private scope"},
		{"a length for a BYOIP pool", ipam.Public, public, "", 24, ipam.InvalidCombination, "only contain Cidr"},
		{"a small BYOIP block", ipam.Public, public, "192.0.2.0/25", 0, ipam.InvalidValue, "/24"},
		{"a small IPv6 BYOIP block", ipam.Public, six, "2001:db8::/61", 0, ipam.InvalidValue, "/60"},
		{"a CIDR for a pool of Amazon's", ipam.Public, amazon, "192.0.2.0/28", 0, ipam.InvalidCombination, "only contain NetmaskLength"},
		{"a large block of Amazon's", ipam.Public, amazon, "", 27, ipam.InvalidValue, "between 28 and 30"},
		{"a small block of Amazon's", ipam.Public, amazon, "", 31, ipam.InvalidValue, "between 28 and 30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := single(t, proven)
			i := w.ipam()
			scope := i.PrivateScopeID
			if c.scope == ipam.Public {
				scope = i.PublicScopeID
			}
			p := w.pool(scope, c.pool)
			req := provisionRequest(p.ID, c.cidr)
			if c.length != 0 {
				req.NetmaskLength = &c.length
			}
			_, err := w.ProvisionCIDR(t.Context(), req, nil)
			refused(t, err, c.reason, c.text)
			for _, got := range w.CIDRs(w.store.Snapshot(), p.ID, "") {
				t.Errorf("I10: left behind: %+v", got)
			}
		})
	}
}

func TestPoolsOfARoutingDomainDontOverlap(t *testing.T) {
	w := single(t)
	mine := w.ipam()
	theirs := w.ipam(func(r *ipam.CreateIPAM) { r.Account = "444455556666" })
	a, b := w.pool(mine.PrivateScopeID), w.pool(mine.PrivateScopeID)
	public := w.pool(mine.PublicScopeID)
	stranger := w.pool(theirs.PublicScopeID, func(r *ipam.CreatePool) { r.Account = "444455556666" })
	for _, c := range []struct {
		name, pool, cidr string
		want             ipam.CIDRState
	}{
		{"the first", a.ID, "10.0.0.0/16", ipam.Provisioned},
		{"the same again", a.ID, "10.0.0.0/16", ipam.FailedProvision},
		{"in another pool of the scope", b.ID, "10.0.0.0/16", ipam.FailedProvision},
		{"a part", b.ID, "10.0.128.0/17", ipam.FailedProvision},
		{"the whole around it", b.ID, "10.0.0.0/8", ipam.FailedProvision},
		{"its neighbour", b.ID, "10.1.0.0/16", ipam.Provisioned},
		{"the same in another scope", public.ID, "10.0.0.0/16", ipam.Provisioned},
		{"public space that another account has", stranger.ID, "10.0.0.0/24", ipam.FailedProvision},
	} {
		req := provisionRequest(c.pool, c.cidr)
		if c.pool == stranger.ID {
			req.Account = "444455556666"
		}
		got := must(w.ProvisionCIDR(t.Context(), req, nil))(t)
		if got.State != c.want || (got.FailureCode == ipam.CIDRNotAvailable) != (c.want == ipam.FailedProvision) {
			t.Errorf("%s: got %+v, want %s", c.name, got, c.want)
		}
	}
}

func TestAPoolRemembersTenFailures(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/16")
	for range 15 {
		w.provision(p.ID, "10.0.0.0/16")
	}
	failed := 0
	for _, c := range w.CIDRs(w.store.Snapshot(), p.ID, "") {
		if c.State == ipam.FailedProvision {
			failed++
		}
	}
	if failed != 10 {
		t.Errorf("%d are remembered", failed)
	}
}

func TestAChildPoolsCIDRsComeOutOfItsSource(t *testing.T) {
	w := single(t)
	top := w.private("10.0.0.0/16")
	w.allocate(top, exactly("10.0.0.0/24"))
	child := w.pool(top.ScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })

	if c := w.provisionLength(child.ID, 24); c.CIDR.String() != "10.0.1.0/24" {
		t.Errorf("by length: got %s, want the lowest that is free, 10.0.1.0/24", c.CIDR)
	}
	for cidr, want := range map[string]ipam.CIDRState{
		"10.0.0.0/25": ipam.FailedProvision, // taken
		"10.1.0.0/24": ipam.FailedProvision, // not the source's
		"10.0.8.0/24": ipam.Provisioned,
	} {
		if c := w.provision(child.ID, cidr); c.State != want {
			t.Errorf("%s: got %s, want %s", cidr, c.State, want)
		}
	}
	if c := w.provisionLength(child.ID, 8); c.State != ipam.FailedProvision || c.CIDR.IsValid() || c.NetmaskLength != 8 {
		t.Errorf("too large: %+v", c)
	}
	if got, want := w.held(top.ID), []string{"10.0.0.0/24", "10.0.1.0/24", "10.0.8.0/24"}; !slices.Equal(got, want) {
		t.Errorf("held in the source: %v, want %v", got, want)
	}
	if a := w.allocate(child, length(25)); a.CIDR.String() != "10.0.1.0/25" {
		t.Errorf("in the child: %s", a.CIDR)
	}
	if _, err := w.DeprovisionCIDR(t.Context(), account, home, child.ID, netip.MustParsePrefix("10.0.8.0/24"), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := w.held(top.ID), []string{"10.0.0.0/24", "10.0.1.0/24"}; !slices.Equal(got, want) {
		t.Errorf("I2: held in the source after deprovisioning: %v, want %v", got, want)
	}
}

// S5: a CIDR with addresses in use can't be deprovisioned.
func TestDeprovisioningWaitsForNobodyAndTakesNothingAway(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	cidr := netip.MustParsePrefix("10.0.0.0/24")
	a := w.allocate(p, length(28))
	c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, cidr, nil))(t)
	if c.State != ipam.FailedDeprovision || c.FailureMessage != "The CIDR has one or more allocations." || c.FailureCode != "" {
		t.Errorf("got %+v", c)
	}
	if b := w.allocate(p, length(28)); b.CIDR.String() != "10.0.0.16/28" {
		t.Errorf("the CIDR is no longer usable: got %s", b.CIDR)
	} else {
		w.release(b)
	}
	w.release(a)
	if c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, cidr, nil))(t); c.State != ipam.Deprovisioned {
		t.Errorf("empty: got %+v", c)
	}
	_, err := w.DeprovisionCIDR(t.Context(), account, home, p.ID, cidr, nil)
	refused(t, err, ipam.WrongState, "not provisioned")
	if _, err := w.Allocate(t.Context(), allocateRequest(p, length(28)), nil); !errors.Is(err, ipam.ErrPoolExhausted) {
		t.Errorf("an empty pool gives %v, want ErrPoolExhausted", err)
	}
	if c := w.provision(p.ID, "10.0.0.0/24"); c.State != ipam.Provisioned {
		t.Errorf("again: %+v", c)
	}
}

// I3: the space of a CIDR isn't anybody else's before its blocks have cooled.
func TestADeprovisionedCIDRLeavesOnceItsBlocksHaveCooled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), func(o *ipam.Options) { o.Quarantine = time.Minute })
		p := w.private("10.0.0.0/24")
		other := w.pool(p.ScopeID)
		cidr := netip.MustParsePrefix("10.0.0.0/24")
		a := must(w.draw(p.ID))(t)
		if err := w.giveBack(a, time.Now()); err != nil {
			t.Fatal(err)
		}
		c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, cidr, nil))(t)
		if c.State != ipam.PendingDeprovision {
			t.Fatalf("got %+v", c)
		}
		_, err := w.DeprovisionCIDR(t.Context(), account, home, p.ID, cidr, nil)
		refused(t, err, ipam.WrongState, "being deprovisioned")
		if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrPoolExhausted) {
			t.Errorf("a CIDR that leaves still gives: %v", err)
		}
		if c := w.provision(other.ID, "10.0.0.0/24"); c.State != ipam.FailedProvision {
			t.Errorf("during the quarantine: %+v", c)
		}
		time.Sleep(time.Minute + 3*time.Second)
		synctest.Wait()
		if c := w.provision(other.ID, "10.0.0.0/24"); c.State != ipam.Provisioned {
			t.Errorf("after it: %+v", c)
		}
	})
}

func TestAmazonsBlocksAreCarvedFromTheProvidersSpace(t *testing.T) {
	w := single(t)
	w.provider([]string{"198.51.100.0/25"}, []string{"203.0.113.0/24", "2001:db8::/32"})
	i := w.ipam()
	six := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource, r.Family = ipam.Amazon, ipam.IPv6 })
	if c := w.provisionLength(six.ID, 52); c.CIDR.String() != "2001:db8::/52" {
		t.Errorf("IPv6: %+v", c)
	}
	if c := w.provisionLength(six.ID, 52); c.FailureCode != ipam.LimitExceeded {
		t.Errorf("a second block of IPv6: %+v", c)
	}
	p := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource, r.AWSService = ipam.Amazon, ipam.ServiceEC2 })
	for _, want := range []string{"203.0.113.0/29", "203.0.113.16/28"} {
		bits := netip.MustParsePrefix(want).Bits()
		if c := w.provisionLength(p.ID, bits); c.State != ipam.Provisioned || c.CIDR.String() != want {
			t.Errorf("got %+v, want %s", c, want)
		}
	}
	if c := w.provisionLength(p.ID, 30); c.State != ipam.FailedProvision || c.FailureCode != ipam.LimitExceeded {
		t.Errorf("a third block: %+v", c)
	}
	if _, err := w.DeprovisionCIDR(t.Context(), account, home, p.ID, netip.MustParsePrefix("203.0.113.0/29"), nil); err != nil {
		t.Fatal(err)
	}
	if c := w.provisionLength(p.ID, 30); c.CIDR.String() != "203.0.113.0/30" {
		t.Errorf("after one has gone: %+v", c)
	}
	if a := must(w.draw(w.ProviderPool(home)))(t); a.CIDR.String() != "198.51.100.0/32" {
		t.Errorf("the provider's own: %s", a.CIDR)
	}
	for _, q := range w.PoolsOf(w.store.Snapshot(), "amazon", home, "") {
		t.Errorf("I8: the provider's pool %s is in a describe", q.ID)
	}
	if _, ok := w.VisiblePool(w.store.Snapshot(), "amazon", w.ProviderPool(home)); ok {
		t.Error("I8: the provider's pool is visible")
	}
}

func TestTheSizesOfAmazonsBlocks(t *testing.T) {
	w := single(t)
	w.provider([]string{"198.51.100.0/25"}, []string{"203.0.113.0/24", "2001:db8::/39"})
	i := w.ipam()
	for family, bits := range map[ipam.Family][]int{ipam.IPv4: {28, 30}, ipam.IPv6: {40, 52}} {
		amazon := func(r *ipam.CreatePool) { r.PublicSource, r.Family = ipam.Amazon, family }
		p := w.pool(i.PublicScopeID, amazon)
		for _, wrong := range []int{bits[0] - 1, bits[1] + 1} {
			req := provisionRequest(p.ID, "")
			req.NetmaskLength = &wrong
			_, err := w.ProvisionCIDR(t.Context(), req, nil)
			refused(t, err, ipam.InvalidValue, "between")
		}
		_, err := w.ProvisionCIDR(t.Context(), provisionRequest(p.ID, "203.0.113.0/28"), nil)
		if !isReason(err, ipam.InvalidCombination) && !isReason(err, ipam.InvalidValue) {
			t.Errorf("%s by CIDR: got %v, want a refusal", family, err)
		}
		for _, n := range bits {
			if c := w.provisionLength(w.pool(i.PublicScopeID, amazon).ID, n); c.State != ipam.Provisioned || c.CIDR.Bits() != n {
				t.Errorf("/%d: got %+v", n, c)
			}
		}
	}
	// One /40 is left half taken by a /52, and there is no other.
	six := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource, r.Family = ipam.Amazon, ipam.IPv6 })
	if c := w.provisionLength(six.ID, 40); c.State != ipam.FailedProvision || c.FailureCode != ipam.CIDRNotAvailable || c.CIDR.IsValid() {
		t.Errorf("without space: got %+v", c)
	}
	none := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource, r.Locale = ipam.Amazon, abroad })
	other := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource, r.Locale, r.Family = ipam.Amazon, abroad, ipam.IPv6 })
	if c := w.provisionLength(other.ID, 52); c.FailureCode != ipam.CIDRNotAvailable {
		t.Errorf("where the provider has no blocks: got %+v", c)
	}
	if c := w.provisionLength(none.ID, 30); c.FailureCode != ipam.LimitExceeded {
		t.Errorf("a third IPv4 block, in another region: got %+v", c)
	}
}

func TestTheProvidersSpaceChangesAroundWhatIsHeld(t *testing.T) {
	w := single(t)
	w.provider([]string{"198.51.100.0/25"}, nil)
	a := must(w.draw(w.ProviderPool(home)))(t)
	before := w.store.Snapshot().Revision()
	w.provider([]string{"198.51.100.0/25"}, nil)
	if after := w.store.Snapshot().Revision(); after != before {
		t.Errorf("the same again writes: revision %d, then %d", before, after)
	}
	w.provider([]string{"198.51.100.0/24", "203.0.113.0/24"}, nil) // widened
	if b := must(w.draw(w.ProviderPool(home)))(t); b.CIDR.String() != "198.51.100.1/32" {
		t.Errorf("after widening: %s", b.CIDR)
	}
	err := w.EnsureProvider(t.Context(), home, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, nil, t0)
	refused(t, err, ipam.Dependency, a.Holder.ResourceID)
	err = w.EnsureProvider(t.Context(), abroad, []netip.Prefix{netip.MustParsePrefix("198.51.100.64/26")}, nil, t0)
	refused(t, err, ipam.InvalidValue, "overlaps")
}

// proven has a verifier that believes every claim.
func proven(o *ipam.Options) {
	o.VerifyBYOIP = func(context.Context, ipam.Claim) error { return nil }
}

// The size limits are those of prefixes announced to others: an operator's own
// pool may be a /29.
func TestWithoutAVerifierABroughtBlockMayBeSmall(t *testing.T) {
	w := single(t)
	p := w.pool(w.ipam().PublicScopeID)
	if c := w.provision(p.ID, "192.0.2.144/29"); c.State != ipam.Provisioned {
		t.Errorf("got %+v", c)
	}
}

func TestBYOIPAsksForProofWhereThereIsAVerifier(t *testing.T) {
	wrong := &ipam.ClaimError{Reason: "the message is somebody else's"}
	w := single(t, func(o *ipam.Options) {
		o.VerifyBYOIP = func(_ context.Context, c ipam.Claim) error {
			if c.Account != account || c.CIDR.String() != "192.0.2.0/24" || c.Signature != "right" {
				return wrong
			}
			return nil
		}
	})
	p := w.pool(w.ipam().PublicScopeID)
	req := provisionRequest(p.ID, "192.0.2.0/24")
	_, err := w.ProvisionCIDR(t.Context(), req, nil)
	refused(t, err, ipam.InvalidCombination, "The request must contain a CIDR Auth")
	req.Authorization = &ipam.Authorization{Signature: "wrong"}
	_, err = w.ProvisionCIDR(t.Context(), req, nil)
	refused(t, err, ipam.InvalidValue, wrong.Error())
	req.Authorization = &ipam.Authorization{Signature: "right"}
	if c := must(w.ProvisionCIDR(t.Context(), req, nil))(t); c.State != ipam.Provisioned {
		t.Errorf("got %+v", c)
	}
}

func TestARegionalPoolOfBroughtAddressesTakesNoSmallPieces(t *testing.T) {
	w := single(t, proven)
	i := w.ipam()
	top := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = "" })
	brought := provisionRequest(top.ID, "192.0.2.0/24")
	brought.Authorization = &ipam.Authorization{Signature: "right"}
	must(w.ProvisionCIDR(t.Context(), brought, nil))(t)
	regional := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })
	req := provisionRequest(regional.ID, "192.0.2.0/28")
	_, err := w.ProvisionCIDR(t.Context(), req, nil)
	refused(t, err, ipam.InvalidValue, "/24")
	w.provision(regional.ID, "192.0.2.0/24")
	below := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = regional.ID })
	if c := w.provision(below.ID, "192.0.2.0/28"); c.State != ipam.Provisioned {
		t.Errorf("below the regional pool: %+v", c)
	}
}

func TestPrivateIPv6IsServedByLength(t *testing.T) {
	w := single(t)
	i := w.ipam(func(r *ipam.CreateIPAM) { r.PrivateGUA = true })
	p := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.Family = ipam.IPv6 })
	w.provision(p.ID, "fd80::/48")
	if c := w.provisionLength(p.ID, 48); c.CIDR.String() != "fd80:0:1::/48" {
		t.Errorf("got %+v", c)
	}
	if c := w.provision(p.ID, "2001:db8::/32"); c.State != ipam.Provisioned {
		t.Errorf("global, where the ipam allows it: %+v", c)
	}
	if a := w.allocate(p, length(64)); a.CIDR.String() != "2001:db8::/64" {
		t.Errorf("got %s", a.CIDR)
	}
}

func TestDeletePool(t *testing.T) {
	w := single(t)
	i := w.ipam()
	top := w.pool(i.PrivateScopeID)
	w.provision(top.ID, "10.0.0.0/8")
	child := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })
	w.provision(child.ID, "10.0.0.0/16")
	for range 200 {
		w.allocate(child, length(28))
	}
	_, err := w.DeletePool(t.Context(), account, home, child.ID, false, nil)
	refused(t, err, ipam.Dependency, "There are one or more pool cidrs provisioned in the pool.")
	public := w.pool(i.PublicScopeID)
	_, err = w.DeletePool(t.Context(), account, home, public.ID, true, nil)
	refused(t, err, ipam.InvalidCombination, "public scope")
	_, err = w.DeletePool(t.Context(), account, abroad, public.ID, false, nil)
	if !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("in a region that isn't its home: %v", err)
	}
	if _, err := w.DeletePool(t.Context(), account, home, public.ID, false, nil); err != nil {
		t.Error(err)
	}

	if _, err := w.DeletePool(t.Context(), account, home, child.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	if held := w.held(top.ID); len(held) != 0 {
		t.Errorf("I2: the source still holds %v", held)
	}
	if held := w.held(child.ID); len(held) != 0 {
		t.Errorf("I2: %d allocations of a pool that is gone", len(held))
	}
	if _, err := w.Allocate(t.Context(), allocateRequest(child, length(28)), nil); !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("allocate in it: %v", err)
	}
	again := w.pool(i.PrivateScopeID)
	if _, err := w.DeletePool(t.Context(), account, home, top.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	if c := w.provision(again.ID, "10.0.0.0/8"); c.State != ipam.Provisioned {
		t.Errorf("its space: %+v", c)
	}
}

func TestDeleteIPAM(t *testing.T) {
	w := single(t)
	i := w.ipam()
	p := w.pool(i.PrivateScopeID)
	w.provision(p.ID, "10.0.0.0/8")
	public := w.pool(i.PublicScopeID)
	_, err := w.DeleteIPAM(t.Context(), account, home, i.ID, false, nil)
	refused(t, err, ipam.Dependency, "one or more pools")
	_, err = w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil)
	refused(t, err, ipam.Dependency, "public scope")
	if _, err := w.DeletePool(t.Context(), account, home, public.ID, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	var absent *ipam.NotFoundError
	if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); !errors.As(err, &absent) || absent.Noun != ipam.NounIPAM {
		t.Errorf("again: %v", err)
	}
	if !gone(w, i) {
		t.Error("something of it is left")
	}
	w.ipam() // its place is free
}

// gone says whether nothing of an ipam is left.
func gone(w *world, i ipam.IPAM) bool {
	r := w.store.Snapshot()
	_, ipamThere := w.IPAM(r, account, i.ID)
	_, scopeThere := w.Scope(r, account, i.PrivateScopeID)
	for range w.PoolsOf(r, account, home, "") {
		return false
	}
	return !ipamThere && !scopeThere
}
