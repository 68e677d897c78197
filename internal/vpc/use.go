package vpc

import "github.com/fairlead/fairlead/internal/store"

// A load balancer is in subnets and security groups before its nodes have
// interfaces there. Without a word about it, one of them could be deleted in
// between, and no node would ever come up.

// Use marks subnets and security groups changed for whoever is judging whether
// they are in use, by what Options.InUse tells of once tx is committed. They must
// exist, which a caller has read from tx.
func (s *Service) Use(tx *store.Tx, subnets, groups []string) {
	for _, id := range subnets {
		if n, ok := s.subnets.Get(tx, id); ok {
			s.subnets.Put(tx, id, n)
		}
	}
	for _, id := range groups {
		if g, ok := s.groups.Get(tx, id); ok {
			s.groups.Put(tx, id, g)
		}
	}
}

func (s *Service) inUse(r store.Reader, id string) bool {
	return s.opts.InUse != nil && s.opts.InUse(r, id)
}
