package ec2

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerInstances(svc *wire.Service) {
	handle(svc, "DescribeInstances", a.describeInstances)
	handle(svc, "DescribeInstanceStatus", a.describeInstanceStatus)
}

// An instance of the inventory is taken to run for as long as it is listed (EC2
// InstanceState: code 16).
const (
	runningCode = 16
	running     = ec2.InstanceStateNameRunning
)

func (a *API) describeInstances(_ context.Context, c *wire.Call, in *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.InstanceIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000}, a.instances(snap, c))
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstancesOutput{Reservations: []ec2.Reservation{}, NextToken: next}
	for _, i := range items { // nobody reserved them together
		out.Reservations = append(out.Reservations, ec2.Reservation{
			ReservationId: new(reservation(i)), OwnerId: new(i.Account), Groups: []ec2.GroupIdentifier{},
			Instances: []ec2.Instance{a.renderInstance(snap, i)},
		})
	}
	return out, nil
}

func (a *API) describeInstanceStatus(_ context.Context, c *wire.Call, in *ec2.DescribeInstanceStatusInput) (*ec2.DescribeInstanceStatusOutput, error) {
	items, next, err := list(c, query{IDs: in.InstanceIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: 5, Max: 1000},
		a.instances(a.Store.Snapshot(), c))
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceStatusOutput{InstanceStatuses: []ec2.InstanceStatus{}, NextToken: next}
	for _, i := range items {
		unknown := &ec2.InstanceStatusSummary{Status: ec2.SummaryStatusNotApplicable} // target groups' health checks look, nothing else
		out.InstanceStatuses = append(out.InstanceStatuses, ec2.InstanceStatus{
			InstanceId: new(i.ID), AvailabilityZone: unlessEmpty(i.Zone), Events: []ec2.InstanceStatusEvent{},
			InstanceState: &ec2.InstanceState{Code: new(int32(runningCode)), Name: running}, InstanceStatus: unknown, SystemStatus: unknown,
		})
	}
	return out, nil
}

func (a *API) instances(r store.Reader, c *wire.Call) source[instance.Instance] {
	return source[instance.Instance]{
		from: func(key string) iter.Seq2[string, instance.Instance] {
			return a.Instances.Instances(r, c.Account, c.Region, key)
		},
		get: func(id string) (instance.Instance, bool) { return a.Instances.Instance(r, c.Account, c.Region, id) },
		absent: func(id string) error {
			if !ids.WellFormed(id, "i") {
				return apierr.New("InvalidInstanceID.Malformed", "Invalid id: \"%s\" (expecting \"i-...\")", id)
			}
			return apierr.New("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		},
		attribute: func(i instance.Instance, name string) ([]string, bool) { return a.instanceAttribute(r, i, name) },
	}
}

// instanceAttribute knows the filters of what an instance here has. Of others'
// values it has none.
func (a *API) instanceAttribute(r store.Reader, i instance.Instance, name string) ([]string, bool) {
	switch name {
	case "availability-zone":
		return some(i.Zone), true
	case "instance-id":
		return some(i.ID), true
	case "instance-state-code":
		return some(fmt.Sprint(runningCode)), true
	case "instance-state-name":
		return some(string(running)), true
	case "launch-time":
		return some(i.Since.Format("2006-01-02T15:04:05.000Z")), true
	case "owner-id":
		return some(i.Account), true
	case "private-ip-address", "network-interface.addresses.private-ip-address":
		return some(i.Private.String()), true
	case "ipv6-address", "network-interface.ipv6-addresses.ipv6-address":
		if !i.IPv6.IsValid() {
			return nil, true
		}
		return some(i.IPv6.String()), true
	case "private-dns-name":
		return some(privateName(i)), true
	case "reservation-id":
		return some(reservation(i)), true
	case "subnet-id", "network-interface.subnet-id":
		return some(i.SubnetID), true
	case "vpc-id", "network-interface.vpc-id":
		return some(i.VPCID), true
	case "instance-status.status", "system-status.status":
		return some(string(ec2.SummaryStatusNotApplicable)), true
	case "architecture", "dns-name", "group-id", "group-name", "hypervisor", "image-id", "instance-lifecycle", "instance-type", "instance.group-id",
		"instance.group-name", "ip-address", "key-name", "network-interface.network-interface-id", "platform", "root-device-type", "tenancy", "virtualization-type":
		return nil, true
	}
	return tagAttribute(a.Tags.Of(r, i.ID), name)
}

func (a *API) renderInstance(r store.Reader, i instance.Instance) ec2.Instance {
	out := ec2.Instance{
		InstanceId: new(i.ID), State: &ec2.InstanceState{Code: new(int32(runningCode)), Name: running}, StateTransitionReason: new(""),
		PrivateIpAddress: new(i.Private.String()), PrivateDnsName: new(privateName(i)), PublicDnsName: new(""),
		VpcId: unlessEmpty(i.VPCID), SubnetId: unlessEmpty(i.SubnetID), LaunchTime: &i.Since, AmiLaunchIndex: new(int32(0)),
		Placement:  &ec2.Placement{AvailabilityZone: unlessEmpty(i.Zone), GroupName: new(""), Tenancy: ec2.TenancyDefault},
		Monitoring: &ec2.Monitoring{State: ec2.MonitoringStateDisabled},
		// Without these members clients that look into them would fail.
		BlockDeviceMappings: []ec2.InstanceBlockDeviceMapping{}, NetworkInterfaces: []ec2.InstanceNetworkInterface{},
		ProductCodes: []ec2.ProductCode{}, SecurityGroups: []ec2.GroupIdentifier{},
		Tags: renderTags(a.Tags.Of(r, i.ID)),
	}
	if i.IPv6.IsValid() {
		out.Ipv6Address = new(i.IPv6.String())
	}
	return out
}

// reservation returns the id of an instance's reservation, which is its own.
func reservation(i instance.Instance) string { return "r-" + strings.TrimPrefix(i.ID, "i-") }

// privateName returns the DNS name that EC2 gives an address.
func privateName(i instance.Instance) string {
	if !i.Private.IsValid() { // of no instance
		return ""
	}
	return "ip-" + strings.ReplaceAll(i.Private.String(), ".", "-") + "." + i.Region + ".compute.internal"
}
