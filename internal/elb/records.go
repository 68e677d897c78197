package elb

import (
	"net/netip"
	"time"
)

// Scheme says who can reach a load balancer.
type Scheme string

// The schemes of CreateLoadBalancer.
const (
	InternetFacing Scheme = "internet-facing"
	Internal       Scheme = "internal"
)

// State is a load balancer's LoadBalancerState.Code.
type State string

// The states that a load balancer is seen in.
const (
	Provisioning   State = "provisioning"
	Active         State = "active"
	ActiveImpaired State = "active_impaired"
	Failed         State = "failed"
)

// LoadBalancer is one application load balancer, by ARN.
type LoadBalancer struct {
	ARN     string
	ID      string // "app/NAME/HEX": the ARN's suffix
	Name    string
	Account string
	Region  string

	Scheme         Scheme
	AddressType    string // ipv4, dualstack, dualstack-without-public-ipv4
	VPCID          string
	Zones          []ZoneSubnet // in the order of the caller's subnets
	SecurityGroups []string
	PoolID         string // the IPAM pool that public IPv4 addresses are drawn from; "": the provider's
	Generation     int    `json:",omitempty"` // of the nodes that it is to have; see Node
	Generations    int    `json:",omitempty"` // the highest there was; 0: Generation is
	DNSName        string // in the caller's spelling; DNS has it in lower case
	Created        time.Time
	State          State
	Reason         string            // of State, for people
	Attributes     map[string]string // those that differ from their defaults

	Capacity  Reservation `json:",omitzero"`
	Migration *Migration  `json:",omitempty"` // the last one; nil: there was none
	Block     *Block      `json:",omitempty"` // reserved in PoolID; nil: none
	Leaving   []Block     `json:",omitempty"` // blocks to be given back once nothing of them is in use

	// CookieKey is the key of the cookies and TLS tickets by which nodes know clients
	// again, sealed for snapshot.CookieSubject; none before a rule or a listener
	// needs it.
	CookieKey []byte `json:",omitempty"`

	// Deleted: the API doesn't know it any more, its nodes drain.
	Deleted bool `json:",omitempty"`
}

// Migration is a load balancer's move to another set of addresses. What it has
// come to is seen from the nodes; see Service.Migration.
type Migration struct {
	From, To         int    // generations
	FromPool, ToPool string // that they draw from; "": the provider's
	FromBlock        *Block `json:",omitempty"` // that the old one draws from first
	FromType, ToType string `json:",omitempty"` // of IP addresses, where they differ
	Began            time.Time
	Moved            time.Time `json:",omitzero"` // DNS named the new set; zero: not yet
	Cancelled        time.Time `json:",omitzero"` // and is to name the old one again; zero: it isn't
	Ended            time.Time `json:",omitzero"` // there is but one set; zero: not yet
}

// ZoneSubnet is a zone that a load balancer has nodes in, and their subnet.
type ZoneSubnet struct{ Zone, SubnetID string }

// Listener is one port of a load balancer, by ARN. Its default actions are
// those of its default rule.
type Listener struct {
	ARN             string
	LoadBalancerARN string
	Port            uint16
	Protocol        string            // HTTP, HTTPS
	TLS             *ListenerTLS      `json:",omitempty"` // nil unless HTTPS
	Attributes      map[string]string `json:",omitempty"` // those that differ from their defaults

	// Deleted: nobody sees it any more, its rules are being cleared away.
	Deleted bool `json:",omitempty"`
}

// Rule routes requests of a listener, by ARN.
type Rule struct {
	ARN             string
	ListenerARN     string
	LoadBalancerARN string
	Priority        int // 1 to 50000; 0: the default rule
	Conditions      []Condition
	Actions         []Action
	Transforms      []Transform `json:",omitempty"`
}

// Condition is a rule's condition; see ELBv2 RuleCondition.
type Condition struct {
	Field  string
	Header string   `json:",omitempty"` // FieldHeader
	Keys   []string `json:",omitempty"` // FieldQuery: beside Values; "" for any
	Values []string `json:",omitempty"`
	Regex  []string `json:",omitempty"` // instead of Values
}

// Action is a rule's action; the member that Type names is set.
type Action struct {
	Type          string // forward, fixed-response, redirect, authenticate-oidc, authenticate-cognito, jwt-validation
	Order         int    // 0: not given
	Forward       *Forward
	FixedResponse *FixedResponse
	Redirect      *Redirect            `json:",omitempty"`
	OIDC          *AuthenticateOIDC    `json:",omitempty"`
	Cognito       *AuthenticateCognito `json:",omitempty"`
	JWT           *JWTValidation       `json:",omitempty"`
}

// Forward is a forward action's configuration.
type Forward struct {
	TargetGroups       []WeightedTargetGroup
	StickinessEnabled  bool
	StickinessDuration time.Duration // 0: not given
}

// WeightedTargetGroup is a target group's share of a forward action.
type WeightedTargetGroup struct {
	ARN    string
	Weight int
}

// FixedResponse is a fixed-response action's configuration.
type FixedResponse struct {
	StatusCode  int
	ContentType string
	Body        string
}

// TargetGroup is where forward actions lead, by ARN.
type TargetGroup struct {
	ARN             string
	Name            string
	Account         string
	Region          string
	Protocol        string // HTTP, HTTPS
	ProtocolVersion string // HTTP1, HTTP2, GRPC
	Port            uint16
	VPCID           string
	TargetType      string // ip, instance
	AddressType     string // ipv4, ipv6: of the targets
	HealthCheck     HealthCheck
	Attributes      map[string]string // those that differ from their defaults
}

// HealthCheck is how a target group's targets are probed.
type HealthCheck struct {
	Protocol           string
	Port               uint16 // 0: traffic-port
	Path               string
	Interval           time.Duration
	Timeout            time.Duration
	HealthyThreshold   int
	UnhealthyThreshold int
	Matcher            string // HTTP codes; gRPC codes where the protocol version is GRPC
}

// Target is one registration in a target group.
type Target struct {
	InstanceID string     `json:",omitempty"` // in groups of instances
	Addr       netip.Addr // an instance's is the one that it had when it was registered
	Port       uint16
	Zone       string    `json:",omitempty"` // "": not given, "all": any; an instance's own
	DrainUntil time.Time `json:",omitzero"`  // zero: registered; else deregistered, and forgotten at this time
}

// AddrPort returns the address that requests are sent to.
func (t Target) AddrPort() netip.AddrPort { return netip.AddrPortFrom(t.Addr, t.Port) }

// ID returns the target as callers name it.
func (t Target) ID() string {
	if t.InstanceID != "" {
		return t.InstanceID
	}
	return t.Addr.String()
}

// NodePhase is how far a node has come.
type NodePhase string

// A node's life. It is in DNS in NodeInService alone, unless it is Withdrawn.
const (
	NodeProvisioning NodePhase = "provisioning" // its interface and address are being made
	NodeStarting     NodePhase = "starting"     // it has them, and a host carries it
	NodeInService    NodePhase = "in-service"   // its host reports that it serves
	NodeRetiring     NodePhase = "retiring"     // out of DNS, serving as before: a newer generation has taken over
	NodeDraining     NodePhase = "draining"     // out of DNS, ending each connection with the response that is due
	NodeClosed       NodePhase = "closed"       // its host is to close it, then its addresses go back
)

// Node is a load balancer's presence in one zone, by ID.
type Node struct {
	ID              string
	LoadBalancerARN string
	Zone            string
	SubnetID        string
	Host            string // that carries it
	Generation      int    `json:",omitempty"` // of the load balancer that it was made for
	Phase           NodePhase
	Since           time.Time // of the phase
	Leaving         bool      `json:",omitempty"` // another of the generation is to take its place
	Homing          bool      `json:",omitempty"` // it takes one's place, and no address off the pool
	NoPublicIPv4    bool      `json:",omitempty"` // clients reach it by IPv6 alone
	Withdrawn       bool      `json:",omitempty"` // in service, and yet not in DNS: too few of its zone's targets are healthy
	IPv6            NodeIPv6  `json:",omitzero"`  // the second address; zero: it has none

	// The following are set when the node leaves NodeProvisioning.
	InterfaceID string
	Private     netip.Addr
	Public      netip.Addr // IPv4; zero for internal load balancers, and with NoPublicIPv4
	PoolID      string     // that Public came from; "": the provider's
	Bound       netip.Addr // that the host listens on, as last reported; zero before
}
