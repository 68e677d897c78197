package snapshot

import (
	"net/netip"
	"time"
)

// Version is the format of the types in this package. A reader refuses a
// larger one and fills what an older one lacks with zero values: it grows with what
// mustn't be passed over, as in 2 who clients must be.
const Version = 2

// Assignment is all that one host carries: whole, not a difference. A host
// compares it with what runs and takes the steps between.
//
// Neither it nor its parts ever change. An assignment shares the parts with the
// one before that are the same in both, so that Since finds the difference of
// two large ones at the price of a walk over pointers.
type Assignment struct {
	Version  int   `json:"version"`
	Revision int64 `json:"revision"` // store revision that it was made from; grows
	Host     string

	LoadBalancers []*LoadBalancer // those with a node here, by ARN
	TargetGroups  []*TargetGroup  // those that an action of the above names, by ARN
	Nodes         []*Node         // by ID
	Certificates  []*Certificate  `json:",omitempty"` // those that a listener names, by ARN
	TrustStores   []*TrustStore   `json:",omitempty"` // likewise
}

// LoadBalancer is what every node of one load balancer shares.
type LoadBalancer struct {
	ARN  string
	Name string
	ID   string // "app/NAME/HEX": the ARN's suffix, as logs and metrics name it
	// DNSName is what a request is for whose client named no host.
	DNSName string

	IdleTimeout     time.Duration // both sides of a connection; 1 s to 4000 s
	ClientKeepAlive time.Duration // largest age of a client connection, frozen at accept

	// CookieKey is what all nodes derive the keys of the cookies and TLS tickets from
	// by which they know clients again, encrypted for CookieSubject: an assignment is
	// written to disk. Empty while no rule and no listener needs one.
	CookieKey []byte `json:",omitempty"`

	// Desync is what is done about requests that parsers could read differently, and
	// DropInvalidHeaders leaves out header fields whose names have anything but
	// letters, digits and hyphens.
	Desync             DesyncMode `json:",omitempty"`
	DropInvalidHeaders bool       `json:",omitempty"`

	RequestHeaders RequestHeaders `json:",omitzero"`
	Logs           Logs           `json:",omitzero"`

	Listeners []Listener // by port
}

// CookieSubject is what the load balancer's CookieKey is encrypted for.
func (b *LoadBalancer) CookieSubject() string { return CookieSubject(b.ARN) }

// CookieSubject returns what the CookieKey of a load balancer is encrypted for: it
// isn't worth anything as another secret of the load balancer's.
func CookieSubject(arn string) string { return arn + "#cookies" }

// DesyncMode is ELBv2's attribute routing.http.desync_mitigation_mode.
type DesyncMode string

// The modes.
const (
	DesyncDefensive DesyncMode = "" // also that of assignments that name none
	DesyncMonitor   DesyncMode = "monitor"
	DesyncStrictest DesyncMode = "strictest"
)

// Protocol is a listener's or a target group's protocol.
type Protocol string

// The protocols of an application load balancer.
const (
	HTTP  Protocol = "HTTP"
	HTTPS Protocol = "HTTPS"
)

// Listener is one port of a load balancer.
type Listener struct {
	ARN      string
	Port     uint16
	Protocol Protocol
	TLS      *TLS   `json:",omitempty"` // of HTTPS
	Rules    []Rule // ascending priority; the last one is the default rule

	HeaderNames     HeaderNames     `json:",omitzero"` // of HTTPS
	ResponseHeaders ResponseHeaders `json:",omitzero"`
}

// Rule routes the requests that meet all its conditions.
type Rule struct {
	ARN        string
	Priority   int         // 1 to 50000; 0 marks the default rule, which is last
	Conditions []Condition // none in the default rule
	Actions    []Action    // in order; the last one routes

	Transforms []Transform `json:",omitempty"` // of what a target is asked for; one of each type at most
}

// TransformType is ELBv2's RuleTransform.Type.
type TransformType string

// The transforms of ELBv2 CreateRule.
const (
	TransformHost TransformType = "host-header-rewrite"
	TransformURL  TransformType = "url-rewrite" // path and query
)

// Transform rewrites a part of a request: each match of an expression.
type Transform struct {
	Type    TransformType
	Regex   string // RE2 syntax, matching anywhere
	Replace string // "$1" stands for the first group's match
}

// ConditionField says what of a request a condition looks at (ELBv2 RuleCondition.Field).
type ConditionField string

// The fields of ELBv2 CreateRule.
const (
	FieldHostHeader  ConditionField = "host-header"
	FieldPathPattern ConditionField = "path-pattern"
	FieldHTTPHeader  ConditionField = "http-header"
	FieldMethod      ConditionField = "http-request-method"
	FieldQueryString ConditionField = "query-string"
	FieldSourceIP    ConditionField = "source-ip"
)

// Condition holds when any of its values, or of its expressions, matches.
type Condition struct {
	Field  ConditionField
	Header string   // FieldHTTPHeader: the header's name
	Keys   []string // FieldQueryString: the key beside each value, "" for any
	Values []string
	Regex  []string `json:",omitempty"` // instead of Values: RE2 syntax, matching anywhere
}

// ActionType is ELBv2's Action.Type.
type ActionType string

// The routing actions that a node performs. It answers 501 to any other.
const (
	ActionForward       ActionType = "forward"
	ActionFixedResponse ActionType = "fixed-response"
	ActionRedirect      ActionType = "redirect"
)

// The actions that come before one of those and decide who gets to it.
const (
	ActionAuthenticateOIDC ActionType = "authenticate-oidc"
	ActionValidateJWT      ActionType = "jwt-validation"
)

// Authenticates says whether the action is one of the latter.
func (t ActionType) Authenticates() bool {
	return t == ActionAuthenticateOIDC || t == ActionValidateJWT
}

// Action is one step of a rule; the member named by Type is set.
type Action struct {
	Type          ActionType
	OIDC          *OIDC          `json:",omitempty"`
	Forward       *Forward       `json:",omitempty"`
	FixedResponse *FixedResponse `json:",omitempty"`
	Redirect      *Redirect      `json:",omitempty"`
	JWT           *JWTValidation `json:",omitempty"`
}

// Forward sends a request to one of the target groups, chosen by weight.
type Forward struct {
	TargetGroups []WeightedTargetGroup // 1 to 5

	// Stickiness is how long a client stays with the target group that its first
	// request was sent to; 0: no longer than that.
	Stickiness time.Duration `json:",omitempty"`
}

// WeightedTargetGroup is a target group's share of a forward action.
type WeightedTargetGroup struct {
	ARN    string
	Weight int // 0 to 999; all zero: no target
}

// FixedResponse is answered by the node itself.
type FixedResponse struct {
	StatusCode  int    // 2xx, 4xx or 5xx
	ContentType string // "" when the body is empty
	Body        string // at most 1024 bytes
}

// Redirect is where the node tells the client to go. Each part is a template, in
// which "#{protocol}", "#{host}", "#{port}", "#{path}" (without its leading slash)
// and "#{query}" stand for those of the request.
type Redirect struct {
	StatusCode int // 301 or 302
	Protocol   string
	Host       string
	Port       string
	Path       string // begins with "/"
	Query      string // "" for none
}

// ProtocolVersion is the version of HTTP that targets are spoken to in.
type ProtocolVersion string

// The versions of ELBv2 CreateTargetGroup.
const (
	HTTP1 ProtocolVersion = "" // also the one of assignments that name none
	HTTP2 ProtocolVersion = "HTTP2"
	GRPC  ProtocolVersion = "GRPC"
)

// TargetGroup is where a forward action sends requests.
type TargetGroup struct {
	ARN                 string
	Protocol            Protocol
	ProtocolVersion     ProtocolVersion `json:",omitempty"`
	TLS                 TargetTLS       `json:",omitzero"` // of HTTPS, and of health checks by it
	DeregistrationDelay time.Duration
	HealthCheck         HealthCheck
	Balancing           Balancing        `json:",omitzero"`
	Stickiness          TargetStickiness `json:",omitzero"`
	Targets             []Target         // by address, then port
}

// Algorithm is how the target of a request is chosen (ELBv2 attribute
// load_balancing.algorithm.type).
type Algorithm string

// The algorithms.
const (
	RoundRobin       Algorithm = "" // also the one of assignments that name none
	LeastOutstanding Algorithm = "least_outstanding_requests"
	WeightedRandom   Algorithm = "weighted_random"
)

// Balancing is how a target group's requests are shared out.
type Balancing struct {
	Algorithm         Algorithm     `json:",omitempty"`
	AnomalyMitigation bool          `json:",omitempty"` // WeightedRandom: targets that fail more than others get less
	SlowStart         time.Duration `json:",omitempty"` // RoundRobin: of targets that get healthy; 0: none
	ZoneOnly          bool          `json:",omitempty"` // a node sends to targets of its own zone alone

	// Below MinimumHealthy a node sends to all targets, healthy or not, and with
	// none healthy in any case.
	MinimumHealthy Threshold `json:",omitzero"`
}

// Threshold is how many targets must be healthy; a zero asks for none.
type Threshold struct {
	Count   int `json:",omitempty"`
	Percent int `json:",omitempty"` // of those registered
}

// TargetStickiness is how long a client stays with a target since it was last
// answered; the zero value: each request goes by itself.
type TargetStickiness struct {
	Duration time.Duration `json:",omitempty"`
	Cookie   string        `json:",omitempty"` // of the application, which begins the stay; "": none, the first response does
}

// HealthCheck is how a target group's targets are probed (ELBv2 CreateTargetGroup).
type HealthCheck struct {
	Enabled            bool
	Protocol           Protocol
	Port               uint16 // 0: the port that the target receives traffic on
	Path               string
	Interval           time.Duration // from start to start, 5 s to 300 s
	Timeout            time.Duration // less than Interval
	HealthyThreshold   int           // consecutive successes that bring an unhealthy target back
	UnhealthyThreshold int           // consecutive failures that take a target out
	Matcher            string        // "200", "200,202", "200-299"; of gRPC codes where the group's version is GRPC
}

// Target is one registration: the same address may be registered on several ports.
type Target struct {
	Addr     netip.Addr
	Port     uint16
	Zone     string // "" or AnyZone: any zone
	Draining bool   // deregistered: finishes its requests, gets no new one
}

// AnyZone is a target's zone that stands for all.
const AnyZone = "all"

// AddrPort returns the address that a request is sent to.
func (t Target) AddrPort() netip.AddrPort { return netip.AddrPortFrom(t.Addr, t.Port) }

// NodePhase says what a node does with connections.
type NodePhase string

// A node serves, then drains (it still accepts, and ends each connection with
// the response that is due), then is absent from the assignment: closed.
const (
	NodeServing  NodePhase = "serving"
	NodeDraining NodePhase = "draining"
)

// Node is one load balancer's presence in one zone: its own addresses, on which
// all of the load balancer's listeners are open.
type Node struct {
	ID              string // "node-" + hex, unique for all time
	LoadBalancerARN string
	Zone            string
	Public          netip.Addr // the zero Addr for internal load balancers
	Private         netip.Addr // of its ENI
	Phase           NodePhase
}

// Address returns the address that clients reach the node on.
func (n Node) Address() netip.Addr {
	if n.Public.IsValid() {
		return n.Public
	}
	return n.Private
}
