package node

import (
	"strings"

	"github.com/fairlead/fairlead/internal/accesslog"
	"github.com/fairlead/fairlead/internal/health"
)

// checkLine makes the line of a check, but for what differs between nodes.
func checkLine(c health.Check) accesslog.Health {
	name := c.Key.TargetGroupARN // …:targetgroup/NAME/HEX
	if parts := strings.Split(name, "/"); len(parts) == 3 {
		name = parts[1]
	}
	return accesslog.Health{
		Type: strings.ToLower(string(c.Protocol)), Time: c.Time, Latency: c.Latency, Target: c.Key.Addr, Group: name,
		Passed: c.Passed, Status: c.Status, Reason: c.Reason,
	}
}
