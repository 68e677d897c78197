package ec2_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

// network is a VPC with a gateway, a subnet, and a route table beside the main one.
type network struct{ vpc, main, mainAssociation, table, subnet, gateway string }

func newNetwork(t *testing.T, w *world) network {
	t.Helper()
	n := network{vpc: *do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc.VpcId}
	n.subnet = *do[ec2.CreateSubnetOutput](t, w, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: &n.vpc, CidrBlock: new("10.0.0.0/24")}).Subnet.SubnetId
	n.gateway = *do[ec2.CreateInternetGatewayOutput](t, w, "CreateInternetGateway", &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	do[ec2.AttachInternetGatewayOutput](t, w, "AttachInternetGateway", &ec2.AttachInternetGatewayInput{InternetGatewayId: &n.gateway, VpcId: &n.vpc})
	n.table = *do[ec2.CreateRouteTableOutput](t, w, "CreateRouteTable", &ec2.CreateRouteTableInput{VpcId: &n.vpc}).RouteTable.RouteTableId
	n.main, n.mainAssociation = n.mainTable(t, w)
	return n
}

func (n network) mainTable(t *testing.T, w *world) (id, association string) {
	t.Helper()
	out := do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{
		Filters: append(filter("association.main", "true"), filter("vpc-id", n.vpc)...),
	}).RouteTables
	if len(out) != 1 {
		t.Fatalf("got %d main tables", len(out))
	}
	for _, as := range out[0].Associations {
		if *as.Main {
			association = *as.RouteTableAssociationId
		}
	}
	return *out[0].RouteTableId, association
}

// routes returns a table's routes as words.
func routes(t *testing.T, w *world, table string) []string {
	t.Helper()
	var got []string
	for _, r := range do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{RouteTableIds: []string{table}}).RouteTables[0].Routes {
		destination := r.DestinationCidrBlock
		if destination == nil {
			destination = r.DestinationIpv6CidrBlock
		}
		target := *r.GatewayId
		if target != "local" {
			target = "igw"
		}
		got = append(got, fmt.Sprintf("%s %s %s %s", *destination, target, r.Origin, r.State))
	}
	return got
}

func wantRoutes(t *testing.T, w *world, table string, want ...string) {
	t.Helper()
	if got := routes(t, w, table); !slices.Equal(got, want) {
		t.Errorf("routes: got %q, want %q", got, want)
	}
}

func TestRoutesOfATable(t *testing.T) {
	w := newWorld(t)
	n := newNetwork(t, w)
	do[ec2.AssociateVpcCidrBlockOutput](t, w, "AssociateVpcCidrBlock", &ec2.AssociateVpcCidrBlockInput{VpcId: &n.vpc, CidrBlock: new("100.64.0.0/16")})
	const local, local2 = "10.0.0.0/16 local CreateRouteTable active", "100.64.0.0/16 local CreateRouteTable active"
	wantRoutes(t, w, n.table, local, local2)

	do[ec2.CreateRouteOutput](t, w, "CreateRoute", &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: &n.gateway})
	do[ec2.CreateRouteOutput](t, w, "CreateRoute", &ec2.CreateRouteInput{RouteTableId: &n.table, DestinationIpv6CidrBlock: new("::/0"), GatewayId: &n.gateway})
	const v4, v6 = "0.0.0.0/0 igw CreateRoute ", "::/0 igw CreateRoute "
	wantRoutes(t, w, n.table, local, local2, v4+"active", v6+"active")

	// A gateway that goes leaves black holes, which another gateway fills.
	do[ec2.DetachInternetGatewayOutput](t, w, "DetachInternetGateway", &ec2.DetachInternetGatewayInput{InternetGatewayId: &n.gateway, VpcId: &n.vpc})
	wantRoutes(t, w, n.table, local, local2, v4+"blackhole", v6+"blackhole")
	do[ec2.DeleteInternetGatewayOutput](t, w, "DeleteInternetGateway", &ec2.DeleteInternetGatewayInput{InternetGatewayId: &n.gateway})
	wantRoutes(t, w, n.table, local, local2, v4+"blackhole", v6+"blackhole")
	other := do[ec2.CreateInternetGatewayOutput](t, w, "CreateInternetGateway", &ec2.CreateInternetGatewayInput{}).InternetGateway.InternetGatewayId
	do[ec2.AttachInternetGatewayOutput](t, w, "AttachInternetGateway", &ec2.AttachInternetGatewayInput{InternetGatewayId: other, VpcId: &n.vpc})
	do[ec2.ReplaceRouteOutput](t, w, "ReplaceRoute", &ec2.ReplaceRouteInput{RouteTableId: &n.table, DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: other})
	wantRoutes(t, w, n.table, local, local2, v4+"active", v6+"blackhole")
	w.wantCode(t, "RouteAlreadyExists", "CreateRoute", "RouteTableId", n.table, "DestinationIpv6CidrBlock", "::/0", "GatewayId", *other)
	do[ec2.DeleteRouteOutput](t, w, "DeleteRoute", &ec2.DeleteRouteInput{RouteTableId: &n.table, DestinationIpv6CidrBlock: new("::/0")})
	do[ec2.ReplaceRouteOutput](t, w, "ReplaceRoute", &ec2.ReplaceRouteInput{RouteTableId: &n.table, DestinationCidrBlock: new("10.0.0.0/16"), LocalTarget: new(true)})
	wantRoutes(t, w, n.table, local, local2, v4+"active")

	for _, c := range []struct {
		name, code, action string
		params             []string
	}{
		{"a route to a CIDR of the VPC", "RouteAlreadyExists", "CreateRoute", []string{"DestinationCidrBlock", "100.64.0.0/16", "GatewayId", *other}},
		{"a route into a CIDR of the VPC", "InvalidParameterValue", "CreateRoute", []string{"DestinationCidrBlock", "10.0.1.0/24", "GatewayId", *other}},
		{"a route that isn't, replaced", "InvalidParameterValue", "ReplaceRoute", []string{"DestinationCidrBlock", "192.0.2.0/24", "GatewayId", *other}},
		{"a local route, replaced", "InvalidParameterValue", "ReplaceRoute", []string{"DestinationCidrBlock", "10.0.0.0/16", "GatewayId", *other}},
		{"a local route, deleted", "InvalidParameterValue", "DeleteRoute", []string{"DestinationCidrBlock", "10.0.0.0/16"}},
		{"a route that is to be local", "InvalidParameterValue", "ReplaceRoute", []string{"DestinationCidrBlock", "0.0.0.0/0", "LocalTarget", "true"}},
		{"a route to a gateway that isn't", "InvalidGatewayID.NotFound", "ReplaceRoute", []string{"DestinationCidrBlock", "0.0.0.0/0", "GatewayId", n.gateway}},
		{"no target", "MissingParameter", "ReplaceRoute", []string{"DestinationCidrBlock", "0.0.0.0/0"}},
		{"two targets", "InvalidParameterCombination", "ReplaceRoute", []string{"DestinationCidrBlock", "0.0.0.0/0", "GatewayId", *other, "LocalTarget", "true"}},
		{"a target that is none here", "UnsupportedOperation", "ReplaceRoute", []string{"DestinationCidrBlock", "0.0.0.0/0", "NatGatewayId", "nat-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.wantCode(t, c.code, c.action, append([]string{"RouteTableId", n.table}, c.params...)...)
			wantRoutes(t, w, n.table, local, local2, v4+"active")
		})
	}
}

func TestTheMainTableIsAsAssociated(t *testing.T) {
	w := newWorld(t)
	n := newNetwork(t, w)
	replaced := do[ec2.ReplaceRouteTableAssociationOutput](t, w, "ReplaceRouteTableAssociation", &ec2.ReplaceRouteTableAssociationInput{AssociationId: &n.mainAssociation, RouteTableId: &n.table})
	if id, as := n.mainTable(t, w); id != n.table || as != *replaced.NewAssociationId || as == n.mainAssociation {
		t.Errorf("got %s by %s, want %s by %s", id, as, n.table, *replaced.NewAssociationId)
	}
	w.wantCode(t, "InvalidAssociationID.NotFound", "ReplaceRouteTableAssociation", "AssociationId", n.mainAssociation, "RouteTableId", n.table)
	w.wantCode(t, "DependencyViolation", "DeleteRouteTable", "RouteTableId", n.table)
	w.wantCode(t, "InvalidParameterValue", "DisassociateRouteTable", "AssociationId", *replaced.NewAssociationId)

	// The table that was main is like any other, and may go.
	as := do[ec2.AssociateRouteTableOutput](t, w, "AssociateRouteTable", &ec2.AssociateRouteTableInput{RouteTableId: &n.main, SubnetId: &n.subnet}).AssociationId
	moved := do[ec2.ReplaceRouteTableAssociationOutput](t, w, "ReplaceRouteTableAssociation", &ec2.ReplaceRouteTableAssociationInput{AssociationId: as, RouteTableId: &n.table}).NewAssociationId
	tables := do[ec2.DescribeRouteTablesOutput](t, w, "DescribeRouteTables", &ec2.DescribeRouteTablesInput{Filters: filter("association.subnet-id", n.subnet)}).RouteTables
	if len(tables) != 1 || *tables[0].RouteTableId != n.table {
		t.Errorf("the subnet follows %+v, want %s", tables, n.table)
	}
	do[ec2.DeleteRouteTableOutput](t, w, "DeleteRouteTable", &ec2.DeleteRouteTableInput{RouteTableId: &n.main})

	// A table of another VPC is none for this one.
	foreign := newNetwork(t, w)
	for _, association := range []string{*moved, *replaced.NewAssociationId} {
		w.wantCode(t, "InvalidParameterValue", "ReplaceRouteTableAssociation", "AssociationId", association, "RouteTableId", foreign.table)
	}

	// The VPC goes with the table that is main now.
	do[ec2.DeleteSubnetOutput](t, w, "DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: &n.subnet})
	do[ec2.DetachInternetGatewayOutput](t, w, "DetachInternetGateway", &ec2.DetachInternetGatewayInput{InternetGatewayId: &n.gateway, VpcId: &n.vpc})
	do[ec2.DeleteVpcOutput](t, w, "DeleteVpc", &ec2.DeleteVpcInput{VpcId: &n.vpc})
	w.wantCode(t, "InvalidRouteTableID.NotFound", "DescribeRouteTables", "RouteTableId.1", n.table)
}
