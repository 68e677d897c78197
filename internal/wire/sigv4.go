package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Identity is who a call is from and what it is for, as its credential says.
type Identity struct {
	AccessKeyID string
	Account     string // 12 digits
	Principal   string // ARN
	Region      string
	Service     string
}

// Keys finds access keys.
type Keys interface {
	Lookup(accessKeyID string) (secret, account, principal string, ok bool)
}

// authFailure says why a signature wasn't accepted; each protocol has its codes.
type authFailure struct {
	kind    authKind
	message string
}

func (e *authFailure) Error() string { return e.message }

type authKind int

const (
	authMissing    authKind = iota // no credential
	authIncomplete                 // one that can't be read
	authUnknownKey
	authMismatch
	authExpired
)

const (
	algorithm       = "AWS4-HMAC-SHA256"
	timeFormat      = "20060102T150405Z"
	maxSkew         = 5 * time.Minute
	maxPresign      = 7 * 24 * time.Hour
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// credential is a signature with what it covers, before it is verified.
type credential struct {
	accessKeyID, date, region, service string
	signedHeaders                      []string // lower case, sorted
	signature                          string   // hex
	time                               time.Time
	expires                            time.Duration // of a presigned request; 0: signed in its headers
	token                              string        // of a session
}

// readCredential takes the credential out of a request: from its Authorization
// header or, presigned, from its query.
func readCredential(r *http.Request) (credential, error) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		return readHeaderCredential(r, auth)
	}
	if r.URL.RawQuery != "" {
		q := r.URL.Query()
		if q.Has("X-Amz-Signature") || q.Has("X-Amz-Credential") {
			return readQueryCredential(q)
		}
	}
	return credential{}, &authFailure{authMissing, "Request is missing Authentication Token"}
}

func incomplete(message string) error { return &authFailure{authIncomplete, message} }

func readHeaderCredential(r *http.Request, auth string) (c credential, err error) {
	rest, ok := strings.CutPrefix(auth, algorithm)
	if !ok || rest == "" || (rest[0] != ' ' && rest[0] != '\t') {
		return c, incomplete("Authorization header must begin with '" + algorithm + "'")
	}
	var scope, headers string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return c, incomplete("Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters")
		}
		switch name {
		case "Credential":
			scope = value
		case "SignedHeaders":
			headers = value
		case "Signature":
			c.signature = value
		}
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			date = t.UTC().Format(timeFormat)
		}
	}
	c.token = r.Header.Get("X-Amz-Security-Token")
	return c, c.fill(scope, headers, date)
}

func readQueryCredential(q url.Values) (c credential, err error) {
	if q.Get("X-Amz-Algorithm") != algorithm {
		return c, incomplete("X-Amz-Algorithm must be '" + algorithm + "'")
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	c.expires = time.Duration(seconds) * time.Second
	if err != nil || seconds < 1 || c.expires > maxPresign {
		return c, incomplete("X-Amz-Expires must be a number of seconds between 1 and 604800")
	}
	c.signature = q.Get("X-Amz-Signature")
	c.token = q.Get("X-Amz-Security-Token")
	return c, c.fill(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Date"))
}

func (c *credential) fill(scope, headers, date string) error {
	parts := strings.Split(scope, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || parts[0] == "" {
		return incomplete("Credential must be KEY/DATE/REGION/SERVICE/aws4_request")
	}
	c.accessKeyID, c.date, c.region, c.service = parts[0], parts[1], parts[2], parts[3]
	t, err := time.Parse(timeFormat, date)
	if err != nil || t.Format("20060102") != c.date {
		return incomplete("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	}
	c.time = t
	c.signedHeaders = strings.Split(headers, ";")
	if !slices.Contains(c.signedHeaders, "host") || !slices.IsSorted(c.signedHeaders) || strings.ToLower(headers) != headers {
		return incomplete("SignedHeaders must be in lower case, sorted, and name 'host'")
	}
	if len(c.signature) != 2*sha256.Size {
		return incomplete("Signature must be 64 hex digits")
	}
	return nil
}

// verify checks a request's signature against the key's secret, and its date
// against the clock. The order is such that a stranger learns nothing about keys
// from how long it takes.
func verify(r *http.Request, body []byte, c credential, secret string, now time.Time) error {
	hash := bodyHash(body)
	if c.expires > 0 {
		// A presigned form has its parameters in the URL and no body to hash; a
		// client may say so or give the hash of the empty body.
		if len(body) == 0 && r.Header.Get("X-Amz-Content-Sha256") == unsignedPayload {
			hash = unsignedPayload
		}
	} else if given := r.Header.Get("X-Amz-Content-Sha256"); given != "" && given != hash {
		return &authFailure{authMismatch, "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	want := sign(c, secret, canonicalRequest(r, c, hash))
	if subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) != 1 {
		return &authFailure{authMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."}
	}
	age := now.Sub(c.time)
	limit := maxSkew
	if c.expires > 0 {
		limit = c.expires
	}
	if age > limit || age < -maxSkew {
		return &authFailure{authExpired, "Signature expired or not yet current: the request is dated " + c.time.Format(timeFormat) + ", now it is " + now.UTC().Format(timeFormat) + ". Check the clock."}
	}
	return nil
}

func bodyHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// sign returns the signature over a canonical request (AWS General Reference,
// "Create a signed request").
func sign(c credential, secret, canonical string) string {
	scope := c.date + "/" + c.region + "/" + c.service + "/aws4_request"
	toSign := algorithm + "\n" + c.time.Format(timeFormat) + "\n" + scope + "\n" + bodyHash([]byte(canonical))
	key := []byte("AWS4" + secret)
	for _, part := range []string{c.date, c.region, c.service, "aws4_request"} {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, toSign))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func canonicalRequest(r *http.Request, c credential, hash string) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(canonicalPath(r.URL, c.service))
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(r.URL))
	b.WriteByte('\n')
	for _, name := range c.signedHeaders {
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(headerValue(r, name))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(c.signedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(hash)
	return b.String()
}

// serviceS3 is the one service whose paths aren't escaped twice in what is signed.
const serviceS3 = "s3"

// canonicalPath encodes the path once more than it was sent, as every service
// but S3 has it.
func canonicalPath(u *url.URL, service string) string {
	p := u.EscapedPath()
	switch {
	case p == "":
		return "/"
	case service == serviceS3:
		return escape(u.Path, true)
	}
	return escape(p, true)
}

func canonicalQuery(u *url.URL) string {
	if u.RawQuery == "" {
		return ""
	}
	q, _ := url.ParseQuery(u.RawQuery)
	delete(q, "X-Amz-Signature")
	var b strings.Builder
	// In order of name, then value. Sorting whole pairs would put "Id.10=" before
	// "Id.1=", since digits precede the equals sign.
	for _, name := range slices.SortedFunc(maps.Keys(q), func(x, y string) int {
		return strings.Compare(escape(x, false), escape(y, false))
	}) {
		values := q[name]
		for i, v := range values {
			values[i] = escape(v, false)
		}
		slices.Sort(values)
		for _, v := range values {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(escape(name, false))
			b.WriteByte('=')
			b.WriteString(v)
		}
	}
	return b.String()
}

// escape percent-encodes all but RFC 3986's unreserved characters.
func escape(s string, keepSlash bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		ch := s[i]
		switch {
		case 'A' <= ch && ch <= 'Z', 'a' <= ch && ch <= 'z', '0' <= ch && ch <= '9',
			ch == '-', ch == '.', ch == '_', ch == '~', keepSlash && ch == '/':
			b.WriteByte(ch)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[ch>>4])
			b.WriteByte(digits[ch&15])
		}
	}
	return b.String()
}

// headerValue returns a header as it is signed: values joined by commas, runs of
// spaces folded. net/http keeps some headers elsewhere.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}
