package wire

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/apierr"
)

// MaxBodyBytes is the largest request body that is read.
const MaxBodyBytes = 1 << 20

// Config is what a Server needs to know.
type Config struct {
	Keys    Keys
	Regions func(region string) bool // whether the installation has the region; nil: any
	Now     func() time.Time         // nil: time.Now
	Log     *slog.Logger             // nil: slog.Default()

	// Dev accepts every key unverified, or none: a key id of 12 digits names the
	// account, any other is DevAccount's.
	Dev       bool
	DevRegion string // for requests without a credential

	// Answered is told of every call that had a valid signature, before its caller
	// has the answer. nil: nobody asks.
	Answered func(Answered)
}

// DevAccount is whose calls are without a key that names an account, in dev mode.
const DevAccount = "123456789012"

// Server is the http.Handler of all services.
type Server struct {
	cfg      Config
	services map[string]*Service // by name
	names    []string            // of services, sorted

	mu       sync.Mutex // guards the following
	requests map[requestKey]uint64
	unknown  int // keys in requests whose action isn't served

	streams     context.Context // ends those that are open
	endStreams  context.CancelFunc
	openStreams atomic.Int64
}

type requestKey struct{ service, action, code string }

// NewServer returns a server for the services.
func NewServer(cfg Config, services ...*Service) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Server{cfg: cfg, services: map[string]*Service{}, requests: map[requestKey]uint64{}}
	for _, svc := range services {
		s.services[svc.spec.Name] = svc
	}
	s.names = slices.Sorted(maps.Keys(s.services))
	s.streams, s.endStreams = context.WithCancel(context.Background())
	return s
}

// RequestCount is how often an action was answered with a code.
type RequestCount struct {
	Service, Action, Code string // Code is "OK" for success
	Count                 uint64
}

// Requests returns the counts since the start, in order of service, action and
// code. An action that isn't served is counted by its name too, so that missing
// calls are visible; past maxUnknown such names, or if the name is no word, it is
// counted as "other".
func (s *Server) Requests() []RequestCount {
	s.mu.Lock()
	counts := maps.Clone(s.requests)
	s.mu.Unlock()
	out := make([]RequestCount, 0, len(counts))
	for key, n := range counts {
		out = append(out, RequestCount{Service: key.service, Action: key.action, Code: key.code, Count: n})
	}
	slices.SortFunc(out, func(x, y RequestCount) int {
		return cmp.Or(cmp.Compare(x.Service, y.Service), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Code, y.Code))
	})
	return out
}

// maxUnknown bounds what strangers can make the counts grow to.
const maxUnknown = 1000

func (s *Server) count(svc *Service, action, code string) {
	_, served := svc.operations[action]
	if !served && (action == "" || len(action) > 64 || strings.ContainsFunc(action, func(r rune) bool { return !isWord(r) })) {
		action = "other"
	}
	key := requestKey{svc.spec.Name, action, code}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.requests[key]; !known && !served {
		if s.unknown >= maxUnknown {
			key.action = "other"
		} else {
			s.unknown++
		}
	}
	s.requests[key]++
}

func isWord(r rune) bool {
	return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	body, problem := readBody(w, r)
	svc := s.addressed(r)
	call := &Call{RequestID: id, Now: s.cfg.Now().UTC(), body: body}
	if svc != nil && svc.spec.Protocol == JSON {
		call.Action = svc.spec.jsonAction(r)
	} else {
		if problem == "" {
			call.Form, problem = readForm(r, body)
		}
		if svc == nil {
			svc = s.guess(call.Form)
		}
		call.Action = call.Form.Get("Action")
	}
	call.stream = &EventStream{LastEventID: r.Header.Get("Last-Event-ID"), w: w, rc: http.NewResponseController(w), server: s}
	w.Header().Set("x-amzn-RequestId", id)
	out, reply, err := s.answer(r, svc, call, problem)
	status, code, message := http.StatusOK, "OK", ""
	content := "text/xml;charset=UTF-8"
	if svc.spec.Protocol == JSON {
		content = jsonContent
	}
	if err != nil {
		refusal := s.refusal(svc, call, err)
		status, code, message = refusal.Status, refusal.Code, refusal.Message
		reply = encodeError(svc.spec, id, refusal)
		if svc.spec.Protocol == JSON {
			w.Header().Set("x-amzn-ErrorType", code)
		}
	}
	s.count(svc, call.Action, code)
	s.tell(r, svc, call, out, code, message)
	if call.stream.opened {
		return
	}
	w.Header().Set("Content-Type", content)
	w.WriteHeader(status)
	_, _ = w.Write(reply)
}

// answer authenticates a call, hands it to its handler and encodes the reply. A
// panic on the way ends the call, not the process.
func (s *Server) answer(r *http.Request, svc *Service, call *Call, problem string) (out any, reply []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("panic while answering a request", "service", svc.spec.Name, "action", call.Action, "request_id", call.RequestID, "panic", p, "stack", string(debug.Stack()))
			out, reply, err = nil, nil, svc.spec.Protocol.internalError()
		}
	}()
	if problem != "" {
		return nil, nil, svc.spec.Protocol.malformed("%s", problem)
	}
	if call.Identity, err = s.authenticate(r, call.body, svc); err != nil {
		return nil, nil, err
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		call.Source = a.Addr().Unmap()
	}
	if out, err = s.dispatch(r.Context(), svc, call); err != nil {
		return nil, nil, err
	}
	return out, encodeReply(svc.spec, call.Action, call.RequestID, out), nil
}

// refusal returns what the caller is told of an error: all of it if it is meant
// for the caller, else that there was one.
func (s *Server) refusal(svc *Service, call *Call, err error) *apierr.Error {
	if refusal, ok := errors.AsType[*apierr.Error](err); ok {
		return refusal
	}
	s.cfg.Log.Error("request failed", "service", svc.spec.Name, "action", call.Action, "request_id", call.RequestID, "account", call.Account, "error", err)
	return svc.spec.Protocol.internalError()
}

// readBody returns the request's body, or what is wrong with it, worded for the
// caller.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, problem string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, "The request body is larger than the limit of " + strconv.Itoa(MaxBodyBytes) + " bytes"
	}
	if err != nil {
		return nil, "The request body could not be read"
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return body, "The method must be POST or GET"
	}
	return body, ""
}

// readForm returns the request's parameters, without those of a presigned URL; or
// what is wrong with them, worded for the caller.
func readForm(r *http.Request, body []byte) (form url.Values, problem string) {
	form = url.Values{}
	count := 0
	for _, encoded := range []string{r.URL.RawQuery, string(body)} {
		if encoded != "" {
			count += strings.Count(encoded, "&") + 1
		}
		if count > maxParameters {
			return form, "The request has " + strconv.Itoa(count) + " parameters; at most " + strconv.Itoa(maxParameters) + " are allowed"
		}
		values, err := url.ParseQuery(encoded)
		if err != nil {
			return form, "The parameters are not form-encoded: name=value pairs separated by '&', other characters percent-encoded"
		}
		for name, v := range values {
			if !strings.HasPrefix(name, "X-Amz-") {
				form[name] = append(form[name], v...)
			}
		}
	}
	for name, values := range form {
		for _, v := range append(values, name) {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return form, "The parameters must be valid UTF-8 without NUL"
			}
		}
	}
	return form, ""
}

// addressed returns the service that a request's headers name, so that even a
// refusal is in an envelope that its client understands: by credential scope, else
// by target; nil if they name none.
func (s *Server) addressed(r *http.Request) *Service {
	c, _ := readCredential(r) // what could be read of it is enough here
	if svc := s.services[c.service]; svc != nil {
		return svc
	}
	for _, name := range s.names {
		if svc := s.services[name]; svc.spec.Protocol == JSON && svc.spec.jsonAction(r) != "" {
			return svc
		}
	}
	return nil
}

// guess returns the service that a form is for: by API version, else by an action
// that only one service has.
func (s *Server) guess(form url.Values) *Service {
	var having []*Service
	for _, name := range s.names {
		svc := s.services[name]
		if svc.spec.Version == form.Get("Version") {
			return svc
		}
		if _, ok := svc.operations[form.Get("Action")]; ok {
			having = append(having, svc)
		}
	}
	if len(having) == 1 {
		return having[0]
	}
	return &Service{spec: ServiceSpec{Name: unknownService, Protocol: Query}}
}

// unknownService is the name of the service that has no operations, whose
// envelope is used when a request gives no hint.
const unknownService = "unknown"

func (s *Server) authenticate(r *http.Request, body []byte, svc *Service) (Identity, error) {
	c, err := readCredential(r)
	if s.cfg.Dev {
		id := Identity{AccessKeyID: c.accessKeyID, Account: DevAccount, Region: c.region, Service: svc.spec.Name}
		if len(c.accessKeyID) == 12 && strings.Trim(c.accessKeyID, "0123456789") == "" {
			id.Account = c.accessKeyID
		}
		if id.Region == "" {
			id.Region = s.cfg.DevRegion
		}
		id.Principal = "arn:aws:iam::" + id.Account + ":root"
		return id, s.checkRegion(id.Region, svc)
	}
	if err != nil {
		return Identity{}, svc.spec.Protocol.authError(err)
	}
	secret, account, principal, known := s.cfg.Keys.Lookup(c.accessKeyID)
	if c.token != "" {
		known = false // nobody here hands out session tokens
	}
	// An unknown key is verified too, against a secret that nobody has, so that
	// the time taken doesn't tell which keys exist.
	err = verify(r, body, c, secret, s.cfg.Now())
	switch {
	case !known:
		return Identity{}, svc.spec.Protocol.authError(&authFailure{authUnknownKey, "The security token included in the request is invalid."})
	case err != nil:
		return Identity{}, svc.spec.Protocol.authError(err)
	case c.service != svc.spec.Name && svc.spec.Name != unknownService:
		return Identity{}, svc.spec.Protocol.authError(&authFailure{authMismatch, "Credential should be scoped to the service '" + svc.spec.Name + "', not '" + clip(c.service) + "'."})
	}
	return Identity{AccessKeyID: c.accessKeyID, Account: account, Principal: principal, Region: c.region, Service: c.service}, s.checkRegion(c.region, svc)
}

func (s *Server) checkRegion(region string, svc *Service) error {
	if s.cfg.Regions == nil || s.cfg.Regions(region) {
		return nil
	}
	return svc.spec.Protocol.authError(&authFailure{authMismatch, "Credential should be scoped to a valid region, not '" + clip(region) + "'."})
}

// authError gives a failure the code that the protocol's clients know.
func (p Protocol) authError(err error) error {
	f, ok := errors.AsType[*authFailure](err)
	if !ok {
		return err
	}
	refuse := func(code string, status int) error {
		return apierr.New(code, "%s", f.message).WithStatus(status)
	}
	switch {
	case p == JSON && f.kind == authMissing:
		return refuse("MissingAuthenticationTokenException", http.StatusBadRequest)
	case p == JSON && (f.kind == authMismatch || f.kind == authExpired):
		return refuse("InvalidSignatureException", http.StatusBadRequest)
	case f.kind == authMissing:
		return refuse("MissingAuthenticationToken", http.StatusForbidden)
	case f.kind == authMismatch:
		return refuse("SignatureDoesNotMatch", http.StatusForbidden)
	case f.kind == authExpired:
		return refuse("RequestExpired", http.StatusBadRequest)
	case p == JSON && f.kind == authIncomplete:
		return refuse("IncompleteSignatureException", http.StatusBadRequest)
	case p == JSON: // authUnknownKey
		return refuse("UnrecognizedClientException", http.StatusBadRequest)
	case p == EC2Query: // one code for what can't be read and for who isn't known
		return refuse("AuthFailure", http.StatusUnauthorized)
	case f.kind == authUnknownKey:
		return refuse("InvalidClientTokenId", http.StatusForbidden)
	default: // authIncomplete
		return refuse("IncompleteSignature", http.StatusBadRequest)
	}
}

func (s *Server) dispatch(ctx context.Context, svc *Service, c *Call) (any, error) {
	op, ok := svc.operations[c.Action]
	if !ok || svc.spec.Protocol != JSON && c.Form.Get("Version") != svc.spec.Version {
		return nil, svc.unknownAction(c.Action, c.Form.Get("Version"))
	}
	if op.refusal != nil {
		return nil, op.refusal
	}
	if svc.spec.Protocol == JSON {
		in := op.newInput()
		if err := decodeJSON(c.body, in); err != nil {
			return nil, err
		}
		return op.call(ctx, c, in)
	}
	params := maps.Clone(c.Form)
	delete(params, "Action")
	delete(params, "Version")
	if svc.spec.Protocol == EC2Query {
		c.dryRun = strings.EqualFold(params.Get("DryRun"), "true")
	}
	in := op.newInput()
	if err := decodeForm(svc.spec.Protocol, params, in); err != nil {
		return nil, err
	}
	return op.call(ctx, c, in)
}
