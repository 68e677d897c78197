package ipam_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

var range18 = netip.MustParsePrefix("198.18.0.0/24")

// byoipPool is a top-level pool for IPv4 addresses of the account's own.
func (w *world) byoipPool(scope string, change ...func(*ipam.CreatePool)) ipam.Pool {
	w.t.Helper()
	return w.pool(scope, append([]func(*ipam.CreatePool){func(r *ipam.CreatePool) { r.AWSService = ipam.ServiceEC2 }}, change...)...)
}

func bringRequest(cidr netip.Prefix, change ...func(*ipam.ProvisionBYOIP)) ipam.ProvisionBYOIP {
	req := ipam.ProvisionBYOIP{
		ID: ids.New("ipam-pool-cidr-", 33), PoolID: ids.EC2("ipv4pool-ec2"), Account: account, Region: home, CIDR: cidr, Description: "ours", Time: t0,
	}
	for _, c := range change {
		c(&req)
	}
	return req
}

func (w *world) bring(cidr netip.Prefix, change ...func(*ipam.ProvisionBYOIP)) ipam.PoolCIDR {
	w.t.Helper()
	return must(w.ProvisionBYOIP(w.t.Context(), bringRequest(cidr, change...), nil))(w.t)
}

func moveRequest(cidr netip.Prefix, pool string) ipam.MoveBYOIP {
	return ipam.MoveBYOIP{
		ID: ids.New("ipam-pool-cidr-", 33), AllocationID: ipam.NewAllocationID(t0), Account: account, Region: home,
		CIDR: cidr, PoolID: pool, PoolOwner: account, Time: t0,
	}
}

// brought lists the CIDRs that were brought to a region, with their states.
func brought(w *world, region string) (out []string) {
	for _, c := range w.BYOIPCIDRs(w.store.Snapshot(), account, region, "") {
		out = append(out, fmt.Sprintf("%s %s", c.CIDR, c.BYOIPState()))
	}
	return out
}

func TestWhichCIDRsCanBeAdvertised(t *testing.T) {
	w := single(t)
	w.provider(nil, []string{"203.0.113.0/24"})
	i := w.ipam()
	top := w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = "" })
	w.provision(top.ID, "198.18.0.0/16")
	regional := w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID, r.Locale = top.ID, abroad })
	w.provision(regional.ID, "198.18.7.0/24")
	below := w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID, r.Locale = regional.ID, abroad })
	w.provision(below.ID, "198.18.7.0/25")
	direct := w.byoipPool(i.PublicScopeID)
	w.provision(direct.ID, "192.0.2.0/24")
	w.provision(direct.ID, "192.0.2.0/25") // which fails: the space is taken
	hidden := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Family, r.Advertisable = ipam.IPv6, new(false) })
	w.provision(hidden.ID, "2001:db8::/56")
	amazon := w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.PublicSource = ipam.Amazon })
	w.provisionLength(amazon.ID, 29)
	w.provision(w.pool(i.PrivateScopeID).ID, "10.0.0.0/8")

	got := brought(w, home)
	slices.Sort(got)
	if want := []string{"192.0.2.0/24 provisioned", "2001:db8::/56 provisioned-not-publicly-advertisable"}; !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", home, got, want)
	}
	if got, want := brought(w, abroad), []string{"198.18.7.0/24 provisioned"}; !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", abroad, got, want)
	}
	_, err := w.Advertise(t.Context(), account, home, netip.MustParsePrefix("2001:db8::/56"), nil)
	refused(t, err, ipam.WrongState, "not publicly advertisable")
	for _, part := range []string{"198.18.7.0/25", "198.18.0.0/16", "203.0.113.0/29"} {
		_, err := w.Advertise(t.Context(), account, abroad, netip.MustParsePrefix(part), nil)
		refused(t, err, ipam.InvalidValue, part)
	}
	_, err = w.Advertise(t.Context(), "444455556666", home, netip.MustParsePrefix("192.0.2.0/24"), nil)
	refused(t, err, ipam.InvalidValue, "192.0.2.0/24") // I8
}

// S7: a CIDR's life between provision and deprovision.
func TestAnAdvertisedCIDRIsNotDeprovisioned(t *testing.T) {
	w := single(t)
	p := w.byoipPool(w.ipam().PublicScopeID)
	w.provision(p.ID, range18.String())
	state := func(c ipam.PoolCIDR, err error) ipam.BYOIPState {
		t.Helper()
		return must(c, err)(t).BYOIPState()
	}
	errDry := errors.New("dry run")
	if _, err := w.Advertise(t.Context(), account, home, range18, func() error { return errDry }); !errors.Is(err, errDry) {
		t.Errorf("dry run: got %v", err)
	}
	if got := brought(w, home); !slices.Equal(got, []string{"198.18.0.0/24 provisioned"}) {
		t.Errorf("after a dry run: got %q", got)
	}
	for range 2 { // the second time is no mistake
		if got := state(w.Advertise(t.Context(), account, home, range18, nil)); got != ipam.BYOIPPendingAdvertising {
			t.Errorf("Advertise: got %s", got)
		}
	}
	_, err := w.DeprovisionCIDR(t.Context(), account, home, p.ID, range18, nil)
	refused(t, err, ipam.WrongState, "Withdraw it first")
	if got := state(w.Withdraw(t.Context(), account, home, range18, nil)); got != ipam.BYOIPPendingWithdrawal {
		t.Errorf("Withdraw: got %s", got)
	}
	_, err = w.DeprovisionCIDR(t.Context(), account, home, p.ID, range18, nil)
	refused(t, err, ipam.WrongState, "Withdraw it first") // networks may know it still

	a := newAnnouncer()
	a.keep(t, w)
	if got := a.next(t); got != "withdraw us-east-1 198.18.0.0/24" {
		t.Errorf("got %q", got)
	}
	w.eventually(home, "198.18.0.0/24 provisioned")
	if got := state(w.Withdraw(t.Context(), account, home, range18, nil)); got != ipam.BYOIPProvisioned {
		t.Errorf("Withdraw of what isn't advertised: got %s", got)
	}
	if c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, range18, nil))(t); c.State != ipam.Deprovisioned {
		t.Errorf("deprovision: got %+v", c)
	}
	if got := brought(w, home); got != nil {
		t.Errorf("it remains: %q", got)
	}
}

// Elastic IPs can be drawn from a CIDR that isn't advertised.
func TestABroughtRangeMakesAPoolOfItsOwn(t *testing.T) {
	w := single(t)
	c := w.bring(range18, func(r *ipam.ProvisionBYOIP) { r.PoolTags = []tags.Tag{{Key: "for", Value: "mail"}} })
	if c.BYOIPState() != ipam.BYOIPProvisioned || c.Brought.Description != "ours" {
		t.Errorf("got %+v", c)
	}
	if got := w.tags.Of(w.store.Snapshot(), c.PoolID); len(got) != 1 {
		t.Errorf("tags: got %v", got)
	}
	a := must(w.draw(c.PoolID))(t)
	if a.CIDR.String() != "198.18.0.0/32" {
		t.Errorf("got %s, want the first address", a.CIDR)
	}
	if got := w.Ranges(w.store.Snapshot(), c.PoolID); len(got) != 1 || got[0] != (ipam.AddressRange{CIDR: range18, Total: 256, Available: 255}) {
		t.Errorf("got %+v", got)
	}
	_, err := w.ProvisionBYOIP(t.Context(), bringRequest(netip.MustParsePrefix("198.18.0.128/25")), nil)
	refused(t, err, ipam.InvalidValue, "not available")
	_, err = w.ProvisionBYOIP(t.Context(), bringRequest(netip.MustParsePrefix("2001:db8::/48")), nil)
	refused(t, err, ipam.Unsupported, "IPv6")
	_, err = w.ProvisionBYOIP(t.Context(), bringRequest(netip.MustParsePrefix("198.19.0.1/24")), nil)
	refused(t, err, ipam.InvalidValue, "beyond its netmask")
	if c := w.provision(w.byoipPool(w.ipam().PublicScopeID).ID, "198.18.0.0/16"); c.FailureCode != ipam.CIDRNotAvailable {
		t.Errorf("I1: the space is in two pools: %+v", c)
	}

	if c := must(w.DeprovisionBYOIP(t.Context(), account, home, range18, nil))(t); c.State != ipam.FailedDeprovision {
		t.Errorf("with an address in use: got %+v", c)
	}
	if _, err := w.draw(c.PoolID); err != nil {
		t.Errorf("the CIDR is usable after a deprovision that failed: %v", err)
	}
	for _, a := range w.Allocations(w.store.Snapshot(), c.PoolID, "") {
		if err := w.giveBack(a, t0); err != nil {
			t.Fatal(err)
		}
	}
	must(w.Advertise(t.Context(), account, home, range18, nil))(t)
	_, err = w.DeprovisionBYOIP(t.Context(), account, home, range18, nil)
	refused(t, err, ipam.WrongState, "Withdraw it first")
	newAnnouncer().keep(t, w)
	w.eventually(home, "198.18.0.0/24 advertised")
	must(w.Withdraw(t.Context(), account, home, range18, nil))(t)
	w.eventually(home, "198.18.0.0/24 failed-deprovision")
	if c := must(w.DeprovisionBYOIP(t.Context(), account, home, range18, nil))(t); c.BYOIPState() != ipam.BYOIPDeprovisioned {
		t.Errorf("got %+v", c)
	}
	snap := w.store.Snapshot()
	if _, ok := w.PublicPool(snap, account, home, c.PoolID); ok || len(w.tags.Of(snap, c.PoolID)) > 0 {
		t.Error("the pool that was made with the range outlives it")
	}
	_, err = w.DeprovisionBYOIP(t.Context(), account, home, range18, nil)
	refused(t, err, ipam.InvalidValue, "198.18.0.0/24")
	w.bring(range18)
}

func TestABroughtRangeNeedsProof(t *testing.T) {
	v := new(asked)
	w := single(t, func(o *ipam.Options) { o.VerifyBYOIP = v.verify })
	_, err := w.ProvisionBYOIP(t.Context(), bringRequest(netip.MustParsePrefix("198.18.0.0/25")), nil)
	refused(t, err, ipam.InvalidValue, "/24")
	_, err = w.ProvisionBYOIP(t.Context(), bringRequest(range18), nil)
	refused(t, err, ipam.InvalidCombination, "The request must contain a CIDR Auth")
	signed := func(r *ipam.ProvisionBYOIP) { r.Authorization = &ipam.Authorization{Message: "m", Signature: "s"} }
	v.err = &ipam.UnprovenError{Reason: "There is no certificate."}
	_, err = w.ProvisionBYOIP(t.Context(), bringRequest(range18, signed), nil)
	refused(t, err, ipam.InvalidValue, "There is no certificate.")
	v.err = nil
	w.bring(range18, signed)
}

func TestAnAccountBringsFiveRangesToARegion(t *testing.T) {
	w := single(t)
	for n := range 5 {
		w.bring(netip.MustParsePrefix(fmt.Sprintf("198.18.%d.0/24", n)))
	}
	_, err := w.ProvisionBYOIP(t.Context(), bringRequest(netip.MustParsePrefix("198.18.9.0/24")), nil)
	refused(t, err, ipam.OverLimit, "limited to 5")
	w.bring(netip.MustParsePrefix("198.18.9.0/24"), func(r *ipam.ProvisionBYOIP) { r.Region = abroad })
	w.provision(w.byoipPool(w.ipam().PublicScopeID).ID, "198.18.10.0/24") // IPAM's don't count
}

// S7: the addresses that were in use before the move are in use after it, of the
// same pool, and none is given again (I1, I2).
func TestMovingARangeToIPAMLeavesItsAddresses(t *testing.T) {
	w := single(t)
	i := w.ipam()
	from := w.bring(range18).PoolID
	used := []ipam.Allocation{must(w.draw(from))(t), must(w.draw(from))(t)}
	must(w.Advertise(t.Context(), account, home, range18, nil))(t)
	newAnnouncer().keep(t, w)
	w.eventually(home, "198.18.0.0/24 advertised")
	p := w.byoipPool(i.PublicScopeID)
	for name, bad := range map[string]ipam.Pool{
		"a child":       w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID }),
		"without EC2":   w.pool(i.PublicScopeID),
		"private":       w.pool(i.PrivateScopeID),
		"IPv6":          w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Family = ipam.IPv6 }),
		"without place": w.byoipPool(i.PublicScopeID, func(r *ipam.CreatePool) { r.Locale = "" }),
	} {
		before := w.store.Snapshot().Revision()
		if _, _, err := w.MoveBYOIP(t.Context(), moveRequest(range18, bad.ID), nil); err == nil {
			t.Errorf("moved to a pool that is %s", name)
		}
		if after := w.store.Snapshot().Revision(); after != before {
			t.Errorf("I10: a refused move to a pool that is %s wrote something", name)
		}
	}
	_, _, err := w.MoveBYOIP(t.Context(), moveRequest(netip.MustParsePrefix("198.18.0.0/25"), p.ID), nil)
	refused(t, err, ipam.InvalidValue, "198.18.0.0/25")
	stranger := moveRequest(range18, p.ID)
	stranger.PoolOwner = "444455556666"
	if _, _, err := w.MoveBYOIP(t.Context(), stranger, nil); !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("to another owner's: got %v", err)
	}

	c, done, err := w.MoveBYOIP(t.Context(), moveRequest(range18, p.ID), nil)
	if err != nil || done || c.PoolID != p.ID || c.BYOIPState() != ipam.BYOIPAdvertised {
		t.Fatalf("got %+v, %v, %v", c, done, err)
	}
	if again, done, err := w.MoveBYOIP(t.Context(), moveRequest(range18, p.ID), nil); err != nil || !done || again.ID != c.ID {
		t.Errorf("again: got %+v, %v, %v", again, done, err)
	}
	if got := w.held(p.ID); !slices.Equal(got, []string{"198.18.0.0/24"}) {
		t.Errorf("the IPAM pool holds %q, want the range as a whole", got)
	}
	for _, a := range w.Allocations(w.store.Snapshot(), p.ID, "") {
		if a.Holder.Type != ipam.PublicIPv4Pool || a.Holder.ResourceID != from {
			t.Errorf("got the holder %+v, want the public pool", a.Holder)
		}
	}
	if got := w.held(from); !slices.Equal(got, []string{"198.18.0.0/32", "198.18.0.1/32"}) {
		t.Errorf("the public pool's addresses: got %q", got)
	}
	if a := must(w.draw(from))(t); a.CIDR.String() != "198.18.0.2/32" {
		t.Errorf("the next: got %s", a.CIDR)
	} else {
		used = append(used, a)
	}
	if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrPoolExhausted) {
		t.Errorf("I1: the IPAM pool gives what the public pool has: %v", err)
	}
	if got := brought(w, home); !slices.Equal(got, []string{"198.18.0.0/24 advertised"}) {
		t.Errorf("got %q", got)
	}
	_, err = w.DeprovisionBYOIP(t.Context(), account, home, range18, nil)
	refused(t, err, ipam.InvalidValue, "DeprovisionIpamPoolCidr")

	// The way out is IPAM's.
	must(w.Withdraw(t.Context(), account, home, range18, nil))(t)
	w.eventually(home, "198.18.0.0/24 provisioned")
	if c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, range18, nil))(t); c.State != ipam.FailedDeprovision {
		t.Errorf("while the public pool has it: got %+v", c)
	}
	_, err = w.DeprovisionPublicCIDR(t.Context(), account, home, from, range18, nil)
	refused(t, err, ipam.Dependency, "allocated addresses")
	for _, a := range used {
		if err := w.giveBack(a, t0); err != nil {
			t.Fatal(err)
		}
	}
	must(w.DeprovisionPublicCIDR(t.Context(), account, home, from, range18, nil))(t)
	if c := must(w.DeprovisionCIDR(t.Context(), account, home, p.ID, range18, nil))(t); c.State != ipam.Deprovisioned {
		t.Errorf("got %+v", c)
	}
	if err := w.DeletePublicPool(t.Context(), account, home, from, nil); err != nil {
		t.Error(err)
	}
	w.bring(range18) // the space is free
}

// The quarantine of a range's addresses outlasts the range's deprovisioning, and
// its pool goes after it.
func TestABroughtRangeLeavesOnceItsAddressesHaveCooled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), func(o *ipam.Options) { o.Quarantine = time.Minute })
		c := w.bring(range18)
		if err := w.giveBack(must(w.draw(c.PoolID))(t), time.Now()); err != nil {
			t.Fatal(err)
		}
		if c := must(w.DeprovisionBYOIP(t.Context(), account, home, range18, nil))(t); c.BYOIPState() != ipam.BYOIPPendingDeprovision {
			t.Fatalf("got %+v", c)
		}
		_, err := w.Advertise(t.Context(), account, home, range18, nil)
		refused(t, err, ipam.WrongState, "being deprovisioned")
		_, _, err = w.MoveBYOIP(t.Context(), moveRequest(range18, w.byoipPool(w.ipam().PublicScopeID).ID), nil)
		refused(t, err, ipam.WrongState, "being deprovisioned")
		time.Sleep(time.Minute + 3*time.Second)
		synctest.Wait()
		if _, ok := w.PublicPool(w.store.Snapshot(), account, home, c.PoolID); ok || brought(w, home) != nil {
			t.Errorf("the range or its pool remains: %q", brought(w, home))
		}
		w.bring(range18)
	})
}

// I1: of many that bring the same space at once, to IPAM and past it, one has it.
func TestOnlyOneBringsTheSameSpace(t *testing.T) {
	engines(t, func(t *testing.T, e store.Engine) {
		a, b := open(t, e), open(t, e)
		p := a.byoipPool(a.ipam().PublicScopeID)
		if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
			t.Fatal(err)
		}
		const tries = 8
		results := make(chan bool)
		for n := range tries {
			w := []*world{a, b}[n%2]
			go func() {
				_, err := w.ProvisionBYOIP(t.Context(), bringRequest(netip.PrefixFrom(range18.Addr(), 20+n%4).Masked()), nil)
				results <- err == nil
			}()
			go func() {
				c, err := w.ProvisionCIDR(t.Context(), provisionRequest(p.ID, range18.String()), nil)
				results <- err == nil && c.State == ipam.Provisioned
			}()
		}
		won := 0
		for range 2 * tries {
			if <-results {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d have it", won)
		}
	})
}
