package server

import (
	"fmt"
	"maps"
	"strings"

	apifairlead "github.com/fairlead/fairlead/internal/api/fairlead"
	"github.com/fairlead/fairlead/internal/ipam"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/shapes/fairlead"
)

// Netmask lengths of what is asked for.
func (w *walk) length(from, to int) *int32 { return new(int32(from + w.n(to-from+1))) }

func (w *walk) privateCIDR() *string {
	return new(oneOf(w, "10.64.0.0/12", "10.64.0.0/16", "10.80.0.0/20", "10.80.16.0/20", fmt.Sprintf("10.80.%d.0/24", w.n(32)), "10.0.0.0/16"))
}

func (w *walk) broughtCIDR() *string {
	return new(oneOf(w, "198.18.0.0/22", "198.18.4.0/24", fmt.Sprintf("198.18.%d.0/24", w.n(6))))
}

// steps are what a walk can do, by name.
func (w *walk) steps() map[string]func() {
	steps := map[string]func(){}
	maps.Copy(steps, w.poolSteps())
	maps.Copy(steps, w.publicPoolSteps())
	maps.Copy(steps, w.networkSteps())
	maps.Copy(steps, w.addressSteps())
	return steps
}

// poolSteps change IPAMs, scopes, pools and allocations.
func (w *walk) poolSteps() map[string]func() {
	return map[string]func(){
		"make a pool": func() {
			in := &shapes.CreateIpamPoolInput{AddressFamily: "ipv4", Locale: new(locale), IpamScopeId: w.a("private scope")}
			kind := oneOf(w, "private", "child", "brought", "carved", "planning", "planning child", "IPv6")
			switch kind {
			case "private":
				in.AutoImport = new(w.maybe(0.3))
			case "child":
				in.SourceIpamPoolId, in.AutoImport = w.a("private pool"), new(w.maybe(0.3))
			case "brought":
				in.IpamScopeId, in.PublicIpSource, in.AwsService = w.a("public scope"), "byoip", "ec2"
			case "carved":
				in.IpamScopeId, in.PublicIpSource, in.AwsService = w.a("public scope"), "amazon", "ec2"
			case "planning":
				in.SourceResource = &shapes.IpamPoolSourceResourceRequest{ResourceId: w.a("vpc"), ResourceType: "vpc", ResourceRegion: new(locale), ResourceOwner: new(tenant)}
			case "planning child":
				in.SourceIpamPoolId = w.a("planning pool")
			case "IPv6":
				in.AddressFamily = "ipv6"
			}
			if w.maybe(0.1) {
				in.TagSpecifications = []shapes.TagSpecification{{ResourceType: "ipam-pool", Tags: []shapes.Tag{{Key: new(ipam.TagNotice), Value: new("1h")}}}}
			}
			var out shapes.CreateIpamPoolOutput
			if w.do("CreateIpamPool", in, &out) {
				w.know("pool", *out.IpamPool.IpamPoolId)
				w.know(kind+" pool", *out.IpamPool.IpamPoolId)
			}
		},
		"provision": func() {
			kind := oneOf(w, "private", "child", "brought", "carved", "planning", "planning child", "IPv6")
			in := &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: w.a(kind + " pool")}
			switch kind {
			case "private":
				in.Cidr = w.privateCIDR()
			case "brought":
				in.Cidr = w.broughtCIDR()
			case "carved":
				in.NetmaskLength = w.length(28, 30)
			case "child", "planning child":
				in.NetmaskLength = w.length(18, 26)
			case "planning":
				in.Cidr = new("10.0.0.0/16")
			case "IPv6":
				in.NetmaskLength = w.length(44, 60)
			}
			var out shapes.ProvisionIpamPoolCidrOutput
			if w.do("ProvisionIpamPoolCidr", in, &out) && out.IpamPoolCidr.Cidr != nil {
				w.know("in "+*in.IpamPoolId, *out.IpamPoolCidr.Cidr)
			}
		},
		"delete a pool's CIDR": func() {
			pool := w.a("pool")
			w.do("DeprovisionIpamPoolCidr", &shapes.DeprovisionIpamPoolCidrInput{IpamPoolId: pool, Cidr: w.a("in " + *pool)}, nil)
		},
		"delete a pool": func() {
			pool := w.a("pool")
			if w.do("DeleteIpamPool", &shapes.DeleteIpamPoolInput{IpamPoolId: pool, Cascade: new(w.maybe(0.3))}, nil) {
				w.forget(*pool)
			}
		},
		"modify a pool": func() {
			w.do("ModifyIpamPool", &shapes.ModifyIpamPoolInput{IpamPoolId: w.a("pool"), AutoImport: new(w.maybe(0.5))}, nil)
		},
		"allocate": func() {
			in := &shapes.AllocateIpamPoolCidrInput{IpamPoolId: w.a(oneOf(w, "pool", "private pool", "child pool")), NetmaskLength: w.length(24, 30)}
			if w.maybe(0.3) {
				in.NetmaskLength, in.Cidr = nil, w.privateCIDR()
			}
			var out shapes.AllocateIpamPoolCidrOutput
			if w.do("AllocateIpamPoolCidr", in, &out) {
				w.know("allocation", *in.IpamPoolId+" "+*out.IpamPoolAllocation.Cidr+" "+*out.IpamPoolAllocation.IpamPoolAllocationId)
			}
		},
		"delete an allocation": func() {
			if a := strings.Fields(*w.a("allocation")); len(a) == 3 {
				w.do("ReleaseIpamPoolAllocation", &shapes.ReleaseIpamPoolAllocationInput{IpamPoolId: &a[0], Cidr: &a[1], IpamPoolAllocationId: &a[2]}, nil)
			}
		},
		"import": func() {
			var out fairlead.BeginImportOutput
			pool := w.a("private pool")
			if !w.doOf(apifairlead.Spec, "BeginImport", &fairlead.BeginImportInput{IpamPoolId: pool}, &out) {
				return
			}
			add := &fairlead.AddToImportInput{ImportId: out.ImportId}
			for range 1 + w.n(4) {
				add.Blocks = append(add.Blocks, fairlead.ImportBlock{Cidr: new(fmt.Sprintf("10.80.%d.%d/28", w.n(32), 16*w.n(16)))})
			}
			w.doOf(apifairlead.Spec, "AddToImport", add, new(fairlead.AddToImportOutput))
			switch w.n(3) {
			case 0:
				w.doOf(apifairlead.Spec, "FinishImport", &fairlead.FinishImportInput{ImportId: out.ImportId}, new(fairlead.FinishImportOutput))
			case 1:
				w.doOf(apifairlead.Spec, "AbandonImport", &fairlead.AbandonImportInput{ImportId: out.ImportId}, new(fairlead.AbandonImportOutput))
			}
		},
		"make a scope": func() {
			var out shapes.CreateIpamScopeOutput
			if w.do("CreateIpamScope", &shapes.CreateIpamScopeInput{IpamId: w.a("ipam")}, &out) {
				w.know("private scope", *out.IpamScope.IpamScopeId)
				w.know("extra scope", *out.IpamScope.IpamScopeId)
			}
		},
		"delete a scope": func() {
			scope := w.a("extra scope")
			if w.do("DeleteIpamScope", &shapes.DeleteIpamScopeInput{IpamScopeId: scope}, nil) {
				w.forget(*scope)
			}
		},
		"make a policy": func() {
			var out shapes.CreateIpamPolicyOutput
			if w.do("CreateIpamPolicy", &shapes.CreateIpamPolicyInput{IpamId: w.a("ipam")}, &out) {
				w.know("policy", *out.IpamPolicy.IpamPolicyId)
			}
		},
		"delete a policy": func() {
			w.do("DeleteIpamPolicy", &shapes.DeleteIpamPolicyInput{IpamPolicyId: w.a("policy")}, nil)
		},
		"make a token": func() {
			var out shapes.CreateIpamExternalResourceVerificationTokenOutput
			if w.do("CreateIpamExternalResourceVerificationToken", &shapes.CreateIpamExternalResourceVerificationTokenInput{IpamId: w.a("ipam")}, &out) {
				w.know("token", *out.IpamExternalResourceVerificationToken.IpamExternalResourceVerificationTokenId)
			}
		},
		"delete a token": func() {
			w.do("DeleteIpamExternalResourceVerificationToken", &shapes.DeleteIpamExternalResourceVerificationTokenInput{IpamExternalResourceVerificationTokenId: w.a("token")}, nil)
		},
	}
}

// publicPoolSteps change public IPv4 pools, and ranges brought past IPAM.
func (w *walk) publicPoolSteps() map[string]func() {
	return map[string]func(){
		"make a public pool": func() {
			var out shapes.CreatePublicIpv4PoolOutput
			if w.do("CreatePublicIpv4Pool", &shapes.CreatePublicIpv4PoolInput{}, &out) {
				w.know("public pool", *out.PoolId)
			}
		},
		"provision to a public pool": func() {
			in := &shapes.ProvisionPublicIpv4PoolCidrInput{PoolId: w.a("public pool"), IpamPoolId: w.a("brought pool"), NetmaskLength: w.length(28, 31)}
			var out shapes.ProvisionPublicIpv4PoolCidrOutput
			if w.do("ProvisionPublicIpv4PoolCidr", in, &out) {
				w.know("public CIDR", fmt.Sprintf("%s %s/%d", *in.PoolId, *out.PoolAddressRange.FirstAddress, *in.NetmaskLength))
			}
		},
		"delete a public pool's CIDR": func() {
			if c := strings.Fields(*w.a("public CIDR")); len(c) == 2 {
				if w.do("DeprovisionPublicIpv4PoolCidr", &shapes.DeprovisionPublicIpv4PoolCidrInput{PoolId: &c[0], Cidr: &c[1]}, nil) {
					w.forget(c[0] + " " + c[1])
				}
			}
		},
		"delete a public pool": func() {
			pool := w.a("public pool")
			if w.do("DeletePublicIpv4Pool", &shapes.DeletePublicIpv4PoolInput{PoolId: pool}, nil) {
				w.forget(*pool)
			}
		},
		"bring a range": func() {
			cidr := w.broughtCIDR()
			if w.do("ProvisionByoipCidr", &shapes.ProvisionByoipCidrInput{Cidr: cidr}, nil) {
				w.know("range", *cidr)
			}
			var out shapes.DescribePublicIpv4PoolsOutput
			if w.do("DescribePublicIpv4Pools", &shapes.DescribePublicIpv4PoolsInput{}, &out) {
				for _, p := range out.PublicIpv4Pools {
					w.forget(*p.PoolId)
					w.know("public pool", *p.PoolId)
				}
			}
		},
		"delete a range": func() {
			cidr := w.a("range")
			if w.do("DeprovisionByoipCidr", &shapes.DeprovisionByoipCidrInput{Cidr: cidr}, nil) {
				w.forget(*cidr)
			}
		},
		"move a range": func() {
			in := &shapes.MoveByoipCidrToIpamInput{Cidr: w.a("range"), IpamPoolId: w.a("brought pool"), IpamPoolOwner: new(tenant)}
			if w.do("MoveByoipCidrToIpam", in, nil) {
				w.forget(*in.Cidr)
				w.know("in "+*in.IpamPoolId, *in.Cidr)
			}
		},
	}
}

// networkSteps change VPCs, subnets and interfaces.
func (w *walk) networkSteps() map[string]func() {
	return map[string]func(){
		"make a VPC": func() {
			in := &shapes.CreateVpcInput{AmazonProvidedIpv6CidrBlock: new(w.maybe(0.3))}
			if w.maybe(0.5) {
				in.CidrBlock = w.privateCIDR()
			} else {
				in.Ipv4IpamPoolId, in.Ipv4NetmaskLength = w.a(oneOf(w, "private pool", "child pool")), w.length(20, 26)
			}
			var out shapes.CreateVpcOutput
			if w.do("CreateVpc", in, &out) {
				w.know("vpc", *out.Vpc.VpcId)
				w.know("cidr", *out.Vpc.VpcId+" "+*out.Vpc.CidrBlock)
			}
		},
		"delete a VPC": func() {
			v := w.a("vpc")
			if w.do("DeleteVpc", &shapes.DeleteVpcInput{VpcId: v}, nil) {
				w.forget(*v)
			}
		},
		"associate a CIDR": func() {
			in := &shapes.AssociateVpcCidrBlockInput{VpcId: w.a("vpc")}
			switch w.n(3) {
			case 0:
				in.CidrBlock = w.privateCIDR()
			case 1:
				in.Ipv4IpamPoolId, in.Ipv4NetmaskLength = w.a("private pool"), w.length(22, 28)
			case 2:
				in.AmazonProvidedIpv6CidrBlock = new(true)
			}
			var out shapes.AssociateVpcCidrBlockOutput
			if w.do("AssociateVpcCidrBlock", in, &out) {
				if b := out.CidrBlockAssociation; b != nil {
					w.know("association", *b.AssociationId)
				}
				if b := out.Ipv6CidrBlockAssociation; b != nil {
					w.know("association", *b.AssociationId)
				}
			}
		},
		"delete an association of a CIDR": func() {
			w.do("DisassociateVpcCidrBlock", &shapes.DisassociateVpcCidrBlockInput{AssociationId: w.a("association")}, nil)
		},
		"ignore a CIDR": func() {
			if c := strings.Fields(*w.a("cidr")); len(c) == 2 {
				w.do("ModifyIpamResourceCidr", &shapes.ModifyIpamResourceCidrInput{
					ResourceId: &c[0], ResourceCidr: &c[1], ResourceRegion: new(locale), CurrentIpamScopeId: w.a("private scope"), Monitored: new(w.maybe(0.5)),
				}, nil)
			}
		},
		"make a subnet": func() {
			in := &shapes.CreateSubnetInput{VpcId: w.a("vpc")}
			switch w.n(3) {
			case 0:
				in.CidrBlock = new(fmt.Sprintf("10.0.%d.0/24", w.n(4)))
			case 1:
				if c := strings.Fields(*w.a("cidr")); len(c) == 2 {
					in.VpcId, in.CidrBlock = &c[0], new(strings.Split(c[1], "/")[0]+"/28")
				}
			case 2:
				in.Ipv4IpamPoolId, in.Ipv4NetmaskLength = w.a(oneOf(w, "planning pool", "planning child pool")), w.length(24, 28)
			}
			var out shapes.CreateSubnetOutput
			if w.do("CreateSubnet", in, &out) {
				w.know("subnet", *out.Subnet.SubnetId)
			}
		},
		"delete a subnet": func() {
			n := w.a("subnet")
			if w.do("DeleteSubnet", &shapes.DeleteSubnetInput{SubnetId: n}, nil) {
				w.forget(*n)
			}
		},
		"make an interface": func() {
			in := &shapes.CreateNetworkInterfaceInput{SubnetId: w.a("subnet"), SecondaryPrivateIpAddressCount: new(int32(w.n(4)))}
			var out shapes.CreateNetworkInterfaceOutput
			if w.do("CreateNetworkInterface", in, &out) {
				w.know("interface", *out.NetworkInterface.NetworkInterfaceId)
				for _, p := range out.NetworkInterface.PrivateIpAddresses {
					w.know("of "+*out.NetworkInterface.NetworkInterfaceId, *p.PrivateIpAddress)
				}
			}
		},
		"delete an interface": func() {
			i := w.a("interface")
			if w.do("DeleteNetworkInterface", &shapes.DeleteNetworkInterfaceInput{NetworkInterfaceId: i}, nil) {
				w.forget(*i)
			}
		},
		"assign": func() {
			in := &shapes.AssignPrivateIpAddressesInput{NetworkInterfaceId: w.a("interface"), AllowReassignment: new(w.maybe(0.5))}
			if w.maybe(0.5) {
				in.SecondaryPrivateIpAddressCount = new(int32(1 + w.n(3)))
			} else {
				in.PrivateIpAddresses = []string{*w.a("of " + *w.a("interface"))}
			}
			w.do("AssignPrivateIpAddresses", in, nil)
		},
		"unassign": func() {
			i := w.a("interface")
			w.do("UnassignPrivateIpAddresses", &shapes.UnassignPrivateIpAddressesInput{NetworkInterfaceId: i, PrivateIpAddresses: []string{*w.a("of " + *i)}}, nil)
		},
	}
}

// addressSteps change elastic IPs.
func (w *walk) addressSteps() map[string]func() {
	return map[string]func(){
		"allocate an address": func() {
			in := &shapes.AllocateAddressInput{}
			switch w.n(4) {
			case 0:
				in.IpamPoolId = w.a(oneOf(w, "pool", "brought pool", "carved pool"))
			case 1:
				in.PublicIpv4Pool = w.a("public pool")
			case 2:
				in.Address = new(oneOf(w, "192.0.2.145", "198.18.0.1", "198.18.4.2"))
			}
			var out shapes.AllocateAddressOutput
			if w.do("AllocateAddress", in, &out) {
				w.know("address", *out.AllocationId)
			}
		},
		"release an address": func() {
			a := w.a("address")
			if w.do("ReleaseAddress", &shapes.ReleaseAddressInput{AllocationId: a}, nil) {
				w.forget(*a)
			}
		},
		"associate an address": func() {
			i := w.a("interface")
			in := &shapes.AssociateAddressInput{AllocationId: w.a("address"), NetworkInterfaceId: i, AllowReassociation: new(w.maybe(0.5))}
			if w.maybe(0.5) {
				in.PrivateIpAddress = w.a("of " + *i)
			}
			var out shapes.AssociateAddressOutput
			if w.do("AssociateAddress", in, &out) {
				w.know("eip association", *out.AssociationId)
			}
		},
		"disassociate an address": func() {
			w.do("DisassociateAddress", &shapes.DisassociateAddressInput{AssociationId: w.a("eip association")}, nil)
		},
	}
}
