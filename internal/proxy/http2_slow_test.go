package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// One stream that is slow costs the 127 others of its connection nothing: they finish
// while it stands still, whoever makes it so.
func TestTheOtherStreamsFinishWhileOneIsSlow(t *testing.T) {
	const size = 100_000 // more than a stream's window, and less than the session's for all
	for _, tt := range []struct {
		name string
		slow func(f *framed) // on stream 1
	}{
		{"its client takes nothing", func(f *framed) {
			f.ask(1, true, "GET", "/large")
		}},
		{"its target says nothing", func(f *framed) {
			f.ask(1, true, "GET", "/wait")
		}},
		{"its target takes nothing", func(f *framed) {
			f.ask(1, false, "POST", "/wait")
			for range 15 { // all that its window holds, most of which has nowhere to go
				_ = f.WriteData(1, false, make([]byte, 16<<10))
			}
		}},
		{"its client says the rest of it later", func(f *framed) {
			f.ask(1, false, "POST", "/")
			_ = f.WriteData(1, false, []byte("half"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newHTTP2World(t)
			leave := make(chan struct{})
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/large":
					_, _ = io.Copy(rw, io.LimitReader(zeros{}, 1<<30))
				case "/wait":
					<-leave
				default:
					b, _ := io.ReadAll(r.Body)
					_, _ = rw.Write(bytes.Repeat([]byte("x"), size-len(b)))
				}
			}))
			t.Cleanup(func() { close(leave) })
			w.apply()
			f := w.dialFrames()
			_ = f.WriteWindowUpdate(0, 1<<30)
			tt.slow(f)
			for i := range uint32(127) {
				f.ask(2*i+3, false, "POST", "/")
				_ = f.WriteData(2*i+3, true, []byte("hello"))
			}
			got, ended := map[uint32]int{}, 0
			for ended < 127 {
				d, ok := f.hear(func(g http2.Frame) bool { return g.Header().Type == http2.FrameData && g.Header().StreamID > 1 }).(*http2.DataFrame)
				if !ok {
					t.Fatalf("the session has ended, and %d streams had", ended)
				}
				got[d.StreamID] += len(d.Data())
				if d.Length > 0 && !d.StreamEnded() {
					_ = f.WriteWindowUpdate(d.StreamID, d.Length)
				}
				if d.StreamEnded() {
					ended++
				}
			}
			for id, n := range got {
				if n != size-len("hello") {
					t.Errorf("stream %d: %d bytes", id, n)
				}
			}
		})
	}
}

// A response that the session holds whole, and its client doesn't take, holds the session
// up no longer than one that is on its way: nobody is at work on it any more.
func TestResponsesThatNobodyTakesEndWithTheIdleTimeout(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/fixed", "/none"} {
		t.Run(path, func(t *testing.T) {
			w := newHTTP2World(t)
			w.lb().IdleTimeout = 300 * time.Millisecond
			w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, "hello") }))
			w.a.TargetGroups = append(w.a.TargetGroups, &snapshot.TargetGroup{ARN: "none", Protocol: snapshot.HTTP})
			l := &w.lb().Listeners[0]
			l.Rules = append([]snapshot.Rule{
				pathRule("fixed", 1, "/fixed", []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 200, ContentType: "text/plain", Body: "hello"}}}),
				pathRule("none", 2, "/none", forwardTo("none")),
			}, l.Rules...)
			w.apply()
			f := w.dialFrames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			f.ask(1, true, "GET", path)
			if got := f.status(1); got != "200" && path != "/none" {
				t.Fatal(got)
			}
			if last, code := f.goAway(); last != 1 || code != http2.ErrCodeNo {
				t.Errorf("last stream %d, %v", last, code)
			}
			eventually(t, "no connection", func() bool { return w.proxy.Status()[0].OpenConnections == 0 })
		})
	}
}

// Who takes a response slowly gets all of it.
func TestResponsesThatAreTakenSlowlyArrive(t *testing.T) {
	w := newHTTP2World(t)
	w.lb().IdleTimeout = 400 * time.Millisecond
	const size = 20_000
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(make([]byte, size)) }))
	w.apply()
	f := w.dialFrames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	f.ask(1, true, "GET", "/")
	got := 0
	tick := time.NewTicker(50 * time.Millisecond) // over more than twice the timeout
	defer tick.Stop()
	for ended := false; !ended; {
		d, ok := f.hear(func(g http2.Frame) bool {
			return g.Header().Type == http2.FrameData || g.Header().Type == http2.FrameRSTStream || g.Header().Type == http2.FrameGoAway
		}).(*http2.DataFrame)
		if !ok {
			t.Fatalf("%d of %d bytes, and then no more", got, size)
		}
		got, ended = got+len(d.Data()), d.StreamEnded()
		<-tick.C
		_ = f.WriteWindowUpdate(1, 1000)
	}
	if got != size {
		t.Errorf("%d bytes", got)
	}
}
