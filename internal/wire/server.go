package wire

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
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
	Regions func(region string) bool // whether the installation has the region
	Now     func() time.Time         // nil: time.Now
	Log     *slog.Logger

	// Dev accepts every key unverified, or none, and every region: a key id of 12
	// digits names the account, any other is DevAccount's.
	Dev       bool
	DevRegion string // for requests without a credential
}

// DevAccount is whose calls are without a key that names an account, in dev mode.
const DevAccount = "123456789012"

// Server is the http.Handler of all services.
type Server struct {
	cfg      Config
	services map[string]*Service // by name

	mu       sync.Mutex        // guards the following
	requests map[string]uint64 // by service, action and code, separated by spaces
}

// NewServer returns a server for the services.
func NewServer(cfg Config, services ...*Service) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, services: map[string]*Service{}, requests: map[string]uint64{}}
	for _, svc := range services {
		s.services[svc.spec.Name] = svc
	}
	return s
}

// RequestCount is how often an action was answered with a code.
type RequestCount struct {
	Service, Action, Code string // Code is "OK" for success; Action is "" unless it is served
	Count                 uint64
}

// Requests returns the counts since the start. An action that isn't served is
// counted by name under its code, so that missing calls are visible; of names
// that nobody could mean there are at most a thousand.
func (s *Server) Requests() []RequestCount {
	s.mu.Lock()
	counts := maps.Clone(s.requests)
	s.mu.Unlock()
	out := make([]RequestCount, 0, len(counts))
	for key, n := range counts {
		p := strings.SplitN(key, " ", 3)
		out = append(out, RequestCount{Service: p[0], Action: p[1], Code: p[2], Count: n})
	}
	return out
}

const maxCounts = 4096

func (s *Server) count(service, action, code string) {
	if len(action) > 64 || strings.ContainsFunc(action, func(r rune) bool { return r <= ' ' || r > '~' }) {
		action = "unreadable"
	}
	key := service + " " + action + " " + code
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.requests[key]; !ok && len(s.requests) >= maxCounts {
		key = service + " other " + code
	}
	s.requests[key]++
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("x-amzn-RequestId", id)
	form, body, formErr := readForm(w, r)
	svc := s.guess(r, form)
	out, call, err := func() (out any, call *Call, err error) {
		call = &Call{Action: form.Get("Action"), RequestID: id, Now: s.cfg.Now().UTC(), Form: form}
		defer func() {
			if p := recover(); p != nil {
				s.cfg.Log.Error("panic while answering a request", "service", svc.spec.Name, "action", call.Action, "panic", p, "stack", string(debug.Stack()))
				out, err = nil, svc.spec.Protocol.internalError()
			}
		}()
		if formErr != nil {
			return nil, call, svc.spec.Protocol.malformed("%s", formErr)
		}
		if call.Identity, err = s.authenticate(r, body, svc); err != nil {
			return nil, call, err
		}
		if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			call.Source = a.Addr().Unmap()
		}
		out, err = s.dispatch(r.Context(), svc, call)
		return out, call, err
	}()
	if err != nil {
		s.refuse(w, svc, call, err)
		return
	}
	s.count(svc.spec.Name, call.Action, "OK")
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	_, _ = w.Write(encodeReply(svc.spec, call.Action, id, out))
}

func (s *Server) refuse(w http.ResponseWriter, svc *Service, call *Call, err error) {
	var refusal *apierr.Error
	if !errors.As(err, &refusal) {
		s.cfg.Log.Error("request failed", "service", svc.spec.Name, "action", call.Action, "request_id", call.RequestID, "account", call.Account, "error", err)
		refusal = svc.spec.Protocol.internalError()
	}
	s.count(svc.spec.Name, call.Action, refusal.Code)
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(refusal.Status)
	_, _ = w.Write(encodeError(svc.spec, call.RequestID, refusal.Code, refusal.Message, refusal.Status))
}

// readForm returns the request's parameters, without those of a presigned URL,
// and its body.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, []byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, nil, errors.New("The request body is larger than the limit of 1048576 bytes") //nolint:staticcheck // a message for the caller
		}
		return nil, nil, errors.New("The request body could not be read") //nolint:staticcheck // a message for the caller
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, body, errors.New("The method must be POST or GET") //nolint:staticcheck // a message for the caller
	}
	form := url.Values{}
	for _, encoded := range []string{r.URL.RawQuery, string(body)} {
		values, err := url.ParseQuery(encoded)
		if err != nil {
			return nil, body, errors.New("The parameters are not form-encoded: name=value pairs separated by '&', other characters percent-encoded") //nolint:staticcheck // a message for the caller
		}
		for name, v := range values {
			if strings.HasPrefix(name, "X-Amz-") {
				continue
			}
			form[name] = append(form[name], v...)
		}
	}
	for name, values := range form {
		for _, v := range append(values, name) {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return form, body, errors.New("The parameters must be valid UTF-8 without NUL") //nolint:staticcheck // a message for the caller
			}
		}
	}
	return form, body, nil
}

// guess returns the service that a request is for, so that even a refusal is in
// an envelope that its client understands: by credential scope, else by API
// version.
func (s *Server) guess(r *http.Request, form url.Values) *Service {
	if c, err := readCredential(r); err == nil || c.service != "" {
		if svc := s.services[c.service]; svc != nil {
			return svc
		}
	}
	for _, svc := range s.services {
		if svc.spec.Version == form.Get("Version") {
			return svc
		}
	}
	return &Service{spec: ServiceSpec{Name: "unknown", Protocol: Query}}
}

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
		return id, nil
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
	case !s.cfg.Regions(c.region):
		return Identity{}, svc.spec.Protocol.authError(&authFailure{authMismatch, "Credential should be scoped to a valid region, not '" + c.region + "'."})
	}
	return Identity{AccessKeyID: c.accessKeyID, Account: account, Principal: principal, Region: c.region, Service: c.service}, nil
}

// authError gives a failure the code that the protocol's clients know.
func (p Protocol) authError(err error) error {
	var f *authFailure
	if !errors.As(err, &f) {
		return err
	}
	type answer struct {
		code   string
		status int
	}
	ec2 := map[authKind]answer{
		authMissing:    {"MissingAuthenticationToken", http.StatusForbidden},
		authIncomplete: {"AuthFailure", http.StatusUnauthorized},
		authUnknownKey: {"AuthFailure", http.StatusUnauthorized},
		authMismatch:   {"SignatureDoesNotMatch", http.StatusForbidden},
		authExpired:    {"RequestExpired", http.StatusBadRequest},
	}
	query := map[authKind]answer{
		authMissing:    {"MissingAuthenticationToken", http.StatusForbidden},
		authIncomplete: {"IncompleteSignature", http.StatusBadRequest},
		authUnknownKey: {"InvalidClientTokenId", http.StatusForbidden},
		authMismatch:   {"SignatureDoesNotMatch", http.StatusForbidden},
		authExpired:    {"RequestExpired", http.StatusBadRequest},
	}
	a := query[f.kind]
	if p == EC2Query {
		a = ec2[f.kind]
		if f.kind == authUnknownKey {
			f.message = "AWS was not able to validate the provided access credentials"
		}
	}
	return apierr.New(a.code, "%s", f.message).WithStatus(a.status)
}

func (s *Server) dispatch(ctx context.Context, svc *Service, c *Call) (any, error) {
	op, ok := svc.operations[c.Action]
	if !ok || c.Form.Get("Version") != svc.spec.Version {
		return nil, svc.unknownAction(c.Action, c.Form.Get("Version"))
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
