package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// assignmentName is the name of the file with the last applied assignment.
const assignmentName = "assignment.json"

// assignmentFile keeps one assignment on disk. A crash at any instant leaves the
// former one or the new one.
type assignmentFile struct{ dir string }

// load returns the assignment, nil if there is none.
func (f assignmentFile) load() (*snapshot.Assignment, error) {
	path := filepath.Join(f.dir, assignmentName)
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

// save writes the assignment; when it returns it survives a power failure.
func (f assignmentFile) save(a *snapshot.Assignment) error {
	b, err := a.Encode()
	if err != nil {
		return fmt.Errorf("save assignment: %w", err)
	}
	t, err := os.CreateTemp(f.dir, assignmentName+".*")
	if err != nil {
		return fmt.Errorf("save assignment: %w", err)
	}
	_, err = t.Write(b)
	err = errors.Join(err, t.Sync(), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), filepath.Join(f.dir, assignmentName))
	}
	if err != nil {
		return fmt.Errorf("save assignment: %w", errors.Join(err, os.Remove(t.Name())))
	}
	return syncDir(f.dir)
}

// syncDir makes a renaming in the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("save assignment: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("save assignment: sync directory: %w", err)
	}
	return nil
}
