package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// terraform runs Terraform in a directory against a server, with the AWS
// provider that is installed and without asking any registry.
type terraform struct {
	*testing.T
	dir, plugins string
	env          []string
}

// pluginDirs are where Terraform's providers may be installed: where the
// environment says, where Terraform itself looks, and where machine images put them.
func pluginDirs() []string {
	home, _ := os.UserHomeDir()
	dirs := []string{
		os.Getenv("FAIRLEAD_TEST_TERRAFORM_PLUGINS"),
		filepath.Join(home, ".terraform.d", "plugins"), filepath.Join(home, ".local", "share", "terraform", "plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins",
	}
	image, _ := filepath.Glob("/opt/*")
	return append(dirs, image...)
}

func newTerraform(t *testing.T, s *testkit.Server) terraform {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED in short mode: the AWS provider pauses for minutes")
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("SKIPPED: terraform is not installed")
	}
	tf := terraform{T: t, dir: t.TempDir()}
	for _, dir := range pluginDirs() {
		if found, _ := filepath.Glob(filepath.Join(dir, "registry.terraform.io", "hashicorp", "aws", "5.*", "*", "terraform-provider-aws_v5*")); dir != "" && len(found) > 0 {
			tf.plugins = dir
		}
	}
	if tf.plugins == "" {
		t.Skip("SKIPPED: no AWS provider 5 for Terraform is installed; FAIRLEAD_TEST_TERRAFORM_PLUGINS names the directory of one (terraform providers mirror)")
	}
	tf.env = append(os.Environ(), "TF_CLI_CONFIG_FILE=/dev/null", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "NO_PROXY=127.0.0.1",
		"AWS_CONFIG_FILE="+filepath.Join(s.Dir, "aws", "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(s.Dir, "aws", "credentials"),
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=")
	return tf
}

// add copies a configuration file.
func (tf terraform) add(path string) {
	tf.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(tf.dir, filepath.Base(path)), b, 0o600)
	}
	if err != nil {
		tf.Fatal(err)
	}
}

// run runs a command, which ends with one of the exit codes.
func (tf terraform) run(codes []int, args ...string) (code int, out string) {
	tf.Helper()
	begin := time.Now()
	defer func() { tf.Logf("terraform %s: %v", args[0], time.Since(begin).Round(time.Second)) }()
	cmd := exec.CommandContext(tf.Context(), "terraform", args...)
	cmd.Dir, cmd.Env = tf.dir, tf.env
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
	}
	if err == nil && slices.Contains(codes, code) {
		return code, b.String()
	}
	tf.Fatalf("terraform %s: exit %d, %v\n%s", strings.Join(args, " "), code, err, b.String())
	return 0, ""
}

// Terraform makes networks and a load balancer out of IPAM pools, finds them as
// it made them, moves the load balancer to another pool and brings a renewed
// certificate at once, and takes all down again: the example, and what the
// provider has beyond it.
func TestTheTerraformExample(t *testing.T) {
	long(t)
	t.Parallel() // it waits for most of its time
	target := testkit.StartTarget(t, "till", nil)
	cfg := testkit.Config(t)
	region := cfg.Regions[0]
	region.Name, region.Zones = "eu-central-1", []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"}
	cfg.Regions = []config.Region{region}
	cfg.Instances = []config.Instance{{ID: "i-0123456789abcdef0", PrivateIP: target.Addr.Addr(), Tags: map[string]string{"Name": "till"}}}
	s := testkit.Start(t, cfg)
	tf := newTerraform(t, s)
	for _, file := range []string{"main.tf", "network.tf", "balancer.tf"} {
		tf.add("../examples/terraform/" + file)
	}
	tf.add("testdata/vpc.tf")
	tf.add("testdata/https.tf")
	w := clients(t, s)

	root := issuer.New(t, "Root")
	issue := func(prefix, name string) issuer.Pair {
		t.Helper()
		p := root.Issue(name)
		for file, content := range map[string][]byte{"cert.pem": p.Certificate, "key.pem": p.Key, "chain.pem": root.PEM} {
			if err := os.WriteFile(filepath.Join(tf.dir, prefix+file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	first, other := issue("", "shop.example"), issue("other-", "other.example")
	plain, secure := testkit.FreePort(t), testkit.FreePort(t)
	run := func(codes []int, pool string, args ...string) (int, string) {
		t.Helper()
		ports := fmt.Sprintf("-var=ports={http=%d, https=%d, target=%d}", plain, secure, target.Addr.Port())
		return tf.run(codes, append(args, "-no-color", "-input=false", "-var=certificates="+tf.dir, ports, "-var=pool="+pool)...)
	}
	settled := func(pool string) {
		t.Helper()
		if code, out := run([]int{0, 2}, pool, "plan", "-detailed-exitcode"); code != 0 {
			t.Errorf("%s pool: the plan isn't empty:\n%s", pool, out)
		}
	}
	ok := []int{0}
	tf.run(ok, "init", "-no-color", "-input=false", "-plugin-dir="+tf.plugins)
	run(ok, "first", "apply", "-auto-approve")
	settled("first")

	_, pool := tf.run(ok, "output", "-no-color", "-raw", "pool")
	var got []string
	for cidr, holder := range w.holders(pool) {
		kind, _, _ := strings.Cut(holder, " ")
		got = append(got, cidr+" "+kind)
	}
	if got, want := sorted(got), "10.0.0.0/24 custom 10.0.16.0/20 vpc 10.1.0.0/16 vpc"; got != want {
		t.Errorf("I3: the pool has %s, want %s", got, want)
	}

	_, name := tf.run(ok, "output", "-no-color", "-raw", "name")
	serves := func(from, host string, want issuer.Pair) {
		t.Helper()
		testkit.Eventually(t, host+" is served from "+from, func() error {
			found := s.Resolve(t, name)
			for _, a := range found {
				if !netip.MustParsePrefix(from).Contains(a) {
					return fmt.Errorf("DNS has %v", a)
				}
				body, serial, err := fetch(fmt.Sprintf("%v:%d", a, secure), host, root.Pool())
				if err != nil || !strings.HasPrefix(body, "till for "+host) || serial.Cmp(want.Leaf.SerialNumber) != 0 {
					return fmt.Errorf("%v answers %q with the certificate %v, %v; want %v", a, body, serial, err, want.Leaf.SerialNumber)
				}
			}
			if len(found) != len(region.Zones) {
				return fmt.Errorf("DNS has %v", found)
			}
			return nil
		})
	}
	serves("127.192.20.0/28", "shop.example", first)
	serves("127.192.20.0/28", "other.example", other)

	renewed := issue("", "shop.example")
	run(ok, "second", "apply", "-auto-approve")
	serves("127.192.30.0/28", "shop.example", renewed)
	settled("second")

	run(ok, "second", "destroy", "-auto-approve")
	if left, err := w.ec2.DescribeIpams(t.Context(), &ec2.DescribeIpamsInput{}); err != nil || len(left.Ipams) > 0 {
		t.Errorf("IPAMs left: %+v, %v", left, err)
	}
	vpcs, err := w.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	if err != nil || len(vpcs.Vpcs) != 1 || !aws.ToBool(vpcs.Vpcs[0].IsDefault) {
		t.Errorf("VPCs left: %+v, %v; want the default one", vpcs, err)
	}
	var report status.Report
	resp, err := http.Get(s.Ops + "/status")
	if err == nil {
		err = json.NewDecoder(resp.Body).Decode(&report)
		_ = resp.Body.Close()
	}
	if err != nil || len(report.Pools) == 0 {
		t.Fatalf("status: %+v, %v", report, err)
	}
	for _, p := range report.Pools { // the provider's, which the accounts' calls don't show
		if p.Taken != "0" {
			t.Errorf("I2: pool %s still has given %s", p.ID, p.Taken)
		}
	}
}

// fetch gets / of a host at an address, and the serial number of the certificate
// that was shown.
func fetch(address, host string, roots *x509.CertPool) (body string, serial *big.Int, err error) {
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	resp, err := c.Get("https://" + host + "/")
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), resp.TLS.PeerCertificates[0].SerialNumber, err
}
