package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/api/sts"
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/server"
	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	stsshapes "github.com/fairlead/fairlead/internal/shapes/sts"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func whoami(s *testkit.Server, region string) (string, error) {
	c := wire.Client{Endpoint: s.API, Spec: sts.Spec, Region: region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}
	var out stsshapes.GetCallerIdentityOutput
	if err := c.Do(context.Background(), "GetCallerIdentity", &stsshapes.GetCallerIdentityInput{}, &out); err != nil {
		return "", err
	}
	return *out.Arn, nil
}

func TestTheFirstStartMakesARootKeyAndClientFiles(t *testing.T) {
	cfg := testkit.Config(t)
	s := testkit.Start(t, cfg)
	for name, want := range map[string]string{
		"aws/config":      "[default]\nregion = local-1\nendpoint_url = " + s.API + "\n",
		"aws/credentials": "[default]\naws_access_key_id = " + s.Key.ID + "\naws_secret_access_key = " + s.Key.Secret + "\n",
		"keys/root.yaml":  s.Key.Secret,
	} {
		path := filepath.Join(cfg.DataDir, name)
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s: got %q, %v, want %q in it", name, b, err, want)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", name, st.Mode(), err)
		}
	}
	if got, err := whoami(s, "local-1"); err != nil || got != "arn:aws:iam::000000000000:root" {
		t.Errorf("whoami: got %q, %v", got, err)
	}
	key := s.Key
	s.Stop(t)
	if again := testkit.Start(t, cfg); again.Key != key {
		t.Errorf("the second start has another key")
	}
}

func TestTheRootKeyMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv("FAIRLEAD_ROOT_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT0")
	cfg := testkit.Config(t)
	err := server.Run(t.Context(), cfg, "test", slog.New(slog.DiscardHandler), nil)
	if err == nil || !strings.Contains(err.Error(), "FAIRLEAD_ROOT_SECRET_ACCESS_KEY") {
		t.Errorf("half a key: got %v", err)
	}
}

// I8: accounts are the operator's, each with keys of its own.
func TestAccountsComeFromTheConfiguration(t *testing.T) {
	cfg := testkit.Config(t)
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(keys, []byte("keys:\n  - access-key-id: AKIATENANTTENANT0000\n    secret-access-key: hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Accounts = []config.Account{{ID: "111122223333", Name: "tenant", KeysFile: keys}}
	s := testkit.Start(t, cfg)
	root := s.Key
	s.Key = config.AccessKey{ID: "AKIATENANTTENANT0000", Secret: "hush"}
	if got, err := whoami(s, "local-1"); err != nil || got != "arn:aws:iam::111122223333:root" {
		t.Errorf("got %q, %v", got, err)
	}
	s.Key.Secret = root.Secret
	var refused *apierr.Error
	if _, err := whoami(s, "local-1"); !errors.As(err, &refused) || refused.Code != "SignatureDoesNotMatch" {
		t.Errorf("with another's secret: got %v", err)
	}
	s.Key = root
	if _, err := whoami(s, "nowhere-1"); !errors.As(err, &refused) || refused.Code != "SignatureDoesNotMatch" || !strings.Contains(refused.Message, "nowhere-1") {
		t.Errorf("in an unknown region: got %v", err)
	}
}

func TestASecondServerOnTheDirectoryIsRefused(t *testing.T) {
	cfg := testkit.Config(t)
	s := testkit.Start(t, cfg)
	err := server.Run(t.Context(), cfg, "test", slog.New(slog.DiscardHandler), nil)
	if err == nil || !strings.Contains(err.Error(), "another server runs on data directory "+cfg.DataDir) {
		t.Errorf("got %v", err)
	}
	if _, err := whoami(s, "local-1"); err != nil {
		t.Errorf("the first server was disturbed: %v", err)
	}
}

func TestATakenPortNamesItsFlag(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	for flag, set := range map[string]func(*config.Config){
		"api-addr": func(c *config.Config) { c.APIAddr = ln.Addr().String() },
		"dns-addr": func(c *config.Config) { c.DNSAddr = ln.Addr().String() },
		"ops-addr": func(c *config.Config) { c.OpsAddr = ln.Addr().String() },
	} {
		cfg := testkit.Config(t)
		cfg.DataDir = filepath.Join(t.TempDir(), flag)
		set(&cfg)
		err := server.Run(t.Context(), cfg, "test", slog.New(slog.DiscardHandler), func(server.Addresses) { t.Errorf("%s: ready", flag) })
		var taken *server.ListenError
		if !errors.As(err, &taken) || taken.Flag != flag || taken.Addr != ln.Addr().String() {
			t.Errorf("%s: got %v", flag, err)
		}
	}
}

func TestOperatorsSeeTheProcess(t *testing.T) {
	s := testkit.Start(t, testkit.Config(t))
	for path, want := range map[string]string{"/livez": "ok\n", "/readyz": "ok\n", "/debug/pprof/": "goroutine"} {
		if code, body := get(t, s.Ops+path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %q", path, code, body)
		}
	}
	c := wire.Client{Endpoint: s.API, Spec: ec2.Spec, Region: s.Region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}
	if err := c.Do(t.Context(), "LaunchRocket", &ec2shapes.DescribeVpcsInput{}, &ec2shapes.DescribeVpcsOutput{}); err == nil {
		t.Error("an unknown action was answered")
	}
	_, metrics := get(t, s.Ops+"/metrics")
	for _, want := range []string{
		`fairlead_api_requests_total{action="LaunchRocket",code="InvalidAction",service="ec2"} 1`,
		`fairlead_pool_addresses{locale="local-1",`, "go_goroutines",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	_, body := get(t, s.Ops+"/status")
	var report status.Report
	if err := json.Unmarshal([]byte(body), &report); err != nil || !report.Ready || report.API != s.API || len(report.Pools) != 3 {
		t.Errorf("status: got %+v, %v", report, err)
	}
	resp, err := http.Post(s.Ops+"/reset", "", nil)
	if err != nil || resp.StatusCode < 400 {
		t.Errorf("reset outside dev mode: got %+v, %v", resp, err)
	}
	_ = resp.Body.Close()
}
