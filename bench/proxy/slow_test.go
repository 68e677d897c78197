package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkSlowStream is HTTP/2 on one connection, 127 streams of 100 KiB at once,
// against the same beside a stream that its client doesn't read.
func BenchmarkSlowStream(b *testing.B) {
	scenario{size: 100 << 10, connections: 127, tls: true, shared: true, against: []starter{startSlowed}}.run(b)
}

// startSlowed starts the proxy under test for clients of whom one reads nothing.
func startSlowed(b *testing.B, to setup) *contestant {
	c := startSelf(b, "slowed", to)
	c.slowed = true
	return c
}

// envShared has streams share a connection: "slow" is one more that isn't read.
const envShared = "FAIRLEAD_BENCH_SHARED"

// share asks for a while on streams of one connection, and says what it counted as wrk
// does.
func share(addr string, streams int, slow bool, d time.Duration) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	t := &http.Transport{
		Protocols:       protocols,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		HTTP2:           &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, StrictMaxConcurrentRequests: true},
	}
	defer t.CloseIdleConnections()
	ask := func(ctx context.Context) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", "https://"+addr+"/", nil)
		if err != nil {
			return nil, err
		}
		return t.RoundTrip(r)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if slow {
		if _, err := ask(ctx); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	var failed error
	begin := time.Now()
	for range streams {
		wg.Go(func() {
			mine, err := shareOne(ctx, ask, begin.Add(d))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	slices.Sort(took)
	fmt.Printf("  99%% %v\n%d requests in %v\nRequests/sec: %.2f\n", took[len(took)*99/100], len(took), d, float64(len(took))/time.Since(begin).Seconds())
	return nil
}

func shareOne(ctx context.Context, ask func(context.Context) (*http.Response, error), until time.Time) (took []time.Duration, err error) {
	for at := time.Now(); at.Before(until); at = time.Now() {
		resp, err := ask(ctx)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		if err != nil || resp.StatusCode != 200 {
			return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
		}
		took = append(took, time.Since(at))
	}
	return took, nil
}
