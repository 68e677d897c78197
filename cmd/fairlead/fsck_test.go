package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/status"
)

func TestFsckSaysByItsCodeWhetherAllIsWell(t *testing.T) {
	orphan := status.Finding{Kind: "orphan", Invariant: "I2", Where: "pool p, 192.0.2.1/32", What: "nobody has it", Repair: "release the allocation"}
	mended := orphan
	mended.Outcome = "repaired"
	answers := map[string]status.Fsck{
		http.MethodGet:  {Pools: 1, Findings: []status.Finding{orphan}, Left: 1},
		http.MethodPost: {Pools: 1, Findings: []status.Finding{mended}, Repaired: 1},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/fsck" {
			t.Errorf("asked for %s", r.URL)
		}
		if err := json.NewEncoder(w).Encode(answers[r.Method]); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	ops := "--ops-addr=" + strings.TrimPrefix(srv.URL, "http://")
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"a finding":            {[]string{"fsck", ops}, 1, "--repair would release the allocation", "fairlead: 1 finding\n"},
		"a finding as JSON":    {[]string{"fsck", ops, "--output=json"}, 1, `"kind":"orphan"`, "fairlead: 1 finding\n"},
		"repaired":             {[]string{"fsck", ops, "--repair"}, 0, "everything fits again", ""},
		"no directory":         {[]string{"fsck", "--data-dir=" + t.TempDir()}, 1, "", "no server has kept anything"},
		"a file without a use": {[]string{"fsck", ops, "--config=x.yaml"}, 1, "", "--config goes with --data-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := invoke(t, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || c.code == 0 && stderr != "" {
				t.Errorf("%v: got code %d, %q, %q; want %d, %q, %q", c.args, code, stdout, stderr, c.code, c.stdout, c.stderr)
			}
		})
	}
}
