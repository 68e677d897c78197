package wire_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/wire"
)

type streamInput struct {
	From *int32 `in:"From"`
}

var ownSpec = wire.ServiceSpec{Name: "own", Version: "2026-11-01", Protocol: wire.EC2Query, Namespace: "urn:own"}

// streaming is a server whose stream counts from one on until nobody listens.
func streaming(t *testing.T, ended *sync.WaitGroup) (*wire.Server, wire.Client) {
	t.Helper()
	svc := wire.NewService(ownSpec)
	wire.HandleStream(svc, "StreamNumbers", func(ctx context.Context, _ *wire.Call, in *streamInput, out *wire.EventStream) error {
		defer ended.Done()
		n, _ := strconv.Atoi(out.LastEventID)
		if in.From != nil && *in.From < 0 {
			return apierr.New("InvalidParameterValue", "no such number")
		}
		if err := out.Open(); err != nil {
			return err
		}
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
				n++
				if err := errors.Join(out.Comment("life"), out.Send(fmt.Sprint(n), "number", []byte(`{"n":1}`))); err != nil {
					return err
				}
			}
		}
	})
	srv := wire.NewServer(wire.Config{Keys: keys{}, Log: slog.New(slog.DiscardHandler)}, svc)
	h := httptest.NewServer(srv)
	t.Cleanup(func() { srv.EndStreams(); h.Close() })
	return srv, wire.Client{Endpoint: h.URL, Spec: ownSpec, Region: "local-1", AccessKeyID: keyID, Secret: secret}
}

var errEnough = errors.New("enough")

func TestAStreamIsReadAndResumed(t *testing.T) {
	var ended sync.WaitGroup
	srv, c := streaming(t, &ended)
	read := func(last string, n int) (ids []string) {
		t.Helper()
		ended.Add(1)
		err := c.Stream(t.Context(), "StreamNumbers", &streamInput{}, last, func(e wire.ServerEvent) error {
			if e.Kind != "number" || e.Data != `{"n":1}` || fmt.Sprint(e.Seq()) != e.ID {
				t.Errorf("got %+v", e)
			}
			if ids = append(ids, e.ID); len(ids) == n {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		ended.Wait() // the handler learns that nobody listens
		return ids
	}
	if got := strings.Join(read("", 3), " "); got != "1 2 3" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(read("41", 2), " "); got != "42 43" {
		t.Errorf("resumed after 41: got %s", got)
	}
	ended.Add(1)
	err := c.Stream(t.Context(), "StreamNumbers", &streamInput{From: new(int32(-1))}, "", nil)
	if refusal, ok := errors.AsType[*apierr.Error](err); !ok || refusal.Code != "InvalidParameterValue" {
		t.Errorf("before it opens, a handler refuses as any other: got %v", err)
	}
	forged := c
	forged.Secret = "another"
	if err := forged.Stream(t.Context(), "StreamNumbers", &streamInput{}, "", nil); err == nil || !strings.Contains(err.Error(), "AuthFailure") && !strings.Contains(err.Error(), "Signature") { // I8
		t.Errorf("a forged signature: got %v", err)
	}
	var counted []string
	for _, r := range srv.Requests() {
		counted = append(counted, r.Action+" "+r.Code)
	}
	if got := strings.Join(counted, ", "); !strings.Contains(got, "StreamNumbers OK") && !strings.Contains(got, "StreamNumbers Internal") {
		t.Errorf("counted: %s", got)
	}
}

// A server that stops doesn't wait for streams.
func TestStreamsEndWithTheirServer(t *testing.T) {
	var ended sync.WaitGroup
	srv, c := streaming(t, &ended)
	ended.Add(1)
	err := c.Stream(t.Context(), "StreamNumbers", &streamInput{}, "", func(wire.ServerEvent) error { srv.EndStreams(); return nil })
	if err != nil {
		t.Errorf("got %v, want an end", err)
	}
	ended.Wait()
}

// The stream is one that browsers read.
func TestAStreamIsServerSentEvents(t *testing.T) {
	var ended sync.WaitGroup
	_, c := streaming(t, &ended)
	ended.Add(1)
	recorded := &recorder{}
	c.HTTP = &http.Client{Transport: recorded}
	_ = c.Stream(t.Context(), "StreamNumbers", &streamInput{}, "", func(wire.ServerEvent) error { return errEnough })
	if got := recorded.header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Errorf("content type: got %q", got)
	}
	if recorded.header.Get("X-Amzn-Requestid") == "" || recorded.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got headers %v", recorded.header)
	}
	ended.Wait()
}

type recorder struct{ header http.Header }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(q)
	if err == nil {
		r.header = resp.Header
	}
	return resp, err
}
