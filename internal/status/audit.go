package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Audit is what was asked of the API, as JSON on the ops address.
type Audit struct {
	Lost    int64         `json:"lost"` // since the server's start
	Records []AuditRecord `json:"records"`
}

// AuditRecord is one call, the oldest first.
type AuditRecord struct {
	Time        time.Time         `json:"time"`
	RequestID   string            `json:"request_id,omitempty"`
	Account     string            `json:"account,omitempty"`
	AccessKeyID string            `json:"access_key_id,omitempty"`
	Principal   string            `json:"principal,omitempty"`
	Source      string            `json:"source,omitempty"`
	UserAgent   string            `json:"user_agent,omitempty"`
	Service     string            `json:"service,omitempty"`
	Region      string            `json:"region,omitempty"`
	Action      string            `json:"action,omitempty"`
	Parameters  map[string]string `json:"parameters,omitempty"`
	Omitted     int               `json:"parameters_omitted,omitempty"`
	Resources   []string          `json:"resources,omitempty"`
	Code        string            `json:"code,omitempty"`
	Message     string            `json:"message,omitempty"`
	Lost        int               `json:"lost,omitempty"` // records before this one, which has nothing else
}

// Render returns the records as text for a terminal.
func (a Audit) Render() string {
	var b strings.Builder
	if a.Lost > 0 {
		b.WriteString(warn.Render(fmt.Sprintf("%d records couldn't be written since the start; the server's log has their essence", a.Lost)) + "\n")
	}
	if len(a.Records) == 0 {
		b.WriteString(faint.Render("no such call") + "\n")
	}
	for _, r := range a.Records {
		b.WriteString(r.render())
	}
	return b.String()
}

func (r AuditRecord) render() string {
	at := faint.Render(r.Time.UTC().Format("2006-01-02 15:04:05.000"))
	if r.Lost > 0 {
		return at + "  " + warn.Render(fmt.Sprintf("%d records are missing here", r.Lost)) + "\n"
	}
	result := good.Render(r.Code)
	if r.Code != "OK" {
		result = warn.Render(r.Code + ": " + r.Message)
	}
	var parameters []string
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		parameters = append(parameters, fmt.Sprintf("%s=%q", name, r.Parameters[name]))
	}
	if r.Omitted > 0 {
		parameters = append(parameters, fmt.Sprintf("and %d more", r.Omitted))
	}
	out := fmt.Sprintf("%s  %s  %s\n", at, strong.Render(r.Service+":"+r.Action), result)
	out += fmt.Sprintf("    %s\n", faint.Render(fmt.Sprintf("account %s, key %s, from %s, %s, request %s", r.Account, r.AccessKeyID, r.Source, r.Region, r.RequestID)))
	if len(parameters) > 0 {
		out += "    " + strings.Join(parameters, " ") + "\n"
	}
	return out
}
