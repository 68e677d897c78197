package snapshot

import (
	"fmt"
	"reflect"
)

// Change is a part of an assignment that differs from the same part of another
// one. Old is nil for a part that is new, New for one that is gone.
type Change[T any] struct{ Old, New *T }

// Changes are the parts in which two assignments differ, each list in the order
// of the assignments'.
type Changes struct {
	LoadBalancers []Change[LoadBalancer]
	TargetGroups  []Change[TargetGroup]
	Nodes         []Change[Node]
	Certificates  []Change[Certificate]
	TrustStores   []Change[TrustStore]
}

// Since returns what differs from an earlier assignment; nil stands for an empty
// one. It is an error if a list isn't in order, or names something twice.
func (a *Assignment) Since(old *Assignment) (Changes, error) {
	if old == nil {
		old = new(Assignment)
	}
	var c Changes
	var err error
	if c.LoadBalancers, err = changes(old.LoadBalancers, a.LoadBalancers, (*LoadBalancer).key); err != nil {
		return Changes{}, fmt.Errorf("load balancers: %w", err)
	}
	if c.TargetGroups, err = changes(old.TargetGroups, a.TargetGroups, (*TargetGroup).key); err != nil {
		return Changes{}, fmt.Errorf("target groups: %w", err)
	}
	if c.Nodes, err = changes(old.Nodes, a.Nodes, (*Node).key); err != nil {
		return Changes{}, fmt.Errorf("nodes: %w", err)
	}
	if c.Certificates, err = changes(old.Certificates, a.Certificates, (*Certificate).key); err != nil {
		return Changes{}, fmt.Errorf("certificates: %w", err)
	}
	if c.TrustStores, err = changes(old.TrustStores, a.TrustStores, (*TrustStore).key); err != nil {
		return Changes{}, fmt.Errorf("trust stores: %w", err)
	}
	return c, nil
}

// TargetGroupsSince returns the target groups that differ between two lists in
// order.
func TargetGroupsSince(old, next []*TargetGroup) ([]Change[TargetGroup], error) {
	return changes(old, next, (*TargetGroup).key)
}

func (b *LoadBalancer) key() string { return b.ARN }
func (g *TargetGroup) key() string  { return g.ARN }
func (n *Node) key() string         { return n.ID }
func (c *Certificate) key() string  { return c.ARN }
func (s *TrustStore) key() string   { return s.ARN }

// changes walks two lists side by side. Parts that both share are passed without
// a look at them; old is taken to be in order.
func changes[T any](old, next []*T, key func(*T) string) ([]Change[T], error) {
	var out []Change[T]
	checked := true // the part before is in order with the next one for being in old beside it
	for i, n := range next {
		if len(old) > 0 && old[0] == n && checked {
			old = old[1:]
			continue
		}
		k := key(n)
		if i > 0 && key(next[i-1]) >= k {
			return nil, fmt.Errorf("%s is out of order, or there twice", k)
		}
		for len(old) > 0 && key(old[0]) < k {
			out = append(out, Change[T]{Old: old[0]})
			old = old[1:]
		}
		if checked = len(old) > 0 && old[0] == n; checked {
			old = old[1:]
			continue
		}
		c := Change[T]{New: n}
		if len(old) > 0 && key(old[0]) == k {
			c.Old, old = old[0], old[1:]
			if reflect.DeepEqual(c.Old, n) {
				continue
			}
		}
		out = append(out, c)
	}
	for _, o := range old {
		out = append(out, Change[T]{Old: o})
	}
	return out, nil
}
