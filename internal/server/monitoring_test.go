package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/account"
	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/config"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

const (
	tenant   = "111122223333"
	stranger = "444455556666"
	home     = "us-east-1"
	abroad   = "eu-west-1"
)

// site is the control plane with its rooms joined as a server joins them, and
// nothing that carries traffic, as a client sees it.
type site struct {
	*rooms
	t      testing.TB
	engine store.Engine
	client wire.Client // whose account and region may be changed
}

func newSite(t testing.TB, engine store.Engine) *site {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := config.Default()
	cfg.Dev = true
	cfg.Regions = []config.Region{{Name: home, Zones: []string{"us-east-1a", "us-east-1b"}}, {Name: abroad, Zones: []string{"eu-west-1a"}}}
	r := build(cfg, engine, &account.Directory{}, nil, auditLog(t), nil, log)
	if err := r.store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.store.Close)
	return &site{r, t, engine, wire.Client{}}
}

// listen has the site answer requests until the test ends.
func (s *site) listen() *site {
	srv := httptest.NewServer(s.wire)
	s.t.Cleanup(func() {
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	s.client = wire.Client{Endpoint: srv.URL, Spec: ec2.Spec, Region: home, AccessKeyID: tenant, Secret: "any"}
	return s
}

// run has the site look after its pools until the test ends.
func (s *site) run() *site {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ipam.Run(ctx)
	}()
	s.t.Cleanup(func() { cancel(); <-done })
	return s
}

func open(t testing.TB) *site { return newSite(t, memstore.New()).run().listen() }

// call calls an action, which must succeed.
func call[Out any](s *site, action string, in any) *Out {
	s.t.Helper()
	out := new(Out)
	if err := s.client.Do(s.t.Context(), action, in, out); err != nil {
		s.t.Fatalf("%s: %v", action, err)
	}
	return out
}

// refused checks that a call ends with the code and a message that has the text.
func (s *site) refused(action string, in any, status int, code, text string) {
	s.t.Helper()
	var e *apierr.Error
	err := s.client.Do(s.t.Context(), action, in, &struct{}{})
	if !errors.As(err, &e) || e.Status != status || e.Code != code || !strings.Contains(e.Message, text) {
		s.t.Errorf("%s: got %v, want %d %s with %q", action, err, status, code, text)
	}
}

func (s *site) newIPAM() shapes.Ipam {
	s.t.Helper()
	return *call[shapes.CreateIpamOutput](s, "CreateIpam", &shapes.CreateIpamInput{
		OperatingRegions: []shapes.AddIpamOperatingRegion{{RegionName: new(abroad)}},
	}).Ipam
}

// pool makes a pool of a scope with a CIDR.
func (s *site) pool(scope *string, cidr string, change ...func(*shapes.CreateIpamPoolInput)) string {
	s.t.Helper()
	in := &shapes.CreateIpamPoolInput{IpamScopeId: scope, AddressFamily: "ipv4", Locale: new(home)}
	for _, c := range change {
		c(in)
	}
	id := *call[shapes.CreateIpamPoolOutput](s, "CreateIpamPool", in).IpamPool.IpamPoolId
	call[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &id, Cidr: &cidr})
	return id
}

func autoImport(in *shapes.CreateIpamPoolInput) { in.AutoImport = new(true) }

func (s *site) newVPC(cidr string, tg ...shapes.Tag) string {
	s.t.Helper()
	in := &shapes.CreateVpcInput{CidrBlock: &cidr}
	if len(tg) > 0 {
		in.TagSpecifications = []shapes.TagSpecification{{ResourceType: "vpc", Tags: tg}}
	}
	return *call[shapes.CreateVpcOutput](s, "CreateVpc", in).Vpc.VpcId
}

func (s *site) newSubnet(vpcID, cidr string) string {
	s.t.Helper()
	return *call[shapes.CreateSubnetOutput](s, "CreateSubnet", &shapes.CreateSubnetInput{VpcId: &vpcID, CidrBlock: &cidr}).Subnet.SubnetId
}

func (s *site) deleteVPC(id string) {
	s.t.Helper()
	call[shapes.DeleteVpcOutput](s, "DeleteVpc", &shapes.DeleteVpcInput{VpcId: &id})
}

func (s *site) allocate(pool, cidr string) shapes.IpamPoolAllocation {
	s.t.Helper()
	return *call[shapes.AllocateIpamPoolCidrOutput](s, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: &pool, Cidr: &cidr}).IpamPoolAllocation
}

func (s *site) allocations(pool string) string {
	s.t.Helper()
	var all []string
	for _, a := range call[shapes.GetIpamPoolAllocationsOutput](s, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: &pool}).IpamPoolAllocations {
		all = append(all, *a.Cidr+" "+string(a.ResourceType))
	}
	return strings.Join(all, ", ")
}

func (s *site) resource(scope *string, id string) shapes.IpamResourceCidr {
	s.t.Helper()
	got := call[shapes.GetIpamResourceCidrsOutput](s, "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, ResourceId: &id}).IpamResourceCidrs
	if len(got) != 1 {
		s.t.Fatalf("resource %s in %s: got %+v", id, *scope, got)
	}
	return got[0]
}

// eventually waits until a condition holds, as that of what is done without
// being asked.
func (s *site) eventually(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(end) {
			s.t.Fatalf("not in time: %s", what)
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Millisecond)
		_ = s.store.WaitRevision(ctx, s.store.Snapshot().Revision()+1)
		cancel()
	}
}

// What an IPAM makes of a VPC's CIDR: managed or not, by the pool's rules or not,
// overlapping or not.
func TestWhatAnIPAMMakesOfACIDR(t *testing.T) {
	prod := shapes.Tag{Key: new("env"), Value: new("prod")}
	rules := func(in *shapes.CreateIpamPoolInput) {
		autoImport(in)
		in.AllocationMinNetmaskLength, in.AllocationMaxNetmaskLength = new(int32(18)), new(int32(24))
		in.AllocationResourceTags = []shapes.RequestIpamResourceTag{{Key: new("env"), Value: new("prod")}}
	}
	for _, c := range []struct {
		name string
		// given makes what is there, and returns the VPC in question.
		given                           func(s *site, scope *string) string
		management, compliance, overlap string
	}{
		{"a VPC outside all pools", func(s *site, scope *string) string {
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "nonoverlapping"},
		{"a VPC in a pool that imports nothing", func(s *site, scope *string) string {
			s.pool(scope, "10.0.0.0/8")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "nonoverlapping"},
		{"an imported VPC that keeps to the rules", func(s *site, scope *string) string {
			s.pool(scope, "10.0.0.0/8", rules)
			return s.newVPC("10.0.0.0/20", prod)
		}, "managed", "compliant", "nonoverlapping"},
		{"an imported VPC that is larger than the rules allow", func(s *site, scope *string) string {
			s.pool(scope, "10.0.0.0/8", rules)
			return s.newVPC("10.0.0.0/16", prod)
		}, "managed", "noncompliant", "nonoverlapping"},
		{"an imported VPC that is smaller", func(s *site, scope *string) string {
			s.pool(scope, "10.0.0.0/8", rules)
			return s.newVPC("10.0.0.0/28", prod)
		}, "managed", "noncompliant", "nonoverlapping"},
		{"an imported VPC without the tag", func(s *site, scope *string) string {
			s.pool(scope, "10.0.0.0/8", rules)
			return s.newVPC("10.0.0.0/20")
		}, "managed", "noncompliant", "nonoverlapping"},
		{"the same CIDR as another VPC", func(s *site, scope *string) string {
			s.newVPC("10.0.0.0/16")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"a CIDR inside another VPC's", func(s *site, scope *string) string {
			s.newVPC("10.0.0.0/16")
			return s.newVPC("10.0.7.0/24")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"a CIDR around another VPC's", func(s *site, scope *string) string {
			s.newVPC("10.0.7.0/24")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"a CIDR beside another VPC's", func(s *site, scope *string) string {
			s.newVPC("10.1.0.0/16")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "nonoverlapping"},
		{"the same CIDR as a VPC in another watched region", func(s *site, scope *string) string {
			s.client.Region = abroad
			s.newVPC("10.0.0.0/16")
			s.client.Region = home
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"the same CIDR as another account's VPC", func(s *site, scope *string) string {
			s.client.AccessKeyID = stranger
			s.newVPC("10.0.0.0/16")
			s.client.AccessKeyID = tenant
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "nonoverlapping"},
		{"over a manual allocation", func(s *site, scope *string) string {
			s.allocate(s.pool(scope, "10.0.0.0/8"), "10.0.3.0/24")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"inside a manual allocation", func(s *site, scope *string) string {
			s.allocate(s.pool(scope, "10.0.0.0/8"), "10.0.0.0/12")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"over a manual allocation of a child pool", func(s *site, scope *string) string {
			top := s.pool(scope, "10.0.0.0/8")
			s.allocate(s.pool(scope, "10.0.0.0/12", func(in *shapes.CreateIpamPoolInput) { in.SourceIpamPoolId = &top }), "10.0.3.0/24")
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "overlapping"},
		{"its own subnets don't count", func(s *site, scope *string) string {
			id := s.newVPC("10.0.0.0/16")
			s.newSubnet(id, "10.0.0.0/24")
			return id
		}, "unmanaged", "unmanaged", "nonoverlapping"},
		{"ignored", func(s *site, scope *string) string {
			s.newVPC("10.0.0.0/16")
			id := s.newVPC("10.0.0.0/16")
			s.monitor(scope, id, "10.0.0.0/16", false)
			return id
		}, "ignored", "ignored", "ignored"},
		{"the same CIDR as an ignored VPC", func(s *site, scope *string) string {
			s.monitor(scope, s.newVPC("10.0.0.0/16"), "10.0.0.0/16", false)
			return s.newVPC("10.0.0.0/16")
		}, "unmanaged", "unmanaged", "nonoverlapping"},
		{"watched again", func(s *site, scope *string) string {
			s.newVPC("10.0.0.0/16")
			id := s.newVPC("10.0.0.0/16")
			s.monitor(scope, id, "10.0.0.0/16", false)
			s.monitor(scope, id, "10.0.0.0/16", true)
			return id
		}, "unmanaged", "unmanaged", "overlapping"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			scope := s.newIPAM().PrivateDefaultScopeId
			id := c.given(s, scope)
			state := func() string {
				r := s.resource(scope, id)
				return string(r.ManagementState) + " " + string(r.ComplianceStatus) + " " + string(r.OverlapStatus)
			}
			want := c.management + " " + c.compliance + " " + c.overlap
			if c.management == "managed" { // which takes a moment
				s.eventually("the import", func() bool { return strings.HasPrefix(state(), "managed") })
			}
			if got := state(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func (s *site) monitor(scope *string, id, cidr string, monitored bool) shapes.IpamResourceCidr {
	s.t.Helper()
	return *call[shapes.ModifyIpamResourceCidrOutput](s, "ModifyIpamResourceCidr", &shapes.ModifyIpamResourceCidrInput{
		CurrentIpamScopeId: scope, ResourceId: &id, ResourceCidr: &cidr, ResourceRegion: new(home), Monitored: &monitored,
	}).IpamResourceCidr
}

// A subnet goes with its VPC's CIDR, and shows how much of it is in use.
func TestSubnetsGoWithTheirVPC(t *testing.T) {
	s := open(t)
	i := s.newIPAM()
	scope := i.PrivateDefaultScopeId
	one, two := s.newVPC("10.0.0.0/16"), s.newVPC("10.0.128.0/17")
	s.newSubnet(one, "10.0.0.0/18")
	n := s.newSubnet(one, "10.0.128.0/24")
	clear := s.newSubnet(one, "10.0.64.0/24")
	s.newSubnet(two, "10.0.128.0/24")
	for id, want := range map[string]string{n: "overlapping", clear: "nonoverlapping"} {
		r := s.resource(scope, id)
		if string(r.OverlapStatus) != want || r.ManagementState != "" || r.ComplianceStatus != "" ||
			r.ResourceType != "subnet" || *r.VpcId != one || r.AvailabilityZoneId == nil || *r.IpUsage != 0 {
			t.Errorf("subnet %s: got %+v, want it only watched, and %s", id, r, want)
		}
	}
	if r := s.resource(scope, one); *r.IpUsage != 0.25+2.0/256 || r.AvailabilityZoneId != nil {
		t.Errorf("the VPC: got %+v, want a quarter and two of 256 parts covered", r)
	}
	if _, err := s.vpc.CreateServiceInterface(t.Context(), vpc.InterfaceSpec{Account: tenant, Region: home, SubnetID: n, Owner: "node-1", Time: time.Now().UTC()}); err != nil {
		t.Fatal(err)
	}
	if r := s.resource(scope, n); *r.IpUsage != 1.0/256 {
		t.Errorf("with one address in use: got %v", *r.IpUsage)
	}
	s.monitor(scope, one, "10.0.0.0/16", false)
	if r := s.resource(scope, n); r.OverlapStatus != "ignored" {
		t.Errorf("of an ignored VPC: got %s", r.OverlapStatus)
	}
}

func (s *site) resources(in *shapes.GetIpamResourceCidrsInput) []string {
	s.t.Helper()
	var ids []string
	for _, r := range call[shapes.GetIpamResourceCidrsOutput](s, "GetIpamResourceCidrs", in).IpamResourceCidrs {
		ids = append(ids, *r.ResourceId)
	}
	return ids
}

func TestResourceCIDRsAreNarrowedAndPaged(t *testing.T) {
	s := open(t)
	scope := s.newIPAM().PrivateDefaultScopeId
	pool := s.pool(scope, "10.1.0.0/16", autoImport)
	first := s.newVPC("10.0.0.0/16", shapes.Tag{Key: new("Name"), Value: new("first")}, shapes.Tag{Key: new("env"), Value: new("dev")})
	second := s.newVPC("10.1.0.0/20")
	var all []string
	for n := range 12 {
		all = append(all, s.newSubnet(first, fmt.Sprintf("10.0.%d.0/24", n)))
	}
	s.eventually("the import", func() bool { return s.allocations(pool) != "" })
	for name, c := range map[string]struct {
		in   shapes.GetIpamResourceCidrsInput
		want []string
	}{
		"by type":               {shapes.GetIpamResourceCidrsInput{ResourceType: "vpc", ResourceOwner: new(tenant)}, []string{first, second, s.defaultVPC()}},
		"a type there is none":  {shapes.GetIpamResourceCidrsInput{ResourceType: "anycast-ip-list"}, nil},
		"by id":                 {shapes.GetIpamResourceCidrsInput{ResourceId: &all[3]}, all[3:4]},
		"an id there isn't":     {shapes.GetIpamResourceCidrsInput{ResourceId: new("vpc-0")}, nil},
		"by pool":               {shapes.GetIpamResourceCidrsInput{IpamPoolId: &pool}, []string{second}},
		"by tag":                {shapes.GetIpamResourceCidrsInput{ResourceTag: &shapes.RequestIpamResourceTag{Key: new("env"), Value: new("dev")}}, []string{first}},
		"by another value":      {shapes.GetIpamResourceCidrsInput{ResourceTag: &shapes.RequestIpamResourceTag{Key: new("env"), Value: new("prod")}}, nil},
		"by another owner":      {shapes.GetIpamResourceCidrsInput{ResourceOwner: new(stranger)}, nil},
		"filtered by state":     {shapes.GetIpamResourceCidrsInput{Filters: []shapes.Filter{{Name: new("management-state"), Values: []string{"managed"}}}}, []string{second}},
		"filtered by name":      {shapes.GetIpamResourceCidrsInput{Filters: []shapes.Filter{{Name: new("resource-name"), Values: []string{"fi*"}}}}, []string{first}},
		"filtered by CIDR":      {shapes.GetIpamResourceCidrsInput{Filters: []shapes.Filter{{Name: new("resource-cidr"), Values: []string{"10.0.3.0/24"}}}}, all[3:4]},
		"filtered by a tag key": {shapes.GetIpamResourceCidrsInput{Filters: []shapes.Filter{{Name: new("tag:env"), Values: []string{"dev"}}}}, []string{first}},
	} {
		c.in.IpamScopeId = scope
		got := s.resources(&c.in)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	want := s.resources(&shapes.GetIpamResourceCidrsInput{IpamScopeId: scope})
	in := &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, MaxResults: new(int32(5))}
	var got []string
	for pages := 0; pages == 0 || in.NextToken != nil; pages++ {
		out := call[shapes.GetIpamResourceCidrsOutput](s, "GetIpamResourceCidrs", in)
		if len(out.IpamResourceCidrs) > 5 {
			t.Fatalf("a page of %d", len(out.IpamResourceCidrs))
		}
		for _, r := range out.IpamResourceCidrs {
			got = append(got, *r.ResourceId)
		}
		in.NextToken = out.NextToken
	}
	if !slices.Equal(got, want) || len(want) != 15+2 { // with the default VPC and its subnets
		t.Errorf("in pages: %v, at once: %v", got, want)
	}
}

func (s *site) defaultVPC() string {
	v, _ := s.vpc.DefaultVPC(s.store.Snapshot(), tenant, home)
	return v.ID
}

// Ignored, a CIDR goes back to the pool and stays out of it; watched again, it is
// imported again; deleted, it leaves nothing behind (I2).
func TestAnImportedVPCIsIgnoredAndDeleted(t *testing.T) {
	s := open(t)
	scope := s.newIPAM().PrivateDefaultScopeId
	pool := s.pool(scope, "10.0.0.0/8", autoImport)
	id := s.newVPC("10.0.0.0/16")
	s.eventually("the import", func() bool { return s.allocations(pool) == "10.0.0.0/16 vpc" })
	if r := s.monitor(scope, id, "10.0.0.0/16", false); r.ManagementState != "ignored" || r.IpamPoolId != nil {
		t.Errorf("ignored: got %+v", r)
	}
	if n := s.stored("discovery.placement"); n != 1 {
		t.Errorf("%d placements, want 1", n)
	}
	if a := s.allocate(pool, "10.0.4.0/24"); *a.Cidr != "10.0.4.0/24" { // its space may be used
		t.Errorf("got %+v", a)
	}
	if got := s.allocations(pool); got != "10.0.4.0/24 custom" {
		t.Errorf("while it is ignored: %q", got)
	}
	call[shapes.ReleaseIpamPoolAllocationOutput](s, "ReleaseIpamPoolAllocation", &shapes.ReleaseIpamPoolAllocationInput{
		IpamPoolId: &pool, Cidr: new("10.0.4.0/24"), IpamPoolAllocationId: s.allocationID(pool),
	})
	s.monitor(scope, id, "10.0.0.0/16", true)
	s.eventually("the second import", func() bool { return s.allocations(pool) == "10.0.0.0/16 vpc" })
	s.deleteVPC(id)
	if got := s.allocations(pool); got != "" {
		t.Errorf("after the VPC: %q", got)
	}
	if n := s.stored("discovery.placement"); n != 0 {
		t.Errorf("%d placements are left of a VPC that is gone", n)
	}
}

func (s *site) allocationID(pool string) *string {
	return call[shapes.GetIpamPoolAllocationsOutput](s, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: &pool}).IpamPoolAllocations[0].IpamPoolAllocationId
}

// What changes afterwards changes the states, and evicts nobody.
func TestAVPCStaysWhateverBecomesOfThePool(t *testing.T) {
	s := open(t)
	scope := s.newIPAM().PrivateDefaultScopeId
	pool := s.pool(scope, "10.0.0.0/8", autoImport, func(in *shapes.CreateIpamPoolInput) {
		in.AllocationResourceTags = []shapes.RequestIpamResourceTag{{Key: new("env"), Value: new("prod")}}
	})
	id := s.newVPC("10.0.0.0/16", shapes.Tag{Key: new("env"), Value: new("prod")})
	s.eventually("the import", func() bool { return s.allocations(pool) != "" })
	if r := s.resource(scope, id); r.ComplianceStatus != "compliant" {
		t.Errorf("with the tag: got %+v", r)
	}
	call[shapes.DeleteTagsOutput](s, "DeleteTags", &shapes.DeleteTagsInput{Resources: []string{id}})
	if r := s.resource(scope, id); r.ComplianceStatus != "noncompliant" || r.ManagementState != "managed" {
		t.Errorf("without it: got %+v", r)
	}
	call[shapes.DeleteIpamPoolOutput](s, "DeleteIpamPool", &shapes.DeleteIpamPoolInput{IpamPoolId: &pool, Cascade: new(true)})
	if r := s.resource(scope, id); r.ManagementState != "unmanaged" {
		t.Errorf("without the pool: got %+v", r)
	}
	s.deleteVPC(id)
}

func TestRefusalsOfMonitoring(t *testing.T) {
	s := open(t)
	i := s.newIPAM()
	scope, public := i.PrivateDefaultScopeId, i.PublicDefaultScopeId
	v := s.newVPC("10.0.0.0/16")
	n := s.newSubnet(v, "10.0.0.0/24")
	modify := func(change func(*shapes.ModifyIpamResourceCidrInput)) *shapes.ModifyIpamResourceCidrInput {
		in := &shapes.ModifyIpamResourceCidrInput{CurrentIpamScopeId: scope, ResourceId: &v, ResourceCidr: new("10.0.0.0/16"), ResourceRegion: new(home), Monitored: new(false)}
		change(in)
		return in
	}
	history := func(change func(*shapes.GetIpamAddressHistoryInput)) *shapes.GetIpamAddressHistoryInput {
		in := &shapes.GetIpamAddressHistoryInput{IpamScopeId: scope, Cidr: new("10.0.0.0/16")}
		change(in)
		return in
	}
	at := func(h int) *time.Time { return new(time.Date(2026, 8, 1, h, 0, 0, 0, time.UTC)) }
	for _, c := range []struct {
		name, action string
		in           any
		status       int
		code, text   string
	}{
		{"an unknown scope", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: new("ipam-scope-0123456789abcdef0")}, 400, "InvalidIpamScopeId.NotFound", "ipam-scope-0123456789abcdef0"},
		{"an unknown pool", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, IpamPoolId: new("ipam-pool-0123456789abcdef0")}, 400, "InvalidIpamPoolId.NotFound", "ipam-pool-0123456789abcdef0"},
		{"a page that is too small", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, MaxResults: new(int32(4))}, 400, "InvalidParameterValue", "5"},
		{"an unknown filter", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, Filters: []shapes.Filter{{Name: new("colour"), Values: []string{"red"}}}}, 400, "InvalidParameterValue", "The filter 'colour' is invalid"},
		{"a token of somebody else's", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, NextToken: new("x")}, 400, "InvalidNextToken", "token"},
		{"a tag without its key", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, ResourceTag: &shapes.RequestIpamResourceTag{Value: new("x")}}, 400, "MissingParameter", "ResourceTag.Key"},
		{"a dry run", "GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope, DryRun: new(true)}, 412, "DryRunOperation", "succeeded"},

		{"of an unknown scope", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) {
			in.CurrentIpamScopeId = new("ipam-scope-0123456789abcdef0")
		}), 400, "InvalidIpamScopeId.NotFound", "ipam-scope-0123456789abcdef0"},
		{"of an unknown resource", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.ResourceId = new("vpc-0") }), 400, "InvalidParameterValue", "vpc-0"},
		{"of a CIDR that it doesn't have", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.ResourceCidr = new("10.0.0.0/17") }), 400, "InvalidParameterValue", "10.0.0.0/17"},
		{"in the wrong region", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.ResourceRegion = new(abroad) }), 400, "InvalidParameterValue", abroad},
		{"in the wrong scope", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.CurrentIpamScopeId = public }), 400, "InvalidParameterValue", "not in ipam-scope"},
		{"of a subnet", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.ResourceId, in.ResourceCidr = &n, new("10.0.0.0/24") }), 400, "InvalidParameterValue", "Only the CIDRs of VPCs"},
		{"to the public scope", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) {
			in.Monitored, in.DestinationIpamScopeId = new(true), public
		}), 400, "InvalidParameterValue", "private scope"},
		{"to an unknown scope", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) {
			in.Monitored, in.DestinationIpamScopeId = new(true), new("ipam-scope-0123456789abcdef0")
		}), 400, "InvalidIpamScopeId.NotFound", "ipam-scope-0123456789abcdef0"},
		{"ignored and moved", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.DestinationIpamScopeId = scope }), 400, "InvalidParameterCombination", "DestinationIpamScopeId"},
		{"a dry run of a change", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.DryRun = new(true) }), 412, "DryRunOperation", "succeeded"},
		{"what isn't a CIDR", "ModifyIpamResourceCidr", modify(func(in *shapes.ModifyIpamResourceCidrInput) { in.ResourceCidr = new("10.0.0.0") }), 400, "InvalidParameterValue", "10.0.0.0"},

		{"the history of no CIDR", "GetIpamAddressHistory", history(func(in *shapes.GetIpamAddressHistoryInput) { in.Cidr = new("ten") }), 400, "InvalidParameterValue", "ten"},
		{"of one with bits beyond its netmask", "GetIpamAddressHistory", history(func(in *shapes.GetIpamAddressHistoryInput) { in.Cidr = new("10.0.0.1/16") }), 400, "InvalidParameterValue", "netmask"},
		{"of an unknown scope", "GetIpamAddressHistory", history(func(in *shapes.GetIpamAddressHistoryInput) { in.IpamScopeId = new("ipam-scope-0123456789abcdef0") }), 400, "InvalidIpamScopeId.NotFound", "ipam-scope-0123456789abcdef0"},
		{"that ends before it begins", "GetIpamAddressHistory", history(func(in *shapes.GetIpamAddressHistoryInput) { in.StartTime, in.EndTime = at(2), at(1) }), 400, "InvalidParameterCombination", "StartTime"},
		{"in a page of none", "GetIpamAddressHistory", history(func(in *shapes.GetIpamAddressHistoryInput) { in.MaxResults = new(int32(0)) }), 400, "InvalidParameterValue", "1"},

		{"an unknown discovery", "GetIpamDiscoveredAccounts", &shapes.GetIpamDiscoveredAccountsInput{IpamResourceDiscoveryId: new("ipam-res-disco-0"), DiscoveryRegion: new(home)}, 400, "InvalidIpamResourceDiscoveryId.NotFound", "ipam-res-disco-0"},
		{"a region that isn't discovered", "GetIpamDiscoveredAccounts", &shapes.GetIpamDiscoveredAccountsInput{IpamResourceDiscoveryId: i.DefaultResourceDiscoveryId, DiscoveryRegion: new("mars-1")}, 400, "InvalidParameterValue", "mars-1"},
		{"resources of a region that isn't discovered", "GetIpamDiscoveredResourceCidrs", &shapes.GetIpamDiscoveredResourceCidrsInput{IpamResourceDiscoveryId: i.DefaultResourceDiscoveryId, ResourceRegion: new("mars-1")}, 400, "InvalidParameterValue", "mars-1"},
		{"addresses of an unknown discovery", "GetIpamDiscoveredPublicAddresses", &shapes.GetIpamDiscoveredPublicAddressesInput{IpamResourceDiscoveryId: new("ipam-res-disco-0"), AddressRegion: new(home)}, 400, "InvalidIpamResourceDiscoveryId.NotFound", "ipam-res-disco-0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.refused(c.action, c.in, c.status, c.code, c.text)
		})
	}
	s.t = t
	if r := s.resource(scope, v); r.ManagementState != "unmanaged" || r.OverlapStatus != "nonoverlapping" {
		t.Errorf("a refused call has changed something: %+v", r)
	}
	s.client.AccessKeyID = stranger // I8
	s.refused("GetIpamResourceCidrs", &shapes.GetIpamResourceCidrsInput{IpamScopeId: scope}, 400, "InvalidIpamScopeId.NotFound", *scope)
	s.refused("GetIpamDiscoveredAccounts", &shapes.GetIpamDiscoveredAccountsInput{IpamResourceDiscoveryId: i.DefaultResourceDiscoveryId, DiscoveryRegion: new(home)}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *i.DefaultResourceDiscoveryId)
}

// stored returns how many records of a collection there are.
func (s *site) stored(collection string) (n int) {
	s.t.Helper()
	_, err := s.engine.Load(s.t.Context(), "/fairlead/v1/"+collection+"/", func(store.KV) error { n++; return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// What was decided in an IPAM is forgotten after it.
func TestTheDecisionsOfAnIPAMAreSweptAfterIt(t *testing.T) {
	s := open(t)
	i := s.newIPAM()
	kept, gone := s.newVPC("10.0.0.0/16"), s.newVPC("10.1.0.0/16")
	s.monitor(i.PrivateDefaultScopeId, kept, "10.0.0.0/16", false)
	s.monitor(i.PrivateDefaultScopeId, gone, "10.1.0.0/16", false)
	s.deleteVPC(gone)
	sweep := func() int {
		if err := s.discovery.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.stored("discovery.placement") + s.stored("discovery.guard")
	}
	if n := sweep(); n != 2 {
		t.Errorf("while the IPAM is there: %d records, want a placement and a guard", n)
	}
	call[shapes.DeleteIpamOutput](s, "DeleteIpam", &shapes.DeleteIpamInput{IpamId: i.IpamId})
	if n := sweep(); n != 0 {
		t.Errorf("after it: %d records, want none", n)
	}
}
