package truststore

import (
	"context"
	"errors"
	"slices"
	"time"
)

// AddRevocations adds the revocation lists that objects have, all or none, and
// returns them.
func (s *Service) AddRevocations(ctx context.Context, account, region, at string, objects []Object, now time.Time) ([]Revocation, error) {
	there, err := s.TrustStore(s.store.Snapshot(), account, region, at)
	if err != nil {
		return nil, err
	}
	if len(there.Revocations)+len(objects) > maxLists { // before anything is fetched and kept
		return nil, fail(TooManyEntries, "A trust store can have %d revocation lists at most", maxLists)
	}
	var lists []Revocation
	for _, o := range objects {
		r, err := s.takeRevocations(ctx, o, now)
		if err != nil {
			return nil, err
		}
		lists = append(lists, r)
	}
	_, err = s.change(ctx, account, region, at, func(t *TrustStore) error {
		t.Revocations = slices.Clone(t.Revocations)
		for i := range lists {
			t.LastRevocation++
			lists[i].ID = t.LastRevocation
			t.Revocations = append(t.Revocations, lists[i])
		}
		switch {
		case len(t.Revocations) > maxLists:
			return fail(TooManyEntries, "A trust store can have %d revocation lists at most", maxLists)
		case t.RevokedEntries() > maxEntries:
			return fail(TooManyEntries, "A trust store can have %d revoked entries at most", maxEntries)
		}
		return nil
	})
	return lists, err
}

func (s *Service) takeRevocations(ctx context.Context, o Object, now time.Time) (Revocation, error) {
	b, err := s.opts.Fetch(ctx, o, maxListSize)
	if errors.Is(err, ErrNoObject) {
		return Revocation{}, fail(RevocationMissing, "The revocation content '%s' was not found in the bucket '%s'", o.Key, o.Bucket)
	}
	if err != nil {
		return Revocation{}, fail(InvalidRevocation, "The revocation content could not be read: %v", err)
	}
	entries, err := checkRevocations(b)
	if err != nil {
		return Revocation{}, err
	}
	if entries > maxEntries { // before all of it is written
		return Revocation{}, fail(TooManyEntries, "A trust store can have %d revoked entries at most", maxEntries)
	}
	content, err := s.keep(ctx, b, now)
	return Revocation{Entries: entries, Content: content}, err
}

// RemoveRevocations removes revocation lists, all or none. Their contents, of more
// parts perhaps than a transaction has room for, are Sweep's to delete.
func (s *Service) RemoveRevocations(ctx context.Context, account, region, at string, ids []int64) error {
	_, err := s.change(ctx, account, region, at, func(t *TrustStore) error {
		for _, id := range ids {
			if _, err := t.Revocation(id); err != nil {
				return err
			}
		}
		t.Revocations = slices.DeleteFunc(slices.Clone(t.Revocations), func(r Revocation) bool { return slices.Contains(ids, r.ID) })
		return nil
	})
	return err
}

// Revocation returns the list with the id.
func (t TrustStore) Revocation(id int64) (Revocation, error) {
	for _, r := range t.Revocations {
		if r.ID == id {
			return r, nil
		}
	}
	return Revocation{}, fail(RevocationNotFound, "Revocation '%d' of trust store '%s' not found", id, t.ARN)
}
