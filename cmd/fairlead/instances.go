package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	service "github.com/fairlead/fairlead/internal/api/fairlead"
	"github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/wire"
)

type instancesCmd struct {
	List   instancesListCmd   `cmd:"" default:"withargs" help:"Show the inventory of the account in the region."`
	Add    instancesAddCmd    `cmd:"" help:"Put an instance into the inventory, and print its id."`
	Remove instancesRemoveCmd `cmd:"" help:"Take instances out of the inventory; load balancers send them nothing any more."`
}

// fairlead returns a client of the service that has the inventory.
func (a api) fairlead() (wire.Client, error) {
	c, err := a.client()
	c.Spec = service.Spec
	return c, err
}

type instancesListCmd struct{ api }

// Run shows the inventory as a table.
func (c *instancesListCmd) Run(ctx context.Context, std streams) error {
	client, err := c.fairlead()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "INSTANCE\tADDRESS\tZONE\tVPC\tNAME\tFROM") // an error is Flush's
	for in := (fairlead.ListInstancesInput{}); ; {
		var out fairlead.ListInstancesOutput
		if err := client.Do(ctx, "ListInstances", &in, &out); err != nil {
			return err
		}
		for _, i := range out.Instances {
			name, from := "-", "api"
			for _, t := range i.Tags {
				if *t.Key == "Name" {
					name = or(t.Value)
				}
			}
			if i.Configured != nil && *i.Configured {
				from = "file"
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", or(i.InstanceId), or(i.PrivateIpAddress), or(i.AvailabilityZone), or(i.VpcId), name, from)
		}
		if out.NextToken == nil {
			return table.Flush()
		}
		in.NextToken = out.NextToken
	}
}

// or returns what s points to, a dash for nothing.
func or(s *string) string {
	if s == nil || *s == "" {
		return "-"
	}
	return *s
}

type instancesAddCmd struct {
	api
	PrivateIP string            `name:"private-ip" required:"" help:"The IPv4 address that load balancers reach it on." placeholder:"ADDRESS"`
	IPv6      string            `name:"ipv6" help:"Its IPv6 address, for target groups of the IP address type ipv6." placeholder:"ADDRESS"`
	ID        string            `help:"Its id, such as i-0123456789abcdef0 (default: a new one)." placeholder:"ID"`
	Subnet    string            `help:"The subnet that it is in, and so its VPC and zone." placeholder:"ID"`
	VPC       string            `name:"vpc" help:"The VPC that it is in (default: it can be a target in every one of the account)." placeholder:"ID"`
	Zone      string            `help:"The zone that it is in (default: it serves all)." placeholder:"NAME"`
	Tag       map[string]string `help:"A tag; Name is what clients show. May be repeated." placeholder:"KEY=VALUE"`
}

// Run adds an instance.
func (c *instancesAddCmd) Run(ctx context.Context, std streams) error {
	client, err := c.fairlead()
	if err != nil {
		return err
	}
	in := fairlead.AddInstanceInput{PrivateIpAddress: &c.PrivateIP}
	for _, m := range []struct {
		member **string
		flag   string
	}{{&in.InstanceId, c.ID}, {&in.Ipv6Address, c.IPv6}, {&in.SubnetId, c.Subnet}, {&in.VpcId, c.VPC}, {&in.AvailabilityZone, c.Zone}} {
		if m.flag != "" {
			*m.member = &m.flag
		}
	}
	for _, k := range slices.Sorted(maps.Keys(c.Tag)) {
		in.Tags = append(in.Tags, fairlead.Tag{Key: &k, Value: new(c.Tag[k])})
	}
	var out fairlead.AddInstanceOutput
	if err := client.Do(ctx, "AddInstance", &in, &out); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, *out.InstanceId)
	return err
}

type instancesRemoveCmd struct {
	api
	IDs []string `arg:"" name:"id" help:"The ids of the instances."`
}

// Run removes instances, one after the other.
func (c *instancesRemoveCmd) Run(ctx context.Context, _ streams) error {
	client, err := c.fairlead()
	if err != nil {
		return err
	}
	for _, id := range c.IDs {
		if err := client.Do(ctx, "RemoveInstance", &fairlead.RemoveInstanceInput{InstanceId: &id}, new(fairlead.RemoveInstanceOutput)); err != nil {
			return err
		}
	}
	return nil
}
