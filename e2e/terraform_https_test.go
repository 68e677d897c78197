package e2e

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// Terraform makes an HTTPS listener with two certificates, finds them as it made
// them, brings a renewed certificate, and takes everything down again.
func TestTerraformMakesAnHTTPSListener(t *testing.T) {
	cfg := testkit.Config(t)
	region := cfg.Regions[0]
	region.Name, region.Zones = "eu-central-1", []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"}
	cfg.Regions = []config.Region{region}
	s := testkit.Start(t, cfg)
	tf := newTerraform(t, s)
	tf.add("testdata/https.tf")
	root := issuer.New(t, "Root")
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(tf.dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issue := func() issuer.Pair {
		t.Helper()
		p := root.Issue("shop.example")
		write("cert.pem", p.Certificate)
		write("key.pem", p.Key)
		return p
	}
	write("chain.pem", root.PEM)
	other := root.Issue("other.example")
	write("other-cert.pem", other.Certificate)
	write("other-key.pem", other.Key)

	ok := []int{0}
	with := []string{"-no-color", "-input=false", "-var=certificate=" + tf.dir}
	run := func(codes []int, args ...string) (int, string) {
		t.Helper()
		return tf.run(codes, append(args, with...)...)
	}
	settled := func(when string) {
		t.Helper()
		if code, out := run([]int{0, 2}, "plan", "-detailed-exitcode"); code != 0 {
			t.Errorf("%s: the plan isn't empty:\n%s", when, out)
		}
	}
	tf.run(ok, "init", "-no-color", "-input=false", "-plugin-dir="+tf.plugins)
	first := issue()
	run(ok, "apply", "-auto-approve")
	settled("made")
	_, name := tf.run(ok, "output", "-no-color", "-raw", "name")
	address := s.Resolve(t, name)[0].String() + ":28443"
	shows := func(host string, want issuer.Pair) {
		t.Helper()
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: root.Pool(), ServerName: host})
		if err != nil {
			t.Errorf("%s: %v", host, err)
			return
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(want.Leaf.SerialNumber) != 0 {
			t.Errorf("%s: got serial %x, want %x", host, got, want.Leaf.SerialNumber)
		}
	}
	shows("shop.example", first)
	shows("other.example", other)
	renewed := issue()
	run(ok, "apply", "-auto-approve")
	settled("renewed")
	shows("shop.example", renewed)
	run(ok, "destroy", "-auto-approve")
}
