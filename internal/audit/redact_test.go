package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/audit"
)

// content returns all that the log's files have.
func content(t interface{ Fatal(...any) }, dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

func TestSecretsAreRedactedByName(t *testing.T) {
	const hidden = "(redacted)"
	for _, c := range []struct {
		name string
		in   map[string]string
		want map[string]string
	}{
		{"a private key", map[string]string{"PrivateKey": "k-123456789", "Certificate": "c"}, map[string]string{"PrivateKey": hidden, "Certificate": "c"}},
		{"a passphrase", map[string]string{"Passphrase": "p"}, map[string]string{"Passphrase": hidden}},
		{"a member deep inside", map[string]string{"Actions.member.1.AuthenticateOidcConfig.ClientSecret": "s", "Actions.member.1.AuthenticateOidcConfig.ClientId": "id"},
			map[string]string{"Actions.member.1.AuthenticateOidcConfig.ClientSecret": hidden, "Actions.member.1.AuthenticateOidcConfig.ClientId": "id"}},
		{"all below a secret member", map[string]string{"Credentials.1.Id": "x"}, map[string]string{"Credentials.1.Id": hidden}},
		{"another spelling", map[string]string{"master_user_password": "x", "X-API-Key": "y"}, map[string]string{"master_user_password": hidden, "X-API-Key": hidden}},
		{"a tag whose key says so", map[string]string{"Tag.1.Key": "db-password", "Tag.1.Value": "x", "Tag.2.Key": "team", "Tag.2.Value": "web"},
			map[string]string{"Tag.1.Key": hidden, "Tag.1.Value": hidden, "Tag.2.Key": "team", "Tag.2.Value": "web"}},
		{"an entry of a map", map[string]string{"Extra.entry.1.key": "client_secret", "Extra.entry.1.value": "x"},
			map[string]string{"Extra.entry.1.key": hidden, "Extra.entry.1.value": hidden}},
		{"tokens that are no secrets", map[string]string{"ClientToken": "t", "NextToken": "n", "PrivateIpAddress": "10.0.0.1", "KeyName": "k"},
			map[string]string{"ClientToken": "t", "NextToken": "n", "PrivateIpAddress": "10.0.0.1", "KeyName": "k"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, dir := open(t, audit.Options{})
			l.Append(audit.Record{Action: "Change", Code: audit.OK, Parameters: c.in}, nil)
			var got audit.Record
			if err := json.Unmarshal([]byte(content(t, dir)), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Parameters); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Wherever a secret is, and whatever quotes it: no file of the log has it.
func TestNoSecretReachesTheLog(t *testing.T) {
	l, dir := open(t, audit.Options{})
	names := []string{"PrivateKey", "Password", "ClientSecret", "Passphrase", "SecretAccessKey", "SessionToken", "client_secret", "API-Key"}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`arn:[0-9a-zA-Z]{6}[ -~]{6,900}`).Draw(t, "secret") // looks like a resource, too
		name := rapid.SampledFrom(names).Draw(t, "name")
		above := rapid.StringMatching(`([A-Z][a-z]{1,8}\.(member\.)?[1-9]\.){0,3}`).Draw(t, "above")
		below := rapid.StringMatching(`(\.[A-Z][a-z]{1,8}){0,2}`).Draw(t, "below")
		parameters := map[string]string{"Name": "web", above + name + below: secret}
		if rapid.Bool().Draw(t, "a pair") {
			parameters = map[string]string{above + "1.Key": name, above + "1.Value" + below: secret}
		}
		message := rapid.SampledFrom([]string{"", "Value (%s) is invalid", "'%.256s…' is too long", "%.8s"}).Draw(t, "message")
		if message != "" {
			message = fmt.Sprintf(message, secret)
		}
		reply := &struct{ Made, PrivateKey *string }{new("arn:made"), &secret}
		l.Append(audit.Record{Action: "Change", Code: "Invalid", Message: message, Parameters: parameters}, reply)
		for line := range strings.Lines(content(t, dir)) {
			var r audit.Record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if shown := fmt.Sprintf("%+v", r); strings.Contains(shown, secret[:min(len(secret), 10)]) {
				t.Fatalf("%q is in the log: %s", secret, shown)
			}
		}
		for _, name := range must(filepath.Glob(filepath.Join(dir, "*"))) {
			if err := os.Truncate(name, 0); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
