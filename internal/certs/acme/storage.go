package acme

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/store"
)

// vault is where certmagic's files are records: accounts of the authority with
// their keys. Each account of ours has a tree of its own.
type vault struct {
	store  *store.Store
	sealer *certs.Sealer
	files  *store.Collection[file]
	locks  *store.Collection[lock]

	mu   sync.Mutex // guards the following
	held map[string]*keeper
}

// file is a record; its key is ACCOUNT/PATH.
type file struct {
	Sealed   []byte // the content, sealed for the key
	Bytes    int    // of the content
	Modified time.Time
}

func newVault(st *store.Store, sealer *certs.Sealer) *vault {
	return &vault{
		store: st, sealer: sealer, held: map[string]*keeper{},
		files: store.NewCollection[file](st, "acme.file", 1),
		locks: store.NewCollection[lock](st, "acme.lock", 1),
	}
}

func (v *vault) of(account string) *storage { return &storage{v, account + "/"} }

// storage is an account's tree. It implements certmagic.Storage, TryLocker too.
type storage struct {
	*vault
	root string // "ACCOUNT/"
}

var (
	_ certmagic.Storage   = (*storage)(nil)
	_ certmagic.TryLocker = (*storage)(nil)
)

// subject is what a file's content is sealed for.
func subject(key string) string { return "acme.file/" + key }

// Store implements certmagic.Storage.
func (s *storage) Store(ctx context.Context, key string, value []byte) error {
	key = s.root + key
	f := file{Sealed: s.sealer.Seal(value, subject(key)), Bytes: len(value), Modified: now()}
	return s.store.Update(ctx, func(tx *store.Tx) error { s.files.Put(tx, key, f); return nil })
}

// Load implements certmagic.Storage.
func (s *storage) Load(_ context.Context, key string) ([]byte, error) {
	f, ok := s.files.Get(s.store.Snapshot(), s.root+key)
	if !ok {
		return nil, missing("load", key)
	}
	return s.sealer.Open(f.Sealed, subject(s.root+key))
}

// Delete implements certmagic.Storage.
func (s *storage) Delete(ctx context.Context, key string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		s.files.Delete(tx, s.root+key)
		for k := range s.below(tx, key) {
			s.files.Delete(tx, k)
		}
		return nil
	})
}

// Exists implements certmagic.Storage.
func (s *storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List implements certmagic.Storage. Directories are listed where they aren't
// walked.
func (s *storage) List(_ context.Context, dir string, recursive bool) ([]string, error) {
	var out []string
	for key := range s.below(s.store.Snapshot(), dir) {
		name := strings.TrimPrefix(key, s.root)
		if rest := name[len(prefix(dir)):]; !recursive && strings.Contains(rest, "/") {
			first, _, _ := strings.Cut(rest, "/")
			name = prefix(dir) + first
		}
		if len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, missing("list", dir)
	}
	return out, nil
}

// Stat implements certmagic.Storage.
func (s *storage) Stat(_ context.Context, key string) (certmagic.KeyInfo, error) {
	r := s.store.Snapshot()
	if f, ok := s.files.Get(r, s.root+key); ok {
		return certmagic.KeyInfo{Key: key, Modified: f.Modified, Size: int64(f.Bytes), IsTerminal: true}, nil
	}
	var newest time.Time
	for _, f := range s.below(r, key) {
		if f.Modified.After(newest) {
			newest = f.Modified
		}
	}
	if newest.IsZero() {
		return certmagic.KeyInfo{}, missing("stat", key)
	}
	return certmagic.KeyInfo{Key: key, Modified: newest}, nil
}

// below yields the files of a directory and of those within it, by key.
func (s *storage) below(r store.Reader, dir string) func(yield func(string, file) bool) {
	from := s.root + prefix(dir)
	return func(yield func(string, file) bool) {
		for key, f := range s.files.From(r, from) {
			if !strings.HasPrefix(key, from) || !yield(key, f) {
				return
			}
		}
	}
}

// prefix is what the names in a directory begin with.
func prefix(dir string) string {
	if dir == "" {
		return ""
	}
	return strings.TrimSuffix(dir, "/") + "/"
}

func missing(op, key string) error { return fmt.Errorf("%s %s: %w", op, key, fs.ErrNotExist) }

func now() time.Time { return time.Now().UTC().Round(0) }
