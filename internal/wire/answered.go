package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Answered is a call and how it was answered, for who keeps an account of calls.
type Answered struct {
	*Call
	Service   string
	Remote    string // HOST:PORT that it came from
	UserAgent string
	Code      string // OK, or the error's
	Message   string // the error's
	Reply     any    // the shape, nil for an error

	// Parameters are the call's members as sent, by their path: as forms write it,
	// or likewise for JSON ("Tags.1.Key").
	Parameters map[string]string
}

// tell tells Config.Answered of a call that was its caller's: one that is refused
// before that is known is counted and no more, or strangers could write what is
// kept. So are calls of actions that the service doesn't have, which do nothing.
func (s *Server) tell(r *http.Request, svc *Service, c *Call, reply any, code, message string) {
	if _, known := svc.operations[c.Action]; s.cfg.Answered == nil || c.Account == "" || !known {
		return
	}
	s.cfg.Answered(Answered{
		Call: c, Service: svc.spec.Name, Remote: r.RemoteAddr, UserAgent: r.UserAgent(), Code: code, Message: message, Reply: reply,
		Parameters: c.parameters(svc.spec.Protocol),
	})
}

// parameters returns the call's members by their path. What couldn't be read was
// refused, and has none.
func (c *Call) parameters(p Protocol) map[string]string {
	all := map[string]string{}
	if p != JSON {
		for name, values := range c.Form {
			if name != "Action" && name != "Version" {
				all[name] = strings.Join(values, ", ")
			}
		}
		return all
	}
	var members any
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.UseNumber()
	if d.Decode(&members) == nil {
		flatten(all, "", members)
	}
	return all
}

func flatten(into map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, x := range v {
			flatten(into, join(path, name), x)
		}
	case []any:
		for i, x := range v {
			flatten(into, join(path, strconv.Itoa(i+1)), x)
		}
	case nil:
	default:
		into[path] = fmt.Sprint(v)
	}
}
