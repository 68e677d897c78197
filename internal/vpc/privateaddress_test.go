package vpc_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

// private are an interface's addresses as text, the primary one first.
func (r *room) private(id string) (texts []string) {
	i, ok := r.Interface(r.now(), account, reg, id)
	if !ok {
		return nil
	}
	for _, p := range i.Addresses() {
		texts = append(texts, p.Addr.String())
	}
	return texts
}

func TestAnInterfacesAddresses(t *testing.T) {
	// Each in a /28 in which 10.0.0.4 and 10.0.0.9 are taken, and nine are free.
	for _, c := range []struct {
		name      string
		private   string
		secondary []string
		count     int
		want      []string
		fault     vpc.Fault
	}{
		{name: "the lowest that is free", want: []string{"10.0.0.5"}},
		{name: "the one named", private: "10.0.0.14", want: []string{"10.0.0.14"}},
		{name: "those named, and the primary beside them", secondary: []string{"10.0.0.5", "10.0.0.7"}, want: []string{"10.0.0.6", "10.0.0.5", "10.0.0.7"}},
		{name: "so many more", count: 3, want: []string{"10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"}},
		{name: "so many more beside the one named", private: "10.0.0.6", count: 2, want: []string{"10.0.0.6", "10.0.0.5", "10.0.0.7"}},
		{name: "as many as are free", count: 8, want: []string{"10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14"}},
		{name: "one more than are free", count: 9, fault: vpc.NoFreeAddress},
		{name: "one that is taken", private: "10.0.0.9", fault: vpc.AddressInUse},
		{name: "a secondary one that is taken", secondary: []string{"10.0.0.9"}, fault: vpc.AddressInUse},
		{name: "outside the subnet", private: "10.0.0.16", fault: vpc.InvalidValue},
		{name: "of another family", private: "fd00::5", fault: vpc.InvalidValue},
		{name: "the network's", private: "10.0.0.0", fault: vpc.InvalidValue},
		{name: "the last that is reserved", private: "10.0.0.3", fault: vpc.InvalidValue},
		{name: "the broadcast address", private: "10.0.0.15", fault: vpc.InvalidValue},
		{name: "more than an interface may have", count: 50, fault: vpc.LimitExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t)
			r.makeVPC(t, "vpc-1", "10.0.0.0/16")
			r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/28")
			r.own(t, "eni-taken", "subnet-1", "10.0.0.9")
			spec := vpc.InterfaceSpec{ID: "eni-1", Account: account, Region: reg, SubnetID: "subnet-1", Secondary: addrs(c.secondary...), SecondaryCount: c.count, Time: now}
			if c.private != "" {
				spec.Private = netip.MustParseAddr(c.private)
			}
			_, err := r.CreateInterface(t.Context(), spec)
			if c.fault != 0 {
				wantFault(t, err, c.fault)
			} else if err != nil {
				t.Error(err)
			}
			if got := r.private("eni-1"); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			n, _ := r.Subnet(r.now(), account, reg, "subnet-1")
			if free := 9 - len(c.want); n.FreeAddresses() != free {
				t.Errorf("%d addresses are free, want %d", n.FreeAddresses(), free)
			}
			if err := r.DeleteInterface(t.Context(), account, reg, "eni-taken"); err != nil {
				t.Error(err)
			}
			if c.want != nil {
				if err := r.DeleteInterface(t.Context(), account, reg, "eni-1"); err != nil {
					t.Error(err)
				}
			}
			if n, _ := r.Subnet(r.now(), account, reg, "subnet-1"); n.FreeAddresses() != 11 {
				t.Errorf("%d addresses are free in the end, want 11 (I2)", n.FreeAddresses())
			}
		})
	}
}

func TestAssigningAndMovingAddresses(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.network(t)
	r.own(t, "eni-1", "subnet-1", "10.0.0.20")
	r.own(t, "eni-2", "subnet-1")
	r.allocate(t, "a", "pool")
	r.tie(t, "eipassoc-1", "a", "eni-1", "10.0.0.20")
	assign := func(eni string, move bool, count int, addresses ...string) ([]netip.Addr, error) {
		return r.AssignAddresses(ctx, vpc.PrivateSpec{Account: account, Region: reg, InterfaceID: eni, Addresses: addrs(addresses...), Count: count, Move: move})
	}
	check := func(what string, one, two []string, a string) {
		t.Helper()
		if g1, g2 := r.private("eni-1"), r.private("eni-2"); !slices.Equal(g1, one) || !slices.Equal(g2, two) || r.where("a") != a {
			t.Errorf("%s: got %v, %v and a at %q; want %v, %v and a at %q", what, g1, g2, r.where("a"), one, two, a)
		}
		r.checkMapping(t)
	}
	got, err := assign("eni-2", false, 2)
	if err != nil || fmt.Sprint(got) != "[10.0.0.6 10.0.0.7]" {
		t.Errorf("two more: got %v, %v", got, err)
	}
	got, err = assign("eni-2", false, 0, "10.0.0.7", "10.0.0.30")
	if err != nil || fmt.Sprint(got) != "[10.0.0.7 10.0.0.30]" {
		t.Errorf("one that it has, and another: got %v, %v", got, err)
	}
	two := []string{"10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.30"}
	check("assigned", []string{"10.0.0.4", "10.0.0.20"}, two, "eni-1 10.0.0.20")

	_, err = assign("eni-2", false, 0, "10.0.0.31", "10.0.0.20")
	wantFault(t, err, vpc.InvalidValue)
	_, err = assign("eni-2", true, 0, "10.0.0.31", "10.0.0.4")
	wantFault(t, err, vpc.InvalidValue)
	_, err = assign("eni-2", true, 46, "10.0.0.20")
	wantFault(t, err, vpc.LimitExceeded)
	check("all or none (I10)", []string{"10.0.0.4", "10.0.0.20"}, two, "eni-1 10.0.0.20")

	if _, err := assign("eni-2", true, 0, "10.0.0.20"); err != nil {
		t.Fatal(err)
	}
	two = append(two, "10.0.0.20")
	check("moved, with its public address", []string{"10.0.0.4"}, two, "eni-2 10.0.0.20")
	if err := r.DisassociateAddress(ctx, account, reg, "eipassoc-1"); err != nil {
		t.Errorf("the association has moved too: got %v", err)
	}
	r.tie(t, "eipassoc-2", "a", "eni-2", "10.0.0.20")

	unassign := func(addresses ...string) error {
		return r.UnassignAddresses(ctx, account, reg, "eni-2", addrs(addresses...))
	}
	wantFault(t, unassign("10.0.0.6", "10.0.0.5"), vpc.InvalidValue)  // the primary one
	wantFault(t, unassign("10.0.0.6", "10.0.0.99"), vpc.InvalidValue) // nobody's
	check("all or none (I10)", []string{"10.0.0.4"}, two, "eni-2 10.0.0.20")
	if err := unassign("10.0.0.20", "10.0.0.6"); err != nil {
		t.Fatal(err)
	}
	check("unassigned", []string{"10.0.0.4"}, []string{"10.0.0.5", "10.0.0.7", "10.0.0.30"}, "")

	r.tie(t, "eipassoc-3", "a", "eni-2", "10.0.0.30")
	if err := r.DeleteInterface(ctx, account, reg, "eni-2"); err != nil {
		t.Fatal(err)
	}
	check("deleted", []string{"10.0.0.4"}, nil, "")
	if n, _ := r.Subnet(r.now(), account, reg, "subnet-1"); n.Held != 1 {
		t.Errorf("%d addresses are held, want 1 (I2)", n.Held)
	}
}

func TestModifyingAnInterface(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.network(t)
	other := r.makeVPC(t, "vpc-2", "10.0.0.0/16")
	if _, err := r.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: "sg-1", Account: account, Region: reg, VPCID: "vpc-1", Name: "web"}); err != nil {
		t.Fatal(err)
	}
	r.own(t, "eni-1", "subnet-1")
	modify := func(c vpc.InterfaceChange) error { return r.ModifyInterface(ctx, account, reg, "eni-1", c) }
	for _, c := range []vpc.InterfaceChange{{Description: new("uplink")}, {SecurityGroups: []string{"sg-1"}}, {SourceDestination: new(false)}} {
		if err := modify(c); err != nil {
			t.Error(err)
		}
	}
	wantNotFound(t, modify(vpc.InterfaceChange{SecurityGroups: []string{"sg-9"}}), vpc.KindSecurityGroup)
	wantFault(t, modify(vpc.InterfaceChange{SecurityGroups: []string{other.DefaultGroupID()}}), vpc.InvalidValue)
	wantFault(t, modify(vpc.InterfaceChange{SecurityGroups: []string{"a", "b", "c", "d", "e", "f"}}), vpc.LimitExceeded)
	i, _ := r.Interface(r.now(), account, reg, "eni-1")
	if i.Description != "uplink" || !slices.Equal(i.SecurityGroups, []string{"sg-1"}) || !i.Transit {
		t.Errorf("got %+v", i)
	}
	wantFault(t, r.DeleteSecurityGroup(ctx, account, reg, "sg-1"), vpc.Dependency)
	wantFault(t, r.DeleteSubnet(ctx, account, reg, "subnet-1"), vpc.Dependency)
	if err := r.DeleteInterface(ctx, account, reg, "eni-1"); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteSecurityGroup(ctx, account, reg, "sg-1"); err != nil {
		t.Error(err)
	}
	if err := r.DeleteSubnet(ctx, account, reg, "subnet-1"); err != nil {
		t.Error(err)
	}
}

// An interface with as many addresses as it may have, each in a page of its own
// and with a public one, goes in one transaction, and what each was is told.
func TestAFullInterfaceGoesAtOnce(t *testing.T) {
	quotas := vpc.DefaultQuotas
	quotas.Addresses = 100
	r := newRoom(t, memstore.New(), quotas)
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/16")
	if _, err := r.CreateGateway(t.Context(), vpc.GatewaySpec{ID: "igw-1", Account: account, Region: reg}); err != nil {
		t.Fatal(err)
	}
	if err := r.AttachGateway(t.Context(), account, reg, "igw-1", "vpc-1"); err != nil {
		t.Fatal(err)
	}
	most := vpc.DefaultQuotas.AddressesPerENI
	var secondary []string
	for n := range most - 1 {
		secondary = append(secondary, fmt.Sprintf("10.0.%d.10", n+1))
	}
	r.own(t, "eni-1", "subnet-1", secondary...)
	for n, private := range append(secondary, "10.0.0.4") {
		id := fmt.Sprint("eipalloc-", n)
		r.allocate(t, id, "")
		r.tie(t, "eipassoc-"+id, id, "eni-1", private)
	}
	if _, err := r.AssignAddresses(t.Context(), vpc.PrivateSpec{Account: account, Region: reg, InterfaceID: r.own(t, "eni-2", "subnet-1").ID, Addresses: addrs(secondary[1:]...), Move: true, Time: now}); err != nil {
		t.Fatal(err)
	}
	r.checkMapping(t)
	for _, id := range []string{"eni-1", "eni-2"} {
		if err := r.DeleteInterface(t.Context(), account, reg, id); err != nil {
			t.Fatal(err)
		}
	}
	if got, moved := r.ended.Len(r.now()), len(secondary)-1; got != moved+most+1 {
		t.Errorf("told of the end of %d addresses, want %d that moved and %d others", got, moved, most+1)
	}
	if n, _ := r.Subnet(r.now(), account, reg, "subnet-1"); n.Held != 0 {
		t.Errorf("%d addresses are held, want none", n.Held)
	}
}
