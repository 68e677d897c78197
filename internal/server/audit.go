package server

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/audit"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/wire"
)

// answered writes the audit record of a change, whether or not it was made.
func (r *rooms) answered(a wire.Answered) {
	if audit.Reads(a.Action) {
		return
	}
	rec := audit.Record{
		Time: a.Now, RequestID: a.RequestID, Account: a.Account, AccessKeyID: a.AccessKeyID, Principal: a.Principal, Source: a.Remote, UserAgent: a.UserAgent,
		Service: a.Service, Region: a.Region, Action: a.Action, Code: a.Code, Message: a.Message, Parameters: a.Parameters,
	}
	r.audit.Append(rec, a.Reply)
}

// maxAudit is how many records one answer has at most.
const maxAudit = 10_000

// serveAudit answers what `fairlead audit` shows: GET /audit with since, until,
// account, action, resource, errors and limit.
func (s *Server) serveAudit(w http.ResponseWriter, r *http.Request) {
	f := audit.Filter{Account: r.FormValue("account"), Action: r.FormValue("action"), Resource: r.FormValue("resource"), Errors: r.FormValue("errors") == "true"}
	for name, t := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		text := r.FormValue(name)
		if text == "" {
			continue
		}
		var err error
		if *t, err = time.Parse(time.RFC3339, text); err != nil {
			http.Error(w, fmt.Sprintf("%s must be a time, such as 2026-11-23T06:00:00Z", name), http.StatusBadRequest)
			return
		}
	}
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxAudit {
			http.Error(w, fmt.Sprintf("limit must be a number from 1 to %d", maxAudit), http.StatusBadRequest)
			return
		}
		f.Limit = n
	}
	if f.Check() != nil {
		http.Error(w, "action must be a name, which may have * and ?, such as Modify*", http.StatusBadRequest)
		return
	}
	recs, err := s.rooms.audit.Find(r.Context(), f)
	if err != nil {
		if r.Context().Err() == nil {
			s.log.Error("audit log not read", "error", err)
		}
		http.Error(w, "the audit log can't be read; the server's log says why", http.StatusInternalServerError)
		return
	}
	out := status.Audit{Lost: s.rooms.audit.Lost(), Records: make([]status.AuditRecord, 0, len(recs))}
	for _, rec := range recs {
		out.Records = append(out.Records, status.AuditRecord(rec))
	}
	s.answer(w, out)
}
