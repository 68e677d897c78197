package acme

import (
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/store"
)

// Storage is certmagic's.
type Storage = storage

// StorageOf returns an account's. Before st.Start.
func StorageOf(st *store.Store, sealer *certs.Sealer, account string) *Storage {
	return newVault(st, sealer).of(account)
}

// Abandon ends what keeps a lock, and leaves the lock.
func (s *storage) Abandon(name string) {
	s.mu.Lock()
	k := s.held[s.root+name]
	delete(s.held, s.root+name)
	s.mu.Unlock()
	k.stop()
	<-k.ended
}
