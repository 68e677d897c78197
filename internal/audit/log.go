package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options say where the log is, and how much of it.
type Options struct {
	Dir      string        // made if it isn't there
	MaxBytes int64         // of all segments together; 0: DefaultMaxBytes
	MaxAge   time.Duration // a segment goes when all of it is older; 0: DefaultMaxAge
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Defaults of Options: a year at some three changes a second.
const (
	DefaultMaxBytes = 1 << 30
	DefaultMaxAge   = 366 * 24 * time.Hour
)

const (
	// syncEvery is how long a record may be in its file before the disk is told
	// to keep it.
	syncEvery = time.Second
	// patience is how long a call waits for its record to be in its file.
	patience = 250 * time.Millisecond
	// waiting bounds the records that wait for a disk that is slow.
	waiting = 4096
)

// Log appends records and finds them again.
type Log struct {
	o     Options
	queue chan entry
	lost  atomic.Int64

	closing chan struct{}
	once    sync.Once
	ended   chan struct{}

	seg *segment // of the writer's goroutine alone
}

type entry struct {
	record  Record
	line    []byte
	written chan struct{}
}

var errBusy = errors.New("the disk is too slow, or the log is closed")

// Open opens the log for appending. Close ends it.
func Open(o Options) (*Log, error) {
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	o.MaxAge = cmp.Or(o.MaxAge, DefaultMaxAge)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	seg, err := openNewest(o)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := &Log{o: o, queue: make(chan entry, waiting), closing: make(chan struct{}), ended: make(chan struct{}), seg: seg}
	go l.write()
	return l, nil
}

// Close writes what waits, has the disk keep it, and ends the log.
func (l *Log) Close() {
	l.once.Do(func() { close(l.closing) })
	<-l.ended
}

// Lost is how many records couldn't be written since the log was opened.
func (l *Log) Lost() int64 { return l.lost.Load() }

// Append writes a record, once secrets are taken out of it. reply is the shape
// that the call was answered with, nil for an error. It returns when the record is
// in its file, but after a moment in any case (patience).
//
// A record that can't be written is lost to the log but not without trace: the
// server's own log has its essence, Lost counts it, and the next record that can
// be written is preceded by one that says how many are missing.
func (l *Log) Append(r Record, reply any) {
	e := entry{r, r.encode(reply), make(chan struct{})}
	select {
	case <-l.closing:
		l.lose(errBusy, e)
		return
	default:
	}
	select {
	case l.queue <- e:
	default:
		l.lose(errBusy, e)
		return
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-e.written:
	case <-limit.C:
	}
}

func (l *Log) lose(err error, entries ...entry) {
	l.lost.Add(int64(len(entries)))
	for _, e := range entries {
		l.o.Log.Error("audit record not written", "error", err, "account", e.record.Account, "access_key_id", e.record.AccessKeyID, "source", e.record.Source,
			"service", e.record.Service, "action", e.record.Action, "code", e.record.Code, "request_id", e.record.RequestID)
	}
}

// maxBatch is how many records are written at once.
const maxBatch = 256

// write is the writer's goroutine.
func (l *Log) write() {
	defer close(l.ended)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	told := int64(0) // of l.lost, how many a record tells of or will tell of
	for done := false; !done; {
		var batch []entry
		select {
		case e := <-l.queue:
			batch = append(batch, e)
		case <-tick.C:
			if err := l.seg.sync(); err != nil {
				l.o.Log.Error("audit log not synced", "error", err)
			}
			continue
		case <-l.closing:
			done = true
		}
		for more := true; more && (done || len(batch) < maxBatch); {
			select {
			case e := <-l.queue:
				batch = append(batch, e)
			default:
				more = false
			}
		}
		if len(batch) == 0 {
			continue
		}
		missing := l.lost.Load() - told
		if err := l.put(batch, int(missing)); err != nil {
			l.lose(err, batch...)
		} else {
			told += missing
		}
		for _, e := range batch {
			close(e.written)
		}
	}
	if err := errors.Join(l.seg.sync(), l.seg.close()); err != nil {
		l.o.Log.Error("audit log not closed", "error", err)
	}
}

// put writes records, all or none, in a fresh segment if the present one is full.
func (l *Log) put(batch []entry, missing int) error {
	now := l.o.Now().UTC()
	var lines []byte
	if missing > 0 {
		line, err := json.Marshal(Record{Time: now, Lost: missing})
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	for _, e := range batch {
		lines = append(lines, e.line...)
	}
	if l.seg.full(l.o, int64(len(lines)), now) {
		next, err := l.seg.next(l.o, now)
		if err != nil {
			return err
		}
		l.seg = next
	}
	return l.seg.append(lines)
}
