package store

// Subscription tells which records have changed since it was last asked. It
// keeps keys, not values: the reader looks at the present state, so that any
// number of changes to one record cost it one look (level-triggered).
type Subscription struct {
	// C has a value whenever Take has something to tell.
	C <-chan struct{}

	c     chan struct{}
	store *Store
	names []string

	// Guarded by the store's mu: a view is published and announced under one
	// hold of it.
	dirty map[Key]struct{}
	all   bool
}

// Key names one record of a collection.
type Key struct{ Collection, Key string }

// Subscribe starts telling of changes to the named collections, beginning with
// all. End it with Close.
func (s *Store) Subscribe(collections ...string) *Subscription {
	c := make(chan struct{}, 1)
	sub := &Subscription{C: c, c: c, store: s, names: collections, dirty: map[Key]struct{}{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range sub.names {
		if s.subs[name] == nil {
			s.subs[name] = map[*Subscription]struct{}{}
		}
		s.subs[name][sub] = struct{}{}
	}
	sub.addAllLocked()
	return sub
}

// Close ends the subscription.
func (sub *Subscription) Close() {
	sub.store.mu.Lock()
	defer sub.store.mu.Unlock()
	for _, name := range sub.names {
		delete(sub.store.subs[name], sub)
	}
}

// Take returns the records that changed since the last Take, in no order. all
// says that any record may have changed: look at every one. A change that a
// Snapshot or Tx obtained before the call shows is among them, unless an
// earlier Take told of it. It may also tell of later ones: read the records from
// a Snapshot obtained after the call.
func (sub *Subscription) Take() (keys []Key, all bool) {
	sub.store.mu.Lock()
	defer sub.store.mu.Unlock()
	all = sub.all
	if !all {
		for k := range sub.dirty {
			keys = append(keys, k)
		}
	}
	clear(sub.dirty)
	sub.all = false
	return keys, all
}

// announceLocked tells the collection's subscriptions of a change at key.
func (s *Store) announceLocked(d *definition, key string) {
	for sub := range s.subs[d.name] {
		if !sub.all {
			sub.dirty[Key{d.name, key}] = struct{}{}
		}
		sub.wake()
	}
}

func (s *Store) announceTxLocked(tx *Tx) {
	for i := range tx.log {
		if e := &tx.log[i]; e.write != nil {
			s.announceLocked(e.def, e.key)
		}
	}
}

func (sub *Subscription) addAllLocked() {
	sub.all = true
	clear(sub.dirty)
	sub.wake()
}

func (sub *Subscription) wake() {
	select {
	case sub.c <- struct{}{}:
	default:
	}
}
