package ec2

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerZones(svc *wire.Service) {
	handle(svc, "DescribeRegions", a.describeRegions)
	handle(svc, "DescribeAvailabilityZones", a.describeAvailabilityZones)
	network(a, svc, "DescribeAccountAttributes", a.describeAccountAttributes)
}

func (a *API) describeRegions(_ context.Context, c *wire.Call, in *ec2.DescribeRegionsInput) (*ec2.DescribeRegionsOutput, error) {
	names := a.Regions.Names()
	items, _, err := list(c, query{IDs: in.RegionNames, Filters: in.Filters}, source[ec2.Region]{
		from: inOrder(names, renderRegion),
		get:  func(id string) (ec2.Region, bool) { return renderRegion(id), slices.Contains(names, id) },
		absent: func(id string) error {
			return apierr.New("InvalidParameterValue", "Invalid region provided: %s", id)
		},
		attribute: func(r ec2.Region, name string) ([]string, bool) {
			switch name {
			case "region-name":
				return some(value(r.RegionName)), true
			case "opt-in-status":
				return some(value(r.OptInStatus)), true
			case "endpoint":
				return nil, true
			}
			return nil, false
		},
	})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeRegionsOutput{Regions: items}, nil
}

func renderRegion(name string) ec2.Region {
	return ec2.Region{RegionName: new(name), OptInStatus: new("opt-in-not-required")}
}

// inOrder is a source's sequence of the things that the names stand for, as
// they are ordered, for calls without pages.
func inOrder[T any](names []string, render func(string) T) func(string) iter.Seq2[string, T] {
	return func(string) iter.Seq2[string, T] {
		return func(yield func(string, T) bool) {
			for _, name := range names {
				if !yield(name, render(name)) {
					return
				}
			}
		}
	}
}

func (a *API) describeAvailabilityZones(_ context.Context, c *wire.Call, in *ec2.DescribeAvailabilityZonesInput) (*ec2.DescribeAvailabilityZonesOutput, error) {
	zones := a.Regions.Zones(c.Region)
	names := slices.Clone(in.ZoneNames)
	for _, id := range in.ZoneIds {
		i := slices.IndexFunc(zones, func(z string) bool { return a.zoneID(c.Region, z) == id })
		if i < 0 {
			return nil, apierr.New("InvalidParameterValue", "Invalid availability zone-id: [%s]", id)
		}
		names = append(names, zones[i])
	}
	render := func(zone string) ec2.AvailabilityZone { return a.renderZone(c.Region, zone) }
	items, _, err := list(c, query{IDs: names, Filters: in.Filters}, source[ec2.AvailabilityZone]{
		from: inOrder(zones, render),
		get:  func(id string) (ec2.AvailabilityZone, bool) { return render(id), slices.Contains(zones, id) },
		absent: func(id string) error {
			return apierr.New("InvalidParameterValue", "Invalid availability zone: [%s]", id)
		},
		attribute: zoneAttribute,
	})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeAvailabilityZonesOutput{AvailabilityZones: items}, nil
}

func (a *API) renderZone(region, zone string) ec2.AvailabilityZone {
	return ec2.AvailabilityZone{
		ZoneName: new(zone), ZoneId: new(a.zoneID(region, zone)), ZoneType: new("availability-zone"),
		RegionName: new(region), GroupName: new(region + "-zg-1"), NetworkBorderGroup: new(region),
		State: ec2.AvailabilityZoneStateAvailable, OptInStatus: ec2.AvailabilityZoneOptInStatusOptInNotRequired,
		Messages: []ec2.AvailabilityZoneMessage{},
	}
}

func zoneAttribute(z ec2.AvailabilityZone, name string) ([]string, bool) {
	switch name {
	case "group-name":
		return some(value(z.GroupName)), true
	case "network-border-group":
		return some(value(z.NetworkBorderGroup)), true
	case "opt-in-status":
		return some(string(z.OptInStatus)), true
	case "region-name":
		return some(value(z.RegionName)), true
	case "state":
		return some(string(z.State)), true
	case "zone-id":
		return some(value(z.ZoneId)), true
	case "zone-name":
		return some(value(z.ZoneName)), true
	case "zone-type":
		return some(value(z.ZoneType)), true
	case "message", "parent-zone-id", "parent-zone-name", "group-long-name":
		return nil, true
	}
	return nil, false
}

// directions are how zone ids abbreviate the words of region names.
var directions = map[string]string{
	"north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
	"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}

// zoneID returns a zone's id, "use1-az2" for the second zone of us-east-1.
// Names may mean different places to different accounts, ids may not; here both
// say the same.
func (a *API) zoneID(region, zone string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(region, "-") {
		if d, ok := directions[part]; ok {
			part = d
		}
		b.WriteString(part)
	}
	return fmt.Sprintf("%s-az%d", b.String(), slices.Index(a.Regions.Zones(region), zone)+1)
}

func (a *API) describeAccountAttributes(_ context.Context, c *wire.Call, in *ec2.DescribeAccountAttributesInput) (*ec2.DescribeAccountAttributesOutput, error) {
	if err := c.CheckDryRun(); err != nil {
		return nil, err
	}
	defaultVPC := "none"
	if v, ok := a.VPC.DefaultVPC(a.Store.Snapshot(), c.Account, c.Region); ok {
		defaultVPC = v.ID
	}
	all := []struct{ name, value string }{
		{"supported-platforms", "VPC"},
		{"default-vpc", defaultVPC},
		{"vpc-max-security-groups-per-interface", strconv.Itoa(a.VPC.Quotas().GroupsPerENI)},
		{"max-instances", "0"}, // there are none to be had here
		{"max-elastic-ips", strconv.Itoa(a.VPC.Quotas().Addresses)},
		{"vpc-max-elastic-ips", strconv.Itoa(a.VPC.Quotas().Addresses)},
	}
	out := &ec2.DescribeAccountAttributesOutput{AccountAttributes: []ec2.AccountAttribute{}}
	for _, at := range all {
		if len(in.AttributeNames) > 0 && !slices.Contains(in.AttributeNames, ec2.AccountAttributeName(at.name)) {
			continue
		}
		out.AccountAttributes = append(out.AccountAttributes, ec2.AccountAttribute{
			AttributeName:   new(at.name),
			AttributeValues: []ec2.AccountAttributeValue{{AttributeValue: new(at.value)}},
		})
	}
	return out, nil
}
