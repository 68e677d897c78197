package logship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// When lines move on.
const (
	interval    = 5 * time.Minute // of a file, by the clock (ELB user guide)
	largest     = 64 << 20        // bytes of a file; a larger one is closed sooner
	writeAfter  = time.Second     // from memory to the spool
	retryAfter  = 30 * time.Second
	putPatience = 2 * time.Minute
)

// Put puts an object into a bucket. It reads body from its present place to its end.
type Put func(ctx context.Context, bucket, key string, body io.ReadSeeker) error

// Options is what a Shipper needs.
type Options struct {
	Dir     string // of the spool
	Threads int    // that have lines
	Put     Put
	Log     *slog.Logger
}

// Shipper has the logs of one host.
type Shipper struct {
	dir     string
	threads int
	put     Put
	log     *slog.Logger

	dropped atomic.Uint64
	failing atomic.Bool // told of

	mu      sync.Mutex // guards the following
	logs    map[Destination]*Log
	waiting []*Log // with lines in memory

	open    map[*Log]bool // those with a file; the writer's
	rush    chan struct{}
	due     chan struct{} // files are closed
	stop    chan struct{}
	wg      sync.WaitGroup
	ctx     context.Context // of deliveries
	abandon context.CancelFunc
}

// New starts a shipper, which first delivers what is left in the spool. Close it in
// the end.
func New(o Options) (*Shipper, error) {
	s := &Shipper{
		dir: o.Dir, threads: max(1, o.Threads), put: o.Put, log: o.Log,
		logs: map[Destination]*Log{}, open: map[*Log]bool{},
		rush: make(chan struct{}, 1), due: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool of logs: %w", err)
	}
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("spool of logs: %w", err)
	}
	s.ctx, s.abandon = context.WithCancel(context.Background())
	s.due <- struct{}{}
	written := make(chan struct{})
	s.wg.Go(func() { defer close(written); s.write() })
	s.wg.Go(func() { s.deliver(written) })
	return s, nil
}

// Log returns the log of a destination: the same one each time.
func (s *Shipper) Log(to Destination) *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[to]
	if l == nil {
		l = &Log{to: to, shipper: s, queues: make([]queue, s.threads)}
		s.logs[to] = l
	}
	return l
}

// Test puts the object that shows that the bucket takes the log.
func (s *Shipper) Test(ctx context.Context, to Destination) error { return Test(ctx, s.put, to) }

// Test puts the object that shows that the bucket takes the log.
func Test(ctx context.Context, put Put, to Destination) error {
	return put(ctx, to.Bucket, to.TestKey(), emptyBody())
}

// Dropped returns how many lines found no room.
func (s *Shipper) Dropped() uint64 { return s.dropped.Load() }

// Close delivers what there is, until ctx ends; the rest is delivered after the
// next New on the same directory. Lines that come meanwhile are lost.
func (s *Shipper) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, s.abandon)
	defer stop()
	close(s.stop)
	s.wg.Wait()
	s.abandon()
}

// wait notes that the log has lines.
func (s *Shipper) wait(l *Log) {
	s.mu.Lock()
	s.waiting = append(s.waiting, l)
	s.mu.Unlock()
}

// hurry has lines written now.
func (s *Shipper) hurry() {
	select {
	case s.rush <- struct{}{}:
	default:
	}
}

// write takes lines from memory to the spool, and closes files in time.
func (s *Shipper) write() {
	tick := time.NewTicker(writeAfter)
	defer tick.Stop()
	var spare []byte
	for {
		last := false
		select {
		case <-tick.C:
		case <-s.rush:
		case <-s.stop:
			last = true
		}
		s.mu.Lock()
		waiting := s.waiting
		s.waiting = nil
		s.mu.Unlock()
		for _, l := range waiting {
			l.waiting.Store(false) // a line that comes now has it wait again
			for i := range l.queues {
				lines := l.queues[i].take(spare)
				if len(lines) > 0 {
					s.spool(l, lines)
				}
				spare = lines
			}
		}
		s.closeFiles(last)
		if last {
			return
		}
	}
}

// spool appends lines to the log's file.
func (s *Shipper) spool(l *Log, lines []byte) {
	err := error(nil)
	if l.file == nil {
		if l.file, err = s.openSpool(&l.to, time.Now().Truncate(interval).Add(interval)); err == nil {
			s.open[l] = true
		}
	}
	n := 0
	if err == nil {
		n, err = l.file.Write(lines)
		l.file.size += int64(n)
	}
	if err != nil {
		s.dropped.Add(uint64(countLines(lines[n:])))
		s.fail("lines of logs are lost", err, "load balancer", l.to.LoadBalancer)
	}
}

// closeFiles closes those whose interval is over, or that are large; all if last.
func (s *Shipper) closeFiles(last bool) {
	now := time.Now()
	closed := false
	for l := range s.open {
		if !last && now.Before(l.file.end) && l.file.size < largest {
			continue
		}
		if err := l.file.close(); err != nil {
			s.fail("a file of logs stays in the spool", err, "file", l.file.Name())
		}
		l.file = nil
		delete(s.open, l)
		closed = true
	}
	if closed {
		select {
		case s.due <- struct{}{}:
		default:
		}
	}
}

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

// deliverAll returns whether nothing is left.
func (s *Shipper) deliverAll() bool {
	names, err := s.closed()
	if err != nil {
		s.fail("the spool of logs can't be read", err)
		return false
	}
	refused := map[string]bool{} // directories: what one bucket refuses must not hold others up
	for _, name := range names {
		if dir := filepath.Dir(name); !refused[dir] {
			if err := s.deliverFile(name); err != nil {
				refused[dir] = true
				s.fail("a file of logs isn't delivered; it is tried again", err, "file", name)
			}
		}
		if s.ctx.Err() != nil {
			return false
		}
	}
	if len(refused) == 0 {
		s.failing.Store(false)
	}
	return len(refused) == 0
}

func (s *Shipper) deliverFile(name string) error {
	to, end, err := describe(name)
	if err != nil {
		return err
	}
	packed, err := pack(name)
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(packed.Close(), os.Remove(packed.Name())) }() // it was only read
	ctx, cancel := context.WithTimeout(s.ctx, putPatience)
	defer cancel()
	if err := s.put(ctx, to.Bucket, to.key(end, random()), packed); err != nil {
		return err
	}
	return os.Remove(name)
}

// fail tells of a failure: once, until all is well again.
func (s *Shipper) fail(what string, err error, args ...any) {
	if !s.failing.Swap(true) {
		s.log.Error(what, append(args, "error", err)...)
	}
}
