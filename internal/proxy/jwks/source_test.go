package jwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/proxy/jwks"
	"github.com/fairlead/fairlead/internal/proxy/jwt"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const url = "https://id.test/keys"

// set is a set of one key that has the name.
func set(id string) string {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	point, _ := k.PublicKey.Bytes()
	b64 := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}]}`, id, b64(point[1:33]), b64(point[33:]))
}

// issuer answers requests for keys, as an http.RoundTripper.
type issuer struct {
	mu     sync.Mutex // guards the following
	asked  int
	etags  []string // that were shown to it
	body   string
	header http.Header
	status int
	err    error
	takes  time.Duration
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.asked++
	i.etags = append(i.etags, r.Header.Get("If-None-Match"))
	resp := &http.Response{StatusCode: i.status, Status: http.StatusText(i.status), Header: i.header.Clone(), Body: io.NopCloser(strings.NewReader(i.body)), ContentLength: int64(len(i.body)), Request: r}
	err, takes := i.err, i.takes
	i.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (i *issuer) change(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// inBubble has a test run with a source of its own, and time that waits for nobody.
func inBubble(t *testing.T, test func(t *testing.T, i *issuer, s *jwks.Source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{body: set("a"), header: http.Header{}, status: 200}
		f := jwks.New(&http.Client{Transport: i, Timeout: outbound.Timeout}, slog.New(slog.NewTextHandler(t.Output(), nil)))
		defer f.Close()
		test(t, i, f.Source(url))
	})
}

// mustWait returns the keys that there have to be.
func mustWait(t *testing.T, s *jwks.Source) *jwt.Set {
	t.Helper()
	keys, err := s.Wait(t.Context(), time.Now())
	if err != nil || keys == nil {
		t.Fatalf("got %v, %v; want keys", keys, err)
	}
	return keys
}

func TestKeysAreFetchedOnceForAllWhoWait(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
		i.takes = time.Second
		if keys, err := s.Keys(time.Now()); keys != nil || err != nil {
			t.Fatalf("got %v, %v before anybody has asked; want neither", keys, err)
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { mustWait(t, s) })
		}
		wg.Wait()
		if keys, err := s.Keys(time.Now()); keys == nil || err != nil {
			t.Errorf("got %v, %v; want keys", keys, err)
		}
		if got := i.count(); got != 1 {
			t.Errorf("asked %d times, want 1", got)
		}
	})
}

func TestKeysAreRenewedBesideRequestsBeforeTheyExpire(t *testing.T) {
	for control, tt := range map[string]struct{ renew, life time.Duration }{
		"":                                  {450 * time.Second, 600 * time.Second},
		"max-age=1200":                      {900 * time.Second, 1200 * time.Second},
		"public, Max-Age=\"1200\"":          {900 * time.Second, 1200 * time.Second},
		"max-age=0":                         {45 * time.Second, time.Minute},
		"max-age=-1":                        {45 * time.Second, time.Minute},
		"no-store":                          {45 * time.Second, time.Minute},
		"no-cache, max-age=1200":            {45 * time.Second, time.Minute},
		"max-age=31536000":                  {45 * time.Minute, time.Hour},
		"max-age=99999999999999999999":      {45 * time.Second, time.Minute},
		"s-maxage=5, max-age=1200, private": {900 * time.Second, 1200 * time.Second},
	} {
		t.Run(control, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
				i.header.Set("Cache-Control", control)
				mustWait(t, s)
				begun := time.Now()
				time.Sleep(tt.renew - time.Millisecond)
				if keys, _ := s.Keys(time.Now()); keys == nil || i.count() != 1 {
					t.Errorf("after %v: keys %v, asked %d times", time.Since(begun), keys, i.count())
				}
				i.change(func() { i.takes = time.Second })
				time.Sleep(time.Millisecond)
				for range 10 {
					if keys, _ := s.Keys(time.Now()); keys == nil {
						t.Error("a request has to wait for keys that still count")
					}
				}
				synctest.Wait()
				time.Sleep(2 * time.Second)
				if got := i.count(); got != 2 {
					t.Errorf("asked %d times, want 2", got)
				}
				time.Sleep(tt.life) // without a request
				if keys, err := s.Keys(time.Now()); keys != nil || err != nil || i.count() != 2 {
					t.Errorf("got %v, %v when they have expired, asked %d times; want neither", keys, err, i.count())
				}
				mustWait(t, s)
			})
		})
	}
}

// A set that is the same is the same one: what is known by it stays known.
func TestAnAnswerThatSaysNothingNewChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
		i.header.Set("ETag", `"1"`)
		first := mustWait(t, s)
		time.Sleep(time.Hour)
		if mustWait(t, s) != first {
			t.Error("the same body makes another set")
		}
		i.change(func() { i.status, i.body = 304, "" })
		time.Sleep(time.Hour)
		if mustWait(t, s) != first {
			t.Error("304 makes another set")
		}
		if got := strings.Join(i.etags, ","); got != `,"1","1"` {
			t.Errorf("asked with %s", got)
		}
		i.change(func() { i.status, i.body = 200, set("b") })
		time.Sleep(time.Hour)
		if mustWait(t, s) == first {
			t.Error("another body makes no other set")
		}
	})
}

func TestTheLastKeysCountForAWhileWhenThereAreNoOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
		first := mustWait(t, s)
		i.change(func() { i.err = errors.New("connection refused") })
		end := time.Now().Add(10*time.Minute + time.Hour)
		for ; time.Now().Before(end); time.Sleep(time.Second) {
			if keys, err := s.Wait(t.Context(), time.Now()); keys != first || err != nil {
				t.Fatalf("%v before the end: got %v, %v", time.Until(end), keys, err)
			}
		}
		if got := i.count(); got < 700 || got > 800 { // each 5 s for 62.5 min
			t.Errorf("asked %d times, want each 5 s", got)
		}
		_, err := s.Wait(t.Context(), time.Now())
		var failure *jwks.Error
		if !errors.As(err, &failure) || failure.TimedOut || failure.URL != url {
			t.Errorf("afterwards: got %v, want a failure of %s", err, url)
		}
		i.change(func() { i.err = nil })
		time.Sleep(5 * time.Second)
		mustWait(t, s)
	})
}

func TestAFailureIsToldAtOnceForAWhile(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*issuer)
		slow   bool
	}{
		"it takes too long":      {func(i *issuer) { i.takes = time.Minute }, true},
		"it can't be reached":    {func(i *issuer) { i.err = io.ErrUnexpectedEOF }, false},
		"its answer is an error": {func(i *issuer) { i.status = 500 }, false},
		"it redirects":           {func(i *issuer) { i.status = 302 }, false},
		"nothing new, at first":  {func(i *issuer) { i.status = 304 }, false},
		"its answer is too long": {func(i *issuer) { i.body += strings.Repeat(" ", jwt.MaxSetBytes) }, false},
		"its answer is no set":   {func(i *issuer) { i.body = "<html>" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
				tt.change(i)
				for n := 1; n <= 3; n++ {
					began := time.Now()
					_, err := s.Wait(t.Context(), time.Now())
					var failure *jwks.Error
					if !errors.As(err, &failure) || failure.TimedOut != tt.slow || i.count() != n {
						t.Fatalf("got %v, asked %d times; want a failure that timed out: %v", err, i.count(), tt.slow)
					}
					if took := time.Since(began); tt.slow && took != outbound.Timeout {
						t.Errorf("told after %v, want %v", took, outbound.Timeout)
					}
					for range 4 {
						if _, err := s.Keys(time.Now()); err == nil || i.count() != n {
							t.Errorf("got %v at once, asked %d times; want the failure", err, i.count())
						}
						time.Sleep(time.Second)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}

// Who invents names of keys can't have issuers asked for each.
func TestAKeyThatIsMissingIsLookedForOnceInAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
		first := mustWait(t, s)
		if s.MayHaveOthers(first, time.Now()) {
			t.Error("it may have others, that was just asked")
		}
		if keys, err := s.Others(t.Context(), first, time.Now()); keys != first || err != nil || i.count() != 1 {
			t.Errorf("got %v, %v, asked %d times; want the same at once", keys, err, i.count())
		}
		time.Sleep(10 * time.Second)
		if !s.MayHaveOthers(first, time.Now()) {
			t.Error("it can't have others, that was asked 10 s ago")
		}
		i.change(func() { i.body = set("b") })
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if keys, err := s.Others(t.Context(), first, time.Now()); keys == first || err != nil {
					t.Errorf("got %v, %v; want others", keys, err)
				}
			})
		}
		wg.Wait()
		if got := i.count(); got != 2 {
			t.Errorf("asked %d times, want 2", got)
		}
		second := mustWait(t, s)
		time.Sleep(10 * time.Second)
		i.change(func() { i.status = 500 })
		if keys, err := s.Others(t.Context(), second, time.Now()); keys != second || err != nil {
			t.Errorf("got %v, %v of an issuer that is down; want those that count", keys, err)
		}
	})
}

func TestWaitingEndsWithWhoWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, i *issuer, s *jwks.Source) {
		i.takes = 3 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := s.Wait(ctx, began); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		mustWait(t, s)
		if got := i.count(); got != 1 {
			t.Errorf("asked %d times, want 1", got)
		}
	})
}

func TestCloseEndsFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{takes: time.Second, status: 200, body: set("a")}
		f := jwks.New(&http.Client{Transport: i}, slog.New(slog.DiscardHandler))
		s := f.Source(url)
		var wg sync.WaitGroup
		wg.Go(func() {
			if keys, err := s.Wait(t.Context(), time.Now()); keys != nil || err == nil {
				t.Errorf("got %v, %v; want an error", keys, err)
			}
		})
		synctest.Wait()
		began := time.Now()
		f.Close()
		wg.Wait()
		if keys, err := s.Wait(t.Context(), time.Now()); keys != nil || err == nil || time.Since(began) != 0 {
			t.Errorf("afterwards: got %v, %v; want an error", keys, err)
		}
	})
}

func TestASourceIsSharedForAsLongAsSomebodyHasIt(t *testing.T) {
	f := jwks.New(http.DefaultClient, slog.New(slog.DiscardHandler))
	defer f.Close()
	s := f.Source(url)
	if f.Source(url) != s || f.Source(url+"/other") == s {
		t.Error("a URL has one source, and no other URL has it")
	}
	runtime.KeepAlive(s)
	for range 1000 {
		if runtime.GC(); f.Sources() == 0 {
			return
		}
		runtime.Gosched() // cleanups have a goroutine of their own
	}
	t.Errorf("%d sources are left that nobody has", f.Sources())
}
