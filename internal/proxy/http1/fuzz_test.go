package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// FuzzRequest: a request that is accepted means the same to another parser, in
// the form that goes on; and how its bytes are cut up makes no difference.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST http://a.b:80/x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: x\r\nX: y\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: [::1]:8\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: a, b\r\nX-Amzn-Trace-Id: Root=1;Self=2\r\n\r\n",
		"GET / HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: x\r\n\r\n",
		"\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	for _, v := range vectors {
		f.Add([]byte(v.in))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := http1.Request{Policy: http1.Policy{Mode: http1.Monitor}} // lets most through
		n, err := r.Parse(sent)
		bn, berr := parseBytewise(http1.Monitor, sent)
		in := sent
		if len(in) > 0 && (n != bn || !errors.Is(berr, err)) {
			t.Fatalf("at once %d, %v; byte by byte %d, %v", n, err, bn, berr)
		}
		if err != nil {
			return
		}
		// Whoever looks closely finds the same as who has a glance.
		if v := http1.Examine(sent[leading(string(sent)):n]); v != r.Verdict {
			t.Fatalf("%q is %+v, and on a closer look %+v", sent[:n], r.Verdict, v)
		}
		in = r.Source(sent[:n])
		h := hop
		h.Upgrade = r.Upgrade(in)
		// What a listener has edited isn't to be misread either.
		for _, e := range []http1.RequestEdits{
			{PreserveHost: true, ForwardedFor: http1.PreserveForwardedFor},
			{ForwardedFor: http1.RemoveForwardedFor, TLSVersion: "X-V", TLSCipher: "X-C"},
			{ClientPort: true},
		} {
			e.Ours.Add("X-V")
			h.Edits, h.TLSVersion, h.TLSCipher = &e, "TLSv1.3", "TLS_AES_128_GCM_SHA256"
			out := http1.AppendRequest(nil, in, &r, &h)
			var again http1.Request
			n, err := again.Parse(out)
			if refusal, ok := errors.AsType[*http1.Refusal](err); ok && refusal.Status == 463 {
				continue // our address is one too many for another of us
			}
			if (err != nil || n != len(out)) && len(out) < 32<<10 {
				t.Fatalf("%q goes on as %q with %+v, which is read to %d: %v", in, out, e, n, err)
			} else if err == nil && again.Body != r.Body {
				t.Fatalf("%q goes on as %q with %+v, whose body is %+v", in, out, e, again.Body)
			}
		}
		h.Edits = nil
		out := http1.AppendRequest(nil, in, &r, &h)
		other, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out)))
		if err != nil {
			// net/http parses the target as a URL, and is stricter there than a proxy can be.
			if strings.Contains(err.Error(), "parse ") || strings.Contains(err.Error(), "malformed Host") {
				return
			}
			t.Fatalf("%q goes on as %q, which net/http refuses: %v", in, out, err)
		}
		if other.Method != string(r.Method.Of(in)) {
			t.Errorf("method %q became %q", r.Method.Of(in), other.Method)
		}
		chunked := len(other.TransferEncoding) == 1
		if (r.Body.Framing == http1.Chunked) != chunked || !chunked && other.ContentLength != r.Body.Length {
			t.Errorf("body %+v became length %d, codings %q", r.Body, other.ContentLength, other.TransferEncoding)
		}
		var again http1.Request
		if m, err := again.Parse(out); err != nil || m != len(out) {
			t.Errorf("%q goes on as %q, which isn't accepted itself: %v", in, out, err)
		}
		switch again.Verdict.Reason {
		case http1.NoReason, http1.NonCompliantHeader, http1.GetHeadZeroContentLength, http1.UndefinedContentLengthSemantics, http1.UndefinedTransferEncodingSemantics:
		default:
			t.Errorf("%q goes on as %q, which is %s", in, out, again.Verdict.Reason)
		}
	})
}

// FuzzResponse: as FuzzRequest, for responses.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.0 404\r\nConnection: x, keep-alive\r\nX: y\r\n\r\n",
		"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var r http1.Response
		n, err := r.Parse(in)
		var b http1.Response
		bn, berr := 0, error(http1.ErrIncomplete)
		for i := 0; i < len(in) && errors.Is(berr, http1.ErrIncomplete); i++ {
			bn, berr = b.Parse(in[:i+1])
		}
		if n != bn || !errors.Is(berr, err) {
			t.Fatalf("at once %d, %v; byte by byte %d, %v", n, err, bn, berr)
		}
		if err != nil || r.Interim() || r.Status == 101 {
			return
		}
		to, closes := http1.Deliver(r.BodyTo(false), 1)
		out := http1.AppendResponse(nil, in, &r, false, &http1.Delivery{Body: to, Close: closes, Date: date})
		other, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
		if err != nil {
			t.Fatalf("%q goes on as %q, which net/http refuses: %v", in, out, err)
		}
		defer other.Body.Close()
		if other.StatusCode != r.Status {
			t.Errorf("status %d became %d", r.Status, other.StatusCode)
		}
		if to.Framing == http1.ByLength && r.Status != 304 && other.ContentLength != to.Length {
			t.Errorf("body %+v became length %d", to, other.ContentLength)
		}
	})
}

// FuzzChunked: a chunked body that is accepted is the same to another decoder,
// and how its bytes are cut up makes no difference.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint8(2))
	f.Add([]byte("a;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		body, rest, done, err := decode(http1.Body{Framing: http1.Chunked}, in, len(in)+1)
		pieces, prest, pdone, perr := decode(http1.Body{Framing: http1.Chunked}, in, int(size)+1)
		if (err == nil) != (perr == nil) || done != pdone || err == nil && (!bytes.Equal(body, pieces) || !bytes.Equal(rest, prest)) {
			t.Fatalf("at once %q, %q, %t, %v; in pieces %q, %q, %t, %v", body, rest, done, err, pieces, prest, pdone, perr)
		}
		if err != nil || !done {
			return
		}
		other, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if err != nil {
			// net/http bounds the size lines against the content.
			if strings.Contains(err.Error(), "too much") || strings.Contains(err.Error(), "too large") || strings.Contains(err.Error(), "too long") {
				return
			}
			t.Fatalf("%q: net/http refuses it: %v", in, err)
		}
		if !bytes.Equal(body, other) {
			t.Errorf("%q: body %q, net/http reads %q", in, body, other)
		}
	})
}
