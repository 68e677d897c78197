package server

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/audit"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// auditLog is a log that the test leaves nothing of.
func auditLog(t testing.TB) *audit.Log {
	t.Helper()
	return auditIn(t, t.TempDir())
}

func auditIn(t testing.TB, dir string) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// Changes are on record in either protocol, reads aren't, and no secret is.
func TestChangesAreOnRecord(t *testing.T) {
	s := newSite(t, memstore.New()).listen()
	dir := t.TempDir()
	s.audit = auditIn(t, dir)
	var made ec2.CreateVpcOutput
	if err := s.client.Do(t.Context(), "CreateVpc", &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}, &made); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Do(t.Context(), "DescribeVpcs", &ec2.DescribeVpcsInput{}, &ec2.DescribeVpcsOutput{}); err != nil {
		t.Fatal(err)
	}
	secret := base64.StdEncoding.EncodeToString([]byte("a private key that nobody should see"))
	body, err := json.Marshal(map[string]any{
		"Certificate": base64.StdEncoding.EncodeToString([]byte("none")), "PrivateKey": secret, "Tags": []any{map[string]string{"Key": "password", "Value": "hunter22"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.client.Endpoint+"/", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "CertificateManager.ImportCertificate")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()

	recs, err := s.audit.Find(t.Context(), audit.Filter{})
	if err != nil || len(recs) != 2 {
		t.Fatalf("got %+v, %v, want the two changes", recs, err)
	}
	vpc, cert := recs[0], recs[1]
	if vpc.Action != "CreateVpc" || vpc.Code != audit.OK || vpc.Account != tenant || vpc.Parameters["CidrBlock"] != "10.0.0.0/16" || len(vpc.Resources) == 0 || vpc.Region != home {
		t.Errorf("got %+v", vpc)
	}
	if cert.Action != "ImportCertificate" || cert.Service != "acm" || cert.Code == audit.OK || cert.Parameters["PrivateKey"] != "(redacted)" || cert.Parameters["Tags.1.Value"] != "(redacted)" {
		t.Errorf("got %+v", cert)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got files %v, %v", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil || strings.Contains(string(content), secret[:16]) || strings.Contains(string(content), "hunter22") {
		t.Errorf("a secret is in the log: %s, %v", content, err)
	}
}
