package vpc_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/vpc"
)

// I1: a node's IPv6 address is at the place in its subnet's block that its IPv4
// address has in the CIDR, which is nobody else's. The block stays as long as an
// interface has one of its addresses.
func TestANodesIPv6Address(t *testing.T) {
	ctx := t.Context()
	r := begin(t)
	r.makeVPC(t, "vpc-1", "10.32.0.0/16")
	if _, err := r.associate(t, "vpc-cidr-assoc-6", "vpc-1", vpc.BlockSpec{PoolID: "pool-v6", NetmaskLength: new(56)}); err != nil {
		t.Fatal(err)
	}
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.32.4.0/22")
	node := func(name string) vpc.Interface { return r.makeInterface(t, "subnet-1", name) }
	_, err := r.AssignServiceIPv6(ctx, node("node-0").ID, now)
	wantFault(t, err, vpc.InvalidValue)
	if _, err := r.associateSubnet(t, "subnet-cidr-assoc-1", "subnet-1", vpc.BlockSpec{CIDR: cidr("2001:db8:0:1::/64")}); err != nil {
		t.Fatal(err)
	}
	var last vpc.Interface
	for n := range 300 {
		last = node("node-more-" + string(rune('a'+n%26)) + string(rune('a'+n/26)))
	}
	for id, want := range map[string]string{node("node-0").ID: "2001:db8:0:1::4", last.ID: "2001:db8:0:1::130"} { // 10.32.4.4, 10.32.5.48
		for range 2 {
			if i, err := r.AssignServiceIPv6(ctx, id, now); err != nil || i.IPv6.Addr.String() != want {
				t.Errorf("%s: got %v, %v; want %s", i.Private, i.IPv6.Addr, err, want)
			}
		}
	}
	_, _, err = r.DisassociateSubnetCIDR(ctx, account, reg, "subnet-cidr-assoc-1")
	wantFault(t, err, vpc.Dependency)
	if err := r.ReleaseServiceInterface(ctx, last.ID); err != nil {
		t.Error(err)
	}
	_, _, err = r.DisassociateSubnetCIDR(ctx, account, reg, "subnet-cidr-assoc-1")
	wantFault(t, err, vpc.Dependency)
	for range 2 {
		if err := r.ReleaseServiceIPv6(ctx, node("node-0").ID); err != nil {
			t.Error(err)
		}
	}
	for _, at := range []string{last.ID + " 2001:db8:0:1::130/128", node("node-0").ID + " 2001:db8:0:1::4/128"} {
		if _, told := r.ended.Get(r.now(), at); !told {
			t.Errorf("nobody was told of the end of %s", at)
		}
	}
	if _, _, err := r.DisassociateSubnetCIDR(ctx, account, reg, "subnet-cidr-assoc-1"); err != nil {
		t.Errorf("unused: %v", err)
	}
}

func TestANodesSecurityGroups(t *testing.T) {
	ctx := t.Context()
	r := begin(t)
	v := r.makeVPC(t, "vpc-1", "10.32.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.32.0.0/24")
	i := r.makeInterface(t, "subnet-1", "node-1")
	wantNotFound(t, r.SetServiceSecurityGroups(ctx, i.ID, []string{"sg-gone"}), vpc.KindSecurityGroup)
	wantNotFound(t, r.SetServiceSecurityGroups(ctx, "eni-gone", []string{v.DefaultGroupID()}), vpc.KindInterface)
	if err := r.SetServiceSecurityGroups(ctx, i.ID, []string{v.DefaultGroupID()}); err != nil {
		t.Error(err)
	}
}
