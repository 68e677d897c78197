package http1_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

var date = []byte("Sun, 22 Nov 2026 21:34:18 GMT")

func TestResponseGoesOnInCanonicalForm(t *testing.T) {
	const d = "Date: Sun, 22 Nov 2026 21:34:18 GMT\n"
	tests := []struct {
		name     string
		minor    int // the client's
		head     bool
		in, want string
	}{
		{"a length is passed on", 1, false, "HTTP/1.1 200 OK\nContent-Length: 3\nServer: me\nDate: then\n\n", "HTTP/1.1 200 OK\nServer: me\nDate: then\nContent-Length: 3\n\n"},
		{"a missing date is added", 1, false, "HTTP/1.1 200 OK\nContent-Length: 3\n\n", "HTTP/1.1 200 OK\n" + d + "Content-Length: 3\n\n"},
		{"a body until close becomes chunked", 1, false, "HTTP/1.0 200 OK\n\n", "HTTP/1.1 200 OK\n" + d + "Transfer-Encoding: chunked\n\n"},
		{"chunked stays for HTTP/1.1", 1, false, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nConnection: close\n\n", "HTTP/1.1 200 OK\n" + d + "Transfer-Encoding: chunked\n\n"},
		{"chunked becomes until close for HTTP/1.0", 0, false, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", "HTTP/1.1 200 OK\n" + d + "Connection: close\n\n"},
		{"hop-by-hop fields go", 1, false, "HTTP/1.1 200 OK\nConnection: x-mine\nX-Mine: 1\nKeep-Alive: timeout=5\nTrailer: x\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\n" + d + "Content-Length: 0\n\n"},
		{"the length that HEAD is told passes", 1, true, "HTTP/1.1 200 OK\nContent-Length: 99\n\n", "HTTP/1.1 200 OK\n" + d + "Content-Length: 99\n\n"},
		{"HEAD doesn't make a body chunked", 1, true, "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\n" + d + "\n"},
		{"204 has no length", 1, false, "HTTP/1.1 204 No Content\n\n", "HTTP/1.1 204 No Content\n" + d + "\n"},
		{"304 keeps its length", 1, false, "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", "HTTP/1.1 304 Not Modified\n" + d + "Content-Length: 5\n\n"},
		{"a reason may be empty", 1, false, "HTTP/1.1 200\nContent-Length: 0\n\n", "HTTP/1.1 200 \n" + d + "Content-Length: 0\n\n"},
		{"a protocol change", 1, false, "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: x\n\n",
			"HTTP/1.1 101 Switching Protocols\nSec-WebSocket-Accept: x\n" + d + "Connection: Upgrade\nUpgrade: websocket\n\n"},
		{"an interim response has no more than it came with", 1, false, "HTTP/1.1 103 Early Hints\nLink: x\n\n", "HTTP/1.1 103 Early Hints\nLink: x\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			buf := crlf(tt.in)
			var r http1.Response
			n, err := r.Parse(append(buf, "body"...))
			if err != nil || n != len(buf) {
				t.Fatalf("Parse(%q) = %d, %v, want %d", buf, n, err, len(buf))
			}
			to, closes := http1.Deliver(r.BodyTo(tt.head), tt.minor)
			got := string(http1.AppendResponse(nil, buf, &r, tt.head, &http1.Delivery{Body: to, Close: closes, Date: date}))
			if want := string(crlf(tt.want)); got != want {
				t.Errorf("response %q\ngoes on as %q\nwant       %q", buf, got, want)
			}
		})
	}
}

func TestResponseIsRefused(t *testing.T) {
	for _, in := range []string{
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 99 Low\r\n\r\n",
		"HTTP/1.1 600 High\r\n\r\n",
		"HTTP/1.1 2xx OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"200 OK\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 O\x00K\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 34) + "\r\n",
		"HTTP/1.1 200 " + strings.Repeat("y", 40000),
	} {
		var r http1.Response
		_, err := r.Parse([]byte(in))
		if _, ok := errors.AsType[*http1.Refusal](err); !ok {
			t.Errorf("%.80q gives %v, want it refused", in, err)
		}
	}
}

func TestBodyToFollowsRequestAndStatus(t *testing.T) {
	length := http1.Body{Framing: http1.ByLength, Length: 5}
	tests := []struct {
		name string
		in   string
		head bool
		want http1.Body
	}{
		{"a length", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", false, length},
		{"HEAD", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", true, http1.Body{}},
		{"204", "HTTP/1.1 204 No\nContent-Length: 5\n\n", false, http1.Body{}},
		{"304", "HTTP/1.1 304 No\nContent-Length: 5\n\n", false, http1.Body{}},
		{"100", "HTTP/1.1 100 Go\n\n", false, http1.Body{}},
		{"neither length nor coding", "HTTP/1.1 200 OK\n\n", false, http1.Body{Framing: http1.UntilClose}},
		{"identity alone", "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\n", false, http1.Body{Framing: http1.UntilClose}},
		{"chunked", "HTTP/1.1 500 Oh\nTransfer-Encoding: chunked\n\n", false, http1.Body{Framing: http1.Chunked}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r http1.Response
			if _, err := r.Parse(crlf(tt.in)); err != nil {
				t.Fatal(err)
			}
			if got := r.BodyTo(tt.head); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The bytes of ALB's own error pages: the lengths are those that clients see.
func TestPagesAreALBs(t *testing.T) {
	lengths := map[int]string{400: "122", 401: "144", 403: "118", 502: "122", 503: "162", 504: "132"}
	for status, length := range lengths {
		got := string(http1.AppendPage(nil, status, false, &http1.Delivery{Date: date}))
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		if !strings.Contains(head, "\r\nContent-Length: "+length) {
			t.Errorf("status %d: head %q, want Content-Length %s", status, head, length)
		}
		var r http1.Response
		if _, err := r.Parse([]byte(got)); err != nil || r.Body.Length != int64(len(body)) {
			t.Errorf("status %d: Content-Length %d for a body of %d (%v)", status, r.Body.Length, len(body), err)
		}
	}
	want := "HTTP/1.1 503 Service Temporarily Unavailable\nServer: awselb/2.0\nDate: " + string(date) +
		"\nContent-Type: text/html\nContent-Length: 162\nConnection: keep-alive\n\n" +
		"<html>\n<head><title>503 Service Temporarily Unavailable</title></head>\n<body>\n<center><h1>503 Service Temporarily Unavailable</h1></center>\n</body>\n</html>\n"
	if got := string(http1.AppendPage(nil, 503, false, &http1.Delivery{Date: date})); got != string(crlf(want)) {
		t.Errorf("got  %q\nwant %q", got, crlf(want))
	}
	if got := string(http1.AppendPage(nil, 463, true, &http1.Delivery{Date: date, Close: true})); !strings.HasPrefix(got, "HTTP/1.1 463 \r\n") || !strings.HasSuffix(got, "Connection: close\r\n\r\n") {
		t.Errorf("463 to HEAD: %q", got)
	}
}

func TestFixedResponse(t *testing.T) {
	d := &http1.Delivery{Date: date}
	got := string(http1.AppendFixed(nil, 404, "text/plain", "gone", false, d))
	want := string(crlf("HTTP/1.1 404 Not Found\nServer: awselb/2.0\nDate: "+string(date)+"\nContent-Type: text/plain\nContent-Length: 4\nConnection: keep-alive\n\n")) + "gone"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(http1.AppendFixed(nil, 200, "text/plain", "gone", true, d)); !strings.Contains(got, "Content-Length: 4\r\n") || strings.HasSuffix(got, "gone") {
		t.Errorf("to HEAD: %q", got)
	}
	if got := string(http1.AppendFixed(nil, 204, "", "", false, d)); strings.Contains(got, "Content-Length") {
		t.Errorf("204: %q", got)
	}
}
