package http1_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// decode feeds the stream in pieces of at most size bytes.
func decode(b http1.Body, stream []byte, size int) (body, rest []byte, done bool, err error) {
	var d http1.Decoder
	d.Reset(b)
	for len(stream) > 0 && !d.Done() {
		in := stream[:min(size, len(stream))]
		for len(in) > 0 && !d.Done() {
			data, n, err := d.Next(in)
			if err != nil {
				return body, nil, false, err
			}
			body = append(body, data...)
			in, stream = in[n:], stream[n:]
		}
	}
	return body, stream, d.Done(), nil
}

func TestDecoderFindsTheBodysEnd(t *testing.T) {
	chunked := http1.Body{Framing: http1.Chunked}
	tests := []struct {
		name           string
		body           http1.Body
		in, want, rest string
		done           bool
	}{
		{"no body", http1.Body{}, "GET", "", "GET", true},
		{"a length", http1.Body{Framing: http1.ByLength, Length: 3}, "abcGET", "abc", "GET", true},
		{"a length of nothing", http1.Body{Framing: http1.ByLength}, "GET", "", "GET", true},
		{"a length that hasn't come yet", http1.Body{Framing: http1.ByLength, Length: 4}, "abc", "abc", "", false},
		{"until close", http1.Body{Framing: http1.UntilClose}, "abc", "abc", "", false},
		{"chunks", chunked, "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET", "abc0123456789", "GET", true},
		{"no chunk but the last", chunked, "0\r\n\r\nGET", "", "GET", true},
		{"leading zeros", chunked, "0003\r\nabc\r\n000\r\n\r\n", "abc", "", true},
		{"extensions", chunked, "3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\nG", "abc", "G", true},
		{"trailers", chunked, "1\r\na\r\n0\r\nX-Sum: 1 2\tcaf\xe9\r\nY:\r\n\r\nG", "a", "G", true},
		{"a chunk that hasn't come yet", chunked, "5\r\nabc", "abc", "", false},
		{"the last line end hasn't come yet", chunked, "0\r\n\r", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 1 << 10} {
				body, rest, done, err := decode(tt.body, []byte(tt.in), size)
				if err != nil || string(body) != tt.want || string(rest) != tt.rest || done != tt.done {
					t.Errorf("%q in pieces of %d: %q, rest %q, done %t, %v; want %q, %q, %t", tt.in, size, body, rest, done, err, tt.want, tt.rest, tt.done)
				}
			}
		})
	}
}

func TestDecoderRefusesWhatCanBeReadTwoWays(t *testing.T) {
	for _, in := range []string{
		"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\na\r\n", "1 \r\na\r\n", " 1\r\na\r\n", "1\na\n0\n\n", "1\r a\r\n",
		"1;\x00\r\na\r\n", "1;a\nb\r\na\r\n", "1\r\nab\r\n", "1\r\na\n0\r\n\r\n", "1\r\na\r0\r\n\r\n",
		"8000000000000000\r\n", "ffffffffffffffffff\r\n", "10000000000000000000000\r\n",
		"1;" + strings.Repeat("x", 5000) + "\r\na\r\n", strings.Repeat("0", 5000),
		"0\r\n X: y\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\n: y\r\n\r\n", "0\r\nX: a\x00\r\n\r\n", "0\r\nX: a\rb\r\n\r\n", "0\r\nX: a\nb\r\n\r\n",
		"0\r\n\rx", "0\r\nX:" + strings.Repeat("y", 70000),
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			if _, _, _, err := decode(http1.Body{Framing: http1.Chunked}, []byte(in), size); !isRefusal(err) {
				t.Errorf("%.60q in pieces of %d gives %v, want it refused", in, size, err)
			}
		}
	}
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*http1.Refusal](err)
	return ok
}

func TestEndOfStreamIsOnlyRightUntilClose(t *testing.T) {
	for body, want := range map[http1.Body]bool{
		{}: true, {Framing: http1.UntilClose}: true, {Framing: http1.ByLength, Length: 1}: false, {Framing: http1.Chunked}: false,
	} {
		var d http1.Decoder
		d.Reset(body)
		if got := d.EOF() == nil; got != want {
			t.Errorf("%+v may end: %t, want %t", body, got, want)
		}
	}
}

func TestPutChunkSize(t *testing.T) {
	for n, want := range map[int]string{1: "1\r\n", 15: "f\r\n", 16: "10\r\n", 32 << 10: "8000\r\n", 1<<32 - 1: "ffffffff\r\n"} {
		room := make([]byte, http1.ChunkRoom)
		l := http1.PutChunkSize(room, n)
		if got := string(room[len(room)-l:]); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
		if !bytes.HasSuffix(room, []byte(want)) {
			t.Errorf("%d doesn't end where its room ends", n)
		}
	}
}
