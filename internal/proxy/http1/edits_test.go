package http1_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// ELBv2 LoadBalancerAttributes and ListenerAttributes, by the bytes that a target
// gets.
func TestRequestsAreEditedAsTheListenerSays(t *testing.T) {
	const (
		forwarded = "X-Forwarded-For: 203.0.113.7\n"
		trace     = "X-Amzn-Trace-Id: Root=" + newTrace + "\n"
		proto     = "X-Forwarded-Proto: http\nX-Forwarded-Port: 80\n"
		other     = "X-Forwarded-Proto: http\nX-Forwarded-Port: 8080\n"
		sent      = "GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1,10.0.0.2\nX-Forwarded-For: 10.0.0.3\n\n"
	)
	var renamed http1.RequestEdits
	renamed.TLSVersion, renamed.TLSCipher = "X-Version", "X-Amzn-Tls-Cipher-Suite"
	renamed.Ours.Add("X-Version")
	renamed.Ours.Add("X-Subject")
	preserve := http1.RequestEdits{PreserveHost: true}
	tests := []struct {
		name     string
		edits    http1.RequestEdits
		client   string
		port     uint16
		in, want string
	}{
		{"append: its own address behind those sent", http1.RequestEdits{}, "203.0.113.7:4321", 80, sent,
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1,10.0.0.2, 10.0.0.3, 203.0.113.7\n" + proto + trace + "\n"},
		{"append: with the client's port", http1.RequestEdits{ClientPort: true}, "203.0.113.7:4321", 80, sent,
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 10.0.0.1,10.0.0.2, 10.0.0.3, 203.0.113.7:4321\n" + proto + trace + "\n"},
		{"append: an IPv6 address without a port has no brackets", http1.RequestEdits{}, "[2001:db8::1]:4321", 80, "GET / HTTP/1.1\nHost: a.b\n\n",
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: 2001:db8::1\n" + proto + trace + "\n"},
		{"append: an IPv6 address with its port has brackets", http1.RequestEdits{ClientPort: true}, "[2001:db8::1]:4321", 80, "GET / HTTP/1.1\nHost: a.b\n\n",
			"GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For: [2001:db8::1]:4321\n" + proto + trace + "\n"},
		{"append: an empty header says nothing", http1.RequestEdits{}, "203.0.113.7:4321", 80, "GET / HTTP/1.1\nHost: a.b\nX-Forwarded-For:\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + forwarded + proto + trace + "\n"},
		{"preserve: as sent, line by line", http1.RequestEdits{ForwardedFor: http1.PreserveForwardedFor, ClientPort: true}, "203.0.113.7:4321", 80, sent,
			"GET / HTTP/1.1\nHost: a.b\n" + proto + trace + "X-Forwarded-For: 10.0.0.1,10.0.0.2\nX-Forwarded-For: 10.0.0.3\n\n"},
		{"preserve: none stays none", http1.RequestEdits{ForwardedFor: http1.PreserveForwardedFor}, "203.0.113.7:4321", 80, "GET / HTTP/1.1\nHost: a.b\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + proto + trace + "\n"},
		{"remove: none", http1.RequestEdits{ForwardedFor: http1.RemoveForwardedFor, ClientPort: true}, "203.0.113.7:4321", 80, sent,
			"GET / HTTP/1.1\nHost: a.b\n" + proto + trace + "\n"},

		{"a host is preserved with its case and the usual port", preserve, "203.0.113.7:4321", 80, "GET / HTTP/1.1\nHost: Example.com:80\n\n",
			"GET / HTTP/1.1\nHost: Example.com:80\n" + forwarded + proto + trace + "\n"},
		{"a preserved host gets no port", preserve, "203.0.113.7:4321", 8080, "GET / HTTP/1.1\nHost: example.com\n\n",
			"GET / HTTP/1.1\nHost: example.com\n" + forwarded + other + trace + "\n"},
		{"a preserved host outranks the absolute form", preserve, "203.0.113.7:4321", 80, "GET http://dns/x HTTP/1.1\nHost: example.com\n\n",
			"GET /x HTTP/1.1\nHost: example.com\n" + forwarded + proto + trace + "\n"},
		{"without Host the absolute form's is preserved", preserve, "203.0.113.7:4321", 80, "GET http://DNS:80/x HTTP/1.1\n\n",
			"GET /x HTTP/1.1\nHost: DNS:80\n" + forwarded + proto + trace + "\n"},
		{"each of several hosts is preserved", preserve, "203.0.113.7:4321", 80, "GET / HTTP/1.1\nHost: a.b\nHost: A.b\n\n",
			"GET / HTTP/1.1\nHost: a.b\nHost: A.b\n" + forwarded + proto + trace + "\n"},
		{"of several hosts the first is used otherwise", http1.RequestEdits{}, "203.0.113.7:4321", 80, "GET / HTTP/1.1\nHost: a.b\nHost: A.b\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + forwarded + proto + trace + "\n"},
		{"a missing host is the load balancer's, preserved or not", preserve, "203.0.113.7:4321", 80, "GET / HTTP/1.0\nHost:\n\n",
			"GET / HTTP/1.1\nHost: 127.64.0.9\n" + forwarded + proto + trace + "\n"},

		{"the names of what is added about TLS are the listener's", renamed, "203.0.113.7:4321", 80,
			"GET / HTTP/1.1\nHost: a.b\nx-version: mine\nX-SUBJECT: root\nX-Amzn-Tls-Version: mine\nX-Versions: 3\nX-Amzn-Tls-Cipher-Suite: mine\n\n",
			"GET / HTTP/1.1\nHost: a.b\n" + forwarded + proto + trace + "X-Version: TLSv1.3\nX-Amzn-Tls-Cipher-Suite: TLS_AES_128_GCM_SHA256\nX-Versions: 3\n\n"},

		{"headers of 7 KiB continue a trace", http1.RequestEdits{}, "203.0.113.7:4321", 80, head(7<<10, "Root=1-2-3"),
			strings.Replace(edited(7<<10), trace, "X-Amzn-Trace-Id: Self="+newTrace+";Root=1-2-3\n", 1)},
		{"larger ones begin one anew", http1.RequestEdits{}, "203.0.113.7:4321", 80, head(7<<10+1, "Root=1-2-3"), edited(7<<10 + 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			buf := crlf(tt.in)
			var r http1.Request
			if _, err := r.Parse(buf); err != nil {
				t.Fatal(err)
			}
			h := hop
			h.Client, h.Port, h.Edits = netip.MustParseAddrPort(tt.client), tt.port, &tt.edits
			h.TLSVersion, h.TLSCipher = "TLSv1.3", "TLS_AES_128_GCM_SHA256"
			if got, want := string(http1.AppendRequest(nil, buf, &r, &h)), string(crlf(tt.want)); got != want {
				t.Errorf("request %q\ngoes on as %q\nwant       %q", buf, got, want)
			}
		})
	}
}

// Fields about a client's certificate are those that have both a name and a value.
func TestRequestsTellOfTheClientsCertificate(t *testing.T) {
	buf := crlf("GET / HTTP/1.1\nHost: a.b\nX-Amzn-Mtls-Clientcert: mine\nX-Who: me\n\n")
	var r http1.Request
	if _, err := r.Parse(buf); err != nil {
		t.Fatal(err)
	}
	edits := http1.RequestEdits{ForwardedFor: http1.RemoveForwardedFor, Certificate: http1.CertificateFields{"X-Amzn-Mtls-Clientcert", "", "X-Serial", "", "X-Who"}}
	edits.Ours.Add("X-Who")
	h := hop
	h.Edits, h.Certificate = &edits, &http1.CertificateFields{"", "leaf", "0A", "CN=Root", "CN=a", "always"}
	want := string(crlf("GET / HTTP/1.1\nHost: a.b\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Amzn-Trace-Id: Root=" + newTrace + "\nX-Serial: 0A\nX-Who: CN=a\n\n"))
	if got := string(http1.AppendRequest(nil, buf, &r, &h)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// What a rule has made of the host is what targets see, preserved or not.
func TestARewrittenHostOutranksThePreservedOne(t *testing.T) {
	buf := crlf("GET / HTTP/1.1\nHost: Example.com:80\n\n")
	var r http1.Request
	if _, err := r.Parse(buf); err != nil {
		t.Fatal(err)
	}
	h := hop
	h.Authority, h.Edits = []byte("Inner.example:8080"), &http1.RequestEdits{PreserveHost: true, ForwardedFor: http1.RemoveForwardedFor}
	want := string(crlf("GET / HTTP/1.1\nHost: Inner.example:8080\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Amzn-Trace-Id: Root=" + newTrace + "\n\n"))
	if got := string(http1.AppendRequest(nil, buf, &r, &h)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

const line = "GET /a/path/that/counts/for/nothing HTTP/1.1\n"

// filler fills up headers of so many bytes on the wire, with their line ends.
func filler(size int) string {
	rest := size - len(crlf("Host: a.b\nX-Amzn-Trace-Id: Root=1-2-3\nX: \n\n"))
	return "X: " + strings.Repeat("x", rest) + "\n"
}

func head(size int, trace string) string {
	return line + "Host: a.b\nX-Amzn-Trace-Id: " + trace + "\n" + filler(size) + "\n"
}

func edited(size int) string {
	return line + "Host: a.b\nX-Forwarded-For: 203.0.113.7\nX-Forwarded-Proto: http\nX-Forwarded-Port: 80\nX-Amzn-Trace-Id: Root=" + newTrace + "\n" + filler(size) + "\n"
}

// ELBv2 ListenerAttributes, by the bytes that a client gets.
func TestResponsesAreEditedAsTheListenerSays(t *testing.T) {
	var edits http1.ResponseEdits
	edits.Set("Strict-Transport-Security", "max-age=31536000")
	edits.Set("X-Frame-Options", "DENY")
	const set = "Strict-Transport-Security: max-age=31536000\nX-Frame-Options: DENY\n"
	anonymous := edits
	anonymous.Anonymous = true
	var d http1.Delivery
	response := func(minor int, text string) string {
		buf := crlf(text)
		var r http1.Response
		if _, err := r.Parse(buf); err != nil {
			t.Fatal(err)
		}
		d := d
		d.Body, _ = http1.Deliver(r.BodyTo(false), minor)
		return string(http1.AppendResponse(nil, buf, &r, false, &d))
	}
	const when = "Date: Sun, 22 Nov 2026 21:34:18 GMT\n"
	page := "Content-Type: text/html\nContent-Length: 162\nConnection: keep-alive\n\n"
	for _, tt := range []struct {
		name  string
		edits *http1.ResponseEdits
		got   func() string
		want  string
	}{
		{"a target's fields are replaced, each copy", &edits, func() string {
			return response(1, "HTTP/1.1 200 OK\nx-frame-options: SAMEORIGIN\nServer: app\nX-FRAME-OPTIONS: x\nX-Frame-Option: x\nContent-Length: 0\n\n")
		}, "HTTP/1.1 200 OK\nServer: app\nX-Frame-Option: x\n" + when + set + "Content-Length: 0\n\n"},
		{"errors of a target have them too", &edits, func() string {
			return response(1, "HTTP/1.1 503 Oh\nContent-Length: 0\n\n")
		}, "HTTP/1.1 503 Oh\n" + when + set + "Content-Length: 0\n\n"},
		{"a change of protocols too", &edits, func() string {
			return response(1, "HTTP/1.1 101 Switching Protocols\nUpgrade: x\nConnection: upgrade\n\n")
		}, "HTTP/1.1 101 Switching Protocols\n" + when + set + "Connection: Upgrade\nUpgrade: x\n\n"},
		{"a target's Server stays where ours is left out", &anonymous, func() string {
			return response(1, "HTTP/1.1 200 OK\nServer: app\nContent-Length: 0\n\n")
		}, "HTTP/1.1 200 OK\nServer: app\n" + when + set + "Content-Length: 0\n\n"},
		{"without edits all passes", nil, func() string {
			return response(1, "HTTP/1.1 200 OK\nX-Frame-Options: x\nContent-Length: 0\n\n")
		}, "HTTP/1.1 200 OK\nX-Frame-Options: x\n" + when + "Content-Length: 0\n\n"},

		{"an error page", &edits, func() string { return string(http1.AppendPage(nil, 503, true, &d)) },
			"HTTP/1.1 503 Service Temporarily Unavailable\nServer: awselb/2.0\n" + when + set + page},
		{"an error page without Server", &anonymous, func() string { return string(http1.AppendPage(nil, 503, true, &d)) },
			"HTTP/1.1 503 Service Temporarily Unavailable\n" + when + set + page},
		{"a redirect", &anonymous, func() string { return string(http1.AppendRedirect(nil, 302, []byte("x"), true, &d)) },
			"HTTP/1.1 302 Found\n" + when + set + "Content-Type: text/html\nContent-Length: 110\nLocation: x\nConnection: keep-alive\n\n"},
		{"a fixed response", &anonymous, func() string { return string(http1.AppendFixed(nil, 200, "text/plain", "hello", false, &d)) },
			"HTTP/1.1 200 OK\n" + when + set + "Content-Type: text/plain\nContent-Length: 5\nConnection: keep-alive\n\nhello"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d = http1.Delivery{Date: date, Edits: tt.edits}
			if got, want := tt.got(), string(crlf(tt.want)); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}
