package ec2_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
)

// brought lists what DescribeByoipCidrs shows, page by page.
func (s *ipamSite) brought() (all []string) {
	s.t.Helper()
	in := &shapes.DescribeByoipCidrsInput{MaxResults: new(int32(1))}
	for {
		out := ipamDo[shapes.DescribeByoipCidrsOutput](s, "DescribeByoipCidrs", in)
		for _, c := range out.ByoipCidrs {
			all = append(all, *c.Cidr+" "+string(c.State))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			slices.Sort(all)
			return all
		}
	}
}

// S7, past IPAM and then into it.
func TestARangeIsBroughtAdvertisedAndMoved(t *testing.T) {
	s := newIPAMSite(t)
	c := ipamDo[shapes.ProvisionByoipCidrOutput](s, "ProvisionByoipCidr", &shapes.ProvisionByoipCidrInput{
		Cidr: new("198.18.0.0/24"), Description: new("ours"),
		PoolTagSpecifications: []shapes.TagSpecification{{ResourceType: "ipv4pool-ec2", Tags: []shapes.Tag{{Key: new("for"), Value: new("mail")}}}},
	}).ByoipCidr
	if c.State != shapes.ByoipCidrStatePendingProvision || c.PoolId == nil || *c.StatusMessage != *c.PoolId || *c.Description != "ours" ||
		*c.AdvertisementType != "unicast" || *c.NetworkBorderGroup != "us-east-1" || c.IpamPoolId != nil {
		t.Errorf("ProvisionByoipCidr: %+v", c)
	}
	ipamDo[shapes.ProvisionByoipCidrOutput](s, "ProvisionByoipCidr", &shapes.ProvisionByoipCidrInput{Cidr: new("198.18.1.0/24")})
	if got, want := s.brought(), []string{"198.18.0.0/24 provisioned", "198.18.1.0/24 provisioned"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	pools := ipamDo[shapes.DescribePublicIpv4PoolsOutput](s, "DescribePublicIpv4Pools", &shapes.DescribePublicIpv4PoolsInput{
		Filters: []shapes.Filter{{Name: new("tag:for"), Values: []string{"mail"}}},
	}).PublicIpv4Pools
	if len(pools) != 1 || *pools[0].PoolId != *c.PoolId || *pools[0].TotalAddressCount != 256 || *pools[0].Description != "ours" {
		t.Errorf("DescribePublicIpv4Pools: %+v", pools)
	}

	name := &shapes.AdvertiseByoipCidrInput{Cidr: new("198.18.0.0/24"), Asn: new("AWS")}
	if c := ipamDo[shapes.AdvertiseByoipCidrOutput](s, "AdvertiseByoipCidr", name).ByoipCidr; c.State != shapes.ByoipCidrStatePendingAdvertising {
		t.Errorf("AdvertiseByoipCidr: %+v", c)
	}
	s.refused("DeprovisionByoipCidr", &shapes.DeprovisionByoipCidrInput{Cidr: name.Cidr}, 400, "IncorrectState", "Withdraw it first")
	if c := ipamDo[shapes.WithdrawByoipCidrOutput](s, "WithdrawByoipCidr", &shapes.WithdrawByoipCidrInput{Cidr: name.Cidr}).ByoipCidr; c.State != shapes.ByoipCidrStatePendingWithdrawal {
		t.Errorf("WithdrawByoipCidr: %+v", c)
	}

	i := s.ipam()
	pool := s.pool(i.PublicDefaultScopeId, func(in *shapes.CreateIpamPoolInput) { in.AwsService = shapes.IpamPoolAwsServiceEc2 })
	move := &shapes.MoveByoipCidrToIpamInput{Cidr: new("198.18.1.0/24"), IpamPoolId: pool.IpamPoolId, IpamPoolOwner: new(account)}
	for _, want := range []string{"pending-transfer", "complete-transfer"} {
		if c := ipamDo[shapes.MoveByoipCidrToIpamOutput](s, "MoveByoipCidrToIpam", move).ByoipCidr; string(c.State) != want || c.PoolId != nil || *c.IpamPoolId != *pool.IpamPoolId {
			t.Errorf("MoveByoipCidrToIpam: got %+v, want %s", c, want)
		}
	}
	held := ipamDo[shapes.GetIpamPoolAllocationsOutput](s, "GetIpamPoolAllocations", &shapes.GetIpamPoolAllocationsInput{IpamPoolId: pool.IpamPoolId}).IpamPoolAllocations
	if len(held) != 1 || *held[0].Cidr != "198.18.1.0/24" || held[0].ResourceType != shapes.IpamPoolAllocationResourceTypeEc2PublicIpv4Pool {
		t.Errorf("GetIpamPoolAllocations: %+v", held)
	}
	s.refused("MoveByoipCidrToIpam", &shapes.MoveByoipCidrToIpamInput{Cidr: move.Cidr, IpamPoolId: move.IpamPoolId, IpamPoolOwner: new(stranger)}, 400, "InvalidIpamPoolId.NotFound", *pool.IpamPoolId)
	s.refused("DeprovisionByoipCidr", &shapes.DeprovisionByoipCidrInput{Cidr: move.Cidr}, 400, "InvalidParameterValue", "DeprovisionIpamPoolCidr")
	s.client.AccessKeyID = stranger // I8
	s.refused("AdvertiseByoipCidr", name, 400, "InvalidParameterValue", "198.18.0.0/24")
	if got := s.brought(); got != nil {
		t.Errorf("I8: another account sees %q", got)
	}
}

// I10.
func TestMistakesWithBYOIP(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		code, action string
		params       []string
	}{
		{"MissingParameter", "DescribeByoipCidrs", nil},
		{"InvalidParameterValue", "DescribeByoipCidrs", []string{"MaxResults", "0"}},
		{"InvalidParameterValue", "DescribeByoipCidrs", []string{"MaxResults", "101"}},
		{"InvalidNextToken", "DescribeByoipCidrs", []string{"MaxResults", "5", "NextToken", "%"}},
		{"MissingParameter", "AdvertiseByoipCidr", nil},
		{"InvalidParameterValue", "AdvertiseByoipCidr", []string{"Cidr", "198.18.0.0"}},
		{"InvalidParameterValue", "AdvertiseByoipCidr", []string{"Cidr", "198.18.0.0/24"}},
		{"UnsupportedOperation", "AdvertiseByoipCidr", []string{"Cidr", "198.18.0.0/24", "Asn", "64500"}},
		{"InvalidParameterValue", "AdvertiseByoipCidr", []string{"Cidr", "198.18.0.0/24", "NetworkBorderGroup", "us-east-1-bos-1"}},
		{"InvalidParameterValue", "WithdrawByoipCidr", []string{"Cidr", "198.18.0.0/24"}},
		{"InvalidParameterValue", "DeprovisionByoipCidr", []string{"Cidr", "198.18.0.0/24"}},
		{"UnsupportedOperation", "ProvisionByoipCidr", []string{"Cidr", "2001:db8::/48"}},
		{"InvalidParameterCombination", "ProvisionByoipCidr", []string{"Cidr", "198.18.0.0/24", "PubliclyAdvertisable", "false"}},
		{"UnsupportedOperation", "ProvisionByoipCidr", []string{"Cidr", "198.18.0.0/24", "MultiRegion", "true"}},
		{"InvalidParameterValue", "ProvisionByoipCidr", []string{"Cidr", "198.18.0.1/24"}},
		{"DryRunOperation", "ProvisionByoipCidr", []string{"Cidr", "198.18.0.0/24", "DryRun", "true"}},
		{"InvalidIpamPoolId.NotFound", "MoveByoipCidrToIpam", []string{"Cidr", "198.18.0.0/24", "IpamPoolId", "ipam-pool-0123456789abcdef0", "IpamPoolOwner", account}},
		{"InvalidPublicIpv4PoolID.NotFound", "DescribePublicIpv4Pools", []string{"PoolId.1", "ipv4pool-ec2-0123456789abcdef0"}},
		{"InvalidParameterValue", "DescribePublicIpv4Pools", []string{"MaxResults", "11"}},
		{"InvalidParameterValue", "DescribePublicIpv4Pools", []string{"Filter.1.Name", "pool-id", "Filter.1.Value.1", "x"}},
		{"InvalidPublicIpv4PoolID.NotFound", "DeletePublicIpv4Pool", []string{"PoolId", "ipv4pool-ec2-0123456789abcdef0"}},
		{"InvalidPublicIpv4PoolID.NotFound", "ProvisionPublicIpv4PoolCidr", []string{"PoolId", "ipv4pool-ec2-0123456789abcdef0", "IpamPoolId", "ipam-pool-0123456789abcdef0", "NetmaskLength", "30"}},
		{"InvalidPublicIpv4PoolID.NotFound", "DeprovisionPublicIpv4PoolCidr", []string{"PoolId", "ipv4pool-ec2-0123456789abcdef0", "Cidr", "198.18.0.0/30"}},
		{"InvalidParameterValue", "CreatePublicIpv4Pool", []string{"NetworkBorderGroup", "us-east-1-bos-1"}},
		{"InvalidParameterValue", "CreatePublicIpv4Pool", []string{"TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "a"}},
		{"InvalidIpamId.NotFound", "CreateIpamExternalResourceVerificationToken", []string{"IpamId", "ipam-0123456789abcdef0"}},
		{"InvalidIpamExternalResourceVerificationTokenId.NotFound", "DeleteIpamExternalResourceVerificationToken", []string{"IpamExternalResourceVerificationTokenId", "ipam-ext-res-ver-token-0123456789abcdef0"}},
		{"InvalidIpamExternalResourceVerificationTokenId.NotFound", "DescribeIpamExternalResourceVerificationTokens", []string{"IpamExternalResourceVerificationTokenId.1", "ipam-ext-res-ver-token-0123456789abcdef0"}},
	} {
		w.wantCode(t, c.code, c.action, c.params...)
	}
	if got := (&ipamSite{t, w.client(account)}).brought(); got != nil {
		t.Errorf("refused calls wrote %q", got)
	}
}

func TestVerificationTokensOnTheWire(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	in := &shapes.CreateIpamExternalResourceVerificationTokenInput{
		IpamId: i.IpamId, ClientToken: new("once"),
		TagSpecifications: []shapes.TagSpecification{{ResourceType: "ipam-external-resource-verification-token", Tags: []shapes.Tag{{Key: new("n"), Value: new("1")}}}},
	}
	tok := ipamDo[shapes.CreateIpamExternalResourceVerificationTokenOutput](s, "CreateIpamExternalResourceVerificationToken", in).IpamExternalResourceVerificationToken
	id := *tok.IpamExternalResourceVerificationTokenId
	if tok.State != "create-in-progress" || tok.Status != shapes.TokenStateValid || *tok.IpamExternalResourceVerificationTokenArn != "arn:aws:ec2::"+account+":ipam-external-resource-verification-token/"+id ||
		*tok.IpamArn != *i.IpamArn || *tok.IpamRegion != "us-east-1" || len(tok.Tags) != 1 {
		t.Errorf("got %+v", tok)
	}
	for got, pattern := range map[string]string{
		id: `^ipam-ext-res-ver-token-[0-9a-f]{17}$`, *tok.TokenName: `^[0-9]{8}$`, *tok.TokenValue: `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s isn't like %s", got, pattern)
		}
	}
	again := ipamDo[shapes.CreateIpamExternalResourceVerificationTokenOutput](s, "CreateIpamExternalResourceVerificationToken", in).IpamExternalResourceVerificationToken
	if *again.TokenValue != *tok.TokenValue {
		t.Errorf("repeated: got %+v", again)
	}
	ipamDo[struct{}](s, "CreateTags", &shapes.CreateTagsInput{Resources: []string{id}, Tags: []shapes.Tag{{Key: new("more"), Value: new("2")}}})
	filters := []shapes.Filter{{Name: new("tag:more"), Values: []string{"2"}}, {Name: new("token-name"), Values: []string{*tok.TokenName}}, {Name: new("status"), Values: []string{"valid"}}}
	described := ipamDo[shapes.DescribeIpamExternalResourceVerificationTokensOutput](s, "DescribeIpamExternalResourceVerificationTokens",
		&shapes.DescribeIpamExternalResourceVerificationTokensInput{Filters: filters}).IpamExternalResourceVerificationTokens
	if len(described) != 1 || described[0].State != "create-complete" || len(described[0].Tags) != 2 {
		t.Errorf("got %+v", described)
	}
	gone := ipamDo[shapes.DeleteIpamExternalResourceVerificationTokenOutput](s, "DeleteIpamExternalResourceVerificationToken",
		&shapes.DeleteIpamExternalResourceVerificationTokenInput{IpamExternalResourceVerificationTokenId: &id}).IpamExternalResourceVerificationToken
	if gone.State != "delete-in-progress" || len(gone.Tags) != 2 {
		t.Errorf("got %+v", gone)
	}
	all := ipamDo[shapes.DescribeIpamExternalResourceVerificationTokensOutput](s, "DescribeIpamExternalResourceVerificationTokens", &shapes.DescribeIpamExternalResourceVerificationTokensInput{})
	if len(all.IpamExternalResourceVerificationTokens) != 0 {
		t.Errorf("it remains: %+v", all)
	}
}

func TestPublicPoolsOnTheWire(t *testing.T) {
	s := newIPAMSite(t)
	i := s.ipam()
	source := s.pool(i.PublicDefaultScopeId, func(in *shapes.CreateIpamPoolInput) { in.AwsService = shapes.IpamPoolAwsServiceEc2 })
	ipamDo[shapes.ProvisionIpamPoolCidrOutput](s, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: source.IpamPoolId, Cidr: new("198.18.0.0/24")})
	id := ipamDo[shapes.CreatePublicIpv4PoolOutput](s, "CreatePublicIpv4Pool", &shapes.CreatePublicIpv4PoolInput{NetworkBorderGroup: new("us-east-1")}).PoolId
	if !regexp.MustCompile(`^ipv4pool-ec2-[0-9a-f]{17}$`).MatchString(*id) {
		t.Errorf("got %s", *id)
	}
	given := ipamDo[shapes.ProvisionPublicIpv4PoolCidrOutput](s, "ProvisionPublicIpv4PoolCidr",
		&shapes.ProvisionPublicIpv4PoolCidrInput{PoolId: id, IpamPoolId: source.IpamPoolId, NetmaskLength: new(int32(30))}).PoolAddressRange
	if *given.FirstAddress != "198.18.0.0" || *given.LastAddress != "198.18.0.3" || *given.AddressCount != 4 || *given.AvailableAddressCount != 4 {
		t.Errorf("got %+v", given)
	}
	p := ipamDo[shapes.DescribePublicIpv4PoolsOutput](s, "DescribePublicIpv4Pools", &shapes.DescribePublicIpv4PoolsInput{PoolIds: []string{*id}}).PublicIpv4Pools[0]
	if *p.TotalAddressCount != 4 || *p.TotalAvailableAddressCount != 4 || len(p.PoolAddressRanges) != 1 || *p.NetworkBorderGroup != "us-east-1" {
		t.Errorf("got %+v", p)
	}
	s.refused("ProvisionPublicIpv4PoolCidr", &shapes.ProvisionPublicIpv4PoolCidrInput{PoolId: id, IpamPoolId: source.IpamPoolId, NetmaskLength: new(int32(24))}, 400, "InvalidParameterValue", "The allocation size is too big for the pool.")
	s.refused("DeletePublicIpv4Pool", &shapes.DeletePublicIpv4PoolInput{PoolId: id}, 400, "DependencyViolation", "198.18.0.0/30")
	gone := ipamDo[shapes.DeprovisionPublicIpv4PoolCidrOutput](s, "DeprovisionPublicIpv4PoolCidr", &shapes.DeprovisionPublicIpv4PoolCidrInput{PoolId: id, Cidr: new("198.18.0.0/30")})
	if got := fmt.Sprint(gone.DeprovisionedAddresses); got != "[198.18.0.0 198.18.0.1 198.18.0.2 198.18.0.3]" || *gone.PoolId != *id {
		t.Errorf("got %s of %s", got, *gone.PoolId)
	}
	if out := ipamDo[shapes.DeletePublicIpv4PoolOutput](s, "DeletePublicIpv4Pool", &shapes.DeletePublicIpv4PoolInput{PoolId: id}); !*out.ReturnValue {
		t.Errorf("got %+v", out)
	}
	for range 11 {
		ipamDo[shapes.CreatePublicIpv4PoolOutput](s, "CreatePublicIpv4Pool", &shapes.CreatePublicIpv4PoolInput{})
	}
	page := ipamDo[shapes.DescribePublicIpv4PoolsOutput](s, "DescribePublicIpv4Pools", &shapes.DescribePublicIpv4PoolsInput{MaxResults: new(int32(10))})
	if len(page.PublicIpv4Pools) != 10 || page.NextToken == nil {
		t.Errorf("got %d pools and the token %v", len(page.PublicIpv4Pools), page.NextToken)
	}
}
