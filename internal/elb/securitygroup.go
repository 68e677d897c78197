package elb

import (
	"context"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
)

// SetSecurityGroups is ELBv2 SetSecurityGroups.
type SetSecurityGroups struct {
	Account, Region, ARN string
	SecurityGroups       []string // all that the load balancer is to be in
	Time                 time.Time
}

// SetSecurityGroups replaces the security groups that a load balancer is in. Those
// of its nodes' interfaces follow. Until all have, a group that it has left can't
// be deleted: an interface is still in it.
func (s *Service) SetSecurityGroups(ctx context.Context, c SetSecurityGroups) (LoadBalancer, error) {
	c.SecurityGroups = unique(c.SecurityGroups)
	if len(c.SecurityGroups) == 0 {
		return LoadBalancer{}, fail(InvalidConfiguration, "A load balancer must have at least one security group")
	}
	var b LoadBalancer
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if b, err = s.LoadBalancer(tx, c.Account, c.Region, c.ARN); err != nil {
			return err
		}
		if err := s.checkSecurityGroups(tx, c.Account, c.Region, c.SecurityGroups, b.VPCID); err != nil {
			return err
		}
		if sameSet(c.SecurityGroups, b.SecurityGroups) {
			return nil
		}
		before := strings.Join(b.SecurityGroups, ", ")
		b.SecurityGroups = c.SecurityGroups
		s.balancers.Put(tx, b.ARN, b)
		s.network.Use(tx, nil, b.SecurityGroups)
		now := strings.Join(b.SecurityGroups, ", ")
		s.opts.Events.Put(tx, with(b.about(event.SecurityGroupsChanged, c.Time, "%s is in %s: its security groups were set", b.Name, now), "from", before, "to", now))
		return nil
	})
	return b, err
}

// initialSecurityGroups returns the groups that a new load balancer of the VPC is
// in: those that are named, or the VPC's default one.
func (s *Service) initialSecurityGroups(tx *store.Tx, c CreateLoadBalancer, vpc string) ([]string, error) {
	if len(c.SecurityGroups) > 0 {
		return c.SecurityGroups, s.checkSecurityGroups(tx, c.Account, c.Region, c.SecurityGroups, vpc)
	}
	if g := s.network.DefaultSecurityGroup(tx, vpc); g != "" {
		return []string{g}, nil
	}
	return nil, nil
}

// checkSecurityGroups holds the rules of which groups a load balancer of the VPC
// may be in.
func (s *Service) checkSecurityGroups(tx *store.Tx, account, region string, groups []string, vpc string) error {
	if n, most := len(groups), s.opts.Quotas.SecurityGroupsPerBalancer; n > most {
		return fail(InvalidConfiguration, "A load balancer can have %d security groups at most; %d were specified", most, n)
	}
	for _, id := range groups {
		of, ok := s.network.SecurityGroup(tx, account, region, id)
		if !ok {
			return fail(InvalidSecurityGroup, "Security group '%s' does not exist", id)
		}
		if of != vpc {
			return fail(InvalidConfiguration, "Security group '%s' does not belong to VPC '%s'", id, vpc)
		}
	}
	return nil
}

// setSecurityGroups puts a node's interface into the groups that its load balancer
// is in now.
func (c *Controller) setSecurityGroups(ctx context.Context, b LoadBalancer, nodeID string) error {
	snap := c.s.store.Snapshot()
	iface, ok := c.interfaces.Of(snap, nodeID)
	if !ok {
		return nil
	}
	cur, ok := c.s.balancers.Get(snap, b.ARN)
	if !ok || cur.Deleted || sameSet(iface.SecurityGroups, cur.SecurityGroups) {
		return nil // planned for what is no longer wanted
	}
	return c.interfaces.SetSecurityGroups(ctx, iface.ID, cur.SecurityGroups)
}
