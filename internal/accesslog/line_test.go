package accesslog_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/accesslog"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

var trace = accesslog.ConnTrace{0x5f, 0x0e, 0x1d, 0x2c, 0x3b, 0x4a, 0x59, 0x68, 0x77, 0x86, 0x95, 0x84, 0x73, 0x62, 0x51, 0x40}

// example is a request with all that a line can say.
func example() accesslog.Access {
	return accesslog.Access{
		Type: "https", Time: at("2026-11-22T06:04:12.731902Z"), ELB: "app/shop/0f1e2d3c4b5a6978",
		Client: netip.MustParseAddrPort("198.51.100.24:51514"), Target: netip.MustParseAddrPort("10.20.1.15:8443"), Node: netip.MustParseAddr("203.0.113.17"),
		Created: at("2026-11-22T06:04:12.712Z"), RequestTime: time.Millisecond, TargetTime: 18 * time.Millisecond,
		Status: 200, TargetStatus: 200, Received: 612, Sent: 1893,
		Request:   accesslog.Request{Method: []byte("GET"), Scheme: "https", Host: []byte("shop.example.test"), Port: 443, Target: []byte("/cart?id=7"), Proto: "HTTP/1.1"},
		UserAgent: []byte("demo-client/2.1"), Cipher: "TLS_AES_128_GCM_SHA256", Protocol: "TLSv1.3",
		TargetGroup: "arn:aws:elasticloadbalancing:eu-test-1:210987654321:targetgroup/cart/1a2b3c4d5e6f7081",
		TraceID:     []byte("Root=1-6923a1bc-0a1b2c3d4e5f60718293a4b5"), Domain: "shop.example.test",
		Certificate: "arn:aws:acm:eu-test-1:210987654321:certificate/3f2b8c1e-0000-4000-8000-5a6b7c8d9e0f",
		Priority:    20, Actions: "forward", ConnTrace: trace,
	}
}

func TestAccessLines(t *testing.T) {
	tests := []struct {
		name   string
		change func(*accesslog.Access)
		want   string
	}{
		{"a request that was forwarded", func(*accesslog.Access) {}, `https 2026-11-22T06:04:12.731902Z app/shop/0f1e2d3c4b5a6978 198.51.100.24:51514 10.20.1.15:8443 0.001 0.018 0.000 200 200 612 1893 "GET https://shop.example.test:443/cart?id=7 HTTP/1.1" "demo-client/2.1" TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:elasticloadbalancing:eu-test-1:210987654321:targetgroup/cart/1a2b3c4d5e6f7081 "Root=1-6923a1bc-0a1b2c3d4e5f60718293a4b5" "shop.example.test" "arn:aws:acm:eu-test-1:210987654321:certificate/3f2b8c1e-0000-4000-8000-5a6b7c8d9e0f" 20 2026-11-22T06:04:12.712000Z "forward" "-" "-" "10.20.1.15:8443" "200" "-" "-" TID_5f0e1d2c3b4a59687786958473625140 "-" "-" "-" 203.0.113.17`},
		{"one that couldn't be read", func(a *accesslog.Access) {
			*a = accesslog.Access{Type: "http", Time: a.Time, Created: a.Created, ELB: a.ELB, Client: a.Client, Node: a.Node, Status: 400, Received: 7, Sent: 272,
				RequestTime: -1, TargetTime: -1, ResponseTime: -1, Priority: accesslog.NoRule,
				Request: accesslog.Request{Scheme: "http", Host: []byte("203.0.113.17"), Port: 80}}
		}, `http 2026-11-22T06:04:12.731902Z app/shop/0f1e2d3c4b5a6978 198.51.100.24:51514 - -1 -1 -1 400 - 7 272 "- http://203.0.113.17:80- -" "-" - - - "-" "-" "-" - 2026-11-22T06:04:12.712000Z "-" "-" "-" "-" "-" "-" "-" - "-" "-" "-" 203.0.113.17`},
		{"one whose client went away, of IPv6, by the default rule", func(a *accesslog.Access) {
			*a = accesslog.Access{Type: "http", Time: a.Time, Created: a.Created, ELB: a.ELB, Client: netip.MustParseAddrPort("[2001:db8::7]:51514"), Target: a.Target, Node: netip.MustParseAddr("2001:db8::1"),
				RequestTime: 0, TargetTime: -1, ResponseTime: -1, Status: 460, Request: a.Request, Actions: "forward", Classification: "Ambiguous", Reason: "SuspiciousHeader",
				TransformedHost: []byte("in.test"), TransformedURI: []byte("/x"), TransformStatus: "TransformSuccess", Redirect: []byte("https://a.test:443/"), Error: "AWSALBTGCookieInvalid"}
			a.Request.Scheme = "http"
		}, `http 2026-11-22T06:04:12.731902Z app/shop/0f1e2d3c4b5a6978 [2001:db8::7]:51514 10.20.1.15:8443 0.000 -1 -1 460 - 0 0 "GET http://shop.example.test:443/cart?id=7 HTTP/1.1" "-" - - - "-" "-" "-" 0 2026-11-22T06:04:12.712000Z "forward" "https://a.test:443/" "AWSALBTGCookieInvalid" "10.20.1.15:8443" "-" "Ambiguous" "SuspiciousHeader" - "in.test" "/x" "TransformSuccess" 2001:db8::1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := example()
			tt.change(&a)
			if diff := cmp.Diff(tt.want+"\n", string(a.AppendTo(nil))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestConnectionLines(t *testing.T) {
	mutual := accesslog.Connection{
		Time: at("2026-11-22T06:04:12.690114Z"), Client: netip.MustParseAddrPort("198.51.100.24:51514"), Port: 443, Protocol: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256",
		Latency: 12 * time.Millisecond, Subject: "CN=till-7,O=Example Shop,C=NL", NotBefore: at("2026-01-01T00:00:00Z"), NotAfter: at("2027-01-01T00:00:00Z"), Serial: "0A1B2C",
		Verify: "Success", ConnTrace: trace, Exchange: "X25519MLKEM768", ELB: "app/shop/0f1e2d3c4b5a6978", Node: netip.MustParseAddr("203.0.113.17"),
	}
	if diff := cmp.Diff(`2026-11-22T06:04:12.690114Z 198.51.100.24 51514 443 TLSv1.3 TLS_AES_128_GCM_SHA256 0.012 "CN=till-7,O=Example Shop,C=NL" NotBefore=2026-01-01T00:00:00Z;NotAfter=2027-01-01T00:00:00Z 0A1B2C Success TID_5f0e1d2c3b4a59687786958473625140 X25519MLKEM768 app/shop/0f1e2d3c4b5a6978 203.0.113.17`+"\n", string(mutual.AppendTo(nil))); diff != "" {
		t.Errorf("with a client's certificate (-want +got)\n%s", diff)
	}
	plain := accesslog.Connection{Time: mutual.Time, Client: mutual.Client, Port: 80, ConnTrace: mutual.ConnTrace, ELB: mutual.ELB, Node: mutual.Node}
	if diff := cmp.Diff(`2026-11-22T06:04:12.690114Z 198.51.100.24 51514 80 - - - "-" - - - TID_5f0e1d2c3b4a59687786958473625140 - app/shop/0f1e2d3c4b5a6978 203.0.113.17`+"\n", string(plain.AppendTo(nil))); diff != "" {
		t.Errorf("in the clear (-want +got)\n%s", diff)
	}
}

func TestHealthLines(t *testing.T) {
	h := accesslog.Health{
		Type: "https", Time: at("2026-11-22T06:03:58.120554Z"), Latency: 4318207 * time.Nanosecond, Target: netip.MustParseAddrPort("10.20.1.15:8443"), Group: "cart",
		Status: 503, Reason: "TargetError", ELB: "app/shop/0f1e2d3c4b5a6978", Node: netip.MustParseAddr("203.0.113.17"),
	}
	if diff := cmp.Diff("https 2026-11-22T06:03:58.120554Z 0.004318207 10.20.1.15:8443 cart FAIL 503 TargetError app/shop/0f1e2d3c4b5a6978 203.0.113.17\n", string(h.AppendTo(nil))); diff != "" {
		t.Errorf("a failure (-want +got)\n%s", diff)
	}
	h.Passed, h.Status, h.Reason = true, 200, ""
	if got := string(h.AppendTo(nil)); !strings.Contains(got, " cart PASS 200 - app/") {
		t.Errorf("a success: %s", got)
	}
}

// fields splits a line as its readers do: at spaces, but not within quotes.
func fields(line string) (n int) {
	quoted := false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ' ' && !quoted:
			n++
		}
	}
	return n + 1
}

// Whatever a client sends, a line is one line of 34 fields.
func FuzzAccess(f *testing.F) {
	f.Add([]byte("GET"), []byte("a.test"), []byte("/\" 200\n"), []byte("agent\\\"\x00\xff"), []byte("Root=1\r\n"))
	f.Fuzz(func(t *testing.T, method, host, target, agent, trace []byte) {
		a := example()
		a.Request.Method, a.Request.Host, a.Request.Target, a.UserAgent, a.TraceID = method, host, target, agent, trace
		a.Domain, a.Redirect, a.TransformedHost, a.TransformedURI = string(host), target, host, target
		line := string(a.AppendTo(nil))
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || fields(line) != 34 {
			t.Errorf("%d fields in %q", fields(line), line)
		}
		for _, c := range []byte(line[:len(line)-1]) {
			if c < ' ' || c > '~' {
				t.Errorf("%#x in %q", c, line)
			}
		}
	})
}

// A client's words are told byte for byte as they were, wherever in eight of them
// one is that can't be written as it is.
func TestWordsAreEscapedByteByByte(t *testing.T) {
	escaped := func(word []byte) string {
		var b strings.Builder
		for _, c := range word {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				fmt.Fprintf(&b, "\\x%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
		return b.String()
	}
	for at := range 19 {
		for c := range 256 {
			for _, other := range []byte{'x', 0x1f, 0x80, 0xff, ' ', '~'} {
				word := bytes.Repeat([]byte{'a'}, 19)
				word[at], word[(at+3)%19] = byte(c), other
				a := example()
				a.UserAgent, a.Domain = word, string(word)
				want := `"` + escaped(word) + `"`
				if line := string(a.AppendTo(nil)); strings.Count(line, want) != 2 {
					t.Fatalf("%q, twice, is written as %s, want %s", word, line, want)
				}
			}
		}
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		time    string
		took    time.Duration
		written string
		seconds string
	}{
		{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000000Z", "0.000"},
		{"2028-02-29T23:59:59.9999999Z", 499 * time.Microsecond, "2028-02-29T23:59:59.999999Z", "0.000"},
		{"2026-11-22T01:30:00.000001+02:00", 500 * time.Microsecond, "2026-11-21T23:30:00.000001Z", "0.001"},
		{"0001-01-01T00:00:00Z", 61*time.Second + 40*time.Millisecond, "0001-01-01T00:00:00.000000Z", "61.040"},
		{"9999-12-31T23:59:59Z", 999999999 * time.Nanosecond, "9999-12-31T23:59:59.000000Z", "1.000"},
	} {
		a := example()
		a.Time, a.RequestTime = at(tt.time), tt.took
		got := strings.Fields(string(a.AppendTo(nil)))
		if got[1] != tt.written || got[5] != tt.seconds {
			t.Errorf("%s, %v: got %s, %s, want %s, %s", tt.time, tt.took, got[1], got[5], tt.written, tt.seconds)
		}
	}
}

func BenchmarkAccess(b *testing.B) {
	a, line := example(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		line = a.AppendTo(line[:0])
	}
}
