package ipam

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/event"
)

// about makes an event about a pool, with one detail.
func (p Pool) about(k event.Kind, now time.Time, detail, value, format string, args ...any) event.Event {
	return event.Event{
		Time: now, Kind: k, Account: p.Account, Region: p.Region, Resource: p.ID,
		Message: fmt.Sprintf(format, args...), Details: map[string]string{"pool": p.ID, detail: value},
	}
}

// provisioned tells that a CIDR has come to a pool, by itself or as somebody asked.
func (p Pool) provisioned(c PoolCIDR, byItself bool, now time.Time) event.Event {
	kind, how := event.PoolProvisioned, "was provisioned"
	if byItself {
		kind, how = event.PoolRefilled, "was provisioned by itself, because the pool ran low"
	}
	e := p.about(kind, now, "cidr", c.CIDR.String(), "%s %s", c.CIDR, how)
	if c.Waiting {
		from := c.UsableFrom.UTC().Format(time.RFC3339)
		e.Message += "; addresses are drawn from it after its notice period, at " + from
		e.Details["usable-from"] = from
	}
	return e
}
