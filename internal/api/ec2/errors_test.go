package ec2_test

import (
	"testing"

	ec2api "github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/vpc"
)

// A fault without a code would reach clients as an empty one.
func TestEveryFaultOfTheVPCRoomHasACode(t *testing.T) {
	for f := vpc.InvalidValue; f <= vpc.AddressInUse; f++ {
		if f != vpc.LimitExceeded && ec2api.FaultCodes[f] == "" {
			t.Errorf("fault %d has no code", f)
		}
	}
	for _, k := range []vpc.Kind{
		vpc.KindVPC, vpc.KindSubnet, vpc.KindGateway, vpc.KindRouteTable, vpc.KindRoute, vpc.KindSecurityGroup, vpc.KindSecurityRule, vpc.KindInterface,
		vpc.KindAddress, vpc.KindPrivateAddress,
	} {
		if ec2api.LimitCodes[k] == "" {
			t.Errorf("the limit of %s has no code", k)
		}
	}
	for _, k := range []vpc.Kind{
		vpc.KindVPC, vpc.KindSubnet, vpc.KindGateway, vpc.KindRouteTable, vpc.KindTableAssociation, vpc.KindSecurityGroup,
		vpc.KindSecurityRule, vpc.KindInterface, vpc.KindAddress, vpc.KindAssociation, vpc.KindNetworkACL,
	} {
		if _, ok := ec2api.Absences[k]; !ok {
			t.Errorf("the absence of %s has no code", k)
		}
	}
	for _, n := range []discovery.Noun{discovery.NounIPAM, discovery.NounScope, discovery.NounDiscovery, discovery.NounAssociation} {
		if _, ok := ec2api.DiscoveryAbsences[n]; !ok {
			t.Errorf("the absence of %s has no code", n)
		}
	}
}
