package server

import (
	"cmp"
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// filing is the vpc room as the instance room needs it.
type filing struct{ rooms *rooms }

func (f filing) Subnet(r store.Reader, account, region, id string) (vpcID, zone string, ok bool) {
	s, ok := f.rooms.vpc.Subnet(r, account, region, id)
	return s.VPCID, s.Zone, ok
}

func (f filing) VPC(r store.Reader, account, region, id string) bool {
	_, ok := f.rooms.vpc.VPC(r, account, region, id)
	return ok
}

func (f filing) Zones(region string) []string { return f.rooms.regions.Zones(region) }

// inventory is the instance room as the elb room needs it.
type inventory struct{ instances *instance.Service }

func (i inventory) Instance(r store.Reader, account, region, id string) (elb.Instance, bool) {
	in, ok := i.instances.Instance(r, account, region, id)
	return elb.Instance{VPCID: in.VPCID, Zone: in.Zone, Private: in.Private, IPv6: in.IPv6}, ok
}

func (i inventory) Collection() string { return i.instances.Collection() }

func (i inventory) ID(key string) string { return instance.IDOf(key) }

// configureInstances brings the inventory in line with the configuration file. A
// mistake in it is logged: it must not keep load balancers from being served.
func (s *Server) configureInstances(ctx context.Context) {
	var specs []instance.Spec
	root := s.cfg.RootAccount
	if s.cfg.Dev {
		root = wire.DevAccount
	}
	for _, c := range s.cfg.Instances {
		spec := instance.Spec{Instance: instance.Instance{
			ID: c.ID, Account: cmp.Or(c.Account, root), Region: cmp.Or(c.Region, s.cfg.Regions[0].Name),
			VPCID: c.VPC, SubnetID: c.Subnet, Zone: c.Zone, Private: c.PrivateIP, IPv6: c.IPv6,
		}}
		for k, v := range c.Tags {
			spec.Tags = append(spec.Tags, tags.Tag{Key: k, Value: v})
		}
		specs = append(specs, spec)
	}
	if err := s.rooms.instances.Configure(ctx, specs, time.Now()); err != nil && ctx.Err() == nil {
		s.log.Error("the inventory is not as the configuration file has it", "error", err)
	}
}
