package ec2_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/tags"
)

// The inventory is shown as EC2 shows instances: filtered, in pages, with tags.
func TestInstancesOfTheInventoryAreShown(t *testing.T) {
	w := newWorld(t)
	begun := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	var vpcID, subnetID string
	for _, n := range do[ec2.DescribeSubnetsOutput](t, w, "DescribeSubnets", &ec2.DescribeSubnetsInput{}).Subnets {
		if *n.AvailabilityZone == "us-east-1b" {
			vpcID, subnetID = *n.VpcId, *n.SubnetId
		}
	}
	for n := range 7 {
		spec := instance.Spec{
			Instance: instance.Instance{ID: fmt.Sprintf("i-0000000%d", n), Account: account, Region: region, Private: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), Since: begun},
			Tags:     []tags.Tag{{Key: "Name", Value: fmt.Sprintf("till-%d", n)}},
		}
		if n == 3 {
			spec.SubnetID, spec.IPv6 = subnetID, netip.MustParseAddr("fd00::3")
		}
		if n == 6 {
			spec.Account = stranger
		}
		if _, err := w.instances.Add(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	found := func(in *ec2.DescribeInstancesInput) (ids string, next *string) {
		t.Helper()
		out := do[ec2.DescribeInstancesOutput](t, w, "DescribeInstances", in)
		var all []string
		for _, r := range out.Reservations {
			if len(r.Instances) != 1 || *r.OwnerId != account {
				t.Errorf("reservation: got %+v", r)
			}
			all = append(all, strings.TrimPrefix(*r.Instances[0].InstanceId, "i-0000000"))
		}
		return strings.Join(all, " "), out.NextToken
	}
	if ids, next := found(&ec2.DescribeInstancesInput{MaxResults: new(int32(5))}); ids != "0 1 2 3 4" || next == nil {
		t.Errorf("first page: got %s", ids)
	} else if ids, next := found(&ec2.DescribeInstancesInput{MaxResults: new(int32(5)), NextToken: next}); ids != "5" || next != nil {
		t.Errorf("second page: got %s", ids)
	}
	for filter, want := range map[string]string{
		"private-ip-address=10.0.0.4": "4", "subnet-id=" + subnetID: "3", "vpc-id=" + vpcID: "3", "availability-zone=us-east-1b": "3",
		"ipv6-address=fd00::3": "3", "instance-state-name=running": "0 1 2 3 4 5", "instance-state-name=stopped": "", "instance-state-code=16": "0 1 2 3 4 5",
		"tag:Name=till-[5]": "", "tag:Name=till-5": "5", "tag-key=Name": "0 1 2 3 4 5", "instance-type=t3.micro": "", "instance-id=i-00000002": "2",
		"owner-id=" + stranger: "", "private-dns-name=ip-10-0-0-1.*": "1", "launch-time=2026-11-23T*": "0 1 2 3 4 5", "reservation-id=r-00000001": "1",
	} {
		name, value, _ := strings.Cut(filter, "=")
		if ids, _ := found(&ec2.DescribeInstancesInput{Filters: []ec2.Filter{{Name: &name, Values: []string{value}}}}); ids != want {
			t.Errorf("%s: got %s, want %s", filter, ids, want)
		}
	}
	i := do[ec2.DescribeInstancesOutput](t, w, "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: []string{"i-00000003"}}).Reservations[0].Instances[0]
	if i.State.Name != "running" || *i.PrivateIpAddress != "10.0.0.3" || *i.Ipv6Address != "fd00::3" || *i.VpcId != vpcID || *i.SubnetId != subnetID ||
		*i.Placement.AvailabilityZone != "us-east-1b" || !i.LaunchTime.Equal(begun) || *i.PrivateDnsName != "ip-10-0-0-3.us-east-1.compute.internal" || len(i.Tags) != 1 {
		t.Errorf("got %+v", i)
	}
	status := do[ec2.DescribeInstanceStatusOutput](t, w, "DescribeInstanceStatus", &ec2.DescribeInstanceStatusInput{InstanceIds: []string{"i-00000003"}}).InstanceStatuses
	if len(status) != 1 || status[0].InstanceState.Name != "running" || status[0].InstanceStatus.Status != "not-applicable" {
		t.Errorf("status: got %+v", status)
	}

	do[ec2.CreateTagsOutput](t, w, "CreateTags", &ec2.CreateTagsInput{Resources: []string{"i-00000002"}, Tags: []ec2.Tag{{Key: new("Name"), Value: new("kiosk")}}})
	if ids, _ := found(&ec2.DescribeInstancesInput{Filters: []ec2.Filter{{Name: new("tag:Name"), Values: []string{"kiosk"}}}}); ids != "2" {
		t.Errorf("tagged anew: got %s", ids)
	}
}
