package e2e

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// Terraform finds rules as it made them, and as it changed them: every action and
// condition that the provider has; and listeners whose clients have certificates.
func TestTerraformFindsRulesAsItMadeThem(t *testing.T) {
	long(t)
	t.Parallel() // it waits for most of its time
	cfg := testkit.Config(t)
	region := cfg.Regions[0]
	region.Name, region.Zones = "eu-central-1", []string{"eu-central-1a", "eu-central-1b"}
	cfg.Regions = []config.Region{region}
	files := t.TempDir()
	cfg.Buckets = map[string]string{"authorities": files}
	s := testkit.Start(t, cfg)
	tf := newTerraform(t, s)
	tf.add("testdata/rules.tf")
	pair := issuer.New(t, "Root").Issue("ruled.example")
	people := issuer.New(t, "People")
	for path, content := range map[string][]byte{
		filepath.Join(tf.dir, "cert.pem"):       pair.Certificate,
		filepath.Join(tf.dir, "key.pem"):        pair.Key,
		filepath.Join(files, "people.pem"):      people.PEM,
		filepath.Join(files, "more-people.pem"): slices.Concat(people.PEM, issuer.New(t, "More").PEM),
		filepath.Join(files, "people.crl"):      people.Revoke([]*big.Int{big.NewInt(7)}),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(codes []int, step int, args ...string) (int, string) {
		t.Helper()
		return tf.run(codes, append(args, "-no-color", "-input=false", "-var=certificates="+tf.dir, fmt.Sprint("-var=step=", step))...)
	}
	tf.run([]int{0}, "init", "-no-color", "-input=false", "-plugin-dir="+tf.plugins)
	for step := 1; step <= 2; step++ {
		if code, _ := run([]int{0, 2}, step, "plan", "-detailed-exitcode"); code != 2 {
			t.Errorf("step %d: the plan is empty before it", step)
		}
		_, out := run([]int{0}, step, "apply", "-auto-approve")
		if step == 2 && strings.Contains(out, "destroyed") && !strings.Contains(out, " 0 destroyed") {
			t.Errorf("a change made resources anew:\n%s", out)
		}
		if code, out := run([]int{0, 2}, step, "plan", "-detailed-exitcode"); code != 0 {
			t.Errorf("step %d: the plan isn't empty:\n%s", step, out)
		}
	}
	run([]int{0}, 2, "destroy", "-auto-approve")
}
