package vpc_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/vpc"
)

// Of two changes to addresses and interfaces that exclude each other one is
// refused, whichever comes between the other's decision and commit, on another
// server; see TestChangesThatExcludeEachOther.
func TestChangesOfAddressesThatExcludeEachOther(t *testing.T) {
	ctx := t.Context()
	type change func(r *room) error
	allocate := func(id string) change {
		return func(r *room) error {
			_, err := r.AllocateAddress(ctx, vpc.ElasticIPSpec{ID: id, Account: account, Region: reg, Time: now})
			return err
		}
	}
	associate := func(address, eni string) change {
		return func(r *room) error {
			_, err := r.AssociateAddress(ctx, vpc.AssociationSpec{ID: "new-" + address + eni, Account: account, Region: reg, AddressID: address, InterfaceID: eni, KeepOthers: true})
			return err
		}
	}
	create := func(id, private string) change {
		return func(r *room) error {
			_, err := r.CreateInterface(ctx, vpc.InterfaceSpec{ID: id, Account: account, Region: reg, SubnetID: "subnet-1", Private: addrs(private)[0], SecurityGroups: []string{"sg-1"}, Time: now})
			return err
		}
	}
	assign := func(eni, private string) change {
		return func(r *room) error {
			_, err := r.AssignAddresses(ctx, vpc.PrivateSpec{Account: account, Region: reg, InterfaceID: eni, Addresses: addrs(private)})
			return err
		}
	}
	join := func(r *room) error {
		return r.ModifyInterface(ctx, account, reg, "eni-1", vpc.InterfaceChange{SecurityGroups: []string{"sg-1"}})
	}
	release := func(r *room) error { return r.ReleaseAddress(ctx, account, reg, "a") }
	detach := func(r *room) error { return r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1") }
	deleteInterface := func(r *room) error { return r.DeleteInterface(ctx, account, reg, "eni-1") }
	deleteGroup := func(r *room) error { return r.DeleteSecurityGroup(ctx, account, reg, "sg-1") }
	deleteEmpty := func(r *room) error { return r.DeleteSubnet(ctx, account, reg, "subnet-2") }
	createInEmpty := func(r *room) error {
		_, err := r.CreateInterface(ctx, vpc.InterfaceSpec{ID: "eni-9", Account: account, Region: reg, SubnetID: "subnet-2", Time: now})
		return err
	}

	for _, c := range []struct {
		name string
		pair [2]change
		both bool // the second way round, both may be: what was associated ends with the interface
	}{
		{"the last two addresses of a quota", [2]change{allocate("c"), allocate("d")}, false},
		{"one address with two interfaces", [2]change{associate("a", "eni-1"), associate("a", "eni-2")}, false},
		{"two addresses with one interface", [2]change{associate("a", "eni-1"), associate("b", "eni-1")}, false},
		{"an association, and the address's release", [2]change{associate("a", "eni-1"), release}, false},
		{"an association, and the gateway's detachment", [2]change{associate("a", "eni-1"), detach}, false},
		{"an association, and the interface's end", [2]change{associate("a", "eni-1"), deleteInterface}, true},
		{"two releases", [2]change{release, release}, false},
		{"two interfaces with one address", [2]change{create("eni-8", "10.0.0.77"), create("eni-9", "10.0.0.77")}, false},
		{"an address for two interfaces", [2]change{assign("eni-1", "10.0.0.77"), assign("eni-2", "10.0.0.77")}, false},
		{"an interface, and its group's end", [2]change{create("eni-9", "10.0.0.77"), deleteGroup}, false},
		{"an interface that joins a group, and the group's end", [2]change{join, deleteGroup}, false},
		{"an interface, and its subnet's end", [2]change{createInEmpty, deleteEmpty}, false},
		{"an address, and its interface's end", [2]change{assign("eni-1", "10.0.0.77"), deleteInterface}, true},
	} {
		for order, name := range []string{"", ", the other way round"} {
			t.Run(c.name+name, func(t *testing.T) {
				quotas := vpc.DefaultQuotas
				quotas.Addresses = 3
				a, b, interrupt := servers(t, quotas)
				a.network(t)
				a.makeSubnet(t, "subnet-2", "vpc-1", "10.0.1.0/24")
				if _, err := a.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: "sg-1", Account: account, Region: reg, VPCID: "vpc-1", Name: "web"}); err != nil {
					t.Fatal(err)
				}
				a.own(t, "eni-1", "subnet-1")
				a.own(t, "eni-2", "subnet-1")
				a.allocate(t, "a", "")
				a.allocate(t, "b", "")
				caughtUp(t, a, b)
				var between error
				interrupt(func() { between = c.pair[1-order](b) })
				first := c.pair[order](a)
				if between != nil {
					t.Errorf("the change that came between: got %v", between)
				}
				if wanted := c.both && order == 1; (first == nil) != wanted {
					t.Errorf("the change that was interrupted: got %v, want it done: %v", first, wanted)
				}
				caughtUp(t, b, a)
				a.checkMapping(t)
				held := 0
				for _, i := range a.AllInterfaces(a.now()) {
					if i.SubnetID == "subnet-1" {
						held += len(i.Addresses())
					}
				}
				if n, _ := a.Subnet(a.now(), account, reg, "subnet-1"); n.Held != held {
					t.Errorf("the subnet has given %d addresses, interfaces have %d (I2)", n.Held, held)
				}
			})
		}
	}
}
