package ec2_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

func TestDHCPOptionsAreTheDefaultOnesOrNone(t *testing.T) {
	w := newWorld(t)
	options := do[ec2.DescribeDhcpOptionsOutput](t, w, "DescribeDhcpOptions", &ec2.DescribeDhcpOptionsInput{Filters: append(filter("key", "domain-name-servers"), filter("value", "AmazonProvidedDNS")...)}).DhcpOptions
	if len(options) != 1 || *options[0].DhcpConfigurations[0].Values[0].Value != "ec2.internal" {
		t.Fatalf("got %+v", options)
	}
	id := *options[0].DhcpOptionsId
	v := do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{}).Vpcs[0]
	if *v.DhcpOptionsId != id {
		t.Errorf("the default VPC has %s, want %s", *v.DhcpOptionsId, id)
	}
	for _, to := range []string{"default", id} {
		do[ec2.AssociateDhcpOptionsOutput](t, w, "AssociateDhcpOptions", &ec2.AssociateDhcpOptionsInput{VpcId: v.VpcId, DhcpOptionsId: &to})
		if found := do[ec2.DescribeVpcsOutput](t, w, "DescribeVpcs", &ec2.DescribeVpcsInput{Filters: filter("dhcp-options-id", to)}).Vpcs; len(found) != 1 {
			t.Errorf("VPCs with %s: got %d", to, len(found))
		}
	}
	do[ec2.CreateTagsOutput](t, w, "CreateTags", &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2.Tag{{Key: new("a"), Value: new("b")}}})
	if found := do[ec2.DescribeDhcpOptionsOutput](t, w, "DescribeDhcpOptions", &ec2.DescribeDhcpOptionsInput{Filters: filter("tag:a", "b")}).DhcpOptions; len(found) != 1 {
		t.Errorf("by tag: got %d", len(found))
	}
	w.wantCode(t, "InvalidDhcpOptionID.NotFound", "AssociateDhcpOptions", "VpcId", *v.VpcId, "DhcpOptionsId", "dopt-0123456789abcdef0")
	w.wantCode(t, "InvalidDhcpOptionID.NotFound", "DescribeDhcpOptions", "DhcpOptionsId.1", "dopt-0123456789abcdef0")
	w.wantCode(t, "InvalidVpcID.NotFound", "AssociateDhcpOptions", "VpcId", "vpc-0123456789abcdef0", "DhcpOptionsId", "default")
}

func TestClassicLinkIsOff(t *testing.T) {
	w := newWorld(t)
	v := do[ec2.DescribeVpcClassicLinkOutput](t, w, "DescribeVpcClassicLink", &ec2.DescribeVpcClassicLinkInput{Filters: filter("is-classic-link-enabled", "false")}).Vpcs
	if len(v) != 1 || *v[0].ClassicLinkEnabled {
		t.Fatalf("got %+v", v)
	}
	dns := do[ec2.DescribeVpcClassicLinkDnsSupportOutput](t, w, "DescribeVpcClassicLinkDnsSupport", &ec2.DescribeVpcClassicLinkDnsSupportInput{VpcIds: []string{*v[0].VpcId}}).Vpcs
	if len(dns) != 1 || *dns[0].ClassicLinkDnsSupported {
		t.Errorf("got %+v", dns)
	}
	w.wantCode(t, "InvalidVpcID.NotFound", "DescribeVpcClassicLink", "VpcId.1", "vpc-0123456789abcdef0")
}
