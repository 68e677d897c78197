package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
)

// Client calls a service through its public API, for the commands of this
// program: the same bytes that an SDK sends, without linking one.
type Client struct {
	Endpoint    string      // "http://127.0.0.1:7480"
	Spec        ServiceSpec // of a service that takes forms
	Region      string
	AccessKeyID string
	Secret      string
	HTTP        *http.Client // nil: http.DefaultClient
}

// Do calls the action with in and fills out, both pointers to generated shapes.
// A refusal is an *apierr.Error.
func (c *Client) Do(ctx context.Context, action string, in, out any) error {
	resp, err := c.request(ctx, action, in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: read reply: %w", action, err)
	}
	if err := decodeReply(c.Spec.Protocol, action, reply, reflect.ValueOf(out).Elem()); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}

// request sends a signed request, to which headers may add, and returns a
// response that is no error, whose body the caller closes.
func (c *Client) request(ctx context.Context, action string, in any, headers func(http.Header)) (*http.Response, error) {
	form := encodeForm(c.Spec.Protocol, in)
	form.Set("Action", action)
	form.Set("Version", c.Spec.Version)
	body := []byte(form.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if headers != nil {
		headers(r.Header)
	}
	c.sign(r, body, time.Now().UTC())
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: read reply: %w", action, err)
	}
	code, message := decodeError(reply)
	return nil, &apierr.Error{Code: code, Message: message, Status: resp.StatusCode}
}

// newLines reads lines of up to a MiB.
func newLines(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4096), MaxBodyBytes)
	return lines
}

func (c *Client) sign(r *http.Request, body []byte, now time.Time) {
	Signer{AccessKeyID: c.AccessKeyID, Secret: c.Secret, Region: c.Region, Service: c.Spec.Name}.Sign(r, bodyHash(body), now)
}

// Signer signs requests to a service (AWS Signature Version 4).
type Signer struct{ AccessKeyID, Secret, Region, Service string }

// Sign adds what shows whose the request is. hash is that of its body, SHA-256 in
// hexadecimal.
func (s Signer) Sign(r *http.Request, hash string, now time.Time) {
	now = now.UTC()
	r.Host = r.URL.Host
	r.Header.Set("X-Amz-Date", now.Format(timeFormat))
	cred := credential{
		accessKeyID: s.AccessKeyID, date: now.Format("20060102"), region: s.Region, service: s.Service,
		signedHeaders: []string{"host", "x-amz-date"}, time: now,
	}
	if s.Service == serviceS3 { // which asks for it
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	for _, name := range []string{"content-type", "x-amz-content-sha256"} {
		if r.Header.Get(name) != "" {
			cred.signedHeaders = append(cred.signedHeaders, name)
		}
	}
	slices.Sort(cred.signedHeaders)
	signature := sign(cred, s.Secret, canonicalRequest(r, cred, hash))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		algorithm, cred.accessKeyID, cred.date, cred.region, cred.service, strings.Join(cred.signedHeaders, ";"), signature))
}
