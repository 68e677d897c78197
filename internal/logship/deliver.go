package logship

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Of one round of deliveries: how many buckets are served at once, and after how
// many failures one is left alone, so that a bucket that nobody answers for doesn't
// hold up the others for long.
const (
	bucketsAtOnce  = 4
	failuresInARow = 3
)

// deliver takes closed files to their buckets. When no more are written it tries
// once more.
func (s *Shipper) deliver(written <-chan struct{}) {
	for {
		last := false
		select {
		case <-s.due:
		case <-written:
			last = true
		}
		for !s.deliverAll() && !last {
			select {
			case <-time.After(retryAfter):
				continue
			case <-written:
				last = true
			}
			break
		}
		if last {
			s.deliverAll()
			return
		}
	}
}

// deliverAll makes a round, and returns whether nothing is left.
func (s *Shipper) deliverAll() bool {
	names, err := s.closed()
	if err != nil {
		s.fail("the spool of logs can't be read", err)
		return false
	}
	// What was refused last comes last: it may be all that a bucket refuses.
	slices.SortStableFunc(names, func(a, b string) int { return order(s.refused[filepath.Dir(a)]) - order(s.refused[filepath.Dir(b)]) })
	rounds := map[string]*round{} // by bucket
	for _, name := range names {
		to, end, err := describe(name)
		if err != nil {
			s.fail("a file of logs can't be delivered", err, "file", name)
			continue // trim has it in the end
		}
		if rounds[to.Bucket] == nil {
			rounds[to.Bucket] = &round{shipper: s, refused: map[string]bool{}}
		}
		r := rounds[to.Bucket]
		r.files = append(r.files, file{name: name, to: to, end: end})
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, bucketsAtOnce)
	for _, r := range rounds {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			r.deliver()
		})
	}
	wg.Wait()
	clear(s.refused)
	done := true
	for _, r := range rounds {
		for dir := range r.refused {
			s.refused[dir] = true
		}
		done = done && r.done
	}
	if done {
		s.well()
	}
	return done
}

func order(later bool) int {
	if later {
		return 1
	}
	return 0
}

// round is what is to be delivered to one bucket.
type round struct {
	shipper *Shipper
	files   []file

	refused map[string]bool // spool directories, each of one destination
	done    bool            // everything was taken
}

// file is one that is closed.
type file struct {
	name string
	to   Destination
	end  time.Time
}

func (r *round) deliver() {
	s, failures := r.shipper, 0
	for _, f := range r.files {
		dir := filepath.Dir(f.name)
		if r.refused[dir] {
			continue
		}
		err := s.deliverFile(f)
		if s.ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
			continue
		}
		r.refused[dir] = true
		s.failed.Add(1)
		s.fail("a file of logs isn't delivered; it is tried again", err, "file", f.name)
		if failures++; failures == failuresInARow {
			return
		}
	}
	r.done = len(r.refused) == 0
}

func (s *Shipper) deliverFile(f file) (err error) {
	packed, err := pack(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was too old
	}
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(packed.Close(), os.Remove(packed.Name())) }() // it was only read
	ctx, cancel := context.WithTimeout(s.ctx, putPatience)
	defer cancel()
	if err := s.put(ctx, f.to.Bucket, f.to.key(f.end, randomOf(f.name)), packed); err != nil {
		return err
	}
	s.delivered.Add(1)
	_, err = s.remove(f.name)
	return err
}
