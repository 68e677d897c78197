package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
)

// twoRegions is a server for walks that cross a border.
const twoRegions = `
dns: {ttl: 1s}
regions:
  - name: local-1
    zones: [local-1a, local-1b, local-1c]
    provider-pools: [127.64.0.0/16]
    provider-blocks: [127.65.0.0/16]
  - name: local-2
    zones: [local-2a, local-2b]
    provider-pools: [127.66.0.0/16]
    provider-blocks: [127.67.0.0/16]
`

// runScript runs a script as a person does who has read the README: with the
// program in the path, and the client files that the server wrote.
func runScript(t *testing.T, p *testkit.Process, script string, env ...string) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("SKIPPED: the AWS CLI is not installed, so the walk isn't taken")
	}
	dir := t.TempDir()
	if err := os.Symlink(p.Dir, filepath.Join(dir, "fairlead-data")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", script)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), env...),
		"PATH="+filepath.Dir(testkit.Program(t))+":"+os.Getenv("PATH"),
		"FAIRLEAD_OPS_ADDR="+strings.TrimPrefix(p.Ops, "http://"),
		"AWS_CONFIG_FILE="+filepath.Join(dir, "fairlead-data/aws/config"),
		"AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(dir, "fairlead-data/aws/credentials"),
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", filepath.Base(script), err, out)
		return
	}
	t.Logf("%s", out)
}

// The walks of examples/ipam do what they say, each on a server of its own.
func TestTheWalksThroughAddressManagement(t *testing.T) {
	long(t)
	t.Parallel() // it waits for most of its time
	scripts, err := filepath.Glob("../examples/ipam/*.sh")
	if err != nil || len(scripts) < 3 {
		t.Fatalf("got the scripts %v, %v", scripts, err)
	}
	zone := startReverse(t)
	publish := zone.publisher(t)
	configuration := twoRegions + fmt.Sprintf("byoip: {verification: [dns], resolver: %q}\n", zone.addr)
	for _, script := range scripts {
		if filepath.Base(script) == "steps.sh" {
			continue
		}
		path, err := filepath.Abs(script)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			p := testkit.StartProcessWith(t, filepath.Join(t.TempDir(), "data"), configuration)
			runScript(t, p, path, "PUBLISH="+publish)
		})
	}
}

// The commands of the page on pools run as they stand there.
func TestThePageOnPoolsRunsAsItStands(t *testing.T) {
	page, err := os.ReadFile("../docs/pools.md")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "pools.sh")
	text := "set -euo pipefail\n"
	for i, part := range strings.Split(string(page), "```") {
		if code, ok := strings.CutPrefix(part, "sh\n"); ok && i%2 == 1 {
			text += code
		}
	}
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runScript(t, testkit.StartProcess(t, filepath.Join(t.TempDir(), "data")), script)
}
