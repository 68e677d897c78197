package server

import (
	"iter"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
)

// lists is the prefixlist room as the vpc room needs it. It is there before the
// room is, which needs the vpc room first.
type lists struct{ rooms *rooms }

func (l lists) Size(r store.Reader, account, region, id string) (int, bool) {
	pl, ok := l.rooms.prefixLists.List(r, account, region, id)
	return pl.MaxEntries, ok
}

func (l lists) Hold(tx *store.Tx, account, region string) {
	l.rooms.prefixLists.Hold(tx, account, region)
}

// listUsers is the vpc room as the prefixlist room needs it.
type listUsers struct{ vpc *vpc.Service }

func (u listUsers) Of(r store.Reader, listID, from string) iter.Seq[string] {
	return u.vpc.PrefixListUsers(r, listID, from)
}

func (u listUsers) Full(r store.Snapshot, listID string, maxEntries int) iter.Seq[string] {
	return u.vpc.TooFullForList(r, listID, maxEntries)
}
