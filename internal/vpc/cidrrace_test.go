package vpc_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/vpc"
)

// I1, I10: of two changes to CIDRs, routes and rules that exclude each other one
// is refused, on whichever of two servers it is made.
func TestChangesOfCIDRsThatExcludeEachOther(t *testing.T) {
	ctx := t.Context()
	type change func(r *room) error
	subnet := func(id, v4, v6 string) change {
		return func(r *room) error {
			spec := vpc.SubnetSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", CIDR: cidr(v4), IPv6AssociationID: "subnet-cidr-assoc-" + id}
			if v6 != "" {
				spec.IPv6.CIDR = cidr(v6)
			}
			_, err := r.CreateSubnet(ctx, spec)
			return err
		}
	}
	drawn := func(id, pool string) change {
		return func(r *room) error {
			_, err := r.CreateSubnet(ctx, vpc.SubnetSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", PoolID: pool, NetmaskLength: new(24), Time: now})
			return err
		}
	}
	subnetIPv6 := func(subnetID, v6 string) change {
		return func(r *room) error {
			_, err := r.associateSubnet(t, "subnet-cidr-assoc-"+subnetID, subnetID, vpc.BlockSpec{CIDR: cidr(v6)})
			return err
		}
	}
	associate := func(id, v4 string) change {
		return func(r *room) error {
			_, err := r.associate(t, id, "vpc-1", vpc.BlockSpec{CIDR: cidr(v4)})
			return err
		}
	}
	disassociate := func(r *room) error {
		_, _, err := r.DisassociateVPCCIDR(ctx, account, reg, "vpc-cidr-assoc-6")
		return err
	}
	route := func(r *room) error {
		return r.CreateRoute(ctx, account, reg, r.mainTable("vpc-1").ID, vpc.Route{Destination: cidr("10.60.1.0/24"), GatewayID: "igw-1"})
	}
	main := func(tableID string) change {
		return func(r *room) error {
			_, err := r.ReplaceRouteTableAssociation(ctx, account, reg, r.mainTable("vpc-1").MainAssociationID(), tableID, "rtbassoc-"+tableID)
			return err
		}
	}
	deleteTable := func(r *room) error { return r.DeleteRouteTable(ctx, account, reg, "rtb-1") }
	retarget := func(r *room) error {
		_, err := r.ReplaceRouteTableAssociation(ctx, account, reg, "rtbassoc-2", "rtb-1", "rtbassoc-3")
		return err
	}
	rename := func(r *room) error {
		return r.ModifyRules(ctx, account, reg, "sg-2", []vpc.Rule{{ID: r.firstRule("sg-2"), Protocol: vpc.AllProtocols, FromPort: -1, ToPort: -1, GroupID: "sg-1"}})
	}
	deleteGroup := func(r *room) error { return r.DeleteSecurityGroup(ctx, account, reg, "sg-1") }

	for _, c := range []struct {
		name string
		pair [2]change
	}{
		{"two subnets with one IPv6 CIDR", [2]change{subnet("subnet-a", "10.32.10.0/24", "2001:db8::/64"), subnet("subnet-b", "10.32.11.0/24", "2001:db8::/60")}},
		{"a subnet that is drawn, and one that is named", [2]change{drawn("subnet-a", "pool-v4"), subnet("subnet-b", "10.32.0.0/24", "")}},
		{"two IPv6 CIDRs for one subnet", [2]change{subnetIPv6("subnet-1", "2001:db8::/64"), subnetIPv6("subnet-1", "2001:db8:0:1::/64")}},
		{"one IPv6 CIDR for two subnets", [2]change{subnetIPv6("subnet-1", "2001:db8::/64"), subnetIPv6("subnet-2", "2001:db8::/64")}},
		{"two CIDRs that overlap", [2]change{associate("vpc-cidr-assoc-a", "10.60.0.0/16"), associate("vpc-cidr-assoc-b", "10.60.0.0/20")}},
		{"a CIDR, and a route to a part of it", [2]change{associate("vpc-cidr-assoc-a", "10.60.0.0/16"), route}},
		{"a subnet in a CIDR, and the CIDR's end", [2]change{subnet("subnet-a", "10.32.10.0/24", "2001:db8::/64"), disassociate}},
		{"another main table, and its end", [2]change{main("rtb-1"), deleteTable}},
		{"two main tables", [2]change{main("rtb-1"), main("rtb-2")}},
		{"an association that changes to a table, and the table's end", [2]change{retarget, deleteTable}},
		{"a rule that comes to name a group, and that group's end", [2]change{rename, deleteGroup}},
	} {
		for order, name := range []string{"", ", the other way round"} {
			t.Run(c.name+name, func(t *testing.T) {
				a, b, interrupt := servers(t, vpc.Quotas{})
				a.makeVPC(t, "vpc-1", "10.32.0.0/16")
				a.makeSubnet(t, "subnet-1", "vpc-1", "10.32.100.0/24")
				a.makeSubnet(t, "subnet-2", "vpc-1", "10.32.101.0/24")
				if _, err := a.associate(t, "vpc-cidr-assoc-6", "vpc-1", vpc.BlockSpec{CIDR: cidr("2001:db8::/44")}); err != nil {
					t.Fatal(err)
				}
				a.makeGateway(t, "igw-1", "vpc-1")
				for _, id := range []string{"rtb-1", "rtb-2"} {
					if _, err := a.CreateRouteTable(ctx, vpc.RouteTableSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1"}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := a.AssociateRouteTable(ctx, account, reg, "rtb-2", "subnet-2", "rtbassoc-2"); err != nil {
					t.Fatal(err)
				}
				for _, id := range []string{"sg-1", "sg-2"} {
					if _, err := a.CreateSecurityGroup(ctx, vpc.SecurityGroupSpec{ID: id, Account: account, Region: reg, VPCID: "vpc-1", Name: id}); err != nil {
						t.Fatal(err)
					}
				}
				self := vpc.RuleChange{Account: account, Region: reg, GroupID: "sg-2", Rules: []vpc.Rule{{Protocol: vpc.AllProtocols, FromPort: -1, ToPort: -1, GroupID: "sg-2"}}}
				if _, err := a.Authorize(ctx, self); err != nil {
					t.Fatal(err)
				}
				caughtUp(t, a, b)
				var between error
				interrupt(func() { between = c.pair[1-order](b) })
				first := c.pair[order](a)
				if between != nil {
					t.Errorf("the change that came between: got %v", between)
				}
				if first == nil {
					t.Error("the change that was interrupted: got no refusal")
				}
			})
		}
	}
}

func (r *room) makeGateway(t *testing.T, id, vpcID string) {
	t.Helper()
	if _, err := r.CreateGateway(t.Context(), vpc.GatewaySpec{ID: id, Account: account, Region: reg}); err != nil {
		t.Fatal(err)
	}
	if err := r.AttachGateway(t.Context(), account, reg, id, vpcID); err != nil {
		t.Fatal(err)
	}
}

// firstRule returns the id of a group's first ingress rule, or one that never was.
func (r *room) firstRule(groupID string) string {
	g, _ := r.SecurityGroup(r.now(), account, reg, groupID)
	for _, rule := range g.Rules {
		if !rule.Egress {
			return rule.ID
		}
	}
	return "sgr-gone"
}
