package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// large is more than any buffer or pipe on the way holds.
func large(seed uint64) []byte {
	b := make([]byte, 9<<20+137)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

func TestLargeBodiesArriveAsTheyAre(t *testing.T) {
	w := newWorld(t)
	body := large(1)
	want := sha256.Sum256(body)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		if _, err := io.Copy(sum, r.Body); err != nil {
			t.Errorf("body of the request: %v", err)
		}
		if r.Method == http.MethodPut && !bytes.Equal(sum.Sum(nil), want[:]) {
			t.Error("the request's body differs from what was sent")
		}
		if r.URL.Path == "/length" {
			rw.Header().Set("Content-Length", "9437321")
		}
		_, _ = rw.Write(body)
	}))
	w.apply()
	client := newClient(t)
	for _, path := range []string{"/length", "/chunked", "/length"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.url(path), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		// A reader that pauses leaves bytes behind in every buffer on the way.
		sum := sha256.New()
		for n := int64(1); err == nil; n = min(2*n, 1<<20) {
			_, err = io.CopyN(sum, resp.Body, n)
			runtime.Gosched()
		}
		resp.Body.Close()
		if !errors.Is(err, io.EOF) || !bytes.Equal(sum.Sum(nil), want[:]) {
			t.Errorf("%s: the response's body differs from what was sent: %v", path, err)
		}
	}
}

// A pipe of the kernel's that was in use when its connection ended has bytes in it
// that are nobody's: the next body must not have them.
func TestWhatWasCutShortReachesNobodyElse(t *testing.T) {
	w := newWorld(t)
	bodies := [][]byte{large(1), large(2)}
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		body := bodies[strings.Count(r.URL.Path, "2")]
		rw.Header().Set("Content-Length", "9437321")
		_, _ = rw.Write(body)
	}))
	w.apply()
	for range 20 {
		c := w.dial()
		c.say("GET /1 HTTP/1.1\nHost: x\n\n")
		if _, err := io.ReadFull(c.r, make([]byte, 256<<10)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if _, got := get(t, newClient(t), w.url("/2")); got != string(bodies[1]) {
		t.Error("the body has bytes of another one")
	}
}

// A client that goes away in the middle of a body leaves no descriptor behind.
func TestDescriptorsEndWithTheirConnections(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted in /proc")
	}
	w := newWorld(t)
	body := large(1)
	w.register(w.httpTarget(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "9437321")
		_, _ = rw.Write(body)
	}))
	w.apply()
	descriptors := func() int {
		names, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	_, _ = get(t, newClient(t), w.url("/"))
	before := descriptors()
	for range 50 {
		c := w.dial()
		c.say("GET /1 HTTP/1.1\nHost: x\n\n")
		if _, err := io.ReadFull(c.r, make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	eventually(t, "the descriptors' end", func() bool {
		return descriptors() <= before+16 // pipes that loops keep
	})
}

// A target may say what it thinks of a body before it has all of it, and close.
func TestTheAnswerToALargeBodyArrivesThoughItsTargetTakesNoMore(t *testing.T) {
	w := newWorld(t)
	w.register(w.rawTarget(func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, r)
	}))
	w.apply()
	c := w.dial()
	c.say("PUT / HTTP/1.1\nHost: x\nContent-Length: 99999999\n\n")
	go func() { _, _ = c.Write(large(1)) }() // ends with the connection
	if resp, body := c.hear("PUT"); resp.StatusCode != 413 || body != "no\n" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}
