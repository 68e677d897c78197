package logship

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The spool has a directory for each destination: the destination in a file of its
// own, and files of lines, named by the end of their interval. While a file is
// written to it is open; then it is closed, and waits for its delivery.
const (
	destinationFile = "destination.json"
	openSuffix      = ".open"
	closedSuffix    = ".closed"
	packedSuffix    = ".gz" // behind closedSuffix: a copy that is being delivered
)

// spoolFile is a file of lines that is written to.
type spoolFile struct {
	*os.File
	end  time.Time
	size int64
}

// openSpool makes a file for lines up to end.
func (s *Shipper) openSpool(d *Destination, end time.Time) (*spoolFile, error) {
	dir := filepath.Join(s.dir, d.dir())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	at := filepath.Join(dir, destinationFile)
	if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) {
		text, err := json.Marshal(d)
		if err == nil {
			err = os.WriteFile(at+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(at+".new", at)
		}
		if err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.FormatInt(end.Unix(), 10)+"-"+random()+openSuffix), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &spoolFile{File: f, end: end}, nil
}

// append writes lines, all or none.
func (f *spoolFile) append(lines []byte) error {
	if _, err := f.Write(lines); err != nil {
		return errors.Join(err, f.Truncate(f.size))
	}
	f.size += int64(len(lines))
	return nil
}

// close has the file wait for its delivery.
func (f *spoolFile) close() error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), strings.TrimSuffix(f.Name(), openSuffix)+closedSuffix)
}

// recover closes what a process left open that was killed. A line that it was in
// the middle of is cut off.
func (s *Shipper) recover() error {
	packed, err := filepath.Glob(filepath.Join(s.dir, "*", "*"+packedSuffix))
	if err != nil {
		return err
	}
	for _, name := range packed {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "*", "*"+openSuffix))
	if err != nil {
		return err
	}
	for _, name := range left {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		whole := bytes.LastIndexByte(text, '\n') + 1
		if whole == 0 {
			if err := os.Remove(name); err != nil {
				return err
			}
			continue
		}
		if err := os.Truncate(name, int64(whole)); err != nil {
			return err
		}
		if err := os.Rename(name, strings.TrimSuffix(name, openSuffix)+closedSuffix); err != nil {
			return err
		}
	}
	closed, err := s.closed()
	if err != nil {
		return err
	}
	for _, name := range closed {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		s.spooled.Add(info.Size())
	}
	return nil
}

// trim removes the oldest closed files while the spool is larger than it may be.
// What is there for long is what its bucket doesn't take: nobody else's logs are
// lost.
func (s *Shipper) trim() {
	if s.spooled.Load() <= s.maxSpool {
		return
	}
	names, err := s.closed()
	for _, name := range names {
		if s.spooled.Load() <= s.maxSpool {
			break
		}
		lines, countErr := linesOf(name)
		ours, removeErr := s.remove(name)
		if ours {
			s.dropped.Add(lines)
			s.fail("the spool of logs is full; the oldest that their bucket didn't take are lost", errors.Join(countErr, removeErr), "file", name)
		}
		err = errors.Join(err, removeErr)
	}
	if err != nil {
		s.fail("the spool of logs is too large", err)
	}
}

// remove takes a closed file out of the spool; false if somebody else has.
func (s *Shipper) remove(name string) (ours bool, err error) {
	info, err := os.Stat(name)
	if err == nil {
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		s.spooled.Add(-info.Size())
	}
	return err == nil, err
}

// closed returns the files that wait for their delivery, oldest first.
func (s *Shipper) closed() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*", "*"+closedSuffix))
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return names, err
}

// randomOf returns what tells a file's object apart from others of its interval:
// the same at each attempt to deliver it, so that none is there twice.
func randomOf(name string) string {
	_, random, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), closedSuffix), "-")
	return random
}

// describe returns a closed file's destination and the end of its interval.
func describe(name string) (d Destination, end time.Time, err error) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(name), destinationFile))
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return d, end, err
	}
	number, _, _ := strings.Cut(filepath.Base(name), "-")
	seconds, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return d, end, fmt.Errorf("%s isn't named by a time: %w", name, err)
	}
	return d, time.Unix(seconds, 0), nil
}
