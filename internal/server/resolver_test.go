package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/wire"
)

// resolve has the site keep lists in step until the test ends, and answer without
// a socket, so that time can be the test's own.
func (s *site) resolve() *site {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.resolvers.Run(ctx) })
	s.t.Cleanup(func() { cancel(); running.Wait() })
	s.client = wire.Client{
		Endpoint: "http://localhost", Spec: ec2.Spec, Region: home, AccessKeyID: tenant, Secret: "any", HTTP: &http.Client{Transport: carried{s.wire}},
	}
	return s
}

func (s *site) resolver(i shapes.Ipam, rules ...shapes.IpamPrefixListResolverRuleRequest) string {
	s.t.Helper()
	return *call[shapes.CreateIpamPrefixListResolverOutput](s, "CreateIpamPrefixListResolver", &shapes.CreateIpamPrefixListResolverInput{
		IpamId: i.IpamId, AddressFamily: "ipv4", Rules: rules,
	}).IpamPrefixListResolver.IpamPrefixListResolverId
}

// selected returns what a resolver's newest version has, once all is seen.
func (s *site) selected(resolver string) string {
	s.t.Helper()
	time.Sleep(3500 * time.Millisecond)
	synctest.Wait()
	versions := call[shapes.GetIpamPrefixListResolverVersionsOutput](s, "GetIpamPrefixListResolverVersions", &shapes.GetIpamPrefixListResolverVersionsInput{IpamPrefixListResolverId: &resolver}).IpamPrefixListResolverVersions
	if len(versions) == 0 {
		return "no version"
	}
	entries := call[shapes.GetIpamPrefixListResolverVersionEntriesOutput](s, "GetIpamPrefixListResolverVersionEntries", &shapes.GetIpamPrefixListResolverVersionEntriesInput{
		IpamPrefixListResolverId: &resolver, IpamPrefixListResolverVersion: versions[len(versions)-1].Version,
	}).Entries
	var all []string
	for _, e := range entries {
		all = append(all, *e.Cidr)
	}
	return strings.Join(all, " ")
}

// What an IPAM watches comes and goes, gets tags and is moved; a resolver's next
// version has it.
func TestResolversSeeWhatTheirIPAMWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, memstore.New()).run().resolve()
		i := s.newIPAM()
		equals := func(c shapes.IpamPrefixListResolverRuleConditionRequest) []shapes.IpamPrefixListResolverRuleConditionRequest {
			c.Operation = "equals"
			return []shapes.IpamPrefixListResolverRuleConditionRequest{c}
		}
		of := func(scope *string, kind shapes.IpamResourceType, conditions []shapes.IpamPrefixListResolverRuleConditionRequest) string {
			return s.resolver(i, shapes.IpamPrefixListResolverRuleRequest{RuleType: "ipam-resource-cidr", IpamScopeId: scope, ResourceType: kind, Conditions: conditions})
		}
		prod := shapes.Tag{Key: new("env"), Value: new("prod")}
		all := map[string]string{
			"vpcs":    of(i.PrivateDefaultScopeId, "vpc", []shapes.IpamPrefixListResolverRuleConditionRequest{{Operation: "subnet-of", Cidr: new("10.0.0.0/8")}}),
			"tagged":  of(i.PrivateDefaultScopeId, "vpc", equals(shapes.IpamPrefixListResolverRuleConditionRequest{ResourceTag: &shapes.RequestIpamResourceTag{Key: prod.Key, Value: prod.Value}})),
			"subnets": of(i.PrivateDefaultScopeId, "subnet", []shapes.IpamPrefixListResolverRuleConditionRequest{{Operation: "subnet-of", Cidr: new("10.0.0.0/8")}}),
			"foreign": of(i.PrivateDefaultScopeId, "vpc", equals(shapes.IpamPrefixListResolverRuleConditionRequest{ResourceOwner: new("444455556666")})),
			"abroad":  of(i.PrivateDefaultScopeId, "vpc", equals(shapes.IpamPrefixListResolverRuleConditionRequest{ResourceRegion: new(abroad)})),
			"eips":    of(i.PublicDefaultScopeId, "eip", nil),
			"pools":   s.resolver(i, shapes.IpamPrefixListResolverRuleRequest{RuleType: "ipam-pool-cidr", IpamScopeId: i.PrivateDefaultScopeId}),
		}
		want := map[string]string{}
		check := func(when string) {
			t.Helper()
			for name, id := range all {
				if got := s.selected(id); got != want[name] {
					t.Errorf("%s: %s: got %q, want %q", when, name, got, want[name])
				}
			}
		}
		check("at first")

		v := s.newVPC("10.0.0.0/16")
		n := s.newSubnet(v, "10.0.1.0/24")
		second := s.newVPC("10.1.0.0/16", prod)
		want["vpcs"], want["subnets"], want["tagged"] = "10.0.0.0/16 10.1.0.0/16", "10.0.1.0/24", "10.1.0.0/16"
		check("VPCs and a subnet")

		call[shapes.CreateTagsOutput](s, "CreateTags", &shapes.CreateTagsInput{Resources: []string{v}, Tags: []shapes.Tag{prod}})
		call[shapes.DeleteTagsOutput](s, "DeleteTags", &shapes.DeleteTagsInput{Resources: []string{second}, Tags: []shapes.Tag{prod}})
		want["tagged"] = "10.0.0.0/16"
		check("other tags")

		s.monitor(i.PrivateDefaultScopeId, second, "10.1.0.0/16", false)
		want["vpcs"] = "10.0.0.0/16"
		check("one ignored")
		s.monitor(i.PrivateDefaultScopeId, second, "10.1.0.0/16", true)
		want["vpcs"] = "10.0.0.0/16 10.1.0.0/16"
		check("and watched again")

		pool := s.pool(i.PrivateDefaultScopeId, "10.128.0.0/16")
		want["pools"] = "10.128.0.0/16"
		check("a pool")
		call[shapes.DeprovisionIpamPoolCidrOutput](s, "DeprovisionIpamPoolCidr", &shapes.DeprovisionIpamPoolCidrInput{IpamPoolId: &pool, Cidr: new("10.128.0.0/16")})
		want["pools"] = ""
		check("its CIDR gone")

		public := s.pool(i.PublicDefaultScopeId, "192.0.2.0/29", func(in *shapes.CreateIpamPoolInput) { in.AwsService, in.PublicIpSource = "ec2", "byoip" })
		address := call[shapes.AllocateAddressOutput](s, "AllocateAddress", &shapes.AllocateAddressInput{IpamPoolId: &public})
		want["eips"] = "192.0.2.0/32"
		check("an elastic IP")
		call[shapes.ReleaseAddressOutput](s, "ReleaseAddress", &shapes.ReleaseAddressInput{AllocationId: address.AllocationId})
		want["eips"] = ""
		check("released")

		call[shapes.DeleteSubnetOutput](s, "DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: &n})
		s.deleteVPC(v)
		want["vpcs"], want["subnets"], want["tagged"] = "10.1.0.0/16", "", ""
		check("a VPC and its subnet gone")
	})
}

// The story of a list that partners' security groups name: it has what the pool
// has, in whatever region.
func TestAListIsKeptInStepWithAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, memstore.New()).run().resolve()
		i := s.newIPAM()
		pool := s.pool(i.PrivateDefaultScopeId, "10.0.0.0/16")
		s.client.Region = abroad
		list := call[shapes.CreateManagedPrefixListOutput](s, "CreateManagedPrefixList", &shapes.CreateManagedPrefixListInput{
			PrefixListName: new("pool"), AddressFamily: new("IPv4"), MaxEntries: new(int32(2)),
		}).PrefixList.PrefixListId
		s.client.Region = home
		res := s.resolver(i, shapes.IpamPrefixListResolverRuleRequest{
			RuleType: "ipam-pool-cidr", IpamScopeId: i.PrivateDefaultScopeId,
			Conditions: []shapes.IpamPrefixListResolverRuleConditionRequest{{Operation: "equals", IpamPoolId: &pool}},
		})
		target := call[shapes.CreateIpamPrefixListResolverTargetOutput](s, "CreateIpamPrefixListResolverTarget", &shapes.CreateIpamPrefixListResolverTargetInput{
			IpamPrefixListResolverId: &res, PrefixListId: list, PrefixListRegion: new(abroad), TrackLatestVersion: new(true),
		}).IpamPrefixListResolverTarget.IpamPrefixListResolverTargetId
		has := func(want string, version int64, state shapes.IpamPrefixListResolverTargetState) {
			t.Helper()
			s.selected(res)
			s.client.Region = abroad
			var got []string
			for _, e := range call[shapes.GetManagedPrefixListEntriesOutput](s, "GetManagedPrefixListEntries", &shapes.GetManagedPrefixListEntriesInput{PrefixListId: list}).Entries {
				got = append(got, *e.Cidr)
			}
			s.client.Region = home
			now := call[shapes.DescribeIpamPrefixListResolverTargetsOutput](s, "DescribeIpamPrefixListResolverTargets", &shapes.DescribeIpamPrefixListResolverTargetsInput{
				IpamPrefixListResolverTargetIds: []string{*target},
			}).IpamPrefixListResolverTargets[0]
			if strings.Join(got, " ") != want || *now.LastSyncedVersion != version || now.State != state {
				t.Errorf("got %v of version %d, %s, want %s of %d, %s", got, *now.LastSyncedVersion, now.State, want, version, state)
			}
		}
		provision := func(cidr string) {
			t.Helper()
			call[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &pool, Cidr: &cidr})
		}
		has("10.0.0.0/16", 1, "sync-complete")
		provision("10.1.0.0/16")
		has("10.0.0.0/16 10.1.0.0/16", 2, "sync-complete")
		provision("10.2.0.0/16")
		has("10.0.0.0/16 10.1.0.0/16", 2, "sync-failed") // a third entry has no room
		call[shapes.DeprovisionIpamPoolCidrOutput](s, "DeprovisionIpamPoolCidr", &shapes.DeprovisionIpamPoolCidrInput{IpamPoolId: &pool, Cidr: new("10.0.0.0/16")})
		has("10.1.0.0/16 10.2.0.0/16", 4, "sync-complete")
	})
}

// An IPAM stays, and in the advanced tier, as long as it has resolvers, whichever
// of two servers comes first.
func TestResolversAreInTheWayOfTheirIPAM(t *testing.T) {
	p := newPair(t, 0)
	var manager shapes.DescribeIpamsOutput
	p.must(t, "DescribeIpams", &shapes.DescribeIpamsInput{}, &manager)
	i := manager.Ipams[0]
	p.must(t, "DeprovisionIpamPoolCidr", &shapes.DeprovisionIpamPoolCidrInput{IpamPoolId: &p.pool, Cidr: new("192.0.2.144/29")}, nil)
	p.must(t, "DeleteIpamPool", &shapes.DeleteIpamPoolInput{IpamPoolId: &p.pool}, nil)
	var made shapes.CreateIpamPrefixListResolverOutput
	create := func(server int) (string, error) {
		return p.call(server, "CreateIpamPrefixListResolver", &shapes.CreateIpamPrefixListResolverInput{IpamId: i.IpamId, AddressFamily: "ipv4"}, &made)
	}
	drop := func(server int) (string, error) {
		return p.call(server, "DeleteIpamPrefixListResolver", &shapes.DeleteIpamPrefixListResolverInput{IpamPrefixListResolverId: made.IpamPrefixListResolver.IpamPrefixListResolverId}, nil)
	}
	tier := func(server int, to shapes.IpamTier) (string, error) {
		return p.call(server, "ModifyIpam", &shapes.ModifyIpamInput{IpamId: i.IpamId, Tier: to}, nil)
	}
	remove := func(server int) (string, error) {
		return p.call(server, "DeleteIpam", &shapes.DeleteIpamInput{IpamId: i.IpamId, Cascade: new(true)}, nil)
	}
	quiet := func(_ string, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	quiet(create(0))
	for what, f := range map[string]func() (string, error){
		"delete": func() (string, error) { return remove(0) }, "downgrade": func() (string, error) { return tier(0, "free") },
	} {
		code, err := f()
		wantCode(t, what, code, err, "DependencyViolation")
	}
	quiet(drop(0))

	p.interrupt = func() { quiet(create(1)) }
	code, err := tier(0, "free")
	wantCode(t, "downgrade, with a creation in between", code, err, "DependencyViolation")
	quiet(drop(0))
	p.interrupt = func() { quiet(tier(1, "free")) }
	code, err = create(0)
	wantCode(t, "create, with the downgrade in between", code, err, "UnsupportedOperation")
	quiet(tier(0, "advanced"))

	p.interrupt = func() { quiet(create(1)) }
	code, err = remove(0)
	wantCode(t, "delete, with a creation in between", code, err, "DependencyViolation")
	quiet(drop(0))
	p.interrupt = func() { quiet(remove(1)) }
	code, err = create(0)
	wantCode(t, "create, with the deletion in between", code, err, "InvalidIpamId.NotFound")
	if n := fmt.Sprint(p.rooms[0].resolvers.Count(p.rooms[0].store.Snapshot(), *i.IpamId)); n != "0" {
		t.Errorf("an IPAM that is gone has %s resolvers", n)
	}
}

// A resolver sees the regions that its IPAM watches, by itself or through a
// resource discovery.
func TestResolversSeeTheRegionsThatTheirIPAMWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, memstore.New()).run().resolve()
		i := *call[shapes.CreateIpamOutput](s, "CreateIpam", &shapes.CreateIpamInput{}).Ipam
		there := s.resolver(i, shapes.IpamPrefixListResolverRuleRequest{
			RuleType: "ipam-resource-cidr", IpamScopeId: i.PrivateDefaultScopeId, ResourceType: "vpc",
			Conditions: []shapes.IpamPrefixListResolverRuleConditionRequest{{Operation: "subnet-of", Cidr: new("10.0.0.0/8")}},
		})
		s.client.Region = abroad
		s.newVPC("10.0.0.0/16")
		found := call[shapes.CreateIpamResourceDiscoveryOutput](s, "CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{}).IpamResourceDiscovery
		s.client.Region = home
		check := func(when, want string) {
			t.Helper()
			if got := s.selected(there); got != want {
				t.Errorf("%s: got %q, want %q", when, got, want)
			}
		}
		check("not watched", "")
		association := call[shapes.AssociateIpamResourceDiscoveryOutput](s, "AssociateIpamResourceDiscovery", &shapes.AssociateIpamResourceDiscoveryInput{
			IpamId: i.IpamId, IpamResourceDiscoveryId: found.IpamResourceDiscoveryId,
		}).IpamResourceDiscoveryAssociation
		check("a discovery's region", "10.0.0.0/16")
		call[shapes.DisassociateIpamResourceDiscoveryOutput](s, "DisassociateIpamResourceDiscovery", &shapes.DisassociateIpamResourceDiscoveryInput{
			IpamResourceDiscoveryAssociationId: association.IpamResourceDiscoveryAssociationId,
		})
		check("no more", "")
		call[shapes.ModifyIpamOutput](s, "ModifyIpam", &shapes.ModifyIpamInput{IpamId: i.IpamId, AddOperatingRegions: []shapes.AddIpamOperatingRegion{{RegionName: new(abroad)}}})
		check("an operating region", "10.0.0.0/16")
	})
}
