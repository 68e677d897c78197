package status

import (
	"net/netip"
	"time"
)

// Report is the state of one server, as JSON on its ops address.
type Report struct {
	Version string    `json:"version"`
	Since   time.Time `json:"since"` // start of the process
	At      time.Time `json:"at"`    // time of the report
	Ready   bool      `json:"ready"`
	Dev     bool      `json:"dev"`

	API     string `json:"api"` // URL
	DNS     string `json:"dns"` // HOST:PORT
	Ops     string `json:"ops"` // URL
	DataDir string `json:"data_dir"`

	Pools         []Pool         `json:"pools"`
	LoadBalancers []LoadBalancer `json:"load_balancers"`
}

// LoadBalancer is one load balancer with its nodes, in the order of its zones.
type LoadBalancer struct {
	Name    string `json:"name"`
	ARN     string `json:"arn"`
	DNSName string `json:"dns_name"`
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Nodes   []Node `json:"nodes"`
}

// Node is one node with its addresses.
type Node struct {
	ID              string     `json:"id"`
	Zone            string     `json:"zone"`
	Public          netip.Addr `json:"public"`
	Private         netip.Addr `json:"private"`
	Bound           netip.Addr `json:"bound"` // where the host listens
	IPv6            netip.Addr `json:"ipv6,omitzero"`
	IPv6Bound       netip.Addr `json:"ipv6_bound,omitzero"`
	Pool            string     `json:"pool"` // that Public came from; "": the provider's
	OffPool         bool       `json:"off_pool"`
	Phase           string     `json:"phase"`
	Withdrawn       bool       `json:"withdrawn,omitempty"` // out of DNS: too few of its zone's targets are healthy
	OpenConnections int        `json:"open_connections"`
	Error           string     `json:"error,omitempty"`
}
