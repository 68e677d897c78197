package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/status"
)

// stage is what the demo made, or found.
type stage struct {
	loadBalancer string // ARN
	targetGroup  string // ARN
	targets      []netip.AddrPort
	port         uint16
}

// stage makes everything that isn't there yet.
func (c *client) stage(ctx context.Context, o Options, targets []netip.AddrPort) (stage, error) {
	st := stage{targets: targets, port: o.Port}
	pool, err := c.pool(ctx, o.CIDR)
	if err != nil {
		return st, err
	}
	vpcID, subnets, err := c.network(ctx)
	if err != nil {
		return st, err
	}
	if st.targetGroup, err = c.targetGroup(ctx, vpcID, targets); err != nil {
		return st, err
	}
	if st.loadBalancer, err = c.loadBalancer(ctx, pool, subnets); err != nil {
		return st, err
	}
	return st, c.listener(ctx, st.loadBalancer, st.targetGroup, o.Port)
}

// settle waits until the load balancer is active, each of its nodes serves and
// the targets are healthy.
func (c *client) settle(ctx context.Context, st stage) error {
	var waits string
	err := until(ctx, func() (bool, error) {
		report, err := c.report(ctx)
		if err != nil {
			return false, err
		}
		health, err := c.health(ctx, st.targetGroup)
		if err != nil {
			return false, err
		}
		waits = unsettled(st, report, health)
		return waits == "", nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not serving after %v: %s", settleTime, waits)
	}
	return err
}

// unsettled says what is still to wait for, "" for nothing.
func unsettled(st stage, report status.Report, health []elbv2.TargetHealthDescription) string {
	var waits []string
	lb, ok := find(report, st.loadBalancer)
	if !ok || lb.State != string(elbv2.LoadBalancerStateEnumActive) {
		waits = append(waits, "the load balancer is not active")
	}
	for _, n := range lb.Nodes {
		switch {
		case n.Error != "":
			waits = append(waits, fmt.Sprintf("%s on %s: %s", n.Zone, n.Public, n.Error))
		case n.Phase != phaseInService:
			waits = append(waits, fmt.Sprintf("the node of %s is %s", n.Zone, n.Phase))
		}
	}
	states := map[netip.AddrPort]elbv2.TargetHealthStateEnum{}
	for _, h := range health {
		for _, t := range st.targets {
			if names(h.Target, t) {
				states[t] = h.TargetHealth.State
			}
		}
	}
	for _, t := range st.targets {
		if s := states[t]; s != elbv2.TargetHealthStateEnumHealthy {
			waits = append(waits, fmt.Sprintf("target %s is %q", t, s))
		}
	}
	return strings.Join(waits, "; ")
}

// phaseInService is the phase of a node that serves, as the report has it.
const phaseInService = "in-service"

func find(r status.Report, arn string) (status.LoadBalancer, bool) {
	for _, lb := range r.LoadBalancers {
		if lb.ARN == arn {
			return lb, true
		}
	}
	return status.LoadBalancer{}, false
}

// askEvery is how often until asks again.
const askEvery = 100 * time.Millisecond

// until asks again and again until the answer is yes, it fails, or ctx ends.
func until(ctx context.Context, yes func() (bool, error)) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		ok, err := yes()
		switch {
		case ctx.Err() != nil: // err may be no more than that
			return ctx.Err()
		case ok || err != nil:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
