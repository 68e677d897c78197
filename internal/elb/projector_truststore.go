package elb

import (
	"reflect"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// projectMutual makes what a host must know of how clients authenticate themselves.
func projectMutual(m *Mutual) *snapshot.Mutual {
	if m == nil {
		return nil
	}
	return &snapshot.Mutual{Mode: snapshot.MutualMode(m.Mode), TrustStore: m.TrustStore, IgnoreExpiry: m.IgnoreExpiry, Advertise: m.Advertise}
}

// trustProjection is the trust stores in a host's assignment.
type trustProjection struct {
	room  TrustStores // nil: there are none
	users map[string]int
	parts map[string]*snapshot.TrustStore
}

func newTrustProjection(room TrustStores) trustProjection {
	return trustProjection{room, map[string]int{}, map[string]*snapshot.TrustStore{}}
}

// collection is where trust stores are records, "" for nowhere.
func (p *trustProjection) collection() string {
	if p.room == nil {
		return ""
	}
	return p.room.Collection()
}

// use counts a load balancer among the users of other trust stores.
func (p *trustProjection) use(old, next map[string]bool) {
	for arn := range old {
		if p.users[arn]--; p.users[arn] == 0 {
			delete(p.users, arn)
		}
	}
	for arn := range next {
		p.users[arn]++
	}
}

// update brings the trust stores of the ARNs up to date, those that no listener of the
// host names being left out, and says whether any differs. One whose record is gone is
// left out too: hosts let nobody in by it.
func (p *trustProjection) update(r store.Snapshot, arns map[string]bool, pending map[string]*snapshot.TrustStore) (changed bool) {
	for arn := range arns {
		old, was := p.parts[arn]
		var next *snapshot.TrustStore
		is := p.users[arn] > 0 && p.room != nil
		if is {
			next, is = p.room.Trust(r, arn)
		}
		switch {
		case !is && was:
			delete(p.parts, arn)
			pending[arn] = nil
			changed = true
		case is && (!was || !reflect.DeepEqual(old, next)):
			p.parts[arn] = next
			pending[arn] = next
			changed = true
		}
	}
	return changed
}
