package ec2_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
)

// addressWorld has what calls about addresses and interfaces meet: in the
// default VPC an interface of the account's own with a secondary address, an
// elastic IP associated with it and one that isn't, and a load balancer node;
// in another VPC, without a gateway, one more interface.
type addressWorld struct {
	*world
	names *strings.Replacer // NAMES in texts and forms → what they stand for
}

func newAddressWorld(t *testing.T) *addressWorld {
	t.Helper()
	w := newWorld(t)
	node, managed := w.node(t, "node-1", "") // 172.31.0.4
	allocate := func() *ec2.AllocateAddressOutput {
		return do[ec2.AllocateAddressOutput](t, w, "AllocateAddress", &ec2.AllocateAddressInput{})
	}
	create := func(in *ec2.CreateNetworkInterfaceInput) string {
		return *do[ec2.CreateNetworkInterfaceOutput](t, w, "CreateNetworkInterface", in).NetworkInterface.NetworkInterfaceId
	}
	eni := create(&ec2.CreateNetworkInterfaceInput{SubnetId: &node.SubnetID, PrivateIpAddresses: []ec2.PrivateIpAddressSpecification{
		{PrivateIpAddress: new("172.31.0.10"), Primary: new(true)}, {PrivateIpAddress: new("172.31.0.11")},
	}})
	used, free := allocate(), allocate()
	association := *do[ec2.AssociateAddressOutput](t, w, "AssociateAddress", &ec2.AssociateAddressInput{AllocationId: used.AllocationId, NetworkInterfaceId: &eni}).AssociationId

	other := do[ec2.CreateVpcOutput](t, w, "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}).Vpc
	subnet := do[ec2.CreateSubnetOutput](t, w, "CreateSubnet", &ec2.CreateSubnetInput{VpcId: other.VpcId, CidrBlock: new("10.0.0.0/28")}).Subnet
	dark := create(&ec2.CreateNetworkInterfaceInput{SubnetId: subnet.SubnetId})
	groups := do[ec2.DescribeSecurityGroupsOutput](t, w, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{Filters: filter("vpc-id", *other.VpcId)})

	return &addressWorld{w, strings.NewReplacer(
		"NODE", node.ID, "SUBNET-2", *subnet.SubnetId, "SUBNET", node.SubnetID, "ATTACHMENT", node.AttachmentID(), "VPC-2", *other.VpcId,
		"MANAGED-IP", managed.Public.String(), "MANAGED-ASSOC", managed.AssociationID, "MANAGED", managed.ID,
		"ENI-2", dark, "ENI", eni, "USED-IP", *used.PublicIp, "USED", *used.AllocationId, "ASSOC", association,
		"FREE", *free.AllocationId, "GROUP-2", *groups.SecurityGroups[0].GroupId,
		"NO-ADDRESS", "eipalloc-0123456789abcdef0", "NO-ASSOC", "eipassoc-0123456789abcdef0", "NO-INTERFACE", "eni-0123456789abcdef0",
		"INSTANCE", "i-0123456789abcdef0", "LONG", strings.Repeat("x", 256),
	)}
}

// state is what describes show, without the ids of requests.
func (w *addressWorld) state(t *testing.T) (s string) {
	for _, action := range []string{"DescribeAddresses", "DescribeNetworkInterfaces", "DescribeSubnets"} {
		_, body := w.send(t, account, action)
		_, after, _ := strings.Cut(body, "</requestId>")
		s += after
	}
	return s
}

// I10: mistakes get EC2's codes, with words that say what to change, and change
// nothing. The mark says how the code is known: C confirmed by EC2's
// documentation or model, K seen in clients' reports, I inferred.
func TestRefusalsOfAddressesAndInterfaces(t *testing.T) {
	w := newAddressWorld(t)
	for _, c := range []struct {
		action, form string // NAME=value pairs, separated by spaces
		mark, code   string
		text         string // the whole, or what it begins with if it ends in …
	}{
		{"AllocateAddress", "Domain=standard", "I", "InvalidParameterValue", "Value (standard) for parameter domain is invalid. Addresses are for use in VPCs: vpc."},
		{"AllocateAddress", "CustomerOwnedIpv4Pool=ipv4pool-coip-1", "I", "UnsupportedOperation", "The parameter CustomerOwnedIpv4Pool is not supported by this installation."},
		{"AllocateAddress", "NetworkBorderGroup=us-east-1-bos-1", "I", "InvalidParameterValue", "Value (us-east-1-bos-1) for parameter networkBorderGroup is invalid. …"},
		{"AllocateAddress", "IpamPoolId=ipam-pool-0123456789abcdef0", "C", "InvalidIpamPoolId.NotFound", "The ipam-pool ID 'ipam-pool-0123456789abcdef0' does not exist"},
		{"AllocateAddress", "PublicIpv4Pool=ipam-pool-0123456789abcdef0", "K", "InvalidPublicIpv4PoolID.NotFound", "The public IPv4 pool ID 'ipam-pool-0123456789abcdef0' does not exist"},
		{"AllocateAddress", "IpamPoolId=ipam-pool-0123456789abcdef0 PublicIpv4Pool=ipv4pool-ec2-0123456789abcdef0", "I", "InvalidParameterCombination", "The parameters IpamPoolId and PublicIpv4Pool cannot be used together"},
		{"AllocateAddress", "Address=here", "I", "InvalidParameterValue", "Value (here) for parameter address is invalid. This is not a valid IPv4 address."},
		{"AllocateAddress", "TagSpecification.1.ResourceType=subnet", "K", "InvalidParameterValue", "'subnet' is not a valid taggable resource type for this operation."},
		{"AllocateAddress", "DryRun=true", "C", "DryRunOperation", "Request would have succeeded, but DryRun flag is set."},

		{"ReleaseAddress", "", "C", "MissingParameter", "The request must contain the parameter AllocationId"},
		{"ReleaseAddress", "PublicIp=USED-IP", "C", "InvalidParameterValue", "You must specify an allocation id when releasing a VPC elastic IP address"},
		{"ReleaseAddress", "PublicIp=USED-IP AllocationId=USED", "C", "InvalidParameterCombination", "You may specify public IP or allocation id, but not both in the same call"},
		{"ReleaseAddress", "AllocationId=NO-ADDRESS", "C", "InvalidAllocationID.NotFound", "The allocation ID 'NO-ADDRESS' does not exist"},
		{"ReleaseAddress", "AllocationId=FREE NetworkBorderGroup=eu-west-1", "C", "InvalidAddress.NotFound", "Address 'FREE' not found in the network border group 'eu-west-1'."},
		{"ReleaseAddress", "AllocationId=MANAGED", "I", "OperationNotPermitted", "The address MANAGED-IP (MANAGED) is managed by the service 'alb' and can't be changed by its account."},
		{"ReleaseAddress", "AllocationId=FREE DryRun=true", "C", "DryRunOperation", "Request would have succeeded, but DryRun flag is set."},

		{"AssociateAddress", "NetworkInterfaceId=ENI", "C", "MissingParameter", "Either public IP or allocation id must be specified"},
		{"AssociateAddress", "AllocationId=FREE", "C", "MissingParameter", "The request must contain the parameter NetworkInterfaceId"},
		{"AssociateAddress", "AllocationId=FREE PublicIp=USED-IP NetworkInterfaceId=ENI", "C", "InvalidParameterCombination", "You may specify public IP or allocation id, but not both in the same call"},
		{"AssociateAddress", "AllocationId=FREE InstanceId=INSTANCE", "C", "InvalidInstanceID.NotFound", "The instance ID 'INSTANCE' does not exist: …"},
		{"AssociateAddress", "AllocationId=FREE InstanceId=web", "C", "InvalidInstanceID.Malformed", "Invalid id: \"web\" (expecting \"i-...\")"},
		{"AssociateAddress", "AllocationId=FREE InstanceId=INSTANCE NetworkInterfaceId=ENI", "I", "InvalidParameterCombination", "You may specify a network interface or an instance, but not both in the same call"},
		{"AssociateAddress", "AllocationId=NO-ADDRESS NetworkInterfaceId=ENI", "C", "InvalidAllocationID.NotFound", "The allocation ID 'NO-ADDRESS' does not exist"},
		{"AssociateAddress", "PublicIp=198.51.100.1 NetworkInterfaceId=ENI", "C", "InvalidAddress.NotFound", "Address '198.51.100.1' not found."},
		{"AssociateAddress", "AllocationId=FREE NetworkInterfaceId=NO-INTERFACE", "C", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'NO-INTERFACE' does not exist"},
		{"AssociateAddress", "AllocationId=FREE NetworkInterfaceId=ENI PrivateIpAddress=172.31.0.12", "I", "InvalidParameterValue", "The private address 172.31.0.12 is not assigned to the network interface 'ENI'."},
		{"AssociateAddress", "AllocationId=FREE NetworkInterfaceId=ENI-2", "C", "Gateway.NotAttached", "Network VPC-2 is not attached to any internet gateway"},
		{"AssociateAddress", "AllocationId=USED NetworkInterfaceId=ENI PrivateIpAddress=172.31.0.11 AllowReassociation=false", "C", "Resource.AlreadyAssociated", "resource USED is already associated with associate-id ASSOC"},
		{"AssociateAddress", "AllocationId=FREE NetworkInterfaceId=ENI AllowReassociation=false", "C", "Resource.AlreadyAssociated", "resource 172.31.0.10 is already associated with associate-id ASSOC"},
		{"AssociateAddress", "AllocationId=MANAGED NetworkInterfaceId=ENI", "I", "OperationNotPermitted", "The address MANAGED-IP (MANAGED) is managed by the service 'alb' and can't be changed by its account."},
		{"AssociateAddress", "AllocationId=FREE NetworkInterfaceId=NODE", "I", "OperationNotPermitted", "The network interface 'NODE' is managed by 'amazon-elb' and can't be changed by its account."},
		{"AssociateAddress", "AllocationId=FREE NetworkInterfaceId=ENI DryRun=true", "C", "DryRunOperation", "Request would have succeeded, but DryRun flag is set."},

		{"DisassociateAddress", "", "I", "MissingParameter", "Either public IP or association id must be specified"},
		{"DisassociateAddress", "PublicIp=USED-IP AssociationId=ASSOC", "I", "InvalidParameterCombination", "You may specify public IP or association id, but not both in the same call"},
		{"DisassociateAddress", "AssociationId=NO-ASSOC", "C", "InvalidAssociationID.NotFound", "The association ID 'NO-ASSOC' does not exist"},
		{"DisassociateAddress", "AssociationId=MANAGED-ASSOC", "I", "OperationNotPermitted", "The address MANAGED-IP (MANAGED) is managed by …"},
		{"DisassociateAddress", "PublicIp=MANAGED-IP", "I", "OperationNotPermitted", "The address MANAGED-IP (MANAGED) is managed by …"},
		{"DescribeAddresses", "AllocationId.1=NO-ADDRESS", "C", "InvalidAllocationID.NotFound", "The allocation ID 'NO-ADDRESS' does not exist"},
		{"DescribeAddresses", "PublicIp.1=198.51.100.1", "C", "InvalidAddress.NotFound", "Address '198.51.100.1' not found."},
		{"DescribeAddresses", "Filter.1.Name=service-managed Filter.1.Value.1=alb", "C", "InvalidParameterValue", "The filter 'service-managed' is invalid"},
		{"DescribeAddressesAttribute", "AllocationId.1=NO-ADDRESS", "C", "InvalidAllocationID.NotFound", "The allocation ID 'NO-ADDRESS' does not exist"},
		{"DescribeAddressesAttribute", "MaxResults=1001", "C", "InvalidParameterValue", "Value ( 1001 ) for parameter maxResults is invalid. …"},

		{"CreateNetworkInterface", "", "C", "MissingParameter", "The request must contain the parameter SubnetId"},
		{"CreateNetworkInterface", "SubnetId=subnet-0123456789abcdef0", "C", "InvalidSubnetID.NotFound", "The subnet ID 'subnet-0123456789abcdef0' does not exist"},
		{"CreateNetworkInterface", "SubnetId=SUBNET SecurityGroupId.1=web", "K", "InvalidGroupId.Malformed", "Invalid id: \"web\" (expecting \"sg-...\")"},
		{"CreateNetworkInterface", "SubnetId=SUBNET SecurityGroupId.1=sg-0123456789abcdef0", "C", "InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"},
		{"CreateNetworkInterface", "SubnetId=SUBNET SecurityGroupId.1=GROUP-2", "K", "InvalidParameterValue", "You have specified two resources that belong to different networks."},
		{"CreateNetworkInterface", "SubnetId=SUBNET Description=LONG", "I", "InvalidParameterValue", "The description is longer than 255 characters."},
		{"CreateNetworkInterface", "SubnetId=SUBNET InterfaceType=efa", "I", "UnsupportedOperation", "The value efa of InterfaceType is not supported by this installation."},
		{"CreateNetworkInterface", "SubnetId=SUBNET Ipv6AddressCount=1", "I", "UnsupportedOperation", "The parameter Ipv6AddressCount is not supported by this installation."},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddress=10.0.0.5", "K", "InvalidParameterValue", "Address 10.0.0.5 does not fall within the subnet's address range"},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddress=172.31.0.3", "K", "InvalidParameterValue", "Address 172.31.0.3 is in subnet's reserved address range"},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddress=172.31.0.11", "C", "InvalidIPAddress.InUse", "Address 172.31.0.11 is in use."},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddress=172.31.0.300", "I", "InvalidParameterValue", "Value (172.31.0.300) for parameter privateIpAddress is invalid. This is not a valid IPv4 address."},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddress=172.31.0.20 PrivateIpAddresses.1.PrivateIpAddress=172.31.0.21 PrivateIpAddresses.1.Primary=true", "C", "InvalidParameterCombination", "Only one private IP address can be designated as primary"},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddresses.1.PrivateIpAddress=172.31.0.21 PrivateIpAddresses.2.PrivateIpAddress=172.31.0.21", "I", "InvalidParameterValue", "Value (172.31.0.21) for parameter privateIpAddresses is invalid. The address is named twice."},
		{"CreateNetworkInterface", "SubnetId=SUBNET PrivateIpAddresses.1.PrivateIpAddress=172.31.0.21 SecondaryPrivateIpAddressCount=1", "C", "InvalidParameterCombination", "Secondary private IP addresses and a count of them cannot be used together"},
		{"CreateNetworkInterface", "SubnetId=SUBNET SecondaryPrivateIpAddressCount=-1", "I", "InvalidParameterValue", "Value (-1) for parameter secondaryPrivateIpAddressCount is invalid. It must be at least 0."},
		{"CreateNetworkInterface", "SubnetId=SUBNET SecondaryPrivateIpAddressCount=50", "C", "PrivateIpAddressLimitExceeded", "The maximum number of private addresses per interface has been reached."},
		{"CreateNetworkInterface", "SubnetId=SUBNET-2 SecondaryPrivateIpAddressCount=10", "C", "InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request."},
		{"CreateNetworkInterface", "SubnetId=SUBNET DryRun=true", "C", "DryRunOperation", "Request would have succeeded, but DryRun flag is set."},

		{"DeleteNetworkInterface", "NetworkInterfaceId=NO-INTERFACE", "C", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'NO-INTERFACE' does not exist"},
		{"DeleteNetworkInterface", "NetworkInterfaceId=NODE", "K", "OperationNotPermitted", "The network interface 'NODE' is managed by 'amazon-elb' and can't be changed by its account."},
		{"ModifyNetworkInterfaceAttribute", "NetworkInterfaceId=ENI", "I", "InvalidParameterCombination", "No attributes specified."},
		{"ModifyNetworkInterfaceAttribute", "NetworkInterfaceId=ENI Description.Value=x SourceDestCheck.Value=false", "C", "InvalidParameterCombination", "Only one attribute of a network interface can be modified at a time."},
		{"ModifyNetworkInterfaceAttribute", "NetworkInterfaceId=NODE Description.Value=x", "K", "OperationNotPermitted", "The network interface 'NODE' is managed by …"},
		{"ModifyNetworkInterfaceAttribute", "NetworkInterfaceId=NODE Attachment.AttachmentId=ATTACHMENT Attachment.DeleteOnTermination=true", "K", "OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"ModifyNetworkInterfaceAttribute", "NetworkInterfaceId=ENI Attachment.AttachmentId=eni-attach-1 Attachment.DeleteOnTermination=true", "C", "InvalidAttachmentID.NotFound", "The attachment ID 'eni-attach-1' does not exist"},
		{"ModifyNetworkInterfaceAttribute", "NetworkInterfaceId=ENI SecurityGroupId.1=GROUP-2", "K", "InvalidParameterValue", "You have specified two resources that belong to different networks."},
		{"ResetNetworkInterfaceAttribute", "NetworkInterfaceId=ENI", "I", "MissingParameter", "The request must contain the parameter SourceDestCheck"},
		{"DescribeNetworkInterfaceAttribute", "NetworkInterfaceId=ENI", "C", "MissingParameter", "The request must contain the parameter Attribute"},
		{"DescribeNetworkInterfaceAttribute", "NetworkInterfaceId=NO-INTERFACE Attribute=description", "C", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'NO-INTERFACE' does not exist"},
		{"AttachNetworkInterface", "NetworkInterfaceId=ENI InstanceId=INSTANCE DeviceIndex=1", "C", "InvalidInstanceID.NotFound", "The instance ID 'INSTANCE' does not exist: this installation has an inventory of instances, which have no network interfaces"},
		{"AttachNetworkInterface", "NetworkInterfaceId=NO-INTERFACE InstanceId=INSTANCE DeviceIndex=1", "C", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'NO-INTERFACE' does not exist"},
		{"AttachNetworkInterface", "NetworkInterfaceId=NODE InstanceId=INSTANCE DeviceIndex=1", "K", "OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"DetachNetworkInterface", "AttachmentId=ATTACHMENT", "K", "OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"DetachNetworkInterface", "AttachmentId=eni-attach-1", "C", "InvalidAttachmentID.NotFound", "The attachment ID 'eni-attach-1' does not exist"},

		{"AssignPrivateIpAddresses", "NetworkInterfaceId=ENI", "C", "MissingParameter", "Either private IP addresses or a count of them must be specified"},
		{"AssignPrivateIpAddresses", "NetworkInterfaceId=ENI PrivateIpAddress.1=172.31.0.12 SecondaryPrivateIpAddressCount=1", "I", "InvalidParameterCombination", "Private IP addresses and a count of them cannot be used together"},
		{"AssignPrivateIpAddresses", "NetworkInterfaceId=ENI SecondaryPrivateIpAddressCount=0", "I", "InvalidParameterValue", "Value (0) for parameter secondaryPrivateIpAddressCount is invalid. It must be at least 1."},
		{"AssignPrivateIpAddresses", "NetworkInterfaceId=ENI PrivateIpAddress.1=172.31.0.4", "K", "InvalidParameterValue", "[172.31.0.4] assigned, but move is not allowed."},
		{"AssignPrivateIpAddresses", "NetworkInterfaceId=ENI Ipv4PrefixCount=1", "I", "UnsupportedOperation", "The parameter Ipv4PrefixCount is not supported by this installation."},
		{"AssignPrivateIpAddresses", "NetworkInterfaceId=NODE SecondaryPrivateIpAddressCount=1", "K", "OperationNotPermitted", "The network interface 'NODE' is managed by …"},
		{"UnassignPrivateIpAddresses", "NetworkInterfaceId=ENI", "C", "MissingParameter", "The request must contain the parameter PrivateIpAddress"},
		{"UnassignPrivateIpAddresses", "NetworkInterfaceId=ENI PrivateIpAddress.1=172.31.0.10", "I", "InvalidParameterValue", "The address 172.31.0.10 is the primary address of the network interface 'ENI' and can't be unassigned."},
		{"UnassignPrivateIpAddresses", "NetworkInterfaceId=ENI PrivateIpAddress.1=172.31.0.12", "K", "InvalidParameterValue", "Some of the specified addresses are not assigned to interface ENI: 172.31.0.12"},
		{"DeleteSubnet", "SubnetId=SUBNET-2", "C", "DependencyViolation", "The subnet 'SUBNET-2' has dependencies and cannot be deleted."},
	} {
		before := w.state(t)
		var params []string
		for pair := range strings.FieldsSeq(c.form) {
			name, v, _ := strings.Cut(pair, "=")
			params = append(params, name, w.names.Replace(v))
		}
		status, body := w.send(t, account, c.action, params...)
		want, more := strings.CutSuffix(w.names.Replace(c.text), "…")
		want = "<Code>" + c.code + "</Code><Message>" + escaped.Replace(want)
		if !more {
			want += "</Message>"
		}
		wantStatus := 400
		if c.code == "DryRunOperation" {
			wantStatus = 412
		}
		if !strings.Contains(body, want) || status != wantStatus || !strings.Contains("CKI", c.mark) {
			t.Errorf("%s %s:\ngot  %d %s\nwant %d %s", c.action, c.form, status, body, wantStatus, want)
		}
		if after := w.state(t); after != before {
			t.Errorf("%s %s changed something:\n%s\n%s", c.action, c.form, before, after)
		}
	}
}

// escaped is how the encoder writes text.
var escaped = strings.NewReplacer("'", "&#39;", `"`, "&#34;")

// I8: another account meets nothing of it.
func TestAnotherAccountHasNoneOfTheAddresses(t *testing.T) {
	w := newAddressWorld(t)
	for _, c := range []struct{ action, name, what, code string }{
		{"ReleaseAddress", "AllocationId", "FREE", "InvalidAllocationID.NotFound"},
		{"DisassociateAddress", "AssociationId", "ASSOC", "InvalidAssociationID.NotFound"},
		{"DisassociateAddress", "PublicIp", "USED-IP", "InvalidAddress.NotFound"},
		{"DeleteNetworkInterface", "NetworkInterfaceId", "ENI", "InvalidNetworkInterfaceID.NotFound"},
		{"DetachNetworkInterface", "AttachmentId", "ATTACHMENT", "InvalidAttachmentID.NotFound"},
	} {
		if _, body := w.send(t, stranger, c.action, c.name, w.names.Replace(c.what)); !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: got %s, want %s", c.action, body, c.code)
		}
	}
}

func TestAnAddressAndItsInterfaceAsClientsSeeThem(t *testing.T) {
	w := newAddressWorld(t)
	for _, c := range []struct{ action, name, value, want string }{
		{"DescribeAddresses", "AllocationId.1", "USED", "<item><allocationId>USED</allocationId><associationId>ASSOC</associationId><domain>vpc</domain><networkBorderGroup>us-east-1</networkBorderGroup><networkInterfaceId>ENI</networkInterfaceId><networkInterfaceOwnerId>111122223333</networkInterfaceOwnerId><privateIpAddress>172.31.0.10</privateIpAddress><publicIp>USED-IP</publicIp><publicIpv4Pool>amazon</publicIpv4Pool><tagSet></tagSet></item>"},
		{"DescribeAddressesAttribute", "AllocationId.1", "USED", "<addressSet><item><allocationId>USED</allocationId><publicIp>USED-IP</publicIp></item></addressSet>"},
		{"DescribeNetworkInterfaces", "NetworkInterfaceId.1", "ENI", "<privateIpAddressesSet><item><association><allocationId>USED</allocationId><associationId>ASSOC</associationId><ipOwnerId>111122223333</ipOwnerId><publicIp>USED-IP</publicIp></association><primary>true</primary><privateIpAddress>172.31.0.10</privateIpAddress></item><item><primary>false</primary><privateIpAddress>172.31.0.11</privateIpAddress></item></privateIpAddressesSet>"},
		{"DescribeNetworkInterfaces", "NetworkInterfaceId.1", "ENI", "<requesterId>111122223333</requesterId><requesterManaged>false</requesterManaged><sourceDestCheck>true</sourceDestCheck><status>available</status>"},
	} {
		_, body := w.send(t, account, c.action, c.name, w.names.Replace(c.value))
		if want := w.names.Replace(c.want); !strings.Contains(body, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.action, body, want)
		}
	}
	if _, body := w.send(t, account, "DescribeNetworkInterfaces", "NetworkInterfaceId.1", w.names.Replace("ENI")); strings.Contains(body, "<attachment>") {
		t.Errorf("an interface that is attached to nothing has an attachment: %s", body)
	}
}

func TestFiltersTellOwnInterfacesFromNodes(t *testing.T) {
	w := newAddressWorld(t)
	for form, want := range map[string]string{
		"status=available": "ENI ENI-2", "status=in-use": "NODE", "requester-managed=false": "ENI ENI-2",
		"addresses.private-ip-address=172.31.0.11": "ENI", "private-ip-address=172.31.0.11": "ENI", "addresses.primary=false": "ENI",
		"association.association-id=ASSOC": "ENI", "addresses.association.public-ip=USED-IP": "ENI", "attachment.attachment-id=*": "NODE",
		"attachment.status=attached": "NODE", "attachment.device-index=1": "NODE", "attachment.attach-time=2026-08-01T12:00:00Z": "NODE",
		"requester-id=111122223333": "ENI ENI-2", "vpc-id=VPC-2": "ENI-2", "source-dest-check=false": "",
	} {
		name, v, _ := strings.Cut(form, "=")
		out := do[ec2.DescribeNetworkInterfacesOutput](t, w.world, "DescribeNetworkInterfaces", &ec2.DescribeNetworkInterfacesInput{Filters: filter(name, w.names.Replace(v))})
		wanted := map[string]bool{}
		for id := range strings.FieldsSeq(w.names.Replace(want)) {
			wanted[id] = true
		}
		for _, i := range out.NetworkInterfaces {
			if !wanted[*i.NetworkInterfaceId] {
				t.Errorf("%s: found %s", form, *i.NetworkInterfaceId)
			}
		}
		if len(out.NetworkInterfaces) != len(wanted) {
			t.Errorf("%s: found %d, want %d", form, len(out.NetworkInterfaces), len(wanted))
		}
	}
	for form, want := range map[string]int{
		"association-id=*": 2, "network-interface-id=ENI": 1, "private-ip-address=172.31.0.10": 1, "public-ip=USED-IP": 1,
		"allocation-id=FREE": 1, "instance-id=*": 0, "network-interface-owner-id=111122223333": 2, "domain=vpc": 3,
	} {
		name, v, _ := strings.Cut(form, "=")
		out := do[ec2.DescribeAddressesOutput](t, w.world, "DescribeAddresses", &ec2.DescribeAddressesInput{Filters: filter(name, w.names.Replace(v))})
		if len(out.Addresses) != want {
			t.Errorf("addresses by %s: found %d, want %d", form, len(out.Addresses), want)
		}
	}
}

func TestTheQuotaOfAddressesIsAnAccountsAttribute(t *testing.T) {
	w := newWorld(t)
	got := map[string]string{}
	for _, at := range do[ec2.DescribeAccountAttributesOutput](t, w, "DescribeAccountAttributes", &ec2.DescribeAccountAttributesInput{}).AccountAttributes {
		got[*at.AttributeName] = *at.AttributeValues[0].AttributeValue
	}
	if got["vpc-max-elastic-ips"] != "5" || got["max-elastic-ips"] != "5" {
		t.Errorf("got %v, want 5", got)
	}
}

func TestAttributesOfAnInterface(t *testing.T) {
	w := newAddressWorld(t)
	id := w.names.Replace("ENI")
	modify := func(in ec2.ModifyNetworkInterfaceAttributeInput) {
		t.Helper()
		in.NetworkInterfaceId = &id
		do[ec2.ModifyNetworkInterfaceAttributeOutput](t, w.world, "ModifyNetworkInterfaceAttribute", &in)
	}
	attribute := func(a ec2.NetworkInterfaceAttribute) *ec2.DescribeNetworkInterfaceAttributeOutput {
		t.Helper()
		return do[ec2.DescribeNetworkInterfaceAttributeOutput](t, w.world, "DescribeNetworkInterfaceAttribute", &ec2.DescribeNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, Attribute: a})
	}
	modify(ec2.ModifyNetworkInterfaceAttributeInput{Description: &ec2.AttributeValue{Value: new("uplink")}})
	modify(ec2.ModifyNetworkInterfaceAttributeInput{SourceDestCheck: &ec2.AttributeBooleanValue{Value: new(false)}})
	if got := attribute("description"); *got.Description.Value != "uplink" || got.SourceDestCheck != nil {
		t.Errorf("description: got %+v", got)
	}
	if got := attribute("sourceDestCheck"); *got.SourceDestCheck.Value {
		t.Error("the source/destination check is on")
	}
	do[ec2.ResetNetworkInterfaceAttributeOutput](t, w.world, "ResetNetworkInterfaceAttribute", &ec2.ResetNetworkInterfaceAttributeInput{NetworkInterfaceId: &id, SourceDestCheck: new("sourceDestCheck")})
	if got := attribute("sourceDestCheck"); !*got.SourceDestCheck.Value {
		t.Error("the source/destination check is off")
	}
	if got := attribute("groupSet"); len(got.Groups) != 1 || *got.Groups[0].GroupName != "default" {
		t.Errorf("groups: got %+v", got.Groups)
	}
	if got := attribute("attachment"); got.Attachment != nil {
		t.Errorf("attachment: got %+v", got.Attachment)
	}
	if got := attribute("associatePublicIpAddress"); *got.AssociatePublicIpAddress {
		t.Error("it would get a public address by itself")
	}
}
