package vpc_test

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

// Records as they were when a VPC had a single CIDR, which each of its tables
// had a local route to.
var oldRecords = map[string]string{
	"vpc.vpc/vpc-1":              `1 {"ID":"vpc-1","Account":"111122223333","Region":"local-1","CIDR":"10.0.0.0/16","Default":false,"Tenancy":"default","DNSSupport":true,"DNSHostnames":false,"AddressUsageMetrics":false}`,
	"vpc.route-table/rtb":        `1 {"ID":"rtb","Account":"111122223333","Region":"local-1","VPCID":"vpc-1","Main":true,"Routes":[{"Destination":"10.0.0.0/16","Local":true,"GatewayID":""},{"Destination":"0.0.0.0/0","Local":false,"GatewayID":"igw-1"}]}`,
	"vpc.internet-gateway/igw-1": `1 {"ID":"igw-1","Account":"111122223333","Region":"local-1","VPCID":"vpc-1"}`,
	"vpc.subnet/subnet-1":        `1 {"ID":"subnet-1","Account":"111122223333","Region":"local-1","VPCID":"vpc-1","Zone":"local-1a","CIDR":"10.0.0.0/24","DefaultForZone":false,"MapPublicAddress":false,"RouteTableID":"","AssociationID":"","Held":0,"FullPages":[0,0,0,0]}`,
}

func TestOlderRecordsMeanWhatTheyMeant(t *testing.T) {
	ctx := t.Context()
	engine := memstore.New()
	for key, value := range oldRecords {
		if _, err := engine.Commit(ctx, store.Txn{Ops: []store.Op{{Key: "test/" + key, Value: []byte(value)}}}); err != nil {
			t.Fatal(err)
		}
	}
	r := newRoom(t, engine, vpc.Quotas{})
	local := vpc.Route{Destination: cidr("10.0.0.0/16"), Local: true}
	out := vpc.Route{Destination: cidr("0.0.0.0/0"), GatewayID: "igw-1"}
	if got := r.Routes(r.now(), r.mainTable("vpc-1")); !slices.Equal(got, []vpc.Route{local, out}) {
		t.Errorf("routes: got %+v", got)
	}
	more := vpc.Route{Destination: cidr("192.0.2.0/24"), GatewayID: "igw-1"}
	if err := r.CreateRoute(ctx, account, reg, "rtb", more); err != nil {
		t.Fatal(err)
	}
	if _, err := r.associate(t, "vpc-cidr-assoc-1", "vpc-1", vpc.BlockSpec{CIDR: cidr("10.1.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	local2 := vpc.Route{Destination: cidr("10.1.0.0/16"), Local: true}
	if got := r.Routes(r.now(), r.mainTable("vpc-1")); !slices.Equal(got, []vpc.Route{local, local2, out, more}) {
		t.Errorf("routes after a change: got %+v", got)
	}
	r.makeSubnet(t, "subnet-2", "vpc-1", "10.1.0.0/24")
	for _, id := range []string{"subnet-1", "subnet-2"} {
		if err := r.DeleteSubnet(ctx, account, reg, id); err != nil {
			t.Errorf("delete %s: %v", id, err)
		}
	}
	if err := r.DetachGateway(ctx, account, reg, "igw-1", "vpc-1"); err != nil {
		t.Error(err)
	}
	if err := r.DeleteVPC(ctx, account, reg, "vpc-1"); err != nil {
		t.Error(err)
	}
}
