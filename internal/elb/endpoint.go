package elb

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/store"
)

// Endpoint is a load balancer's name and the nodes that it stands for.
type Endpoint struct {
	Name  string
	Nodes []Node
}

// EndpointCollections names the collections whose changes change endpoints.
func (s *Service) EndpointCollections() []string {
	return []string{s.balancers.Name(), s.nodes.Name()}
}

// EndpointOf returns the ARN of the load balancer whose endpoint a changed record
// belongs to; "" for a node that is gone, which had left its endpoint before.
func (s *Service) EndpointOf(r store.Reader, k store.Key) string {
	if k.Collection == s.balancers.Name() {
		return k.Key
	}
	n, _ := s.nodes.Get(r, k.Key)
	return n.LoadBalancerARN
}

// Endpoint returns a load balancer's endpoint; false for one that is deleted.
func (s *Service) Endpoint(r store.Reader, arn string) (Endpoint, bool) {
	b, ok := s.balancers.Get(r, arn)
	if !ok || b.Deleted {
		return Endpoint{}, false
	}
	e := Endpoint{Name: b.DNSName}
	var withdrawn []Node
	for _, n := range s.nodesByLB.Each(r, arn) {
		switch {
		case n.Phase != NodeInService:
		case n.Withdrawn:
			withdrawn = append(withdrawn, n)
		default:
			e.Nodes = append(e.Nodes, n)
		}
	}
	if len(e.Nodes) == 0 { // a zone whose targets fail is better than none
		e.Nodes = withdrawn
	}
	slices.SortFunc(e.Nodes, func(a, b Node) int { return a.Address().Compare(b.Address()) })
	return e, true
}

// Endpoints yields the ARNs of all load balancers.
func (s *Service) Endpoints(r store.Reader) iter.Seq[string] {
	return func(yield func(string) bool) {
		for arn := range s.balancers.All(r) {
			if !yield(arn) {
				return
			}
		}
	}
}

// OwnsName says whether a DNS name is one of the account's load balancers', in any
// case.
func (s *Service) OwnsName(r store.Reader, account, name string) bool {
	// NAME-DIGITS.REGION.BASE, perhaps with "dualstack." before.
	name = strings.TrimPrefix(strings.ToLower(name), "dualstack.")
	_, rest, _ := strings.Cut(name, ".")
	region := strings.TrimSuffix(rest, "."+s.opts.BaseDomain)
	for _, b := range s.LoadBalancers(r, account, region, "") {
		if strings.EqualFold(b.DNSName, name) {
			return true
		}
	}
	return false
}

// Address returns the address that clients reach the node on.
func (n Node) Address() netip.Addr {
	if n.Public.IsValid() {
		return n.Public
	}
	return n.Private
}
