package server_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// B5, B6: an operator asks who had an address, and how long a pool will last.
func TestOperatorsSeeThePastAndTheFuture(t *testing.T) {
	s := testkit.Start(t, testkit.Config(t))
	c := wire.Client{Endpoint: s.API, Spec: ec2.Spec, Region: s.Region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}
	do := func(action string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), action, in, out); err != nil {
			t.Fatal(err)
		}
	}
	var manager shapes.CreateIpamOutput
	do("CreateIpam", &shapes.CreateIpamInput{}, &manager)
	var pool shapes.CreateIpamPoolOutput
	do("CreateIpamPool", &shapes.CreateIpamPoolInput{IpamScopeId: manager.Ipam.PrivateDefaultScopeId, AddressFamily: "ipv4", Locale: &s.Region}, &pool)
	id := pool.IpamPool.IpamPoolId
	do("ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: id, Cidr: new("10.0.0.0/24")}, new(shapes.ProvisionIpamPoolCidrOutput))
	var first, second shapes.AllocateIpamPoolCidrOutput
	allocate := &shapes.AllocateIpamPoolCidrInput{IpamPoolId: id, Cidr: new("10.0.0.0/28")}
	do("AllocateIpamPoolCidr", allocate, &first)
	do("ReleaseIpamPoolAllocation", &shapes.ReleaseIpamPoolAllocationInput{IpamPoolId: id, Cidr: allocate.Cidr, IpamPoolAllocationId: first.IpamPoolAllocation.IpamPoolAllocationId}, new(shapes.ReleaseIpamPoolAllocationOutput))
	do("AllocateIpamPoolCidr", allocate, &second)

	var past status.History
	code, body := get(t, s.Ops+"/history?address=10.0.0.7")
	if err := json.Unmarshal([]byte(body), &past); err != nil || code != http.StatusOK || len(past.Holdings) != 2 {
		t.Fatalf("got %d and %s, want two holdings", code, body)
	}
	for i, want := range []*string{second.IpamPoolAllocation.IpamPoolAllocationId, first.IpamPoolAllocation.IpamPoolAllocationId} {
		h := past.Holdings[i]
		if h.Allocation != *want || h.CIDR.String() != "10.0.0.0/28" || h.Until.IsZero() != (i == 0) || len(h.Pools) != 1 || h.Pools[0] != *id {
			t.Errorf("holding %d: got %+v, want %s", i, h, *want)
		}
	}
	var future status.Forecast
	code, body = get(t, s.Ops+"/pools/"+*id+"/forecast")
	if err := json.Unmarshal([]byte(body), &future); err != nil || code != http.StatusOK || future.Free != "240" || future.Confidence != "none" {
		t.Errorf("got %d and %s, want 240 free addresses and no forecast yet", code, body)
	}
	for _, path := range []string{"/history", "/history?address=rack", "/history?address=fe80::1%25eth0", "/pools/nope/forecast"} {
		if code, body := get(t, s.Ops+path); code/100 != 4 {
			t.Errorf("%s: got %d and %s, want a refusal", path, code, body)
		}
	}
}
