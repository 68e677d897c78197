package server

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

// direct calls of the rooms, for tests whose clock stands still: requests over a
// socket don't.

func (s *site) ipamOf(account string) ipam.IPAM {
	s.t.Helper()
	i, err := s.ipam.CreateIPAM(s.t.Context(), ipam.CreateIPAM{
		ID: ids.EC2("ipam"), PublicScopeID: ids.EC2("ipam-scope"), PrivateScopeID: ids.EC2("ipam-scope"),
		DiscoveryID: ids.EC2("ipam-res-disco"), DiscoveryAssociationID: ids.EC2("ipam-res-disco-assoc"),
		Account: account, Region: home, OperatingRegions: []string{abroad}, Time: time.Now().UTC(),
	}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return i
}

func (s *site) poolOf(i ipam.IPAM, cidr string, imports bool) string {
	s.t.Helper()
	p, err := s.ipam.CreatePool(s.t.Context(), ipam.CreatePool{
		ID: ids.EC2("ipam-pool"), Account: i.Account, Region: i.Region, ScopeID: i.PrivateScopeID, Family: ipam.IPv4,
		Locale: home, AutoImport: imports, Time: time.Now().UTC(),
	}, nil)
	if err == nil {
		_, err = s.ipam.ProvisionCIDR(s.t.Context(), ipam.ProvisionCIDR{
			ID: ids.New("ipam-pool-cidr-", 33), Account: i.Account, Region: i.Region, PoolID: p.ID, CIDR: netip.MustParsePrefix(cidr), Time: time.Now().UTC(),
		}, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return p.ID
}

func (s *site) vpcOf(account, cidr string) string {
	s.t.Helper()
	v, err := s.vpc.CreateVPC(s.t.Context(), vpc.VPCSpec{
		ID: ids.EC2("vpc"), Account: account, Region: home, CIDR: netip.MustParsePrefix(cidr), Time: time.Now().UTC(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return v.ID
}

// B5: a VPC, its subnet and an interface come, one after the other, and go.
func TestTheHistoryOfANetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, memstore.New()).run()
		begin := time.Now().UTC()
		i := s.ipamOf(tenant)
		pool := s.poolOf(i, "10.0.0.0/8", true)
		ctx := t.Context()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		v := s.vpcOf(tenant, "10.0.0.0/16")
		time.Sleep(time.Hour)
		n, err := s.vpc.CreateSubnet(ctx, vpc.SubnetSpec{ID: ids.EC2("subnet"), Account: tenant, Region: home, VPCID: v, CIDR: netip.MustParsePrefix("10.0.0.0/24"), Time: time.Now().UTC()})
		check(err)
		time.Sleep(time.Hour)
		e, err := s.vpc.CreateServiceInterface(ctx, vpc.InterfaceSpec{Account: tenant, Region: home, SubnetID: n.ID, Owner: "node-1", Time: time.Now().UTC()})
		check(err)
		time.Sleep(time.Hour)
		lines := func() string {
			var all []string
			for _, rec := range s.history.Covering(s.store.Snapshot(), tenant, e.Private) {
				end := "now"
				if !rec.End.IsZero() {
					end = fmt.Sprint(rec.End.Sub(begin).Hours())
				}
				seen, _ := rec.In(i.PrivateScopeID)
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s %v-%s %s", rec.Kind, rec.Start.Sub(begin).Hours(), end, seen.Compliance)))
			}
			return strings.Join(all, ", ")
		}
		if got, want := lines(), "network-interface 2-now, subnet 1-now, vpc 0-now compliant"; got != want {
			t.Errorf("while all are there: got %q, want %q", got, want)
		}
		check(s.vpc.ReleaseServiceInterface(ctx, e.ID))
		time.Sleep(time.Hour)
		check(s.vpc.DeleteSubnet(ctx, tenant, home, n.ID))
		time.Sleep(time.Hour)
		check(s.vpc.DeleteVPC(ctx, tenant, home, v))
		if got, want := lines(), "vpc 0-5 compliant, subnet 1-4, network-interface 2-3"; got != want {
			t.Errorf("in the end: got %q, want %q", got, want)
		}
		for range s.ipam.Allocations(s.store.Snapshot(), pool, "") {
			t.Error("the pool still has an allocation")
		}
		time.Sleep(time.Hour)
		s.vpcOf(tenant, "10.0.0.0/16")
		at := func(from, to int, cidr string) string {
			var all []string
			q := discovery.HistoryQuery{
				Scope: discovery.Scope{ID: i.PrivateScopeID, Account: tenant}, CIDR: netip.MustParsePrefix(cidr),
				From: begin.Add(time.Duration(from) * time.Hour), To: begin.Add(time.Duration(to) * time.Hour),
			}
			for _, rec := range s.discovery.History(s.store.Snapshot(), q, "") {
				all = append(all, fmt.Sprint(rec.ResourceID == v))
			}
			return strings.Join(all, " ")
		}
		for _, c := range []struct {
			from, to int
			cidr     string
			want     string // whether it was the first VPC
		}{
			{0, 9, "10.0.0.0/16", "false true"}, {4, 4, "10.0.0.0/16", "true"}, {5, 5, "10.0.0.0/16", ""}, {6, 6, "10.0.0.0/16", "false"},
			{0, 9, "10.0.0.0/17", ""}, {0, 9, "10.0.0.0/24", "false"},
		} {
			if got := at(c.from, c.to, c.cidr); got != c.want {
				t.Errorf("%s from %d to %d: got %q, want %q", c.cidr, c.from, c.to, got, c.want)
			}
		}
	})
}

// Who had an address is shown with what it was for, to its account and to nobody
// else (I8).
func TestAddressHistoryAsAClientSeesIt(t *testing.T) {
	s := open(t)
	i := s.newIPAM()
	byoip := s.pool(i.PublicDefaultScopeId, "198.51.100.0/24", func(in *shapes.CreateIpamPoolInput) { in.AwsService = "ec2" })
	n := s.newSubnet(s.newVPC("10.0.0.0/16"), "10.0.0.0/24")
	e, err := s.vpc.CreateServiceInterface(t.Context(), vpc.InterfaceSpec{Account: tenant, Region: home, SubnetID: n, Owner: "node-1", Description: "ELB app/web/0123", Time: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.vpc.AssignServiceAddress(t.Context(), vpc.AddressSpec{InterfaceID: e.ID, PoolID: byoip, Time: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(scope *string, cidr string, change ...func(*shapes.GetIpamAddressHistoryInput)) []shapes.IpamAddressHistoryRecord {
		t.Helper()
		in := &shapes.GetIpamAddressHistoryInput{IpamScopeId: scope, Cidr: &cidr}
		for _, c := range change {
			c(in)
		}
		return call[shapes.GetIpamAddressHistoryOutput](s, "GetIpamAddressHistory", in).HistoryRecords
	}
	since := func(in *shapes.GetIpamAddressHistoryInput) { in.StartTime = new(time.Now().Add(-time.Hour)) }
	public := a.Public.String() + "/32"
	if got := ask(i.PublicDefaultScopeId, public); len(got) != 1 || *got[0].ResourceId != a.ID || got[0].ResourceType != "eip" ||
		got[0].ResourceComplianceStatus != "compliant" || got[0].SampledStartTime == nil || got[0].SampledEndTime != nil {
		t.Errorf("the elastic IP: got %+v", got)
	}
	if got := ask(i.PrivateDefaultScopeId, e.Private.String()+"/32"); len(got) != 1 || *got[0].ResourceId != e.ID || got[0].ResourceType != "network-interface" {
		t.Errorf("the interface: got %+v", got)
	}
	if got := ask(i.PrivateDefaultScopeId, "10.0.0.0/24", func(in *shapes.GetIpamAddressHistoryInput) { in.VpcId = new("vpc-0") }); len(got) != 0 {
		t.Errorf("of another VPC: got %+v", got)
	}
	discovered := call[shapes.GetIpamDiscoveredPublicAddressesOutput](s, "GetIpamDiscoveredPublicAddresses",
		&shapes.GetIpamDiscoveredPublicAddressesInput{IpamResourceDiscoveryId: i.DefaultResourceDiscoveryId, AddressRegion: new(home)})
	if got := discovered.IpamDiscoveredPublicAddresses; len(got) != 1 || *got[0].Address != a.Public.String() || got[0].AddressType != "service-managed-byoip" ||
		got[0].Service != "load-balancer" || got[0].AssociationStatus != "associated" || *got[0].NetworkInterfaceId != e.ID || *got[0].SubnetId != n ||
		*got[0].ServiceResource != "arn:aws:elasticloadbalancing:"+home+":"+tenant+":loadbalancer/app/web/0123" ||
		len(got[0].SecurityGroups) != 1 || discovered.OldestSampleTime == nil {
		t.Errorf("public addresses: got %+v", got)
	}
	if r := s.resource(i.PublicDefaultScopeId, a.ID); r.ManagementState != "managed" || r.ComplianceStatus != "compliant" || r.OverlapStatus != "nonoverlapping" || *r.IpamPoolId != byoip {
		t.Errorf("the elastic IP as a resource: got %+v", r)
	}

	if err := s.vpc.ReleaseServiceInterface(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if got := ask(i.PublicDefaultScopeId, public); len(got) != 0 {
		t.Errorf("now that it is released: got %+v", got)
	}
	if got := ask(i.PublicDefaultScopeId, public, since); len(got) != 1 || got[0].SampledEndTime == nil || *got[0].ResourceId != a.ID {
		t.Errorf("within the hour: got %+v", got)
	}
	if got := ask(i.PrivateDefaultScopeId, e.Private.String()+"/32", since); len(got) != 1 || got[0].SampledEndTime == nil || *got[0].VpcId != e.VPCID {
		t.Errorf("the interface within the hour: got %+v", got)
	}
	s.client.AccessKeyID = stranger
	other := s.newIPAM()
	if got := ask(other.PublicDefaultScopeId, public, since); len(got) != 0 {
		t.Errorf("another account sees %+v", got)
	}
}

// The provider's own addresses are nobody's pool's: seen, and not managed.
func TestAddressesOfTheProviderAreSeen(t *testing.T) {
	s := open(t)
	i := s.newIPAM()
	if err := s.ipam.EnsureProvider(t.Context(), home, []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, nil, time.Now().UTC()); err != nil {
		t.Fatal(err)
	}
	n := s.newSubnet(s.newVPC("10.0.0.0/16"), "10.0.0.0/24")
	e, err := s.vpc.CreateServiceInterface(t.Context(), vpc.InterfaceSpec{Account: tenant, Region: home, SubnetID: n, Owner: "node-1", Time: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.vpc.AssignServiceAddress(t.Context(), vpc.AddressSpec{InterfaceID: e.ID, Time: time.Now().UTC()})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.resource(i.PublicDefaultScopeId, a.ID); r.ManagementState != "unmanaged" || r.ComplianceStatus != "unmanaged" || r.OverlapStatus != "nonoverlapping" {
		t.Errorf("as a resource: got %+v", r)
	}
	got := call[shapes.GetIpamAddressHistoryOutput](s, "GetIpamAddressHistory", &shapes.GetIpamAddressHistoryInput{
		IpamScopeId: i.PublicDefaultScopeId, Cidr: new(a.Public.String() + "/32"),
	}).HistoryRecords
	if len(got) != 1 || got[0].ResourceComplianceStatus != "unmanaged" {
		t.Errorf("history: got %+v", got)
	}
	seen := map[string]string{}
	for _, r := range call[shapes.GetIpamDiscoveredResourceCidrsOutput](s, "GetIpamDiscoveredResourceCidrs", &shapes.GetIpamDiscoveredResourceCidrsInput{
		IpamResourceDiscoveryId: i.DefaultResourceDiscoveryId, ResourceRegion: new(home),
	}).IpamDiscoveredResourceCidrs {
		seen[*r.ResourceId] = string(r.ResourceType) + " " + string(r.IpSource) + " " + string(r.NetworkInterfaceAttachmentStatus)
		if r.SampleTime == nil || *r.ResourceOwnerId != tenant {
			t.Errorf("discovered: got %+v", r)
		}
	}
	for id, want := range map[string]string{a.ID: "eip amazon ", e.ID: "eni none in-use", n: "subnet none ", e.VPCID: "vpc none "} {
		if seen[id] != want {
			t.Errorf("%s: got %q, want %q", id, seen[id], want)
		}
	}
}

// Moving to another scope ends one record and begins another.
func TestAMoveToAnotherScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, memstore.New()).run()
		i := s.ipamOf(tenant)
		v := s.vpcOf(tenant, "10.0.0.0/16")
		to := s.scope(i)
		time.Sleep(time.Hour)
		req := discovery.ModifyResourceCIDR{
			Account: tenant, Region: home, ResourceID: v, ResourceRegion: home, CIDR: netip.MustParsePrefix("10.0.0.0/16"),
			ScopeID: i.PrivateScopeID, DestinationScopeID: to, Monitored: true, Time: time.Now().UTC(),
		}
		moved, err := s.discovery.ModifyResourceCIDR(t.Context(), req, nil)
		if err != nil || moved.ScopeID != to {
			t.Fatalf("got %+v, %v, want it in %s", moved, err, to)
		}
		time.Sleep(time.Hour)
		at := func(scope string, ago time.Duration) string {
			q := discovery.HistoryQuery{
				Scope: discovery.Scope{ID: scope, Account: tenant}, CIDR: req.CIDR, From: time.Now().Add(-ago), To: time.Now().Add(-ago),
			}
			got := "nobody"
			for _, rec := range s.discovery.History(s.store.Snapshot(), q, "") {
				got = fmt.Sprintf("%s, ended: %v", rec.Kind, !rec.End.IsZero())
			}
			return got
		}
		for _, c := range []struct {
			scope string
			ago   time.Duration
			want  string
		}{
			{i.PrivateScopeID, 90 * time.Minute, "vpc, ended: true"}, {i.PrivateScopeID, 0, "nobody"},
			{to, 90 * time.Minute, "nobody"}, {to, 0, "vpc, ended: false"},
		} {
			if got := at(c.scope, c.ago); got != c.want {
				t.Errorf("in scope %s %s ago: got %q, want %q", c.scope, c.ago, got, c.want)
			}
		}
	})
}

// A CIDR that a pool has given moves when its allocation ends.
func TestAMoveWaitsForTheAllocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, memstore.New()).run()
		i := s.ipamOf(tenant)
		pool := s.poolOf(i, "10.0.0.0/8", true)
		v := s.vpcOf(tenant, "10.0.0.0/16")
		time.Sleep(time.Minute)
		to := s.scope(i)
		req := discovery.ModifyResourceCIDR{
			Account: tenant, Region: home, ResourceID: v, ResourceRegion: home, CIDR: netip.MustParsePrefix("10.0.0.0/16"),
			ScopeID: i.PrivateScopeID, DestinationScopeID: to, Monitored: true, Time: time.Now().UTC(),
		}
		moved, err := s.discovery.ModifyResourceCIDR(t.Context(), req, nil)
		if err != nil || moved.ScopeID != i.PrivateScopeID || moved.PoolID != pool {
			t.Errorf("while it is allocated: got %+v, %v, want it where it was", moved, err)
		}
		if _, err := s.ipam.DeletePool(t.Context(), tenant, home, pool, true, nil); err != nil {
			t.Fatal(err)
		}
		snap := s.store.Snapshot()
		view, _, err := s.discovery.ViewOf(snap, tenant, home, to)
		if err != nil {
			t.Fatal(err)
		}
		for res := range (networks{s.vpc}).Resources(snap, tenant, home, discovery.VPC, "") {
			if got := view.Judge(res); got.ScopeID != to {
				t.Errorf("when it has ended: got %+v, want it in %s", got, to)
			}
		}
		// It doesn't come back into a pool of the old scope.
		pool = s.poolOf(i, "10.0.0.0/8", true)
		time.Sleep(time.Minute)
		for range s.ipam.Allocations(s.store.Snapshot(), pool, "") {
			t.Error("a pool of the scope that it has left has imported it")
		}
	})
}

// scope gives an IPAM a second private scope, as a record: CreateIpamScope isn't
// this test's concern.
func (s *site) scope(i ipam.IPAM) string {
	s.t.Helper()
	sc := ipam.Scope{ID: ids.EC2("ipam-scope"), IPAMID: i.ID, Account: i.Account, Region: i.Region, Type: ipam.Private}
	b, err := json.Marshal(sc)
	if err != nil {
		s.t.Fatal(err)
	}
	key := "/fairlead/v1/ipam.scope/" + sc.ID
	res, err := s.engine.Commit(s.t.Context(), store.Txn{Guards: []store.Guard{{Key: key}}, Ops: []store.Op{{Key: key, Value: append([]byte("1 "), b...)}}})
	if err == nil {
		err = s.store.WaitRevision(s.t.Context(), res.Revision)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return sc.ID
}
