package server

import (
	"slices"
	"testing"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

func (s *site) discoveries(ids ...string) []shapes.IpamResourceDiscovery {
	s.t.Helper()
	return call[shapes.DescribeIpamResourceDiscoveriesOutput](s, "DescribeIpamResourceDiscoveries", &shapes.DescribeIpamResourceDiscoveriesInput{IpamResourceDiscoveryIds: ids}).IpamResourceDiscoveries
}

func (s *site) associations(ids ...string) []shapes.IpamResourceDiscoveryAssociation {
	s.t.Helper()
	return call[shapes.DescribeIpamResourceDiscoveryAssociationsOutput](s, "DescribeIpamResourceDiscoveryAssociations", &shapes.DescribeIpamResourceDiscoveryAssociationsInput{IpamResourceDiscoveryAssociationIds: ids}).IpamResourceDiscoveryAssociations
}

func regionsOf(d shapes.IpamResourceDiscovery) (names []string) {
	for _, r := range d.OperatingRegions {
		names = append(names, *r.RegionName)
	}
	return names
}

// What comes with an IPAM is there, looks where the IPAM operates, and goes with
// it alone.
func TestTheDefaultDiscoveryOfAnIPAM(t *testing.T) {
	s := open(t)
	i := s.newIPAM()
	d, as := s.discoveries(), s.associations()
	if len(d) != 1 || *d[0].IpamResourceDiscoveryId != *i.DefaultResourceDiscoveryId || !*d[0].IsDefault || d[0].State != "create-complete" ||
		*d[0].IpamResourceDiscoveryArn != "arn:aws:ec2::"+tenant+":ipam-resource-discovery/"+*i.DefaultResourceDiscoveryId ||
		!slices.Equal(regionsOf(d[0]), []string{abroad, home}) {
		t.Errorf("the discovery: got %+v", d)
	}
	if len(as) != 1 || *as[0].IpamResourceDiscoveryAssociationId != *i.DefaultResourceDiscoveryAssociationId || !*as[0].IsDefault ||
		as[0].State != "associate-complete" || as[0].ResourceDiscoveryStatus != "active" || *as[0].IpamId != *i.IpamId || *as[0].IpamRegion != home ||
		*as[0].IpamResourceDiscoveryAssociationArn != "arn:aws:ec2::"+tenant+":ipam-resource-discovery-association/"+*i.DefaultResourceDiscoveryAssociationId {
		t.Errorf("the association: got %+v", as)
	}
	id, assoc := i.DefaultResourceDiscoveryId, i.DefaultResourceDiscoveryAssociationId
	s.refused("DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: id}, 400, "DependencyViolation", "default")
	s.refused("DisassociateIpamResourceDiscovery", &shapes.DisassociateIpamResourceDiscoveryInput{IpamResourceDiscoveryAssociationId: assoc}, 400, "DependencyViolation", "default")
	s.refused("CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{}, 400, "ResourceLimitExceeded", "limited to 1")
	s.refused("ModifyIpamResourceDiscovery", &shapes.ModifyIpamResourceDiscoveryInput{IpamResourceDiscoveryId: id, AddOperatingRegions: []shapes.AddIpamOperatingRegion{{RegionName: new(home)}}}, 400, "InvalidParameterValue", "Modify the IPAM")
	modified := call[shapes.ModifyIpamResourceDiscoveryOutput](s, "ModifyIpamResourceDiscovery", &shapes.ModifyIpamResourceDiscoveryInput{IpamResourceDiscoveryId: id, Description: new("ours")}).IpamResourceDiscovery
	if modified.State != "modify-in-progress" || *modified.Description != "ours" {
		t.Errorf("modified: got %+v", modified)
	}
	call[shapes.CreateTagsOutput](s, "CreateTags", &shapes.CreateTagsInput{Resources: []string{*id, *assoc}, Tags: []shapes.Tag{{Key: new("team"), Value: new("edge")}}})
	if d, as := s.discoveries(*id), s.associations(*assoc); d[0].State != "modify-complete" || *d[0].Description != "ours" || len(d[0].Tags) != 1 || len(as[0].Tags) != 1 {
		t.Errorf("got %+v and %+v", d, as)
	}
	accounts := call[shapes.GetIpamDiscoveredAccountsOutput](s, "GetIpamDiscoveredAccounts", &shapes.GetIpamDiscoveredAccountsInput{IpamResourceDiscoveryId: id, DiscoveryRegion: new(abroad)}).IpamDiscoveredAccounts
	if len(accounts) != 1 || *accounts[0].AccountId != tenant || accounts[0].FailureReason != nil || accounts[0].LastSuccessfulDiscoveryTime == nil {
		t.Errorf("accounts: got %+v", accounts)
	}

	call[shapes.DeleteIpamOutput](s, "DeleteIpam", &shapes.DeleteIpamInput{IpamId: i.IpamId})
	s.refused("DescribeIpamResourceDiscoveries", &shapes.DescribeIpamResourceDiscoveriesInput{IpamResourceDiscoveryIds: []string{*id}}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *id)
	s.refused("DescribeIpamResourceDiscoveryAssociations", &shapes.DescribeIpamResourceDiscoveryAssociationsInput{IpamResourceDiscoveryAssociationIds: []string{*assoc}}, 400, "InvalidIpamResourceDiscoveryAssociationId.NotFound", *assoc)
	if n := s.stored("tags") + s.stored("discovery.discovery"); n != 0 {
		t.Errorf("%d records are left of what went with the IPAM", n)
	}
}

// A discovery of the account's own in another region has the IPAM watch what it
// finds there, for as long as it is associated.
func TestADiscoveryIsMadeAssociatedAndDeleted(t *testing.T) {
	s := open(t)
	i := call[shapes.CreateIpamOutput](s, "CreateIpam", &shapes.CreateIpamInput{}).Ipam // watches its home alone
	s.client.Region = abroad
	far := s.newVPC("10.0.0.0/16")
	in := &shapes.CreateIpamResourceDiscoveryInput{
		Description: new("far"), ClientToken: new("once"),
		TagSpecifications: []shapes.TagSpecification{{ResourceType: "ipam-resource-discovery", Tags: []shapes.Tag{{Key: new("a"), Value: new("b")}}}},
	}
	made := call[shapes.CreateIpamResourceDiscoveryOutput](s, "CreateIpamResourceDiscovery", in).IpamResourceDiscovery
	if made.State != "create-in-progress" || *made.IsDefault || !slices.Equal(regionsOf(*made), []string{abroad}) || len(made.Tags) != 1 {
		t.Errorf("made: got %+v", made)
	}
	if again := call[shapes.CreateIpamResourceDiscoveryOutput](s, "CreateIpamResourceDiscovery", in).IpamResourceDiscovery; *again.IpamResourceDiscoveryId != *made.IpamResourceDiscoveryId {
		t.Errorf("the same token: got %+v", again)
	}
	s.refused("CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{}, 400, "ResourceLimitExceeded", "limited to 1")
	id := made.IpamResourceDiscoveryId

	s.client.Region = home
	resources := func() []string {
		return s.resources(&shapes.GetIpamResourceCidrsInput{IpamScopeId: i.PrivateDefaultScopeId, ResourceId: &far})
	}
	if got := resources(); len(got) != 0 {
		t.Errorf("before it is associated: %v", got)
	}
	associate := &shapes.AssociateIpamResourceDiscoveryInput{IpamId: i.IpamId, IpamResourceDiscoveryId: id}
	as := call[shapes.AssociateIpamResourceDiscoveryOutput](s, "AssociateIpamResourceDiscovery", associate).IpamResourceDiscoveryAssociation
	if as.State != "associate-in-progress" || *as.IsDefault || as.ResourceDiscoveryStatus != "active" {
		t.Errorf("associated: got %+v", as)
	}
	s.refused("AssociateIpamResourceDiscovery", associate, 400, "InvalidParameterValue", "already associated")
	if got := resources(); !slices.Equal(got, []string{far}) {
		t.Errorf("when it is: got %v, want %s", got, far)
	}
	if got := call[shapes.DescribeIpamsOutput](s, "DescribeIpams", &shapes.DescribeIpamsInput{}).Ipams; *got[0].ResourceDiscoveryAssociationCount != 2 {
		t.Errorf("the IPAM counts %d associations, want 2", *got[0].ResourceDiscoveryAssociationCount)
	}
	if got := s.associations(); len(got) != 2 || got[0].State != "associate-complete" {
		t.Errorf("associations: got %+v", got)
	}

	s.client.Region = abroad
	call[shapes.DeleteIpamResourceDiscoveryOutput](s, "DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: id})
	if got := s.discoveries(); len(got) != 0 {
		t.Errorf("after the deletion: %+v", got)
	}
	s.client.Region = home
	if got := s.associations(*as.IpamResourceDiscoveryAssociationId); got[0].ResourceDiscoveryStatus != "not-found" {
		t.Errorf("the association: got %+v, want it to find nothing", got)
	}
	if got := resources(); len(got) != 0 {
		t.Errorf("and yet: %v", got)
	}
	gone := call[shapes.DisassociateIpamResourceDiscoveryOutput](s, "DisassociateIpamResourceDiscovery", &shapes.DisassociateIpamResourceDiscoveryInput{IpamResourceDiscoveryAssociationId: as.IpamResourceDiscoveryAssociationId})
	if gone.IpamResourceDiscoveryAssociation.State != "disassociate-in-progress" || len(s.associations()) != 1 {
		t.Errorf("disassociated: got %+v", gone.IpamResourceDiscoveryAssociation)
	}
}

// An IPAM takes the discovery that its region has already, and leaves it behind.
func TestAnIPAMTakesTheDiscoveryThatIsThere(t *testing.T) {
	s := open(t)
	made := call[shapes.CreateIpamResourceDiscoveryOutput](s, "CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{
		OperatingRegions: []shapes.AddIpamOperatingRegion{{RegionName: new(abroad)}},
	}).IpamResourceDiscovery
	i := call[shapes.CreateIpamOutput](s, "CreateIpam", &shapes.CreateIpamInput{}).Ipam
	if *i.DefaultResourceDiscoveryId != *made.IpamResourceDiscoveryId {
		t.Errorf("the IPAM's default is %s, want %s", *i.DefaultResourceDiscoveryId, *made.IpamResourceDiscoveryId)
	}
	if d := s.discoveries(); len(d) != 1 || !*d[0].IsDefault || !slices.Equal(regionsOf(d[0]), []string{abroad, home}) {
		t.Errorf("the discovery: got %+v", d)
	}
	s.refused("DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: made.IpamResourceDiscoveryId}, 400, "DependencyViolation", "default")
	call[shapes.DeleteIpamOutput](s, "DeleteIpam", &shapes.DeleteIpamInput{IpamId: i.IpamId})
	if d := s.discoveries(); len(d) != 1 || *d[0].IsDefault {
		t.Errorf("after the IPAM: got %+v", d)
	}
	call[shapes.DeleteIpamResourceDiscoveryOutput](s, "DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: made.IpamResourceDiscoveryId})
}

func TestRefusalsOfDiscoveries(t *testing.T) {
	s := open(t)
	free := call[shapes.CreateIpamOutput](s, "CreateIpam", &shapes.CreateIpamInput{Tier: "free"}).Ipam
	s.client.Region = abroad
	d := call[shapes.CreateIpamResourceDiscoveryOutput](s, "CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{}).IpamResourceDiscovery.IpamResourceDiscoveryId
	unknown := new("ipam-res-disco-0123456789abcdef0")
	for _, c := range []struct {
		name, region, action string
		in                   any
		status               int
		code, text           string
	}{
		{"an unknown region", home, "CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{OperatingRegions: []shapes.AddIpamOperatingRegion{{RegionName: new("")}}}, 400, "InvalidParameterValue", "operating region"},
		{"tags for another type", home, "CreateIpamResourceDiscovery", &shapes.CreateIpamResourceDiscoveryInput{TagSpecifications: []shapes.TagSpecification{{ResourceType: "vpc"}}}, 400, "InvalidParameterValue", "vpc"},
		{"an unknown one to modify", abroad, "ModifyIpamResourceDiscovery", &shapes.ModifyIpamResourceDiscoveryInput{IpamResourceDiscoveryId: unknown, Description: new("x")}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *unknown},
		{"nothing to modify", abroad, "ModifyIpamResourceDiscovery", &shapes.ModifyIpamResourceDiscoveryInput{IpamResourceDiscoveryId: d}, 400, "InvalidParameterCombination", "must contain a modification"},
		{"its home removed", abroad, "ModifyIpamResourceDiscovery", &shapes.ModifyIpamResourceDiscoveryInput{IpamResourceDiscoveryId: d, RemoveOperatingRegions: []shapes.RemoveIpamOperatingRegion{{RegionName: new(abroad)}}}, 400, "InvalidParameterValue", "home region"},
		{"an organization's unit", abroad, "ModifyIpamResourceDiscovery", &shapes.ModifyIpamResourceDiscoveryInput{IpamResourceDiscoveryId: d, AddOrganizationalUnitExclusions: []shapes.AddIpamOrganizationalUnitExclusion{{OrganizationsEntityPath: new("o-1/r-1/ou-1/")}}}, 400, "UnsupportedOperation", "AddOrganizationalUnitExclusion"},
		{"an unknown one to delete", abroad, "DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: unknown}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *unknown},
		{"one of another region to delete", home, "DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: d}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *d},
		{"a dry run", abroad, "DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: d, DryRun: new(true)}, 412, "DryRunOperation", "succeeded"},
		{"an unknown ipam", home, "AssociateIpamResourceDiscovery", &shapes.AssociateIpamResourceDiscoveryInput{IpamId: new("ipam-0123456789abcdef0"), IpamResourceDiscoveryId: d}, 400, "InvalidIpamId.NotFound", "ipam-0123456789abcdef0"},
		{"an unknown discovery", home, "AssociateIpamResourceDiscovery", &shapes.AssociateIpamResourceDiscoveryInput{IpamId: free.IpamId, IpamResourceDiscoveryId: unknown}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *unknown},
		{"a second association in the free tier", home, "AssociateIpamResourceDiscovery", &shapes.AssociateIpamResourceDiscoveryInput{IpamId: free.IpamId, IpamResourceDiscoveryId: d}, 400, "UnsupportedOperation", "advanced tier"},
		{"an unknown association", home, "DisassociateIpamResourceDiscovery", &shapes.DisassociateIpamResourceDiscoveryInput{IpamResourceDiscoveryAssociationId: new("ipam-res-disco-assoc-0")}, 400, "InvalidIpamResourceDiscoveryAssociationId.NotFound", "ipam-res-disco-assoc-0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t, s.client.Region = t, c.region
			s.refused(c.action, c.in, c.status, c.code, c.text)
		})
	}
	s.t, s.client.Region = t, abroad
	if got := s.discoveries(); len(got) != 1 || got[0].State != "create-complete" || len(got[0].OperatingRegions) != 1 {
		t.Errorf("a refused call has changed something: %+v", got)
	}
	s.client.AccessKeyID = stranger // I8
	s.refused("DeleteIpamResourceDiscovery", &shapes.DeleteIpamResourceDiscoveryInput{IpamResourceDiscoveryId: d}, 400, "InvalidIpamResourceDiscoveryId.NotFound", *d)
}
