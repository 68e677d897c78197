package jwks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/jwt"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
)

// How long keys count. The service documents none of this; issuers say a day, or nothing, and
// take keys out of their sets within hours of replacing them.
const (
	usualLife = 10 * time.Minute // of an answer that doesn't say
	minLife   = time.Minute      // however short it says
	maxLife   = time.Hour        // however long

	// lastingLife is how much longer keys count while no new ones can be had: an issuer that is
	// down for a while locks nobody out, one that is gone for good does.
	lastingLife = time.Hour

	// retryAfter is for how long nobody is asked after a failure.
	retryAfter = 5 * time.Second

	// searchAfter is for how long nobody is asked for a key that wasn't in the set: else
	// whoever invents names of keys would have issuers asked.
	searchAfter = 10 * time.Second
)

// Error is why there are no keys.
type Error struct {
	URL      string
	TimedOut bool // nobody has answered, or not all of it, in time
	Err      error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("keys of %s: %v", e.URL, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Source is where the keys of an issuer are, at one URL.
type Source struct {
	url     string
	fetcher *Fetcher

	state atomic.Pointer[state]         // nil before the first fetch has ended
	fetch atomic.Pointer[chan struct{}] // closed when the fetch under way has ended; nil: none is
}

// state is what a source knows. It never changes.
type state struct {
	keys          *jwt.Set  // of the last good answer; nil: there was none
	body          []byte    // of it
	etag          string    // of it
	renew, expire time.Time // when it is fetched again beside requests, and before them

	asked time.Time // when the last fetch ended, good or not
	err   *Error    // of that; nil: it was good
}

// usable says whether the keys may be used at a time, be it because no others can be had.
func (s *state) usable(now time.Time) bool {
	return s != nil && s.keys != nil && (now.Before(s.expire) || s.err != nil && now.Before(s.expire.Add(lastingLife)))
}

// waits says whether it is too soon after a failure to ask again.
func (s *state) waits(now time.Time) bool {
	return s != nil && s.err != nil && now.Before(s.asked.Add(retryAfter))
}

// Keys returns the keys that count at a time, or why there are none. Neither: nobody
// knows without Wait.
func (s *Source) Keys(now time.Time) (*jwt.Set, error) {
	st := s.state.Load()
	switch {
	case st.usable(now) && (st.waits(now) || now.Before(st.renew)):
		return st.keys, nil
	case st.waits(now):
		return nil, st.err
	case st.usable(now):
		if s.fetch.Load() == nil {
			s.begin(st)
		}
		return st.keys, nil
	}
	return nil, nil
}

// Wait is Keys for who may wait: until ctx ends, and for a fetch at most.
func (s *Source) Wait(ctx context.Context, now time.Time) (*jwt.Set, error) {
	st := s.state.Load()
	if keys, err := s.Keys(now); keys != nil || err != nil {
		return keys, err
	}
	return s.await(ctx, s.begin(st))
}

// MayHaveOthers says whether there could be a key at the source by now that isn't in the
// keys, which it has returned: if they aren't the last ones, or have been looked for long
// enough ago.
func (s *Source) MayHaveOthers(keys *jwt.Set, now time.Time) bool {
	st := s.state.Load()
	return st.keys != keys || !now.Before(st.asked.Add(searchAfter))
}

// Others fetches the keys again, if they may be others, and returns those that there are.
func (s *Source) Others(ctx context.Context, keys *jwt.Set, now time.Time) (*jwt.Set, error) {
	st := s.state.Load()
	if st.keys != keys && st.usable(now) || !s.MayHaveOthers(keys, now) {
		return st.keys, nil
	}
	return s.await(ctx, s.begin(st))
}

// await waits for a fetch, and returns the keys after it.
func (s *Source) await(ctx context.Context, fetched <-chan struct{}) (*jwt.Set, error) {
	select {
	case <-fetched:
	case <-ctx.Done():
		return nil, &Error{URL: s.url, Err: ctx.Err()}
	}
	switch st := s.state.Load(); {
	case st.usable(time.Now()):
		return st.keys, nil
	case st != nil && st.err != nil:
		return nil, st.err
	}
	return nil, &Error{URL: s.url, Err: errors.New("it is over")}
}

// begin has the keys fetched, unless they are, or have been since they were as st
// has them. It returns what is closed after that.
func (s *Source) begin(st *state) <-chan struct{} {
	done := new(make(chan struct{}))
	for !s.fetch.CompareAndSwap(nil, done) {
		if other := s.fetch.Load(); other != nil {
			return *other
		}
	}
	end := func() {
		s.fetch.Store(nil)
		close(*done)
	}
	if s.state.Load() != st || !s.fetcher.start(func(ctx context.Context) {
		defer end()
		s.refresh(ctx)
	}) {
		end()
	}
	return *done
}

// refresh asks, and remembers what has come of it. One fetch runs at a time.
func (s *Source) refresh(ctx context.Context) {
	was := s.state.Load()
	if was == nil {
		was = new(state)
	}
	next, err := s.ask(ctx, was)
	if ctx.Err() != nil {
		return // not the issuer's fault
	}
	log := s.fetcher.log.With("url", s.url)
	if err != nil {
		failed := *was // with the keys that it has
		failed.asked, failed.err = time.Now(), &Error{URL: s.url, TimedOut: outbound.TimedOut(err), Err: err}
		if was.err == nil {
			log.Warn("keys that requests are checked by can't be fetched", "error", err, "earlier keys", was.keys != nil)
		}
		s.state.Store(&failed)
		return
	}
	if was.err != nil {
		log.Info("keys that requests are checked by are fetched again")
	}
	s.state.Store(next)
}

// ask fetches the keys, or hears that they are the same (RFC 9110 §13.1.2).
func (s *Source) ask(ctx context.Context, was *state) (*state, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	if was.etag != "" {
		r.Header.Set("If-None-Match", was.etag)
	}
	resp, err := s.fetcher.client.Do(r) //nolint:bodyclose // Read closes it
	if err != nil {
		return nil, err
	}
	body, err := outbound.Read(resp, jwt.MaxSetBytes)
	if err != nil {
		return nil, err
	}
	next := &state{keys: was.keys, body: was.body, etag: was.etag}
	switch {
	case resp.StatusCode == http.StatusNotModified && was.etag != "":
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	case was.keys != nil && bytes.Equal(body, was.body): // what is known by the keys stays so
		next.etag = resp.Header.Get("ETag")
	default:
		if next.keys, err = jwt.ParseSet(body); err != nil {
			return nil, err
		}
		next.body, next.etag = body, resp.Header.Get("ETag")
	}
	life := lifetime(resp.Header)
	next.asked = time.Now()
	next.renew, next.expire = next.asked.Add(life*3/4), next.asked.Add(life)
	return next, nil
}

// lifetime returns for how long an answer counts (RFC 9111 §4.2.1), within bounds.
func lifetime(h http.Header) time.Duration {
	life := usualLife
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minLife
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return minLife // RFC 9111 §4.2.1: what is no number is stale
			}
			age, err := strconv.ParseUint(h.Get("Age"), 10, 31)
			if err != nil {
				age = 0
			}
			life = time.Duration(max(0, int64(seconds)-int64(age))) * time.Second
		}
	}
	return min(max(life, minLife), maxLife)
}
