package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// assignmentName is the name of the file with the last applied assignment.
const assignmentName = "assignment.db"

// formerName is the one that held it as one JSON value.
const formerName = "assignment.json"

// The buckets of the file: one with what is there once, under headKey, and one
// for each kind of part, by its ARN or ID.
var (
	headBucket         = []byte("assignment")
	headKey            = []byte("head")
	balancersBucket    = []byte("load-balancers")
	groupsBucket       = []byte("target-groups")
	nodesBucket        = []byte("nodes")
	certificatesBucket = []byte("certificates")
	trustStoresBucket  = []byte("trust-stores")
)

// assignmentFile keeps one assignment on disk, and writes only what differs from
// the one before. A crash at any instant leaves the former one or the new one.
type assignmentFile struct {
	path  string
	db    *bbolt.DB
	saved *snapshot.Assignment // what it holds; nil: unknown, or nothing
}

// openAssignmentFile opens the file in a directory, a new one if there is none. It
// is this process's alone until close. One that is damaged is put aside, which is
// told: the control plane sends its assignment again.
func openAssignmentFile(dir string, log *slog.Logger) (*assignmentFile, error) {
	f := &assignmentFile{path: filepath.Join(dir, assignmentName)}
	err := f.open()
	if err == nil || errors.Is(err, bbolterrors.ErrTimeout) {
		return f, err
	}
	log.Error("file of the last assignment put aside", "error", err)
	return f, f.putAside()
}

func (f *assignmentFile) open() (err error) {
	defer damaged(&err)
	f.db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return fmt.Errorf("open assignment %s: another process has it (stop that one): %w", f.path, err)
	}
	if err != nil {
		return fmt.Errorf("open assignment %s: %w", f.path, err)
	}
	return nil
}

// putAside begins with a new file.
func (f *assignmentFile) putAside() error {
	if f.db != nil {
		if err := f.close(); err != nil {
			return err
		}
	}
	if err := os.Rename(f.path, f.path+".damaged"); err != nil {
		return fmt.Errorf("put assignment aside: %w", err)
	}
	f.saved = nil
	return f.open()
}

func (f *assignmentFile) close() error {
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("close assignment: %w", err)
	}
	return nil
}

// load returns the assignment, nil if there is none. After an error the file is
// another one, and empty.
func (f *assignmentFile) load() (*snapshot.Assignment, error) {
	a, err := f.read()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load assignment from %s: %w", f.path, err), f.putAside())
	}
	if a == nil {
		return f.former()
	}
	f.saved = a
	return a, nil
}

func (f *assignmentFile) read() (a *snapshot.Assignment, err error) {
	defer damaged(&err)
	err = f.db.View(func(tx *bbolt.Tx) error {
		head := tx.Bucket(headBucket)
		if head == nil {
			return nil
		}
		var err error
		if a, err = snapshot.DecodeAssignment(head.Get(headKey)); err != nil {
			return err
		}
		return errors.Join(
			parts(tx, balancersBucket, &a.LoadBalancers),
			parts(tx, groupsBucket, &a.TargetGroups),
			parts(tx, nodesBucket, &a.Nodes),
			parts(tx, certificatesBucket, &a.Certificates),
			parts(tx, trustStoresBucket, &a.TrustStores),
		)
	})
	return a, err
}

// damaged makes an error of a panic, which is bbolt's way to say that a page makes
// no sense.
func damaged(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the file is damaged: %v", r)
	}
}

// former returns the assignment that an older program left, nil if there is none.
func (f *assignmentFile) former() (*snapshot.Assignment, error) {
	path := filepath.Join(filepath.Dir(f.path), formerName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load assignment: %w", err)
	}
	a, err := snapshot.DecodeAssignment(b)
	if err != nil {
		return nil, fmt.Errorf("load assignment from %s: %w", path, err)
	}
	return a, nil
}

// parts reads one kind of part, which a file of an older program may lack. The keys'
// order is that of the list.
func parts[T any](tx *bbolt.Tx, bucket []byte, list *[]*T) error {
	b := tx.Bucket(bucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, v []byte) error {
		part := new(T)
		if err := json.Unmarshal(v, part); err != nil {
			return fmt.Errorf("%s %s: %w", bucket, k, err)
		}
		*list = append(*list, part)
		return nil
	})
}

// save writes the assignment; when it returns it survives a power failure.
func (f *assignmentFile) save(a *snapshot.Assignment) error {
	changes, err := a.Since(f.saved)
	if err == nil {
		err = f.db.Update(func(tx *bbolt.Tx) error { return f.write(tx, a, changes) })
	}
	if err != nil {
		return fmt.Errorf("save assignment: %w", err)
	}
	f.saved = a
	// An older program, started here again, would take that one for the newest.
	former := filepath.Join(filepath.Dir(f.path), formerName)
	if err := os.Remove(former); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("save assignment: remove the former file: %w", err)
	}
	return nil
}

func (f *assignmentFile) write(tx *bbolt.Tx, a *snapshot.Assignment, changes snapshot.Changes) error {
	if f.saved == nil { // whatever is there
		for _, b := range [][]byte{headBucket, balancersBucket, groupsBucket, nodesBucket, certificatesBucket, trustStoresBucket} {
			if err := tx.DeleteBucket(b); err != nil && !errors.Is(err, bbolterrors.ErrBucketNotFound) {
				return err
			}
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
	}
	head := *a
	head.LoadBalancers, head.TargetGroups, head.Nodes, head.Certificates, head.TrustStores = nil, nil, nil, nil, nil
	b, err := head.Encode()
	if err != nil {
		return err
	}
	return errors.Join(
		tx.Bucket(headBucket).Put(headKey, b),
		put(tx, balancersBucket, changes.LoadBalancers, func(b *snapshot.LoadBalancer) string { return b.ARN }),
		put(tx, groupsBucket, changes.TargetGroups, func(g *snapshot.TargetGroup) string { return g.ARN }),
		put(tx, nodesBucket, changes.Nodes, func(n *snapshot.Node) string { return n.ID }),
		put(tx, certificatesBucket, changes.Certificates, func(c *snapshot.Certificate) string { return c.ARN }),
		put(tx, trustStoresBucket, changes.TrustStores, func(s *snapshot.TrustStore) string { return s.ARN }),
	)
}

// put writes one kind of part.
func put[T any](tx *bbolt.Tx, bucket []byte, changes []snapshot.Change[T], key func(*T) string) error {
	to, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.New == nil {
			if err := to.Delete([]byte(key(c.Old))); err != nil {
				return err
			}
			continue
		}
		b, err := json.Marshal(c.New)
		if err != nil {
			return err
		}
		if err := to.Put([]byte(key(c.New)), b); err != nil {
			return err
		}
	}
	return nil
}
