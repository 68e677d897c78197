package acme

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// lock is a record while somebody holds the lock of its key. It lapses by itself
// when its holder dies.
type lock struct {
	Holder string
	Until  time.Time
}

const (
	lockTime = 30 * time.Second // without a sign of life
	lockLook = 250 * time.Millisecond
)

// keeper keeps a lock that we hold from lapsing.
type keeper struct {
	holder string
	stop   context.CancelFunc
	ended  chan struct{}
}

// TryLock implements certmagic.TryLocker: it takes a lock unless somebody has it.
func (s *storage) TryLock(ctx context.Context, name string) (bool, error) {
	name = s.root + name
	holder := rand.Text()
	var taken bool
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		l, ok := s.locks.Get(tx, name)
		if taken = !ok || !now().Before(l.Until); taken {
			s.locks.Put(tx, name, lock{holder, now().Add(lockTime)})
		}
		return nil
	})
	if err != nil || !taken {
		return false, err
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &keeper{holder: holder, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(k.ended)
		s.keep(keeping, name, holder)
	}()
	s.mu.Lock()
	s.held[name] = k
	s.mu.Unlock()
	return true, nil
}

// keep extends a lock until ctx ends or another has it.
func (s *storage) keep(ctx context.Context, name, holder string) {
	tick := time.NewTicker(lockTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		lost := false
		err := s.store.Update(ctx, func(tx *store.Tx) error {
			l, ok := s.locks.Get(tx, name)
			if lost = !ok || l.Holder != holder; !lost {
				s.locks.Put(tx, name, lock{holder, now().Add(lockTime)})
			}
			return nil
		})
		if lost && err == nil {
			return
		}
	}
}

// Lock implements certmagic.Locker: it waits for a lock and takes it.
func (s *storage) Lock(ctx context.Context, name string) error {
	for {
		if ok, err := s.TryLock(ctx, name); ok || err != nil {
			return err
		}
		select {
		case <-time.After(lockLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Unlock implements certmagic.Locker. A lock that lapsed and is another's stays so.
func (s *storage) Unlock(ctx context.Context, name string) error {
	name = s.root + name
	s.mu.Lock()
	k := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if k == nil {
		return nil
	}
	k.stop()
	<-k.ended
	return s.store.Update(ctx, func(tx *store.Tx) error {
		if l, ok := s.locks.Get(tx, name); ok && l.Holder == k.holder {
			s.locks.Delete(tx, name)
		}
		return nil
	})
}
