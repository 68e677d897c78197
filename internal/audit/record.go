package audit

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is one call, a line of the log.
type Record struct {
	Time      time.Time `json:"time"` // when the call arrived
	RequestID string    `json:"request_id,omitempty"`

	Account     string `json:"account,omitempty"`
	AccessKeyID string `json:"access_key_id,omitempty"`
	Principal   string `json:"principal,omitempty"` // ARN
	Source      string `json:"source,omitempty"`    // HOST:PORT
	UserAgent   string `json:"user_agent,omitempty"`

	Service string `json:"service,omitempty"`
	Region  string `json:"region,omitempty"`
	Action  string `json:"action,omitempty"`

	Parameters map[string]string `json:"parameters,omitempty"` // as sent, without secrets and without end
	Omitted    int               `json:"parameters_omitted,omitempty"`
	Resources  []string          `json:"resources,omitempty"` // ids and ARNs that the call names or made

	Code    string `json:"code,omitempty"`    // OK, or the error's
	Message string `json:"message,omitempty"` // the error's

	// Lost, in a record that has nothing else but a time, is how many records
	// before it couldn't be written.
	Lost int `json:"lost,omitempty"`
}

// OK is the code of a call that succeeded.
const OK = "OK"

// readers begin the names of actions that change nothing.
var readers = []string{"Describe", "Get", "List", "Search", "Check", "Stream"}

// Reads says whether an action only reads.
func Reads(action string) bool {
	return slices.ContainsFunc(readers, func(p string) bool { return strings.HasPrefix(action, p) })
}

// Bounds of what one record holds of a call that may have a MiB.
const (
	maxText       = 1 << 10 // of one value, in bytes
	maxParameters = 32 << 10
	maxResources  = 64
)

// encode returns the record as a line, its secrets redacted, its length bounded.
// reply is the shape that the call was answered with, nil for an error.
func (r Record) encode(reply any) []byte {
	secrets := secretsOf(r.Parameters)
	r.Message = clip(withoutSecrets(r.Message, secrets))
	r.UserAgent = clip(r.UserAgent)
	r.Resources = resourcesOf(r.Parameters, secrets, reply)
	given, room := r.Parameters, maxParameters
	r.Parameters = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := clip(given[name])
		if _, secret := secrets[name]; secret {
			value = redacted
		}
		if room -= len(name) + len(value); room < 0 {
			r.Omitted = len(given) - len(r.Parameters)
			break
		}
		r.Parameters[name] = value
	}
	line, err := json.Marshal(r)
	if err != nil {
		panic("audit: encode: " + err.Error()) // strings and numbers alone
	}
	return append(line, '\n')
}

// clip shortens a text to what a record holds of it.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Filter chooses records; a zero member chooses all.
type Filter struct {
	Since, Until time.Time // the first included, the last not
	Account      string
	Action       string // may have * and ?, as file names
	Resource     string // an id, an ARN, or a part of one between slashes, as a load balancer's name is
	Errors       bool   // only calls that failed
	Limit        int    // the latest so many; 0: DefaultLimit
}

// DefaultLimit is how many records are found when nothing else is said.
const DefaultLimit = 1000

// Check says what is wrong with the filter, in words for people.
func (f Filter) Check() error {
	_, err := path.Match(f.Action, "")
	return err
}

// admits says whether the filter chooses a record. One that tells of lost records
// is told whenever its time is asked for.
func (f Filter) admits(r Record) bool {
	switch {
	case !f.Since.IsZero() && r.Time.Before(f.Since), !f.Until.IsZero() && !r.Time.Before(f.Until):
		return false
	case r.Lost > 0:
		return true
	case f.Account != "" && r.Account != f.Account, f.Errors && r.Code == OK:
		return false
	case f.Resource != "" && !slices.ContainsFunc(r.Resources, func(id string) bool { return names(id, f.Resource) }):
		return false
	case f.Action == "":
		return true
	}
	ok, _ := path.Match(strings.ToLower(f.Action), strings.ToLower(r.Action))
	return ok
}

func names(id, wanted string) bool {
	return id == wanted || strings.Contains("/"+id+"/", "/"+wanted+"/")
}
