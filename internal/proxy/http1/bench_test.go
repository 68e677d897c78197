package http1_test

import (
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// A request as a browser sends it, and a response as an application does.
var (
	browserRequest = crlf("GET /products/1234?color=red&size=xl HTTP/1.1\nHost: shop.example.com\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\nAccept-Language: en-GB,en;q=0.5\nAccept-Encoding: gzip, deflate, br, zstd\nReferer: https://shop.example.com/products\nConnection: keep-alive\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\nUpgrade-Insecure-Requests: 1\nX-Forwarded-For: 198.51.100.7\n\n")
	appResponse    = crlf("HTTP/1.1 200 OK\nDate: Sun, 22 Nov 2026 21:34:18 GMT\nContent-Type: text/html; charset=utf-8\nContent-Length: 5120\nCache-Control: no-cache\nSet-Cookie: theme=dark; Path=/; HttpOnly\nVary: Accept-Encoding\nConnection: keep-alive\n\n")
)

func BenchmarkRequestHead(b *testing.B) {
	var r http1.Request
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(browserRequest)))
	for b.Loop() {
		r.Reset()
		if _, err := r.Parse(browserRequest); err != nil {
			b.Fatal(err)
		}
		dst = http1.AppendRequest(dst[:0], browserRequest, &r, &hop)
	}
}

func BenchmarkResponseHead(b *testing.B) {
	var r http1.Response
	dst := make([]byte, 0, 4096)
	d := &http1.Delivery{Date: date}
	b.ReportAllocs()
	b.SetBytes(int64(len(appResponse)))
	for b.Loop() {
		r.Reset()
		if _, err := r.Parse(appResponse); err != nil {
			b.Fatal(err)
		}
		d.Body, d.Close = http1.Deliver(r.BodyTo(false), 1)
		dst = http1.AppendResponse(dst[:0], appResponse, &r, false, d)
	}
}

// A head costs no allocation once the memory of the first one is there.
func TestHeadsCostNoAllocation(t *testing.T) {
	var req http1.Request
	var resp http1.Response
	dst := make([]byte, 0, 4096)
	d := &http1.Delivery{Date: date}
	got := testing.AllocsPerRun(100, func() {
		req.Reset()
		resp.Reset()
		if _, err := req.Parse(browserRequest); err != nil {
			t.Fatal(err)
		}
		dst = http1.AppendRequest(dst[:0], browserRequest, &req, &hop)
		if _, err := resp.Parse(appResponse); err != nil {
			t.Fatal(err)
		}
		d.Body, d.Close = http1.Deliver(resp.BodyTo(false), 1)
		dst = http1.AppendResponse(dst[:0], appResponse, &resp, false, d)
	})
	if got != 0 {
		t.Errorf("%v allocations a request, want none", got)
	}
}

// BenchmarkEditedHeads is both heads with all that a listener can say about them.
func BenchmarkEditedHeads(b *testing.B) {
	var request http1.RequestEdits
	request.ClientPort, request.TLSVersion, request.TLSCipher = true, "X-Tls-Version", "X-Tls-Cipher"
	for _, name := range []string{"X-Tls-Version", "X-Tls-Cipher", "X-Subject", "X-Issuer", "X-Serial", "X-Validity", "X-Leaf", "X-Chain"} {
		request.Ours.Add(name)
	}
	var response http1.ResponseEdits
	for _, name := range []string{"Strict-Transport-Security", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options"} {
		response.Set(name, "value")
	}
	var r http1.Request
	var p http1.Response
	if _, err := r.Parse(browserRequest); err != nil {
		b.Fatal(err)
	}
	if _, err := p.Parse(appResponse); err != nil {
		b.Fatal(err)
	}
	h := hop
	h.TLSVersion, h.TLSCipher = "TLSv1.3", "TLS_AES_128_GCM_SHA256"
	d := &http1.Delivery{Date: date}
	dst := make([]byte, 0, 4096)
	for name, on := range map[string]bool{"none": false, "all": true} {
		if h.Edits, d.Edits = nil, nil; on {
			h.Edits, d.Edits = &request, &response
		}
		b.Run("request/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = http1.AppendRequest(dst[:0], browserRequest, &r, &h)
			}
		})
		b.Run("response/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = http1.AppendResponse(dst[:0], appResponse, &p, false, d)
			}
		})
	}
}
