package http1_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy/http1"
)

// vector is a request's head and what is to be thought of it. goesOn is what a
// target gets of it in the mode defensive, without what the load balancer adds: "" if
// it is refused.
type vector struct {
	name   string
	in     string // as on the wire
	reason http1.Reason
	goesOn string
}

const (
	none     = http1.NoReason
	plainGet = "GET / HTTP/1.1\nHost: a\n"
)

// post is a POST with further lines.
func post(lines string) string { return "POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" }

// get is a GET with further lines.
func get(lines string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" }

const chunkedPost, postOf3, plainPost = "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n", "POST / HTTP/1.1\nHost: a\nContent-Length: 3\n", "POST / HTTP/1.1\nHost: a\n"

var vectors = []vector{
	// Compliant ones.
	{"a plain request", get(""), none, plainGet},
	{"a plain request with a body", post("Content-Length: 3\r\n"), none, postOf3},
	{"a plain chunked request", post("Transfer-Encoding: chunked\r\n"), none, chunkedPost},
	{"chunked in capitals, after identity", post("Transfer-Encoding: identity, CHUNKED\r\n"), none, chunkedPost},
	{"an empty line before", "\r\n" + get(""), none, plainGet},
	{"names with all that tokens have", get("X!#$%&'*+.^_`|~9: y\r\n"), none, "GET / HTTP/1.1\nHost: a\nX!#$%&'*+.^_`|~9: y\n"},
	{"an empty value", get("X:\r\n"), none, plainGet + "X: \n"},
	{"a colon in a value", get("X: a:b: c\r\n"), none, plainGet + "X: a:b: c\n"},
	{"a name that only contains one", get("X-Transfer-Encoding: chunked\r\n"), none, plainGet + "X-Transfer-Encoding: chunked\n"},
	{"a name that goes on with a digit", get("Transfer-Encoding1: chunked\r\n"), none, plainGet + "Transfer-Encoding1: chunked\n"},
	{"a name with a letter more", get("Content-Lengths: 3\r\n"), none, plainGet + "Content-Lengths: 3\n"},
	{"a name with a letter less", get("Content-Lengt: 3\r\n"), none, plainGet + "Content-Lengt: 3\n"},
	{"a DELETE with a body", "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", none, "DELETE / HTTP/1.1\nHost: a\nContent-Length: 3\n"},
	{"a POST of nothing", post("Content-Length: 0\r\n"), none, plainPost + "Content-Length: 0\n"},
	{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", none, plainGet},
	{"a percent sign in the target", "GET /%00%zz HTTP/1.1\r\nHost: a\r\n\r\n", none, "GET /%00%zz HTTP/1.1\nHost: a\n"},
	{"bytes beyond ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", none, "GET /\xc3\xa9 HTTP/1.1\nHost: a\n"},
	{"an absolute target", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n", none, "GET /x HTTP/1.1\nHost: a\n"},
	{"the largest length", post("Content-Length: 9223372036854775807\r\n"), none, plainPost + "Content-Length: 9223372036854775807\n"},
	{"zeros before a length", post("Content-Length: 0003\r\n"), none, postOf3},
	{"tabs around a value", get("X:\t y\t \r\n"), none, plainGet + "X: y\n"},

	// NonCompliantHeader.
	{"bytes beyond ASCII in a value", get("X: caf\xe9\r\n"), http1.NonCompliantHeader, plainGet + "X: caf\xe9\n"},
	{"DEL in a value", get("X: \x7f\r\n"), http1.NonCompliantHeader, plainGet},
	{"a control character in a value", get("X: a\x01b\r\nY: c\r\n"), http1.NonCompliantHeader, plainGet + "Y: c\n"},
	{"a blank in a name", get("X Y: a\r\n"), http1.NonCompliantHeader, plainGet},
	{"a blank before the colon", get("X : a\r\n"), http1.NonCompliantHeader, plainGet},
	{"a tab before the colon", get("X\t: a\r\n"), http1.NonCompliantHeader, plainGet},
	{"a control character in a name", get("X\x01: a\r\n"), http1.NonCompliantHeader, plainGet},
	{"brackets in a name", get("X[0]: a\r\n"), http1.NonCompliantHeader, plainGet},
	{"bytes beyond ASCII in a name", get("X\xe9: a\r\n"), http1.NonCompliantHeader, plainGet},
	{"quotes in a name", get("\"X\": a\r\n"), http1.NonCompliantHeader, plainGet},
	// SpaceInUri.
	{"a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", http1.SpaceInURI, "GET /a%20b HTTP/1.1\nHost: a\n"},
	{"blanks in the target", "GET /a b  c HTTP/1.1\r\nHost: a\r\n\r\n", http1.SpaceInURI, "GET /a%20b%20%20c HTTP/1.1\nHost: a\n"},
	{"two blanks before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", http1.SpaceInURI, plainGet},
	{"a version in the target", "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", http1.SpaceInURI, "GET /%20HTTP/1.1 HTTP/1.1\nHost: a\n"},
	// NonCompliantVersion.
	{"HTTP/0.9", "GET /x\r\n", http1.NonCompliantVersion, "GET /x HTTP/1.1\nHost: default\n"},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", http1.NonCompliantVersion, plainGet},
	{"HTTP/1.9", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", http1.NonCompliantVersion, plainGet},
	{"a blank behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", http1.NonCompliantVersion, plainGet},
	{"a tab behind the version", "GET / HTTP/1.1\t\r\nHost: a\r\n\r\n", http1.NonCompliantVersion, plainGet},
	{"two blanks before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", http1.NonCompliantVersion, plainGet},
	{"a tab before the version", "GET / \tHTTP/1.1\r\nHost: a\r\n\r\n", http1.NonCompliantVersion, plainGet},
	// GetHeadZeroContentLength.
	{"a GET of length 0", get("Content-Length: 0\r\n"), http1.GetHeadZeroContentLength, plainGet + "Content-Length: 0\n"},
	{"a HEAD of length 0", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", http1.GetHeadZeroContentLength, "HEAD / HTTP/1.1\nHost: a\nContent-Length: 0\n"},
	// NonCrLfLineTermination.
	{"LF alone after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", http1.NonCRLFLineTermination, plainGet},
	{"LF alone after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", http1.NonCRLFLineTermination, plainGet},
	{"LF alone as the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", http1.NonCRLFLineTermination, plainGet},
	{"LF alone everywhere", "GET / HTTP/1.1\nHost: a\nX: y\n\n", http1.NonCRLFLineTermination, plainGet + "X: y\n"},

	// EmptyHeader.
	{"no name", get(": x\r\n"), http1.EmptyHeader, plainGet},
	{"a colon alone", get(":\r\n"), http1.EmptyHeader, plainGet},
	{"two colons", get("::x\r\n"), http1.EmptyHeader, plainGet},
	{"blanks as a name, not folded", "GET / HTTP/1.1\r\n : x\r\nHost: a\r\n\r\n", http1.EmptyHeader, plainGet},
	// AmbiguousUri.
	{"a control character in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", http1.AmbiguousURI, "GET /%01 HTTP/1.1\nHost: a\n"},
	{"a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", http1.AmbiguousURI, "GET /a%09b HTTP/1.1\nHost: a\n"},
	{"DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", http1.AmbiguousURI, "GET /%7F HTTP/1.1\nHost: a\n"},
	{"a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", http1.AmbiguousURI, "GET /a%23b HTTP/1.1\nHost: a\n"},
	// UndefinedContentLengthSemantics.
	{"a GET with a body", get("Content-Length: 3\r\n"), http1.UndefinedContentLengthSemantics, plainGet + "Content-Length: 3\n"},
	{"a HEAD with a body", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", http1.UndefinedContentLengthSemantics, "HEAD / HTTP/1.1\nHost: a\nContent-Length: 3\n"},
	// UndefinedTransferEncodingSemantics.
	{"a chunked GET", get("Transfer-Encoding: chunked\r\n"), http1.UndefinedTransferEncodingSemantics, plainGet + "Transfer-Encoding: chunked\n"},
	{"a chunked HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", http1.UndefinedTransferEncodingSemantics, "HEAD / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n"},
	{"a GET with the coding identity", get("Transfer-Encoding: identity\r\n"), http1.UndefinedTransferEncodingSemantics, plainGet},
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", http1.UndefinedTransferEncodingSemantics, chunkedPost},
	// DuplicateContentLength.
	{"a length twice", post("Content-Length: 3\r\nContent-Length: 3\r\n"), http1.DuplicateContentLength, postOf3},
	{"a length three times, written differently", post("Content-Length: 3\r\ncontent-length: 03\r\nCONTENT-LENGTH: 003\r\n"), http1.DuplicateContentLength, postOf3},
	// BothTeClPresent.
	{"a length and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), http1.BothTEAndCLPresent, chunkedPost},
	{"chunked and a length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), http1.BothTEAndCLPresent, chunkedPost},
	{"identity and a length", post("Transfer-Encoding: identity\r\nContent-Length: 3\r\n"), http1.BothTEAndCLPresent, postOf3},
	{"a length of 0 and chunked", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), http1.BothTEAndCLPresent, chunkedPost},
	// SuspiciousHeader.
	{"an underscore for a hyphen", post("Transfer_Encoding: chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"no hyphen", post("ContentLength: 3\r\n"), http1.SuspiciousHeader, plainPost},
	{"two hyphens", post("Content--Length: 3\r\n"), http1.SuspiciousHeader, plainPost},
	{"a blank behind the name", post("Transfer-Encoding : chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"a tab behind the name", post("Transfer-Encoding\t: chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"a control character before the name", post("\x01Transfer-Encoding: chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"a blank within the name", post("Trans fer-encoding: chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"a dollar sign around it", post("$Content-Length$: 3\r\n"), http1.SuspiciousHeader, plainPost},
	{"a long s", post("Tran\xc5\xbffer-Encoding: chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"an i without its dot", post("Transfer-Encod\xc4\xb1ng: chunked\r\n"), http1.SuspiciousHeader, plainPost},
	{"one that is suspicious beside the real one", post("Content_Length: 5\r\nContent-Length: 3\r\n"), http1.SuspiciousHeader, postOf3},
	{"a vertical tab behind the name", post("Content-Length\x0b: 3\r\n"), http1.SuspiciousHeader, plainPost},
	{"a dot at the end", post("Content-Length.: 3\r\n"), http1.SuspiciousHeader, plainPost},
	// MultilineHeader.
	{"a folded value", get("X: a\r\n b\r\n"), http1.MultilineHeader, plainGet + "X: a b\n"},
	{"a value folded with tabs", get("X: a\r\n\t\tb\r\n"), http1.MultilineHeader, plainGet + "X: a b\n"},
	{"a value folded twice", get("X: a\r\n b\r\n c\r\nY: d\r\n"), http1.MultilineHeader, plainGet + "X: a b c\nY: d\n"},
	{"a folded line that looks like a field", get("X: a\r\n Content-Length: 5\r\n"), http1.MultilineHeader, plainGet + "X: a Content-Length: 5\n"},
	{"a folded Content-Type", post("Content-Type: a/b;\r\n charset=x\r\n"), none, plainPost + "Content-Type: a/b; charset=x\n"},
	{"a folded coding", post("Transfer-Encoding:\r\n chunked\r\n"), http1.MultilineHeader, chunkedPost},
	{"a folded length", post("Content-Length:\r\n 3\r\n"), http1.MultilineHeader, postOf3},
	// MissingHeaderColon.
	{"a line without a colon", get("X\r\n"), http1.MissingHeaderColon, plainGet},
	{"a length without a colon", post("Content-Length 3\r\n"), http1.MissingHeaderColon, plainPost},
	{"a request line among the fields", get("GET /admin HTTP/1.1\r\n"), http1.MissingHeaderColon, plainGet},
	// MissingUri.
	{"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", http1.MissingURI, ""},
	{"a method alone", "GET\r\nHost: a\r\n\r\n", http1.MissingURI, ""},
	{"blanks for a target", "GET   HTTP/1.1\r\nHost: a\r\n\r\n", http1.MissingURI, ""},

	// BadHeader.
	{"NUL in a value", get("X: a\x00b\r\n"), http1.BadHeader, ""},
	{"NUL in a name", get("X\x00: b\r\n"), http1.BadHeader, ""},
	{"CR in a value", get("X: a\rb\r\n"), http1.BadHeader, ""},
	{"CR in a name", get("X\rY: b\r\n"), http1.BadHeader, ""},
	{"CR twice at a line's end", get("X: a\r\r\n"), http1.BadHeader, ""},
	{"NUL in a length", post("Content-Length: 3\x00\r\n"), http1.BadHeader, ""},
	{"CR before a coding", post("X: a\rTransfer-Encoding: chunked\r\n"), http1.BadHeader, ""},
	// BadUri.
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", http1.BadURI, ""},
	{"CR in the target", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", http1.BadURI, ""},
	// BadMethod.
	{"a parenthesis in the method", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", http1.BadMethod, ""},
	{"a tab for the first blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", http1.BadMethod, ""},
	{"NUL in the method", "GE\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", http1.BadMethod, ""},
	{"bytes beyond ASCII in the method", "G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n", http1.BadMethod, ""},
	// BadVersion.
	{"a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", http1.BadVersion, ""},
	{"a version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", http1.BadVersion, ""},
	{"a version without a minor one", "GET / HTTP/1\r\nHost: a\r\n\r\n", http1.BadVersion, ""},
	{"a word for a version", "GET / X\r\nHost: a\r\n\r\n", http1.BadVersion, ""},
	{"another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", http1.BadVersion, ""},
	// MultipleContentLength.
	{"lengths that differ", post("Content-Length: 3\r\nContent-Length: 5\r\n"), http1.MultipleContentLength, ""},
	{"lengths that differ, and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"), http1.MultipleContentLength, ""},
	// BadContentLength.
	{"a sign before a length", post("Content-Length: +3\r\n"), http1.BadContentLength, ""},
	{"a negative length", post("Content-Length: -3\r\n"), http1.BadContentLength, ""},
	{"an empty length", post("Content-Length:\r\n"), http1.BadContentLength, ""},
	{"a list of lengths", post("Content-Length: 3, 3\r\n"), http1.BadContentLength, ""},
	{"a length in hexadecimal", post("Content-Length: 0x3\r\n"), http1.BadContentLength, ""},
	{"a fraction of a length", post("Content-Length: 3.0\r\n"), http1.BadContentLength, ""},
	{"a length that is too large", post("Content-Length: 9223372036854775808\r\n"), http1.BadContentLength, ""},
	{"a bad length and chunked", post("Content-Length: x\r\nTransfer-Encoding: chunked\r\n"), http1.BadContentLength, ""},
	// MultipleTransferEncodingChunked.
	{"chunked twice", post("Transfer-Encoding: chunked, chunked\r\n"), http1.MultipleTransferEncodingChunked, ""},
	{"chunked twice, in two fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), http1.MultipleTransferEncodingChunked, ""},
	// BadTransferEncoding.
	{"a misspelt coding", post("Transfer-Encoding: xchunked\r\n"), http1.BadTransferEncoding, ""},
	{"a quoted coding", post("Transfer-Encoding: \"chunked\"\r\n"), http1.BadTransferEncoding, ""},
	{"an empty coding", post("Transfer-Encoding:\r\n"), http1.BadTransferEncoding, ""},
	{"two codings without a comma", post("Transfer-Encoding: chunked x\r\n"), http1.BadTransferEncoding, ""},
}

// noForm are the reasons for which a request is refused whatever the mode, as there
// is no one way to read it.
var noForm = map[http1.Reason]bool{
	http1.MissingURI: true, http1.BadURI: true, http1.BadMethod: true, http1.BadVersion: true, http1.MultipleContentLength: true,
	http1.BadContentLength: true, http1.MultipleTransferEncodingChunked: true, http1.BadTransferEncoding: true,
}

func TestEveryReasonIsFound(t *testing.T) {
	seen := map[http1.Reason]bool{http1.PartialHeaderLine: true, http1.MissingLastEmptyLine: true} // see TestWhatEndsTooSoonIsClassified
	for _, v := range vectors {
		seen[v.reason] = true
		t.Run(v.name, func(t *testing.T) {
			if got := http1.Examine([]byte(v.in[leading(v.in):])); got.Reason != v.reason && v.reason.String() != "" {
				t.Errorf("examined: %s, want %s", got.Reason, v.reason)
			}
			for mode, refused := range map[http1.Mode]bool{
				http1.Defensive: v.goesOn == "",
				http1.Monitor:   noForm[v.reason] || v.name == "NUL in a length",
				http1.Strictest: v.reason != none,
			} {
				checkVector(t, v, mode, refused)
			}
		})
	}
	for r := http1.NonCompliantHeader; r.String() != "BadTransferEncoding"; r++ {
		if !seen[r] {
			t.Errorf("no vector for %s", r)
		}
	}
}

// leading returns how long an empty line before the request is.
func leading(s string) int { return len(s) - len(strings.TrimPrefix(s, "\r\n")) }

func checkVector(t *testing.T, v vector, mode http1.Mode, refused bool) {
	t.Helper()
	r := http1.Request{Policy: http1.Policy{Mode: mode}}
	n, err := 0, error(http1.ErrIncomplete)
	in := []byte(v.in)
	for i := 1; i <= len(in) && errors.Is(err, http1.ErrIncomplete); i++ { // byte by byte
		n, err = r.Parse(in[:i])
	}
	if r.Verdict.Reason != v.reason {
		t.Errorf("mode %d: %s, want %s (%v)", mode, r.Verdict.Reason, v.reason, err)
	}
	if refused {
		if refusal, ok := errors.AsType[*http1.Refusal](err); !ok || refusal.Status != 400 && refusal.Status != 501 {
			t.Errorf("mode %d: got %v, want it refused", mode, err)
		}
		return
	}
	if err != nil || n != len(in) {
		t.Errorf("mode %d: got %d, %v", mode, n, err)
		return
	}
	if parts := r.Parts(); parts != (mode == http1.Defensive && r.Verdict.Tier == http1.Ambiguous) || parts && r.KeepAlive() {
		t.Errorf("mode %d: parts %t, keeps alive %t", mode, parts, r.KeepAlive())
	}
	h := hop
	h.Host = []byte("default")
	out := http1.AppendRequest(nil, r.Source(in), &r, &h)
	var got strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(string(out), "\r\n", "\n")) {
		if name, _, _ := strings.Cut(line, ":"); line != "\n" && !strings.HasPrefix(name, "X-Forwarded-") && name != "X-Amzn-Trace-Id" {
			got.WriteString(line)
		}
	}
	if v.goesOn != "" && got.String() != v.goesOn {
		t.Errorf("mode %d: goes on as %q, want %q", mode, got.String(), v.goesOn)
	}
	// What goes on is beyond dispute, but for what a GET's body means.
	again := http1.Request{}
	if n, err := again.Parse(out); err != nil || n != len(out) || again.Body != r.Body {
		t.Errorf("mode %d: what goes on is read to %d of %d, %v, body %+v; want %+v", mode, n, len(out), err, again.Body, r.Body)
	}
	switch again.Verdict.Reason {
	case none, http1.GetHeadZeroContentLength, http1.UndefinedContentLengthSemantics, http1.UndefinedTransferEncodingSemantics:
	case http1.NonCompliantHeader:
		if v.reason != http1.NonCompliantHeader {
			t.Errorf("mode %d: what goes on is %s", mode, again.Verdict.Reason)
		}
	default:
		t.Errorf("mode %d: what goes on is %s", mode, again.Verdict.Reason)
	}
}

// In Monitor a field that can't be passed on is left out, and the request goes on.
func TestMonitorLeavesBadFieldsOut(t *testing.T) {
	in := []byte(get("X: a\x00b\r\nY: c\r\n"))
	r := http1.Request{Policy: http1.Policy{Mode: http1.Monitor}}
	if _, err := r.Parse(in); err != nil {
		t.Fatal(err)
	}
	if out := string(http1.AppendRequest(nil, r.Source(in), &r, &hop)); strings.Contains(out, "X:") || !strings.Contains(out, "Y: c\r\n") {
		t.Errorf("goes on as %q", out)
	}
	if r := (http1.Request{Policy: http1.Policy{Mode: http1.Monitor}}); true {
		if _, err := r.Parse([]byte(post("Content-Length: 3\x00\r\n"))); err == nil {
			t.Error("a length with NUL goes on")
		}
	}
}

func TestWhatEndsTooSoonIsClassified(t *testing.T) {
	for in, want := range map[string]http1.Reason{
		"GET / HTTP/1.1\r\nHost: a\r\n": http1.MissingLastEmptyLine,
		"GET / HTTP/1.1\r\nHost: a":     http1.PartialHeaderLine,
	} {
		if got := http1.Examine([]byte(in)); got.Reason != want || got.Tier != http1.Ambiguous {
			t.Errorf("%q: %s, want %s", in, got.Reason, want)
		}
	}
}

// The highest tier counts, and of it the first reason.
func TestVerdictsOnlyRise(t *testing.T) {
	for in, want := range map[string]http1.Reason{
		get("X: caf\xe9\r\nContent-Length: 0\r\n"):                    http1.NonCompliantHeader,
		get("X: caf\xe9\r\n: y\r\nContent_Length: 3\r\n"):             http1.EmptyHeader,
		post("X\r\nContent-Length: 3\r\nContent-Length: 4\r\nY\x00:"): http1.MultipleContentLength,
	} {
		if got := http1.Examine([]byte(in)); got.Reason != want {
			t.Errorf("%q: %s, want %s", in, got.Reason, want)
		}
	}
}

func TestFieldsOfInvalidNamesAreDroppedOrGoOn(t *testing.T) {
	in := []byte(get("X_Y: 1\r\nX-Y: 2\r\nZ.: 3\r\n"))
	for drop, want := range map[bool]string{true: "X-Y: 2\r\n", false: "X_Y: 1\r\nX-Y: 2\r\nZ.: 3\r\n"} {
		r := http1.Request{Policy: http1.Policy{DropInvalid: drop}}
		if _, err := r.Parse(in); err != nil {
			t.Fatal(err)
		}
		out := string(http1.AppendRequest(nil, r.Source(in), &r, &hop))
		if _, rest, _ := strings.Cut(out, "ab\r\n"); rest != want+"\r\n" {
			t.Errorf("dropping %t: the rest is %q, want %q", drop, rest, want)
		}
		if (r.Drops == 2) != drop || (r.Odd == 2) == drop {
			t.Errorf("dropping %t: %d dropped, %d odd", drop, r.Drops, r.Odd)
		}
		for range r.Header(in, "x_y") {
			if drop {
				t.Error("rules see a field that was dropped")
			}
		}
	}
}
