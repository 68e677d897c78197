package proxy

import (
	"maps"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/accesslog"
)

// checkLogs are the health check logs of nodes that keep one.
type checkLogs struct {
	mu    sync.Mutex
	nodes map[string]map[string]*logs // by target group ARN, then node ID
}

// add has the node's log get the checks of its target groups. Proxy.mu is held.
func (c *checkLogs) add(n *node) {
	if n.logs == nil || n.logs.health == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for arn := range *n.groups.Load() {
		if c.nodes[arn] == nil {
			c.nodes[arn] = map[string]*logs{}
		}
		c.nodes[arn][n.id] = n.logs
	}
}

// drop undoes add. Proxy.mu is held.
func (c *checkLogs) drop(n *node) {
	if n.logs == nil || n.logs.health == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for arn := range *n.groups.Load() {
		if delete(c.nodes[arn], n.id); len(c.nodes[arn]) == 0 {
			delete(c.nodes, arn)
		}
	}
}

// LogCheck writes the line of a check of a target to the logs of the nodes that
// send requests to its target group. What it says of a node is filled in here.
func (p *Proxy) LogCheck(targetGroupARN string, line accesslog.Health) {
	p.checks.mu.Lock()
	users := slices.Collect(maps.Values(p.checks.nodes[targetGroupARN]))
	p.checks.mu.Unlock()
	for _, l := range users {
		line.ELB, line.Node = l.elb, l.node
		l.health.Line(p.streamThread(), line.AppendTo(nil))
	}
}
