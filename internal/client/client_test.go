package client_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/client"
	"github.com/fairlead/fairlead/internal/wire"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheNearestSourceIsTaken(t *testing.T) {
	home, data, other := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, home, ".aws/config", "[default]\nregion = home-1\n[profile lab]\nregion=lab-1\nendpoint_url = http://127.0.0.9:1/\n")
	write(t, home, ".aws/credentials", "# keys\n[default]\naws_access_key_id = HOME\naws_secret_access_key = h=me\n[lab]\naws_access_key_id=LAB\naws_secret_access_key=lab\n")
	write(t, data, "aws/config", "[default]\nregion = data-1\nendpoint_url = http://127.0.0.1:7\n")
	write(t, data, "aws/credentials", "[default]\naws_access_key_id = DATA\naws_secret_access_key = data\n")
	named := write(t, other, "credentials", "[default]\naws_access_key_id = NAMED\naws_secret_access_key = named\n")
	for name, c := range map[string]struct {
		endpoint, region, data string
		env                    map[string]string
		want                   wire.Client
	}{
		"the home directory's files": {want: wire.Client{Endpoint: client.DefaultEndpoint, Region: "home-1", AccessKeyID: "HOME", Secret: "h=me"}},
		"a profile of theirs": {env: map[string]string{"AWS_PROFILE": "lab"},
			want: wire.Client{Endpoint: "http://127.0.0.9:1", Region: "lab-1", AccessKeyID: "LAB", Secret: "lab"}},
		"the data directory before them": {data: data, want: wire.Client{Endpoint: "http://127.0.0.1:7", Region: "data-1", AccessKeyID: "DATA", Secret: "data"}},
		"files that the environment names before it": {data: data, env: map[string]string{"AWS_SHARED_CREDENTIALS_FILE": named},
			want: wire.Client{Endpoint: "http://127.0.0.1:7", Region: "data-1", AccessKeyID: "NAMED", Secret: "named"}},
		"the environment before files": {data: data, env: map[string]string{
			"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "env", "AWS_REGION": "env-1", "AWS_ENDPOINT_URL": "http://127.0.0.2:2",
		}, want: wire.Client{Endpoint: "http://127.0.0.2:2", Region: "env-1", AccessKeyID: "ENV", Secret: "env"}},
		"the command line before all": {endpoint: "http://127.0.0.3:3", region: "flag-1", data: data, env: map[string]string{"AWS_REGION": "env-1", "AWS_ENDPOINT_URL": "http://127.0.0.2:2"},
			want: wire.Client{Endpoint: "http://127.0.0.3:3", Region: "flag-1", AccessKeyID: "DATA", Secret: "data"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := client.Find(client.Settings{Endpoint: c.endpoint, Region: c.region, DataDir: c.data, Env: environment(c.env, home)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func environment(env map[string]string, home string) func(string) string {
	return func(name string) string {
		if name == "HOME" {
			return home
		}
		return env[name]
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"AWS_REGION":        {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "a"},
		"AWS_ACCESS_KEY_ID": {"AWS_REGION": "local-1"},
	} {
		if _, err := client.Find(client.Settings{Env: environment(env, t.TempDir())}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
}
