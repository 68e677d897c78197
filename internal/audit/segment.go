package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A segment is one file of the log, named by when it was begun, so that names
// sort as records do.
type segment struct {
	name  string
	begun time.Time
	file  file
	size  int64
	dirty bool // written to since the last sync
	torn  bool // ends in the middle of a line
}

// file is what a segment needs of an os.File.
type file interface {
	Write(p []byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

const (
	prefix, suffix = "audit-", ".jsonl"
	stamp          = "20060102T150405.000000000Z"

	// parts is how many segments MaxBytes is divided into: what goes at once when
	// there is too much.
	parts       = 16
	maxSegment  = 64 << 20
	segmentTime = 24 * time.Hour // after which a new one is begun
)

// open opens a file for appending; tests put failing ones in its place.
var open = func(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// segments returns when each segment was begun, oldest first.
func segments(dir string) ([]time.Time, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var begun []time.Time
	for _, e := range entries {
		text, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), suffix), prefix)
		if t, err := time.Parse(stamp, text); ok && err == nil {
			begun = append(begun, t)
		}
	}
	slices.SortFunc(begun, time.Time.Compare)
	return begun, nil
}

func nameOf(dir string, begun time.Time) string {
	return filepath.Join(dir, prefix+begun.UTC().Format(stamp)+suffix)
}

// openNewest goes on where the log ended, or begins it. A line that a crash cut
// off is left as it is, and readers pass over it.
func openNewest(o Options) (*segment, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	begun, err := segments(o.Dir)
	if err != nil {
		return nil, err
	}
	if len(begun) == 0 {
		return begin(o, o.Now().UTC())
	}
	newest := begun[len(begun)-1]
	s, err := begin(o, newest)
	if err != nil {
		return nil, err
	}
	content, err := os.Open(s.name)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	defer func() { _ = content.Close() }()
	info, err := content.Stat()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.size = info.Size(); s.size > 0 {
		var last [1]byte
		if _, err := content.ReadAt(last[:], s.size-1); err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.torn = last[0] != '\n'
	}
	return s, expire(o, o.Now())
}

func begin(o Options, t time.Time) (*segment, error) {
	s := &segment{name: nameOf(o.Dir, t), begun: t}
	var err error
	s.file, err = open(s.name)
	return s, err
}

// full says whether the lines belong in another segment.
func (s *segment) full(o Options, lines int64, now time.Time) bool {
	return s.size > 0 && (s.size+lines > min(maxSegment, o.MaxBytes/parts) || now.Sub(s.begun) >= segmentTime)
}

// next ends the segment and begins another.
func (s *segment) next(o Options, now time.Time) (*segment, error) {
	if !now.After(s.begun) { // a clock that was put back
		now = s.begun.Add(1)
	}
	n, err := begin(o, now)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.sync(), s.close()); err != nil {
		o.Log.Error("audit: segment not closed", "error", err)
	}
	if err := expire(o, now); err != nil {
		o.Log.Error("audit: old segments not removed", "error", err)
	}
	return n, nil
}

// expire removes the oldest segments while all of them take too much, one to
// come included, or are too old.
func expire(o Options, now time.Time) error {
	begun, err := segments(o.Dir)
	if err != nil {
		return err
	}
	total := min(maxSegment, o.MaxBytes/parts)
	sizes := make([]int64, len(begun))
	for i, t := range begun {
		info, err := os.Stat(nameOf(o.Dir, t))
		if err != nil {
			return err
		}
		sizes[i] = info.Size()
		total += sizes[i]
	}
	for i := 0; i+1 < len(begun); i++ { // never the newest
		if total <= o.MaxBytes && now.Sub(begun[i+1]) < o.MaxAge {
			break
		}
		if err := os.Remove(nameOf(o.Dir, begun[i])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= sizes[i]
	}
	return nil
}

// append writes whole lines, or none of them.
func (s *segment) append(lines []byte) error {
	if s.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := s.file.Write(lines)
	if err == nil {
		s.size += int64(n)
		s.dirty, s.torn = true, false
		return nil
	}
	if n > 0 {
		if cut := s.file.Truncate(s.size); cut != nil {
			s.size += int64(n)
			s.torn, s.dirty = true, true
			err = errors.Join(err, cut)
		}
	}
	return fmt.Errorf("append to %s: %w", filepath.Base(s.name), err)
}

func (s *segment) sync() error {
	if !s.dirty {
		return nil
	}
	s.dirty = false // once a sync has failed, another one would say nothing
	return s.file.Sync()
}

func (s *segment) close() error { return s.file.Close() }
