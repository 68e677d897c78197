package wire_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/fairlead/fairlead/internal/wire"
)

// Requests to S3 have the signature that AWS's own SDK gives them, whatever their
// path; it escapes those once, and those of other services twice.
func TestRequestsAreSignedAsTheSDKSignsThem(t *testing.T) {
	at := time.Date(2026, 11, 22, 6, 5, 0, 0, time.UTC)
	hash := strings.Repeat("0a", 32)
	signature := regexp.MustCompile(`Signature=[0-9a-f]{64}`)
	for _, service := range []string{"s3", "execute-api"} {
		for _, path := range []string{"/", "/bucket/key", "/bucket/a b+c=d(e)~100%25/ü", "/bucket//key/"} {
			request := func() *http.Request {
				r, err := http.NewRequest(http.MethodPut, "http://objects.example:9000/", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.URL.Path = path
				r.URL.RawPath = strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(path)) // as S3 has it
				return r
			}
			theirs, ours := request(), request()
			if service == "s3" {
				theirs.Header.Set("X-Amz-Content-Sha256", hash)
			}
			creds := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
			if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).SignHTTP(t.Context(), creds, theirs, hash, service, "eu-1", at); err != nil {
				t.Fatal(err)
			}
			wire.Signer{AccessKeyID: keyID, Secret: secret, Region: "eu-1", Service: service}.Sign(ours, hash, at)
			got, want := signature.FindString(ours.Header.Get("Authorization")), signature.FindString(theirs.Header.Get("Authorization"))
			if got != want || want == "" {
				t.Errorf("%s %s:\ngot  %s\nwant %s", service, path, ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"))
			}
		}
	}
}
