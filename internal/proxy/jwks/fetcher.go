package jwks

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"weak"
)

// Fetcher has the sources of a host.
type Fetcher struct {
	client *http.Client
	log    *slog.Logger

	ctx    context.Context // of fetches
	cancel context.CancelFunc

	mu      sync.Mutex // guards the following
	sources map[string]weak.Pointer[Source]
	fetches sync.WaitGroup // isn't added to once closed
	closed  bool
}

// New returns a fetcher that asks with the client. Close it in the end.
func New(client *http.Client, log *slog.Logger) *Fetcher {
	f := &Fetcher{client: client, log: log, sources: map[string]weak.Pointer[Source]{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Source returns the source of a URL's keys: the one that others have, if they do. It is
// forgotten when nobody has it any more.
func (f *Fetcher) Source(url string) *Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.sources[url].Value(); s != nil {
		return s
	}
	s := &Source{url: url, fetcher: f}
	f.sources[url] = weak.Make(s)
	runtime.AddCleanup(s, f.forget, url)
	return s
}

// forget lets go of a source that is gone, unless there is another of its URL by now.
func (f *Fetcher) forget(url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sources[url].Value() == nil {
		delete(f.sources, url)
	}
}

// start has a fetch run; false after Close.
func (f *Fetcher) start(fetch func(context.Context)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.fetches.Go(func() { fetch(f.ctx) })
	}
	return !f.closed
}

// Close ends fetches under way, and returns when they have ended. Who waits for one is told.
func (f *Fetcher) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.fetches.Wait()
}
