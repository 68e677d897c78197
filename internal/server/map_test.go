package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// B5.
func TestOperatorsSeeWhoHoldsWhatInAPool(t *testing.T) {
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
	id := *pool.IpamPool.IpamPoolId
	for _, cidr := range []string{"10.0.0.0/24", "10.9.0.0/24"} {
		do("ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &id, Cidr: &cidr}, new(shapes.ProvisionIpamPoolCidrOutput))
	}
	do("AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: &id, Cidr: new("10.9.0.128/25"), Description: new("rack 7")}, new(shapes.AllocateIpamPoolCidrOutput))

	look := func(path string) (m status.Map) {
		t.Helper()
		code, body := get(t, s.Ops+path)
		if err := json.Unmarshal([]byte(body), &m); err != nil || code != http.StatusOK {
			t.Fatalf("%s: got %d and %q, want a map", path, code, body)
		}
		return m
	}
	whole := look("/pools/" + id + "/map?cells=4")
	if len(whole.Parts) != 2 || len(whole.Parts[0].Blocks) != 0 || len(whole.Parts[1].Blocks) != 1 {
		t.Fatalf("got %+v, want a part for each CIDR, with one block in the second", whole)
	}
	if c := whole.Parts[1].Cells; len(c) != 2 || c[0].Taken != 0 || c[1].Taken != 1 || c[1].Type != "custom" {
		t.Errorf("got the cells %+v, want the upper half taken", c)
	}
	if b := whole.Parts[1].Blocks[0]; b.CIDR.String() != "10.9.0.128/25" || b.Description != "rack 7" || b.Account != "000000000000" {
		t.Errorf("got %+v, want the block as it was allocated", b)
	}
	if near := look("/pools/" + id + "/map?within=10.9.0.129/32"); len(near.Parts) != 1 || len(near.Parts[0].Blocks) != 1 {
		t.Errorf("got %+v, want the block that the address is in", near)
	}
	for path, want := range map[string]string{
		"/pools/nope/map":                        "there is no pool",
		"/pools/" + id + "/map?within=fd00::/8":  "family ipv4",
		"/pools/" + id + "/map?within=rack":      "must be a prefix",
		"/pools/" + id + "/map?cells=0":          "cells must be",
		"/pools/" + id + "/map?cells=1000000000": "cells must be",
	} {
		if code, body := get(t, s.Ops+path); code/100 != 4 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d and %q, want a refusal that says %q", path, code, body, want)
		}
	}
}
