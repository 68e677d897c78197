package wire_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/fairlead/fairlead/internal/wire"
)

var emptyHash = hex.EncodeToString(sha256.New().Sum(nil))

// What is hard about a signature is that both sides write the request down alike.
// The SDK's signer is the oracle: whatever it signs is taken, and not if one byte
// of it differs.
func TestCanonicalRequestsAreWrittenAsTheSDKWritesThem(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	many := url.Values{"Action": {"DescribeVpcs"}}
	for _, i := range []string{"1", "2", "9", "10", "11", "100"} {
		many.Set("VpcId."+i, "vpc-"+i)
	}
	for name, c := range map[string]struct {
		path, query string
		header      http.Header
	}{
		"no query":                           {path: "/"},
		"no path":                            {path: ""},
		"a space written as plus":            {path: "/", query: "A=b+c"},
		"a space written as %20":             {path: "/", query: "A=b%20c"},
		"a plus":                             {path: "/", query: "A=b%2Bc"},
		"characters that needn't be encoded": {path: "/", query: "A=%2D%5F%2E%7E%61"},
		"characters that must be":            {path: "/", query: "A=*'()!$@:/?"},
		"lower-case percent-encoding":        {path: "/", query: "A=%c3%a9"},
		"a value that holds an equals sign":  {path: "/", query: "A=b%3Dc=d"},
		"an empty value":                     {path: "/", query: "A=&B"},
		"one name with several values":       {path: "/", query: "A=z&A=b&A=a"},
		"names in no order":                  {path: "/", query: "b=1&B=2&a=3&A=4"},
		"list items past the ninth":          {path: "/", query: many.Encode()},
		"a path with a space":                {path: "/a%20b/c"},
		"a path beyond ASCII":                {path: "/%E9%A9%AC"},
		"a header with runs of spaces":       {path: "/", header: http.Header{"X-Amz-Meta": {"  a   b  "}}},
		"a header given twice":               {path: "/", header: http.Header{"X-Amz-Meta": {"b", "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			sign := func() *http.Request {
				target := h.URL + c.path
				if c.query != "" {
					target += "?" + c.query
				}
				r, err := http.NewRequest(http.MethodGet, target, nil)
				if err != nil {
					t.Fatal(err)
				}
				for name, v := range c.header {
					r.Header[name] = v
				}
				if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, emptyHash, "ec2", "local-1", time.Now()); err != nil {
					t.Fatal(err)
				}
				return r
			}
			// Once the signature has been taken, what is wrong is the action.
			if status, body := do(t, sign()); status == http.StatusForbidden || status == http.StatusUnauthorized {
				t.Errorf("signed in its header: got %d %s", status, body)
			}
			r := sign()
			r.URL.RawQuery += "&Z=1"
			if status, body := do(t, r); status != http.StatusForbidden || !strings.Contains(body, "SignatureDoesNotMatch") {
				t.Errorf("with a parameter more: got %d %s", status, body)
			}
			r = sign()
			r.URL.Path, r.URL.RawPath = "/"+strings.Trim(r.URL.Path, "/")+"x", ""
			if status, body := do(t, r); status != http.StatusForbidden {
				t.Errorf("with another path: got %d %s", status, body)
			}
		})
	}
}

func presign(t *testing.T, endpoint, service string, form url.Values, at time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, endpoint+"/?"+form.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, emptyHash, service, "local-1", at)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = http.NewRequest(http.MethodGet, signed, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAPresignedRequestIsAnsweredWhileItLives(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	for name, c := range map[string]struct {
		expires string
		at      time.Duration
		tamper  func(*http.Request)
		status  int
		text    string
	}{
		"fresh":           {"60", 0, nil, 200, "10.0.0.0/16"},
		"in its last day": {"604800", -6 * 24 * time.Hour, nil, 200, "10.0.0.0/16"},
		"expired":         {"60", -2 * time.Minute, nil, 400, "RequestExpired"},
		"not yet":         {"60", 6 * time.Minute, nil, 400, "RequestExpired"},
		"too long a life": {"604801", 0, nil, 401, "X-Amz-Expires"},
		"no life":         {"0", 0, nil, 401, "X-Amz-Expires"},
		"a life prolonged": {"60", -2 * time.Minute, func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Expires=60", "X-Amz-Expires=600", 1)
		}, 403, "SignatureDoesNotMatch"},
		"another parameter": {"60", 0, func(r *http.Request) { r.URL.RawQuery += "&DryRun=true" }, 403, "SignatureDoesNotMatch"},
		"a body added": {"60", 0, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("DryRun=true")), int64(len("DryRun=true"))
		}, 403, "SignatureDoesNotMatch"},
		"a session token": {"60", 0, func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Security-Token=x" }, 401, "AuthFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			r := presign(t, h.URL, "ec2", createVpc("X-Amz-Expires", c.expires), time.Now().Add(c.at))
			if c.tamper != nil {
				c.tamper(r)
			}
			if status, body := do(t, r); status != c.status || !strings.Contains(body, c.text) {
				t.Errorf("got %d %s, want %d %s", status, body, c.status, c.text)
			}
		})
	}
}

// I8: a signature made for one service says nothing to another.
func TestASignatureForAnotherServiceIsRefused(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	status, body := post(t, h.URL, "s3", createVpc(), nil)
	if status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") || !strings.Contains(body, "scoped to the service") {
		t.Errorf("of a service that isn't served: got %d %s", status, body)
	}
	status, body = post(t, h.URL, "elasticloadbalancing", createVpc(), nil)
	if status != 400 || !strings.Contains(body, "<Code>InvalidAction</Code>") {
		t.Errorf("of a service that is: got %d %s", status, body)
	}
	status, body = post(t, h.URL, "s3", form("Action", "ListBuckets"), nil)
	if status != 400 || !strings.Contains(body, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code>") {
		t.Errorf("of one that isn't served, for it: got %d %s", status, body)
	}
}

// The body's hash is checked when it is claimed, and an unsigned payload isn't
// taken in its place.
func TestAnUnsignedPayloadIsRefused(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	body := createVpc().Encode()
	r, err := http.NewRequest(http.MethodPost, h.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, "UNSIGNED-PAYLOAD", "ec2", "local-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if status, got := do(t, r); status != 403 || !strings.Contains(got, "x-amz-content-sha256") {
		t.Errorf("got %d %s", status, got)
	}
}

// Without x-amz-date the Date header dates a request; since the SDK signs the
// former, what then fails is the signature, not the reading.
func TestTheDateHeaderDatesARequest(t *testing.T) {
	h, _ := newServer(t, wire.Config{})
	for name, c := range map[string]struct {
		date string
		code string
	}{
		"a date":   {time.Now().UTC().Format(http.TimeFormat), "SignatureDoesNotMatch"},
		"no date":  {"", "AuthFailure"},
		"no clock": {"yesterday", "AuthFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			_, body := post(t, h.URL, "ec2", createVpc(), func(r *http.Request) {
				r.Header.Del("X-Amz-Date")
				r.Header.Set("Date", c.date)
			})
			if !strings.Contains(body, "<Code>"+c.code+"</Code>") {
				t.Errorf("got %s, want %s", body, c.code)
			}
		})
	}
}
