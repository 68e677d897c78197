package wire

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
)

// Protocol is how a service's requests and replies are written.
type Protocol int

// The protocols. The first two send requests as forms and replies as XML.
const (
	Query    Protocol = iota // AWS query: ELBv2, STS
	EC2Query                 // EC2's dialect: flattened lists, other envelopes, other codes
	JSON                     // AWS JSON 1.1: ACM
)

// ServiceSpec is what tells one service from another.
type ServiceSpec struct {
	Name      string // in credential scopes: "ec2"
	Version   string // of the API: "2016-11-15"; JSON requests don't say it
	Protocol  Protocol
	Namespace string // of XML replies: "http://ec2.amazonaws.com/doc/2016-11-15/"
	Target    string // JSON: what the action's name follows, "CertificateManager"
}

// Service is the operations of one AWS service.
type Service struct {
	spec       ServiceSpec
	operations map[string]operation
}

type operation struct {
	newInput func() any
	call     func(ctx context.Context, c *Call, in any) (any, error)
	refusal  error // of every call; the others are nil then
}

// NewService returns a service without operations.
func NewService(spec ServiceSpec) *Service {
	return &Service{spec: spec, operations: map[string]operation{}}
}

// Handle registers the handler of an action. In and Out are generated shapes. An
// error that isn't an *apierr.Error is logged, and the caller sees an internal
// error without its text. A list that is empty, not absent, must be non-nil in
// the reply.
func Handle[In, Out any](s *Service, action string, h func(ctx context.Context, c *Call, in *In) (*Out, error)) {
	if _, ok := s.operations[action]; ok {
		panic("wire: " + s.spec.Name + " " + action + " is registered twice")
	}
	s.operations[action] = operation{
		newInput: func() any { return new(In) },
		call: func(ctx context.Context, c *Call, in any) (any, error) {
			return h(ctx, c, in.(*In))
		},
	}
}

// Refuse has every call of an action answered with err, whatever its parameters
// are: the service has the action, and this installation doesn't serve it.
func Refuse(s *Service, action string, err *apierr.Error) {
	if _, ok := s.operations[action]; ok {
		panic("wire: " + s.spec.Name + " " + action + " is registered twice")
	}
	s.operations[action] = operation{refusal: err}
}

// Call is one request, apart from its parameters.
type Call struct {
	Identity
	Action    string
	RequestID string
	Now       time.Time // when it arrived
	Source    netip.Addr
	Form      url.Values // its parameters as sent, Action and Version included; nil with JSON

	body   []byte // as sent
	dryRun bool
	stream *EventStream // for handlers that answer with one
}

// CheckDryRun ends a call that only asks whether it would succeed. A handler
// calls it once everything else has been checked (EC2 DryRun).
func (c *Call) CheckDryRun() error {
	if !c.dryRun {
		return nil
	}
	return apierr.New("DryRunOperation", "Request would have succeeded, but DryRun flag is set.").WithStatus(http.StatusPreconditionFailed)
}

// errors that the room itself answers, in each protocol's own codes.

func (p Protocol) internalError() *apierr.Error {
	code := "InternalFailure"
	if p == EC2Query {
		code = "InternalError"
	}
	return &apierr.Error{Code: code, Message: "An internal error has occurred. Retry the request; if it goes on, look at the server's log.", Status: http.StatusInternalServerError}
}

func (p Protocol) malformed(format string, args ...any) *apierr.Error {
	code := "MalformedInput"
	switch p {
	case Query:
	case EC2Query:
		code = "MalformedQueryString"
	case JSON:
		code = "SerializationException"
	}
	return apierr.New(code, format, args...)
}

func (s *Service) unknownAction(action, version string) *apierr.Error {
	if s.spec.Protocol == JSON {
		if action == "" {
			return apierr.New("UnknownOperationException", "The header %s must name an action of the service: %s.ACTION", targetHeader, s.spec.Target)
		}
		return apierr.New("UnknownOperationException", "The operation %s is not known to this service, or is not served by this installation", clip(action))
	}
	if action == "" {
		code := "MissingAction"
		if s.spec.Protocol == EC2Query {
			code = "MissingParameter"
		}
		return apierr.New(code, "The request must contain the parameter Action")
	}
	action, version = clip(action), clip(version)
	switch {
	case s.spec.Name == unknownService:
		return apierr.New("InvalidAction", "No service that this installation serves has the action %s in version %s", action, cmp.Or(version, "(none)"))
	case version != s.spec.Version:
		return apierr.New("InvalidAction", "Could not find operation %s for version %s; this service is served in version %s", action, cmp.Or(version, "(none)"), s.spec.Version)
	}
	return apierr.New("InvalidAction", "The action %s is not valid for this web service, or is not served by this installation", action)
}

// clip shortens what a caller sent, for a message that quotes it.
func clip(s string) string {
	const limit = 256 // longer than any ARN that we answer with
	if len(s) <= limit {
		return s
	}
	end := limit
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
