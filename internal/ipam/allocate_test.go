package ipam_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

// S1, I3: the seed's own example.
func TestAddressesAreDrawnLowestFirst(t *testing.T) {
	w := single(t)
	i := w.ipam()
	top := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.AWSService = ipam.ServiceEC2 })
	w.provision(top.ID, "192.0.2.0/24")
	p := w.pool(i.PublicScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })
	w.provision(p.ID, "192.0.2.144/29")

	for n := range 8 {
		a := must(w.draw(p.ID))(t)
		want := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(144 + n)}), 32)
		if a.CIDR != want {
			t.Fatalf("draw %d: got %s, want %s", n, a.CIDR, want)
		}
	}
	if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrPoolExhausted) {
		t.Errorf("ninth draw of eight: got %v, want ErrPoolExhausted", err)
	}
}

func TestAllocate(t *testing.T) {
	two := func(r *ipam.Allocate) {
		r.CIDR = netip.MustParsePrefix("10.0.1.0/24")
		length(24)(r)
	}
	allowed := func(cidrs ...string) func(*ipam.Allocate) {
		return func(r *ipam.Allocate) {
			for _, c := range cidrs {
				r.Allowed = append(r.Allowed, netip.MustParsePrefix(c))
			}
		}
	}
	disallowed := func(cidrs ...string) func(*ipam.Allocate) {
		return func(r *ipam.Allocate) {
			for _, c := range cidrs {
				r.Disallowed = append(r.Disallowed, netip.MustParsePrefix(c))
			}
		}
	}
	elsewhere := func(r *ipam.Allocate) { r.Region = abroad }
	stranger := func(r *ipam.Allocate) { r.Account = "444455556666" }
	type changes = []func(*ipam.Allocate)

	// Each on a pool of 10.0.0.0/16 and 10.8.0.0/16 in which 10.0.0.0/24 is taken.
	for _, c := range []struct {
		name string
		req  changes
		want string
		err  string // a part of it
	}{
		{"the lowest free block of a length", changes{length(24)}, "10.0.1.0/24", ""},
		{"a smaller block in the first gap", changes{length(28)}, "10.0.1.0/28", ""},
		{"a block that only the second CIDR has", changes{length(16)}, "10.8.0.0/16", ""},
		{"a block of exactly the CIDR named", changes{exactly("10.0.7.0/25")}, "10.0.7.0/25", ""},
		{"inside what is allowed", changes{length(24), allowed("10.8.4.0/22")}, "10.8.4.0/24", ""},
		{"around what is disallowed", changes{length(24), disallowed("10.0.0.0/20")}, "10.0.16.0/24", ""},
		{"allowed and disallowed at once", changes{length(24), allowed("10.8.0.0/16"), disallowed("10.8.0.0/25")}, "10.8.1.0/24", ""},
		{"no length and no default", nil, "", "cannot contain empty CIDR and Netmask Length"},
		{"a length and a CIDR", changes{two}, "", "only contain one of"},
		{"limits with a CIDR", changes{exactly("10.0.7.0/25"), allowed("10.0.0.0/16")}, "", "together with NetmaskLength"},
		{"a block larger than any CIDR", changes{length(15)}, "", "too big for the pool"},
		{"a length beyond the address", changes{length(33)}, "", "between 0 and 32"},
		{"a negative length", changes{length(-1)}, "", "between 0 and 32"},
		{"a CIDR that is taken", changes{exactly("10.0.0.0/24")}, "", "not available"},
		{"a CIDR over a taken one", changes{exactly("10.0.0.0/23")}, "", "not available"},
		{"a CIDR within a taken one", changes{exactly("10.0.0.128/25")}, "", "not available"},
		{"a CIDR outside the pool", changes{exactly("10.1.0.0/24")}, "", "not available"},
		{"a CIDR with host bits", changes{exactly("10.0.1.1/24")}, "", "bits set"},
		{"a CIDR of the other family", changes{exactly("2001:db8::/64")}, "", "address family"},
		{"a region that isn't the locale", changes{length(24), elsewhere}, "", "does not exist"},
		{"another account (I8)", changes{length(24), stranger}, "", "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := single(t)
			p := w.private("10.0.0.0/16", "10.8.0.0/16")
			w.allocate(p, exactly("10.0.0.0/24"))
			a, err := w.Allocate(t.Context(), allocateRequest(p, c.req...), nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, %v; want an error with %q", a.CIDR, err, c.err)
				}
				if got := w.held(p.ID); !slices.Equal(got, []string{"10.0.0.0/24"}) {
					t.Errorf("I10: held after a refusal: %v", got)
				}
				return
			}
			if err != nil || a.CIDR.String() != c.want {
				t.Errorf("got %v, %v; want %s", a.CIDR, err, c.want)
			}
		})
	}
}

func TestAPoolsDefaultLengthIsTakenWhenTheCallNamesNone(t *testing.T) {
	w := single(t)
	bits := 26
	p := w.pool(w.ipam().PrivateScopeID, func(r *ipam.CreatePool) { r.DefaultNetmask = &bits })
	w.provision(p.ID, "10.0.0.0/24")
	if a := w.allocate(p); a.CIDR.String() != "10.0.0.0/26" {
		t.Errorf("got %s", a.CIDR)
	}
}

func TestAPreviewTakesNothing(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	for range 2 {
		a := w.allocate(p, length(28), func(r *ipam.Allocate) { r.Preview = true })
		if a.CIDR.String() != "10.0.0.0/28" || a.ID != "" {
			t.Errorf("got %s with id %q, want 10.0.0.0/28 without", a.CIDR, a.ID)
		}
	}
	if held := w.held(p.ID); len(held) != 0 {
		t.Errorf("held: %v", held)
	}
}

func TestADryRunTakesNothing(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	dry := errors.New("would have succeeded")
	if _, err := w.Allocate(t.Context(), allocateRequest(p, length(28)), func() error { return dry }); !errors.Is(err, dry) {
		t.Errorf("got %v", err)
	}
	if held := w.held(p.ID); len(held) != 0 {
		t.Errorf("held: %v", held)
	}
}

func TestARepeatedCallIsAnsweredWithTheSameAllocation(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	token := func(r *ipam.Allocate) {
		r.Token = idempotency.Token{Account: account, Region: home, Action: "AllocateIpamPoolCidr", Client: "once", Fingerprint: "a", Time: t0}
	}
	first := w.allocate(p, length(28), token)
	if again := w.allocate(p, length(28), token); again.ID != first.ID {
		t.Errorf("got %s, want %s again", again.ID, first.ID)
	}
	other := allocateRequest(p, length(27), token)
	other.Token.Fingerprint = "b"
	if _, err := w.Allocate(t.Context(), other, nil); !errors.Is(err, idempotency.ErrMismatch) {
		t.Errorf("other parameters: got %v, want ErrMismatch", err)
	}
	// I8: once released, the block may be somebody else's.
	w.release(first)
	theirs := w.allocate(p, length(28))
	if again := w.allocate(p, length(28), token); again.ID == theirs.ID {
		t.Error("the token found another's allocation of the same block")
	}
}

func TestTagsLiveAsLongAsTheAllocation(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	a := w.allocate(p, length(28), func(r *ipam.Allocate) { r.Tags = []tags.Tag{{Key: "team", Value: "edge"}} })
	if got := w.tags.Of(w.store.Snapshot(), a.ID); len(got) != 1 || got[0].Value != "edge" {
		t.Errorf("tags: %v", got)
	}
	w.release(a)
	if got := w.tags.Of(w.store.Snapshot(), a.ID); got != nil {
		t.Errorf("after release: %v", got)
	}
}

func TestReleaseNamesPoolCIDRAndID(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	a := w.allocate(p, length(28))
	b := w.allocate(p, length(28))
	child := w.pool(p.ScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = p.ID })
	w.provision(child.ID, "10.0.0.128/25")
	var given ipam.Allocation
	for _, h := range w.HeldBy(w.store.Snapshot(), child.ID) {
		given = h
	}
	for _, c := range []struct {
		name, pool, id string
		cidr           netip.Prefix
		err            string
	}{
		{"another's id", p.ID, b.ID, a.CIDR, "No allocation found"},
		{"another length", p.ID, a.ID, netip.MustParsePrefix("10.0.0.0/27"), "No allocation found"},
		{"no CIDR", p.ID, a.ID, netip.Prefix{}, "No allocation found"},
		{"an unknown pool", "ipam-pool-0", a.ID, a.CIDR, "does not exist"},
		{"what a child pool holds", p.ID, given.ID, given.CIDR, "Only allocations of type 'custom'"},
	} {
		err := w.Release(t.Context(), account, home, c.pool, c.cidr, c.id, t0, nil)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.err)
		}
	}
	w.release(a)
	if err := w.Release(t.Context(), account, home, p.ID, a.CIDR, a.ID, t0, nil); err == nil {
		t.Error("released twice")
	}
	if next := w.allocate(p, length(28)); next.CIDR != a.CIDR {
		t.Errorf("I3: the released block %s is the lowest, got %s", a.CIDR, next.CIDR)
	}
}

// I1: a late collector can't free what belongs to somebody new.
func TestAStaleReturnIsRefused(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/30")
	first := must(w.draw(p.ID))(t)
	for range 2 { // releasing what is released is success
		if err := w.giveBack(first, t0); err != nil {
			t.Fatal(err)
		}
	}
	second := must(w.draw(p.ID))(t)
	if second.CIDR != first.CIDR || second.Seq <= first.Seq {
		t.Fatalf("got %s with number %d after %s with %d", second.CIDR, second.Seq, first.CIDR, first.Seq)
	}
	if err := w.giveBack(first, t0); !errors.Is(err, ipam.ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
	if _, held := w.Allocation(w.store.Snapshot(), second.ID); !held {
		t.Error("the second holder has lost its address")
	}
}

// I3: reuse only after the quarantine.
func TestAReleasedBlockCoolsBeforeItIsReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, memstore.New(), func(o *ipam.Options) { o.Quarantine = time.Minute })
		p := w.private("10.0.0.0/30")
		a := must(w.draw(p.ID))(t)
		if err := w.giveBack(a, time.Now()); err != nil {
			t.Fatal(err)
		}
		if held := w.held(p.ID); len(held) != 0 {
			t.Errorf("a cooling block is listed: %v", held)
		}
		if b := must(w.draw(p.ID))(t); b.CIDR.String() != "10.0.0.1/32" {
			t.Errorf("during the quarantine: got %s, want 10.0.0.1/32", b.CIDR)
		}
		if _, err := w.Allocate(t.Context(), allocateRequest(p, exactly("10.0.0.0/32")), nil); err == nil {
			t.Error("a cooling block was given to who named it")
		}
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if b := must(w.draw(p.ID))(t); b.CIDR.String() != "10.0.0.2/32" {
			t.Errorf("just before its end: got %s, want 10.0.0.2/32", b.CIDR)
		}
		time.Sleep(2 * time.Second) // its end, and the sweep's next round
		synctest.Wait()
		if b := must(w.draw(p.ID))(t); b.CIDR != a.CIDR {
			t.Errorf("after its end: got %s, want %s", b.CIDR, a.CIDR)
		}
	})
}

func TestWhatADrawRecordsIsThereWithItOrNot(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/30")
	h := ipam.Holder{Type: ipam.EIP, ResourceID: "eipalloc-1", Account: account, Region: home}
	no := errors.New("no")
	if _, err := w.Draw(t.Context(), ipam.Want{PoolID: p.ID, NetmaskLength: new(32), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if held := w.held(p.ID); len(held) != 0 {
		t.Errorf("I2: held for nobody: %v", held)
	}
	a := must(w.Draw(t.Context(), ipam.Want{PoolID: p.ID, NetmaskLength: new(32), Holder: h, Time: t0}, func(tx *store.Tx, a ipam.Allocation) error {
		return w.tags.Put(tx, tags.Set{Resource: h.ResourceID, Tags: []tags.Tag{{Key: "address", Value: a.CIDR.Addr().String()}}})
	}))(t)
	if got := w.tags.Of(w.store.Snapshot(), h.ResourceID); len(got) != 1 || got[0].Value != "10.0.0.0" {
		t.Errorf("recorded: %v", got)
	}
	for _, held := range w.HeldBy(w.store.Snapshot(), h.ResourceID) {
		if held.ID != a.ID {
			t.Errorf("%s holds %s, want %s", h.ResourceID, held.ID, a.ID)
		}
	}
}

func TestAPoolThatRefusesSingleAddressesSaysSoToADraw(t *testing.T) {
	w := single(t)
	bits := 28
	p := w.pool(w.ipam().PrivateScopeID, func(r *ipam.CreatePool) { r.MaxNetmask = &bits })
	w.provision(p.ID, "10.0.0.0/24")
	if _, err := w.draw(p.ID); !errors.Is(err, ipam.ErrNotAllowed) {
		t.Errorf("I6: got %v, want ErrNotAllowed", err)
	}
}

func TestNobodyDrawsFromAPoolThatTheyDontSee(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/30")
	for _, h := range []ipam.Holder{
		{Type: ipam.EIP, ResourceID: "eipalloc-1", Account: "444455556666", Region: home},
		{Type: ipam.EIP, ResourceID: "eipalloc-1", Account: account, Region: abroad},
	} {
		_, err := w.Draw(t.Context(), ipam.Want{PoolID: p.ID, NetmaskLength: new(32), Holder: h, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil })
		if !errors.Is(err, ipam.ErrPoolNotFound) {
			t.Errorf("I8: %+v: got %v, want ErrPoolNotFound", h, err)
		}
	}
}
