package logship

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
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

// defaultMaxSpool is how many bytes the spool has at most unless told otherwise.
const defaultMaxSpool = 1 << 30

// Put puts an object into a bucket. It reads body from its present place to its end.
type Put func(ctx context.Context, bucket, key string, body io.ReadSeeker) error

// Options is what a Shipper needs.
type Options struct {
	Dir     string // of the spool
	Threads int    // that have lines
	Put     Put
	Log     *slog.Logger

	// MaxSpool is how many bytes the spool may have; 0: a GiB. Then the oldest
	// files that no bucket has taken are lost.
	MaxSpool int64
}

// Stats is what has become of lines.
type Stats struct {
	DroppedLines uint64 // found no room, in memory or in the spool
	Spooled      int64  // bytes in the spool, not compressed
	Delivered    uint64 // objects
	Failed       uint64 // attempts to deliver one
}

// Shipper has the logs of one host.
type Shipper struct {
	dir     string
	threads int
	put     Put
	log     *slog.Logger

	maxSpool int64
	memory   memory // that lines wait in

	dropped, delivered, failed atomic.Uint64
	spooled                    atomic.Int64 // bytes

	mu      sync.Mutex // guards the following
	logs    map[Destination]*Log
	waiting []*Log          // with lines in memory
	told    map[string]bool // failures

	open    map[*Log]bool   // those with a file; the writer's
	swept   time.Time       // the writer's
	refused map[string]bool // spool directories whose delivery failed last; the deliverer's
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
		maxSpool: cmp.Or(o.MaxSpool, defaultMaxSpool),
		logs:     map[Destination]*Log{}, open: map[*Log]bool{}, swept: time.Now(), refused: map[string]bool{}, told: map[string]bool{},
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

// Log returns the log of a destination: the same one as before, if that has had
// lines of late.
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
	return put(ctx, to.Bucket, to.TestKey(), testBody())
}

// Stats returns the counts since the start.
func (s *Shipper) Stats() Stats {
	return Stats{DroppedLines: s.dropped.Load(), Spooled: s.spooled.Load(), Delivered: s.delivered.Load(), Failed: s.failed.Load()}
}

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
				for _, c := range l.queues[i].take() {
					s.spool(l, c.lines)
					s.memory.giveBack(c)
				}
			}
		}
		s.closeFiles(last)
		s.trim()
		s.sweep()
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
	if err == nil {
		if err = l.file.append(lines); err == nil {
			s.spooled.Add(int64(len(lines)))
			return
		}
	}
	s.dropped.Add(countLines(lines))
	s.fail("lines of logs are lost", err, "load balancer", l.to.LoadBalancer)
}

// sweep forgets logs that have no lines, once in an interval. Whoever still has one
// may go on with it.
func (s *Shipper) sweep() {
	if now := time.Now(); now.Sub(s.swept) >= interval {
		s.swept = now
		s.mu.Lock()
		maps.DeleteFunc(s.logs, func(_ Destination, l *Log) bool { return l.file == nil && !l.waiting.Load() })
		s.mu.Unlock()
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

// fail tells of a failure: once of each kind, until all is well again.
func (s *Shipper) fail(what string, err error, args ...any) {
	s.mu.Lock()
	told := s.told[what]
	s.told[what] = true
	s.mu.Unlock()
	if !told {
		s.log.Error(what, append(args, "error", err)...)
	}
}

// well ends the failures that were told of.
func (s *Shipper) well() {
	s.mu.Lock()
	failed := len(s.told) > 0
	clear(s.told)
	s.mu.Unlock()
	if failed {
		s.log.Info("logs are delivered again")
	}
}
