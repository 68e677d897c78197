package instance_test

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/tags"
)

const (
	account = "111122223333"
	region  = "local-1"
)

// network is one VPC with one subnet.
type network struct{}

func (network) Subnet(_ store.Reader, acct, _, id string) (vpcID, zone string, ok bool) {
	return "vpc-1", "local-1a", acct == account && id == "subnet-1"
}
func (network) VPC(_ store.Reader, acct, _, id string) bool { return acct == account && id == "vpc-1" }
func (network) Zones(string) []string                       { return []string{"local-1a", "local-1b"} }

func room(t *testing.T) (*instance.Service, *store.Store, *tags.Service) {
	t.Helper()
	engine := memstore.New()
	st := store.New(engine, "/test", nil)
	tg := tags.New(st)
	svc := instance.New(st, tg, network{})
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		st.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return svc, st, tg
}

func machine(id, address string) instance.Spec {
	return instance.Spec{Instance: instance.Instance{ID: id, Account: account, Region: region, Private: netip.MustParseAddr(address)}}
}

func with(s instance.Spec, change func(*instance.Instance)) instance.Spec {
	change(&s.Instance)
	return s
}

func TestAnInstanceIsFiledUnderItsSubnet(t *testing.T) {
	svc, st, tg := room(t)
	spec := with(machine("i-00000001", "10.0.0.9"), func(i *instance.Instance) { i.SubnetID = "subnet-1" })
	spec.Tags = []tags.Tag{{Key: "Name", Value: "till"}}
	for range 2 { // the second time changes nothing
		got, err := svc.Add(t.Context(), spec)
		if err != nil || got.VPCID != "vpc-1" || got.Zone != "local-1a" {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	for id, i := range svc.Instances(st.Snapshot(), account, region, "") {
		if id != "i-00000001" || i.Private != netip.MustParseAddr("10.0.0.9") {
			t.Errorf("got %s %+v", id, i)
		}
	}
	if got := tg.Of(st.Snapshot(), "i-00000001"); len(got) != 1 || got[0].Value != "till" {
		t.Errorf("tags: got %v", got)
	}
	if err := svc.Remove(t.Context(), account, region, "i-00000001"); err != nil {
		t.Fatal(err)
	}
	if _, there := svc.Instance(st.Snapshot(), account, region, "i-00000001"); there || len(tg.Of(st.Snapshot(), "i-00000001")) > 0 {
		t.Error("instance or tags are still there")
	}
	if _, err := svc.Add(t.Context(), machine("i-00000002", "10.0.0.9")); err != nil {
		t.Errorf("its address isn't free again: %v", err)
	}
}

func TestWhatCannotBeAnInstanceIsRefused(t *testing.T) {
	svc, st, _ := room(t)
	if _, err := svc.Add(t.Context(), machine("i-00000001", "10.0.0.9")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spec instance.Spec
		want instance.Kind
		text string
	}{
		"an id of another kind":   {machine("vpc-00000001", "10.0.0.1"), instance.Invalid, "must be 'i-'"},
		"no address":              {machine("i-00000002", "0.0.0.0"), instance.Invalid, "private IPv4 address"},
		"an IPv6 private address": {machine("i-00000002", "fd00::1"), instance.Invalid, "private IPv4 address"},
		"an IPv4 as IPv6 address": {with(machine("i-00000002", "10.0.0.1"), func(i *instance.Instance) { i.IPv6 = i.Private }), instance.Invalid, "IPv6 address"},
		"an unknown subnet":       {with(machine("i-00000002", "10.0.0.1"), func(i *instance.Instance) { i.SubnetID = "subnet-2" }), instance.NotFound, "subnet-2"},
		"another account's VPC":   {with(machine("i-00000002", "10.0.0.1"), func(i *instance.Instance) { i.Account, i.VPCID = "999999999999", "vpc-1" }), instance.NotFound, "vpc-1"},
		"an unknown zone":         {with(machine("i-00000002", "10.0.0.1"), func(i *instance.Instance) { i.Zone = "local-1z" }), instance.Invalid, "use one of local-1a, local-1b"},
		"a zone beside its subnet": {with(machine("i-00000002", "10.0.0.1"), func(i *instance.Instance) { i.SubnetID, i.Zone = "subnet-1", "local-1b" }),
			instance.Invalid, "is in Availability Zone 'local-1a'"},
		"an id with other settings": {machine("i-00000001", "10.0.0.1"), instance.Taken, "with other settings"},
		"an address that is taken":  {machine("i-00000002", "10.0.0.9"), instance.Taken, "10.0.0.9 is that of instance i-00000001"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := svc.Add(t.Context(), c.spec)
			if refused, ok := errors.AsType[*instance.Error](err); !ok || refused.Kind != c.want || !strings.Contains(refused.Message, c.text) {
				t.Errorf("got %v, want %s: …%s…", err, c.want, c.text)
			}
			if _, there := svc.Instance(st.Snapshot(), account, region, "i-00000002"); there {
				t.Error("it is there all the same")
			}
		})
	}
}

func TestAnAddressHasOneInstanceThoughManyAskAtOnce(t *testing.T) {
	svc, st, _ := room(t)
	var all sync.WaitGroup
	for _, id := range []string{"i-00000001", "i-00000002", "i-00000003", "i-00000004"} {
		all.Go(func() { _, _ = svc.Add(t.Context(), machine(id, "10.0.0.9")) })
	}
	all.Wait()
	if got := maps.Collect(svc.Instances(st.Snapshot(), account, region, "")); len(got) != 1 {
		t.Errorf("got %v, want one", got)
	}
}

func TestTheFileDecidesAboutItsInstances(t *testing.T) {
	svc, st, _ := room(t)
	if _, err := svc.Add(t.Context(), machine("i-0000000a", "10.0.0.10")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name  string
		specs []instance.Spec
		want  string // id address, by id
		err   string
	}{
		{"puts them in", []instance.Spec{machine("i-00000001", "10.0.0.1"), machine("i-00000002", "10.0.0.2")}, "i-00000001 10.0.0.1 i-00000002 10.0.0.2 i-0000000a 10.0.0.10", ""},
		{"lets them swap addresses", []instance.Spec{machine("i-00000001", "10.0.0.2"), machine("i-00000002", "10.0.0.1")}, "i-00000001 10.0.0.2 i-00000002 10.0.0.1 i-0000000a 10.0.0.10", ""},
		{"goes on after a mistake", []instance.Spec{machine("i-00000001", "10.0.0.10"), machine("i-00000002", "10.0.0.1")}, "i-00000002 10.0.0.1 i-0000000a 10.0.0.10", "configured instance i-00000001: Taken: The address 10.0.0.10"},
		{"takes over one that was added", []instance.Spec{machine("i-0000000a", "10.0.0.10")}, "i-0000000a 10.0.0.10", ""},
		{"takes them out", nil, "", ""},
	} {
		err := svc.Configure(t.Context(), step.specs, time.Unix(1800000000, 5))
		if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.Contains(err.Error(), step.err)) {
			t.Errorf("%s: got %v, want %q", step.name, err, step.err)
		}
		var got []string
		for id, i := range svc.Instances(st.Snapshot(), account, region, "") {
			got = append(got, id+" "+i.Private.String())
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("%s: got %v, want %s", step.name, got, step.want)
		}
		if step.specs != nil && step.err == "" {
			id := step.specs[0].ID
			refused, ok := errors.AsType[*instance.Error](svc.Remove(t.Context(), account, region, id))
			if !ok || refused.Kind != instance.Configured {
				t.Errorf("%s: removing %s: got %v, want a refusal", step.name, id, refused)
			}
		}
	}
	if got := slices.Collect(maps.Keys(maps.Collect(svc.Instances(st.Snapshot(), account, region, "")))); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}
