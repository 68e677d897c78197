package logship_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/logship"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bucket is objects in memory.
type bucket struct {
	mu      sync.Mutex
	objects map[string]string
	refuse  error
	answer  error                 // of those that were taken all the same
	silent  string                // the name of one that doesn't answer
	closed  func(key string) bool // which keys are refused
}

func (b *bucket) put(ctx context.Context, name, key string, body io.ReadSeeker) error {
	if name == b.silent {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	if b.closed != nil && b.closed(key) {
		return errors.New("not here")
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if strings.HasSuffix(key, ".gz") {
		z, err := gzip.NewReader(strings.NewReader(string(text)))
		if err != nil {
			return err
		}
		if text, err = io.ReadAll(z); err != nil {
			return err
		}
	}
	if b.objects == nil {
		b.objects = map[string]string{}
	}
	b.objects[name+"/"+key] = string(text)
	return b.answer
}

// keys returns those of the objects, sorted, without what is random in them.
func (b *bucket) keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := slices.Collect(maps.Keys(b.objects))
	for i := range keys {
		keys[i] = regexp.MustCompile(`_[a-z0-9]{8}\.log`).ReplaceAllString(keys[i], "_RANDOM.log")
	}
	slices.Sort(keys)
	return keys
}

func (b *bucket) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all strings.Builder
	for _, k := range slices.Sorted(maps.Keys(b.objects)) {
		all.WriteString(b.objects[k])
	}
	return all.String()
}

func (b *bucket) refusing(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = err
}

var access = logship.Destination{
	Kind: logship.Access, Bucket: "logs", Prefix: "alb", Account: "210987654321", Region: "eu-test-1",
	LoadBalancer: "app/shop/0f1e2d3c4b5a6978", Node: netip.MustParseAddr("203.0.113.17"),
}

func start(t *testing.T, dir string, b *bucket) *logship.Shipper {
	t.Helper()
	s, err := logship.New(logship.Options{Dir: dir, Threads: 2, Put: b.put, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFilesAreClosedByTheClockAndNamedByTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 22, 6, 1, 0, 0, time.UTC)))
		b := &bucket{}
		s := start(t, t.TempDir(), b)
		connection := access
		connection.Kind, connection.Prefix = logship.Connection, ""
		health := access
		health.Kind = logship.HealthCheck
		s.Log(access).Line(0, []byte("one\n"))
		s.Log(access).Line(1, []byte("two\n"))
		s.Log(connection).Line(0, []byte("three\n"))
		s.Log(health).Line(0, []byte("four\n"))
		time.Sleep(3*time.Minute + 58*time.Second)
		synctest.Wait()
		if keys := b.keys(); len(keys) > 0 {
			t.Errorf("before the interval is over: %v", keys)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		s.Log(access).Line(0, []byte("five\n"))
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		const day = "AWSLogs/210987654321/elasticloadbalancing/eu-test-1/2026/11/22/"
		want := []string{
			"logs/" + day + "conn_log_210987654321_elasticloadbalancing_eu-test-1_app.shop.0f1e2d3c4b5a6978_20261122T0605Z_203.0.113.17_RANDOM.log.gz",
			"logs/alb/" + day + "210987654321_elasticloadbalancing_eu-test-1_app.shop.0f1e2d3c4b5a6978_20261122T0605Z_203.0.113.17_RANDOM.log.gz",
			"logs/alb/" + day + "210987654321_elasticloadbalancing_eu-test-1_app.shop.0f1e2d3c4b5a6978_20261122T0610Z_203.0.113.17_RANDOM.log.gz",
			"logs/alb/" + day + "health_check_log_210987654321_elasticloadbalancing_eu-test-1_app.shop.0f1e2d3c4b5a6978_20261122T0605Z_203.0.113.17_RANDOM.log.gz",
		}
		if got := b.keys(); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := b.all(); got != "three\none\ntwo\nfive\nfour\n" {
			t.Errorf("lines: %q", got)
		}
		s.Close(t.Context())
	})
}

func TestABucketThatRefusesGetsItsFilesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{refuse: errors.New("no room")}
		dir := t.TempDir()
		s := start(t, dir, b)
		s.Log(access).Line(0, []byte("one\n"))
		time.Sleep(20 * time.Minute)
		b.refusing(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.all(); got != "one\n" {
			t.Errorf("lines: %q", got)
		}
		s.Close(t.Context())
		if left, _ := filepath.Glob(filepath.Join(dir, "*", "*.closed*")); len(left) > 0 {
			t.Errorf("left in the spool: %v", left)
		}
	})
}

// A process that is killed loses what is in memory, a second's lines at most, and
// nothing of the spool but the line that it was writing.
func TestWhatIsInTheSpoolOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	b := &bucket{refuse: errors.New("not now")}
	s := start(t, dir, b)
	s.Log(access).Line(0, []byte("one\ntwo\n"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Close(ctx)
	closed, _ := filepath.Glob(filepath.Join(dir, "*", "*.closed"))
	if len(closed) != 1 {
		t.Fatalf("spool: %v", closed)
	}
	if err := os.WriteFile(closed[0], []byte("one\ntwo\nthr"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(closed[0], strings.TrimSuffix(closed[0], ".closed")+".open"); err != nil {
		t.Fatal(err)
	}
	// Another was only begun, and a third was being delivered.
	for _, name := range []string{"1-a.open", "1-b.closed.gz"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(closed[0]), name), []byte("thr"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.refusing(nil)
	s = start(t, dir, b)
	if got := s.Stats().Spooled; got > 8 {
		t.Errorf("%d bytes are in the spool, want 8", got)
	}
	s.Close(t.Context())
	if got := b.all(); got != "one\ntwo\n" || len(b.keys()) != 1 {
		t.Errorf("lines: %q, in %v", got, b.keys())
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if len(left) != 1 || filepath.Base(left[0]) != "destination.json" {
		t.Errorf("left in the spool: %v", left)
	}
	if got, want := s.Stats(), (logship.Stats{Delivered: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// An answer may be lost on its way: the object is written again, not another one.
func TestAFileIsOneObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{answer: errors.New("connection reset")}
		s := start(t, t.TempDir(), b)
		s.Log(access).Line(0, []byte("one\n"))
		time.Sleep(10 * time.Minute)
		s.Close(t.Context())
		if keys := b.keys(); len(keys) != 1 || s.Stats().Failed < 2 {
			t.Errorf("after %d attempts there are %v", s.Stats().Failed, keys)
		}
	})
}

func TestALogThatIsRefusedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{silent: "silent", closed: func(key string) bool { return strings.HasPrefix(key, "closed") }}
		s := start(t, t.TempDir(), b)
		for i := range 5 { // enough to have the bucket left alone
			to := access
			to.Prefix = fmt.Sprintf("closed%d", i)
			s.Log(to).Line(0, []byte("lost\n"))
			to.Bucket = "silent"
			s.Log(to).Line(0, []byte("lost\n"))
		}
		time.Sleep(10 * time.Minute) // they are the oldest
		to := access
		to.Bucket = "other"
		s.Log(to).Line(0, []byte("other\n"))
		to.Bucket, to.Prefix = "logs", "open"
		s.Log(to).Line(0, []byte("open\n"))
		time.Sleep(17 * time.Minute) // an interval, and a round that waits for the silent one
		synctest.Wait()
		if got := b.all(); got != "open\nother\n" {
			t.Errorf("lines: %q", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.Close(ctx)
	})
}

// The disk is the store's, too: what no bucket takes fills it to a bound.
func TestTheSpoolIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{closed: func(key string) bool { return strings.HasPrefix(key, "closed") }}
		dir := t.TempDir()
		s, err := logship.New(logship.Options{Dir: dir, Threads: 1, Put: b.put, MaxSpool: 10_000, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		to := access
		to.Prefix = "closed"
		for i := range 40 {
			s.Log(to).Line(0, fmt.Appendf(nil, "%999d\n", i))
			s.Log(access).Line(0, []byte("x\n"))
			time.Sleep(5 * time.Minute)
		}
		synctest.Wait()
		if got := s.Stats(); got.Spooled > 10_000 || got.Spooled < 8_000 || got.DroppedLines+uint64(got.Spooled/1000) != 40 {
			t.Errorf("counted %+v of 40 lines of 1000 bytes, and 10000 bytes of room", got)
		}
		b.mu.Lock()
		b.closed = nil
		b.mu.Unlock()
		s.Close(t.Context())
		all := b.all()
		if strings.Count(all, "x\n") != 40 || strings.Contains(all, " 5\n") || !strings.Contains(all, " 39\n") {
			t.Errorf("delivered:\n%s", all)
		}
		if got := s.Stats().Spooled; got != 0 {
			t.Errorf("%d bytes are in the spool that isn't", got)
		}
	})
}

// A log without lines for long is forgotten, but not by who has it.
func TestAnIdleLogGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{}
		s := start(t, t.TempDir(), b)
		l := s.Log(access)
		l.Line(0, []byte("one\n"))
		time.Sleep(time.Hour)
		if s.Log(access) == l {
			t.Error("an idle log is kept")
		}
		l.Line(0, []byte("two\n"))
		s.Log(access).Line(0, []byte("three\n"))
		s.Close(t.Context())
		if got := b.all(); strings.Count(got, "\n") != 3 {
			t.Errorf("lines: %q", got)
		}
	})
}

func TestLinesThatFindNoRoomAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{}
		s := start(t, t.TempDir(), b)
		line := []byte(strings.Repeat("x", 1023) + "\n")
		l := s.Log(access)
		for range 2000 { // two MiB, before the writer has its turn
			l.Line(0, line)
		}
		synctest.Wait()
		dropped := int(s.Stats().DroppedLines)
		s.Close(t.Context())
		if got := strings.Count(b.all(), "\n"); dropped == 0 && got != 2000 || got+dropped != 2000 {
			t.Errorf("%d lines delivered and %d dropped of 2000", got, dropped)
		}
	})
}

func TestLinesOfAnySizeStayWhole(t *testing.T) {
	b := &bucket{}
	s := start(t, t.TempDir(), b)
	var want strings.Builder
	for _, n := range []int{1, 4094, 1, 1, 4096, 4097, 100, 1 << 16, 1<<16 + 1, 200_000, 3} {
		line := strings.Repeat(string(rune('a'+n%26)), n-1) + "\n"
		want.WriteString(line)
		s.Log(access).Line(0, []byte(line))
	}
	s.Close(t.Context())
	if got := b.all(); got != want.String() {
		t.Errorf("%d bytes are delivered of %d", len(got), want.Len())
	}
}

func TestManyThreadsLoseNothing(t *testing.T) {
	b := &bucket{}
	s := start(t, t.TempDir(), b)
	var wg sync.WaitGroup
	for thread := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				s.Log(access).Line(thread, fmt.Appendf(nil, "%d.%d\n", thread, i))
			}
		})
	}
	wg.Wait()
	s.Close(t.Context())
	lines := strings.Split(strings.TrimSpace(b.all()), "\n")
	slices.Sort(lines)
	if n := len(slices.Compact(lines)); n != 4000 {
		t.Errorf("%d different lines, want 4000", n)
	}
}

func TestABucketIsTested(t *testing.T) {
	b := &bucket{}
	if err := logship.Test(t.Context(), b.put, access); err != nil {
		t.Fatal(err)
	}
	if got := b.keys(); len(got) != 1 || got[0] != "logs/alb/AWSLogs/210987654321/ELBAccessLogTestFile" {
		t.Errorf("got %v", got)
	}
	b.refusing(os.ErrPermission)
	if err := logship.Test(t.Context(), b.put, access); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a bucket that refuses: %v", err)
	}
}

func BenchmarkLine(b *testing.B) {
	s, err := logship.New(logship.Options{Dir: b.TempDir(), Threads: 1, Put: (&bucket{}).put, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	l, line := s.Log(access), []byte(strings.Repeat("x", 499)+"\n")
	b.ReportAllocs()
	for b.Loop() {
		l.Line(0, line)
	}
	b.ReportMetric(float64(s.Stats().DroppedLines), "dropped")
}
