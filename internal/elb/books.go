package elb

import (
	"iter"
	"slices"

	"github.com/fairlead/fairlead/internal/store"
)

// The room's records as they are stored and unjudged, for who proves from
// outside that they fit those of other rooms.

// AllNodes yields every node, by id, whether or not its load balancer exists.
func (s *Service) AllNodes(r store.Reader) iter.Seq2[string, Node] { return s.nodes.All(r) }

// HasNode says whether there is such a node.
func (s *Service) HasNode(r store.Reader, id string) bool {
	_, ok := s.nodes.Get(r, id)
	return ok
}

// AnyBalancer returns a load balancer, whoever's it is, also one that is being
// deleted.
func (s *Service) AnyBalancer(r store.Reader, arn string) (LoadBalancer, bool) {
	return s.balancers.Get(r, arn)
}

// AllBalancers yields every account's load balancers, by ARN, also those that are
// being deleted.
func (s *Service) AllBalancers(r store.Reader) iter.Seq2[string, LoadBalancer] {
	return s.balancers.All(r)
}

// Blocks returns the blocks that are reserved for b, those that it is leaving too.
func (b LoadBalancer) Blocks() []Block {
	blocks := slices.Clone(b.Leaving)
	if b.Block != nil {
		blocks = append(blocks, *b.Block)
	}
	return blocks
}
