package fairlead

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *api) describeMigration(_ context.Context, c *wire.Call, in *fairlead.DescribeMigrationInput) (*fairlead.DescribeMigrationOutput, error) {
	snap := a.store.Snapshot()
	b, err := a.balancer(snap, c, *in.LoadBalancer)
	if err != nil {
		return nil, err
	}
	v, ok, err := a.elb.Migration(snap, c.Account, c.Region, b.ARN)
	if err != nil || !ok {
		return &fairlead.DescribeMigrationOutput{}, err
	}
	return &fairlead.DescribeMigrationOutput{Migration: renderMigration(v)}, nil
}

func (a *api) cancelMigration(ctx context.Context, c *wire.Call, in *fairlead.CancelMigrationInput) (*fairlead.CancelMigrationOutput, error) {
	b, err := a.balancer(a.store.Snapshot(), c, *in.LoadBalancer)
	if err != nil {
		return nil, err
	}
	if _, err := a.elb.CancelMigration(ctx, c.Account, c.Region, b.ARN, c.Now); err != nil {
		return nil, err
	}
	v, _, err := a.elb.Migration(a.store.Snapshot(), c.Account, c.Region, b.ARN)
	if err != nil {
		return nil, err
	}
	return &fairlead.CancelMigrationOutput{Migration: renderMigration(v)}, nil
}

// balancer finds a load balancer of the caller's by ARN or name.
func (a *api) balancer(r store.Reader, c *wire.Call, name string) (elb.LoadBalancer, error) {
	if strings.HasPrefix(name, "arn:") {
		return a.elb.LoadBalancer(r, c.Account, c.Region, name)
	}
	return a.elb.LoadBalancerByName(r, c.Account, c.Region, name)
}

func renderMigration(v elb.MigrationView) *fairlead.Migration {
	m, b := v.Migration, v.LoadBalancer
	return &fairlead.Migration{
		LoadBalancerArn: &b.ARN, LoadBalancerName: &b.Name, DnsName: new(strings.ToLower(b.DNSName)), State: new(string(m.State())),
		FromPool: given(m.FromPool), ToPool: given(m.ToPool), FromType: given(m.FromType), ToType: given(m.ToType), Began: instant(m.Began), Moved: instant(m.Moved), Cancelled: instant(m.Cancelled), Ended: instant(m.Ended),
		EndsBy: instant(v.EndsBy), Cancellable: new(v.Obstacle == ""), Obstacle: given(v.Obstacle), OldNodes: renderNodes(v.Old), NewNodes: renderNodes(v.New),
	}
}

func renderNodes(nodes []elb.MigratingNode) []fairlead.MigratingNode {
	out := make([]fairlead.MigratingNode, 0, len(nodes))
	for _, n := range nodes {
		x := fairlead.MigratingNode{
			NodeId: &n.ID, Zone: &n.Zone, PublicIp: address(n.Public), Ipv6Address: address(n.IPv6.Addr), PrivateIp: address(n.Private), IpamPoolId: given(n.PoolID), OffPool: &n.OffPool,
			InDns: &n.InDNS, Phase: new(string(n.Phase)), EndsBy: instant(n.EndsBy),
		}
		if n.Known {
			x.OpenConnections = new(int32(n.Connections))
		}
		out = append(out, x)
	}
	return out
}

// Members that are left out when there is nothing to say.

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func address(a netip.Addr) *string {
	if !a.IsValid() {
		return nil
	}
	return new(a.String())
}
