package ipam_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

func (w *world) modifyPool(id string, change ...func(*ipam.ModifyPool)) (ipam.Pool, error) {
	req := ipam.ModifyPool{ID: id, Account: account, Region: home}
	for _, c := range change {
		c(&req)
	}
	return w.ModifyPool(w.t.Context(), req, nil)
}

func TestAPoolIsModified(t *testing.T) {
	w := single(t)
	p := w.pool(w.ipam().PrivateScopeID, func(r *ipam.CreatePool) {
		r.DefaultNetmask = new(24)
		r.AllocationTags = []ipam.AllocationTag{{Key: "team", Value: "edge"}, {Key: "env", Value: "dev"}}
	})
	got := must(w.modifyPool(p.ID, func(r *ipam.ModifyPool) {
		r.Description, r.AutoImport = new("edge"), new(true)
		r.MinNetmask, r.MaxNetmask, r.DefaultNetmask = new(16), new(28), new(20)
		r.AddTags = []ipam.AllocationTag{{Key: "env", Value: "prod"}, {Key: "site", Value: "fra"}}
		r.RemoveTags = []ipam.AllocationTag{{Key: "team", Value: "edge"}}
	}))(t)
	if got.Description != "edge" || !got.AutoImport || *got.MinNetmask != 16 || *got.MaxNetmask != 28 || *got.DefaultNetmask != 20 ||
		!slices.Equal(got.AllocationTags, []ipam.AllocationTag{{Key: "env", Value: "prod"}, {Key: "site", Value: "fra"}}) ||
		got.ToldState() != ipam.ModifyComplete {
		t.Errorf("got %+v", got)
	}
	got = must(w.modifyPool(p.ID, func(r *ipam.ModifyPool) { r.ClearDefaultNetmask = true }))(t)
	if got.DefaultNetmask != nil || *got.MinNetmask != 16 || got.Description != "edge" {
		t.Errorf("got %+v", got)
	}
}

func TestModifyPoolRefusals(t *testing.T) {
	w := single(t)
	i := w.ipam()
	p := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.MinNetmask, r.MaxNetmask, r.DefaultNetmask = new(16), new(28), new(24) })
	nowhere := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.Locale = "" })
	for _, c := range []struct {
		name, pool string
		change     func(*ipam.ModifyPool)
		reason     ipam.Reason
		text       string
	}{
		{"nothing to change", p.ID, func(*ipam.ModifyPool) {}, ipam.InvalidCombination, "The request must contain a modification to the ipam pool"},
		{"a minimum above the maximum", p.ID, func(r *ipam.ModifyPool) { r.MinNetmask = new(29) }, ipam.InvalidCombination, "greater"},
		{"a maximum below the default", p.ID, func(r *ipam.ModifyPool) { r.MaxNetmask = new(20) }, ipam.InvalidCombination, "Default"},
		{"a default outside the bounds", p.ID, func(r *ipam.ModifyPool) { r.DefaultNetmask = new(30) }, ipam.InvalidCombination, "Default"},
		{"a netmask beyond the address", p.ID, func(r *ipam.ModifyPool) { r.MaxNetmask = new(33) }, ipam.InvalidValue, "between 0 and 32"},
		{"a default set and cleared", p.ID, func(r *ipam.ModifyPool) { r.DefaultNetmask, r.ClearDefaultNetmask = new(24), true }, ipam.InvalidCombination, "both"},
		{"auto-import without a locale", nowhere.ID, func(r *ipam.ModifyPool) { r.AutoImport = new(true) }, ipam.InvalidCombination, "locale"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.store.Snapshot().Revision()
			_, err := w.modifyPool(c.pool, c.change)
			refused(t, err, c.reason, c.text)
			if w.store.Snapshot().Revision() != before {
				t.Error("I10: something was written")
			}
		})
	}
	_, err := w.ModifyPool(t.Context(), ipam.ModifyPool{ID: p.ID, Account: account, Region: abroad, AutoImport: new(true)}, nil)
	if !errors.Is(err, ipam.ErrPoolNotFound) {
		t.Errorf("from another region than home: %v", err)
	}
}

// New rules bind what is drawn from then on, and take nothing away.
func TestRulesBindWhatIsDrawnFromThenOn(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/16")
	vpc := func(bits int, tg ...tags.Tag) error {
		h := ipam.Holder{Type: ipam.VPC, ResourceID: ids.EC2("vpc"), Account: account, Region: home}
		_, err := w.Draw(t.Context(), ipam.Want{PoolID: p.ID, NetmaskLength: &bits, Holder: h, Tags: tg, Time: t0}, func(*store.Tx, ipam.Allocation) error { return nil })
		return err
	}
	if err := vpc(20); err != nil {
		t.Fatal(err)
	}
	must(w.modifyPool(p.ID, func(r *ipam.ModifyPool) {
		r.MinNetmask, r.MaxNetmask = new(24), new(28)
		r.AddTags = []ipam.AllocationTag{{Key: "env", Value: "prod"}}
	}))(t)
	prod := tags.Tag{Key: "env", Value: "prod"}
	for bits, want := range map[int]bool{23: false, 24: true, 28: true, 29: false} {
		if err := vpc(bits, prod); (err == nil) != want || err != nil && !errors.Is(err, ipam.ErrNotAllowed) {
			t.Errorf("/%d: %v", bits, err)
		}
	}
	refused(t, vpc(24), ipam.InvalidValue, "The resource is missing one or more of the resource tags required by the IPAM pool.")
	refused(t, vpc(24, tags.Tag{Key: "env", Value: "dev"}), ipam.InvalidValue, "resource tags")
	if got := w.held(p.ID); !slices.Contains(got, "10.0.0.0/20") {
		t.Errorf("what was held is gone: %v", got)
	}
	w.allocate(p, length(30)) // rules are for resources, not for bookkeeping
}

// DescribeIpamPoolAllocations: over all pools that answer in the region, page by page.
func TestAnAccountsOwnAllocations(t *testing.T) {
	w := single(t)
	const other = "444455556666"
	i := w.ipam()
	theirs := w.ipam(func(r *ipam.CreateIPAM) { r.Account = other })
	var want []string
	for n := range 12 {
		switch p := w.pool(i.PrivateScopeID); {
		case n%3 == 0: // empty
		default:
			w.provision(p.ID, fmt.Sprintf("10.%d.0.0/16", n))
			for range n {
				want = append(want, w.allocate(p, length(24)).ID)
			}
		}
		stranger := w.pool(theirs.PrivateScopeID, func(r *ipam.CreatePool) { r.Account = other })
		req := provisionRequest(stranger.ID, fmt.Sprintf("10.%d.0.0/16", n))
		req.Account = other
		must(w.ProvisionCIDR(t.Context(), req, nil))(t)
		must(w.Allocate(t.Context(), allocateRequest(stranger, length(24), func(r *ipam.Allocate) { r.Account = other }), nil))(t)
	}
	far := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.Locale = abroad })
	w.provision(far.ID, "172.16.0.0/16")
	a := w.allocate(far, length(24))

	snap := w.store.Snapshot()
	var got []string
	from := ""
	for { // three to a page
		n, more := 0, ""
		for key, a := range w.OwnAllocations(snap, account, home, from) {
			if n++; n > 3 {
				more = key
				break
			}
			got = append(got, a.ID)
		}
		if from = more; from == "" {
			break
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d: %s\nwant %d: %s", len(got), strings.Join(got, " "), len(want), strings.Join(want, " "))
	}
	for _, c := range []struct {
		account, region, id string
		want                bool
	}{{account, home, want[0], true}, {account, abroad, want[0], false}, {other, home, want[0], false}, {account, abroad, a.ID, true}, {account, home, a.ID, false}} {
		if _, ok := w.OwnAllocation(snap, c.account, c.region, c.id); ok != c.want {
			t.Errorf("%+v: got %v", c, ok)
		}
	}
	for _, a := range w.OwnAllocations(snap, account, abroad, "") {
		if a.PoolID != far.ID {
			t.Errorf("abroad: %+v", a)
		}
	}
}

func TestAnAllocationsDescriptionIsModified(t *testing.T) {
	w := single(t)
	p := w.private("10.0.0.0/24")
	a := w.allocate(p, length(28), func(r *ipam.Allocate) { r.Description = "rack 1" })
	for _, want := range []string{"rack 2", ""} {
		got := must(w.ModifyAllocation(t.Context(), account, home, a.ID, want, nil))(t)
		stored, _ := w.Allocation(w.store.Snapshot(), a.ID)
		if got.Description != want || stored.Description != want || stored.CIDR != a.CIDR {
			t.Errorf("got %+v, want the description %q", stored, want)
		}
	}
	if b := w.allocate(p, length(28)); b.CIDR.String() != "10.0.0.16/28" {
		t.Errorf("I1: the next is %s", b.CIDR)
	}
	w.release(a)
	_, err := w.ModifyAllocation(t.Context(), account, home, a.ID, "too late", nil)
	var absent *ipam.NotFoundError
	if !errors.As(err, &absent) || absent.Noun != ipam.NounAllocation {
		t.Errorf("released: %v", err)
	}
}
