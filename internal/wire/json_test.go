package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/acm"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// What an SDK's client sends with every member set fills every member of the
// shape, and nothing of it is unknown.
func TestRecordedJSONRequestsAreReadWhole(t *testing.T) {
	for _, s := range jsonShapes {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+s.module).Output()
		if err != nil {
			t.Fatalf("find the SDK module %s: %v", s.module, err)
		}
		for _, op := range s.operations {
			raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "request_snapshot", actionOf(op)+".request.snap"))
			if err != nil {
				t.Fatal(err)
			}
			_, body, found := strings.Cut(string(raw), "\n\n{")
			if !found || !strings.Contains(string(raw), s.spec.Target+"."+actionOf(op)) {
				t.Fatalf("%s: no body or no target in %s", actionOf(op), raw)
			}
			// The recorded enum values are placeholders.
			in := reflect.New(reflect.TypeOf(op[0]))
			err = wire.DecodeJSON([]byte("{"+body), in.Interface())
			if err != nil && !strings.Contains(err.Error(), "enum value set") {
				t.Errorf("%s: %v", actionOf(op), err)
			}
			unset(t, actionOf(op), in.Elem())
		}
	}
}

// unset reports members of a request that are zero.
func unset(t *testing.T, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			unset(t, path, v.Elem())
			return
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("in") != "" {
				unset(t, path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
		return
	case reflect.Slice:
		if v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct {
			unset(t, path+"[0]", v.Index(0))
		}
	case reflect.Int32, reflect.Bool:
		return
	}
	if v.IsZero() {
		t.Errorf("%s wasn't read", path)
	}
}

// jsonServer lists one certificate, and says what it was asked for.
func jsonServer(t *testing.T, cfg wire.Config) (*httptest.Server, *acm.ListCertificatesInput) {
	t.Helper()
	asked := new(acm.ListCertificatesInput)
	svc := wire.NewService(acmSpec)
	wire.Handle(svc, "ListCertificates", func(_ context.Context, _ *wire.Call, in *acm.ListCertificatesInput) (*acm.ListCertificatesOutput, error) {
		*asked = *in
		at := time.Date(2026, 11, 22, 6, 5, 0, 120e6, time.UTC)
		return &acm.ListCertificatesOutput{CertificateSummaryList: []acm.CertificateSummary{
			{CertificateArn: new("arn:1"), DomainName: new("<shop> \"é\""), CreatedAt: &at, InUse: new(false), Type: acm.CertificateTypeImported, KeyUsages: []acm.KeyUsageName{}},
		}}, nil
	})
	wire.Handle(svc, "ImportCertificate", func(context.Context, *wire.Call, *acm.ImportCertificateInput) (*acm.ImportCertificateOutput, error) {
		return &acm.ImportCertificateOutput{}, nil
	})
	wire.Handle(svc, "DeleteCertificate", func(context.Context, *wire.Call, *acm.DeleteCertificateInput) (*acm.DeleteCertificateOutput, error) {
		return nil, apierr.New("ResourceInUseException", "Certificate \"x\" is in use.")
	})
	wire.Handle(svc, "GetCertificate", func(context.Context, *wire.Call, *acm.GetCertificateInput) (*acm.GetCertificateOutput, error) {
		panic("a bug")
	})
	other := wire.NewService(ec2Spec)
	wire.Handle(other, "DescribeRegions", func(context.Context, *wire.Call, *ec2.DescribeRegionsInput) (*ec2.DescribeRegionsOutput, error) {
		return &ec2.DescribeRegionsOutput{}, nil
	})
	cfg.Log = slog.New(slog.DiscardHandler)
	h := httptest.NewServer(wire.NewServer(cfg, svc, other))
	t.Cleanup(h.Close)
	return h, asked
}

func postJSON(t *testing.T, url, target, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(reply)
}

func TestAJSONCallIsAnswered(t *testing.T) {
	h, asked := jsonServer(t, wire.Config{Dev: true})
	resp, body := postJSON(t, h.URL, "CertificateManager.ListCertificates", `{"MaxItems": 5, "Includes": {"keyTypes": ["RSA_2048"]}, "NextToken": null}`)
	want := `{"CertificateSummaryList":[{"CertificateArn":"arn:1","CreatedAt":1795327500.12,"DomainName":"\u003cshop\u003e \"é\"","InUse":false,"KeyUsages":[],"Type":"IMPORTED"}]}`
	if resp.StatusCode != 200 || body != want || resp.Header.Get("Content-Type") != "application/x-amz-json-1.1" || resp.Header.Get("x-amzn-RequestId") == "" {
		t.Errorf("got %d %v\n%s\nwant\n%s", resp.StatusCode, resp.Header, body, want)
	}
	if *asked.MaxItems != 5 || len(asked.Includes.KeyTypes) != 1 || asked.NextToken != nil {
		t.Errorf("the handler saw %+v", asked)
	}
	if resp, body := postJSON(t, h.URL, "CertificateManager.ListCertificates", ""); resp.StatusCode != 200 {
		t.Errorf("without a body: got %d %s", resp.StatusCode, body)
	}
}

// I10: whatever is wrong is told in the form that SDKs of the protocol read.
func TestJSONErrors(t *testing.T) {
	h, _ := jsonServer(t, wire.Config{Dev: true})
	acmCredential := []string{"Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/r/acm/aws4_request, SignedHeaders=host, Signature=00"}
	ec2Credential := []string{"Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/r/ec2/aws4_request, SignedHeaders=host, Signature=00"}
	const list, importing = "CertificateManager.ListCertificates", "CertificateManager.ImportCertificate"
	for name, c := range map[string]struct {
		target, body string
		headers      []string
		status       int
		code, text   string
	}{
		"a refusal":                 {"CertificateManager.DeleteCertificate", `{"CertificateArn":"x"}`, nil, 400, "ResourceInUseException", `Certificate "x" is in use.`},
		"a panic":                   {"CertificateManager.GetCertificate", `{"CertificateArn":"x"}`, nil, 500, "InternalFailure", "internal error"},
		"an unknown action":         {"CertificateManager.LaunchRocket", `{}`, nil, 400, "UnknownOperationException", "LaunchRocket"},
		"no action":                 {"", `{}`, acmCredential, 400, "UnknownOperationException", "CertificateManager.ACTION"},
		"another service's target":  {"Kinesis.ListCertificates", `{}`, acmCredential, 400, "UnknownOperationException", "CertificateManager.ACTION"},
		"no JSON":                   {list, `Action=ListCertificates`, nil, 400, "SerializationException", "not JSON"},
		"half of it":                {list, `{"MaxItems"`, nil, 400, "SerializationException", "not JSON"},
		"two of them":               {list, `{}{}`, nil, 400, "SerializationException", "behind"},
		"no UTF-8":                  {list, "{\"NextToken\":\"\xff\"}", nil, 400, "SerializationException", "UTF-8"},
		"a list":                    {list, `[]`, nil, 400, "SerializationException", "an object"},
		"a string for a number":     {list, `{"MaxItems":"5"}`, nil, 400, "SerializationException", "maxItems"},
		"a fraction":                {list, `{"MaxItems":5.5}`, nil, 400, "SerializationException", "an integer"},
		"a number past its type":    {list, `{"MaxItems":99999999999}`, nil, 400, "SerializationException", "an integer"},
		"a number for a string":     {list, `{"NextToken":5}`, nil, 400, "SerializationException", "nextToken"},
		"an object for a list":      {list, `{"CertificateStatuses":{}}`, nil, 400, "SerializationException", "a list"},
		"a list for an object":      {list, `{"Includes":[]}`, nil, 400, "SerializationException", "an object"},
		"a list for a string":       {list, `{"NextToken":[]}`, nil, 400, "SerializationException", "nextToken"},
		"an enum's stranger":        {list, `{"CertificateStatuses":["ISSUED","LOST"]}`, nil, 400, "ValidationException", "'LOST' at 'certificateStatuses.2.member' failed to satisfy constraint: Member must satisfy enum value set: [PENDING_VALIDATION, "},
		"a null in a list":          {list, `{"CertificateStatuses":[null]}`, nil, 400, "ValidationException", "certificateStatuses.1.member"},
		"an unknown member":         {list, `{"MaxItem":5}`, nil, 400, "ValidationException", "'MaxItem'"},
		"an unknown member, deeper": {list, `{"Includes":{"keyType":[]}}`, nil, 400, "ValidationException", "'includes.keyType'"},
		"what is required":          {importing, `{}`, nil, 400, "ValidationException", "2 validation errors detected: Value null at 'certificate' failed to satisfy constraint: Member must not be null; Value null at 'privateKey'"},
		"no base64":                 {importing, `{"Certificate":"-----BEGIN","PrivateKey":"AAAA"}`, nil, 400, "SerializationException", "base64"},
		"a body without end":        {list, `{"NextToken":"` + strings.Repeat("a", wire.MaxBodyBytes) + `"}`, nil, 400, "SerializationException", "limit of 1048576 bytes"},
		"nesting without end":       {list, strings.Repeat(`{"Includes":`, 50_000), nil, 400, "SerializationException", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := postJSON(t, h.URL, c.target, c.body, c.headers...)
			var e struct {
				Type    string `json:"__type"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("got %s: %v", body, err)
			}
			if resp.StatusCode != c.status || e.Type != c.code || resp.Header.Get("x-amzn-ErrorType") != c.code || !strings.Contains(e.Message, c.text) {
				t.Errorf("got %d %s, want %d %s with %q", resp.StatusCode, body, c.status, c.code, c.text)
			}
			if strings.Contains(body, "BEGIN") {
				t.Errorf("%s quotes what could be a secret", body)
			}
		})
	}
	// A target means nothing to a service that takes forms.
	resp, body := postJSON(t, h.URL, list, "Action=DescribeRegions&Version=2016-11-15", ec2Credential...)
	if resp.StatusCode != 200 || !strings.Contains(body, "<DescribeRegionsResponse") {
		t.Errorf("EC2 with a target: got %d %s", resp.StatusCode, body)
	}
}

// I8: no handler runs for who can't prove who they are.
func TestUnsignedJSONCallsAreRefused(t *testing.T) {
	h, asked := jsonServer(t, wire.Config{Keys: keys{}, Regions: func(string) bool { return true }})
	date := time.Now().UTC().Format("20060102T150405Z")
	signed := func(key string) string {
		return "AWS4-HMAC-SHA256 Credential=" + key + "/" + date[:8] + "/local-1/acm/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + strings.Repeat("0", 64)
	}
	for name, c := range map[string]struct{ authorization, code string }{
		"no credential":      {"", "MissingAuthenticationTokenException"},
		"half of one":        {"AWS4-HMAC-SHA256 Credential=a", "IncompleteSignatureException"},
		"nobody's key":       {signed("AKIANOBODY"), "UnrecognizedClientException"},
		"a forged signature": {signed(keyID), "InvalidSignatureException"},
	} {
		headers := []string{"X-Amz-Date", date}
		if c.authorization != "" {
			headers = append(headers, "Authorization", c.authorization)
		}
		resp, body := postJSON(t, h.URL, "CertificateManager.ListCertificates", `{"MaxItems":5}`, headers...)
		if resp.StatusCode != 400 || resp.Header.Get("x-amzn-ErrorType") != c.code || asked.MaxItems != nil {
			t.Errorf("%s: got %d %s, want 400 %s and no handler", name, resp.StatusCode, body, c.code)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"Certificate":"AAAA","PrivateKey":"AAAA","Tags":[{"Key":"k","Value":"v"}]}`)
	f.Add(`{"Includes":{"keyTypes":["RSA_2048"]},"MaxItems":1e2}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, in := range []any{new(acm.ImportCertificateInput), new(acm.ListCertificatesInput), new(acm.RequestCertificateInput)} {
			if err := wire.DecodeJSON([]byte(body), in); err != nil {
				if e := new(apierr.Error); !errors.As(err, &e) || e.Status != 400 {
					t.Errorf("got %v", err)
				}
			}
		}
	})
}
