package main

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/status"
)

type auditCmd struct {
	report
	Since    when   `help:"Only from the time on: 2026-11-23T06:00:00Z, or how long ago, such as 90m or 7d." placeholder:"TIME"`
	Until    when   `help:"Only before the time." placeholder:"TIME"`
	Account  string `help:"Only calls of the account." placeholder:"ID"`
	Action   string `help:"Only calls of the action, which may have * and ?: Modify*." placeholder:"NAME"`
	Resource string `help:"Only calls about the resource: an id, an ARN or a load balancer's name." placeholder:"ID"`
	Errors   bool   `help:"Only calls that failed."`
	Limit    int    `help:"The latest so many (default ${default})." default:"100" placeholder:"N"`
}

// Run shows what was asked of the API.
func (c *auditCmd) Run(ctx context.Context, std streams) error {
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, value := range map[string]string{
		"since": c.Since.on(time.Now()), "until": c.Until.on(time.Now()), "account": c.Account, "action": c.Action, "resource": c.Resource,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if c.Errors {
		query.Set("errors", "true")
	}
	return show(ctx, std, c.report, "/audit?"+query.Encode(), new(status.Audit))
}
