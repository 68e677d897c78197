package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// HTTPS as a person sets it up, with the AWS CLI and curl: a certificate of one's
// own, a second one by name, a renewed one, and what is in use stays (I5, I7, I9).
func TestHTTPSWithTheAWSCLI(t *testing.T) {
	for _, tool := range []string{"aws", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the story isn't told with the real client", tool)
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	process := testkit.StartProcess(t, data)
	s := process.Server
	c := cli{t, s}
	files := t.TempDir()
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root := issuer.New(t, "Root")
	between := root.Intermediate("Intermediate")
	ca, chain := write("root.pem", root.PEM), write("chain.pem", between.PEM)
	imports := func(p issuer.Pair, more string) string {
		t.Helper()
		return c.aws("acm import-certificate --certificate fileb://%s --private-key fileb://%s --certificate-chain fileb://%s %s --query CertificateArn",
			write("cert.pem", p.Certificate), write("key.pem", p.Key), chain, more)
	}

	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	one := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.0.0/24 --availability-zone local-1a --query Subnet.SubnetId", vpc)
	two := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.1.0/24 --availability-zone local-1b --query Subnet.SubnetId", vpc)
	c.aws("ec2 attach-internet-gateway --vpc-id %s --internet-gateway-id %s", vpc, c.aws("ec2 create-internet-gateway --query InternetGateway.InternetGatewayId"))
	target := testkit.StartTarget(t, "web-1", nil)
	group := c.aws("elbv2 create-target-group --name web --protocol HTTP --port 80 --vpc-id %s --target-type ip --query TargetGroups[0].TargetGroupArn", vpc)
	c.aws("elbv2 register-targets --target-group-arn %s --targets Id=%s,Port=%d", group, target.Addr.Addr(), target.Addr.Port())
	lb := c.aws("elbv2 create-load-balancer --name shop --subnets %s %s --query LoadBalancers[0].LoadBalancerArn", one, two)
	c.aws("elbv2 wait load-balancer-available --load-balancer-arns %s", lb)
	address := s.Resolve(t, c.aws("elbv2 describe-load-balancers --load-balancer-arns %s --query LoadBalancers[0].DNSName", lb))[0].String()
	port := strconv.Itoa(int(testkit.FreePort(t)))

	first := between.Issue("shop.example")
	shop := imports(first, "--tags Key=team,Value=web")
	listener := c.aws("elbv2 create-listener --load-balancer-arn %s --protocol HTTPS --port %s --certificates CertificateArn=%s --ssl-policy ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09 --default-actions Type=forward,TargetGroupArn=%s --query Listeners[0].ListenerArn", lb, port, shop, group)
	curl := func(host string, args ...string) (string, error) {
		out, err := exec.Command("curl", append([]string{"-sS", "-m", "5", "--resolve", host + ":" + port + ":" + address, "https://" + host + ":" + port + "/"}, args...)...).CombinedOutput()
		return string(out), err
	}
	serves := func(host string) {
		t.Helper()
		testkit.Eventually(t, "curl https://"+host, func() error {
			if out, err := curl(host, "--cacert", ca); err != nil || !strings.HasPrefix(out, "web-1 for "+host) {
				return fmt.Errorf("got %q, %v", out, err)
			}
			return nil
		})
	}
	serves("shop.example")
	if out, err := curl("shop.example"); err == nil {
		t.Errorf("without the authority's certificate: got %q", out)
	}
	if out, err := curl("www.other.example", "--cacert", ca); err == nil {
		t.Errorf("by another name: got %q", out)
	}
	if got, want := c.aws("acm describe-certificate --certificate-arn %s --query Certificate.[Status,InUseBy[0]]", shop), "ISSUED\t"+lb; got != want {
		t.Errorf("in use: got %q, want %q", got, want)
	}

	other := imports(between.Issue("*.other.example"), "")
	c.aws("elbv2 add-listener-certificates --listener-arn %s --certificates CertificateArn=%s", listener, other)
	serves("www.other.example")
	serves("shop.example")

	renewed := between.Issue("shop.example")
	if got := imports(renewed, "--certificate-arn "+shop); got != shop {
		t.Errorf("imported again: got %s, want %s", got, shop)
	}
	serial := func() *big.Int {
		conn, err := tls.Dial("tcp", address+":"+port, &tls.Config{RootCAs: root.Pool(), ServerName: "shop.example"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	isRenewed := func() error {
		if got := serial(); got.Cmp(renewed.Leaf.SerialNumber) != 0 {
			return fmt.Errorf("serial %x is served, want the renewed one's, %x", got, renewed.Leaf.SerialNumber)
		}
		return nil
	}
	testkit.Eventually(t, "the renewed certificate", isRenewed)

	refused := func(want, format string, args ...any) {
		t.Helper()
		if out, err := c.run(strings.Fields(fmt.Sprintf(format, args...))...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want %s", fmt.Sprintf(format, args...), out, err, want)
		}
	}
	refused("ResourceInUseException", "acm delete-certificate --certificate-arn %s", shop)
	refused("ResourceInUseException", "acm delete-certificate --certificate-arn %s", other)
	refused("OperationNotPermitted", "elbv2 remove-listener-certificates --listener-arn %s --certificates CertificateArn=%s", listener, shop)
	refused("no certificate authority", "acm request-certificate --domain-name shop.example")

	if out, err := exec.Command("curl", "-sS", s.Ops+"/metrics").Output(); err != nil || !strings.Contains(string(out), `fairlead_certificate_expiry_timestamp_seconds{certificate="`+shop+`",domain="shop.example"}`) {
		t.Errorf("the metrics don't tell when the certificate expires: %v", err)
	}

	// Killed, it serves from its disk, where no private key is in plain text.
	process.Kill()
	for _, p := range []issuer.Pair{first, renewed} {
		findNothing(t, data, p)
	}
	s = testkit.StartProcess(t, data).Server
	c.s = s
	serves("shop.example")
	testkit.Eventually(t, "the renewed certificate after a restart", isRenewed)

	c.aws("elbv2 remove-listener-certificates --listener-arn %s --certificates CertificateArn=%s", listener, other)
	c.aws("acm delete-certificate --certificate-arn %s", other)
	refused("CertificateNotFound", "elbv2 add-listener-certificates --listener-arn %s --certificates CertificateArn=%s", listener, other)
	c.aws("elbv2 delete-listener --listener-arn %s", listener)
	c.aws("acm delete-certificate --certificate-arn %s", shop)
	refused("ResourceNotFoundException", "acm describe-certificate --certificate-arn %s", shop)
}

// findNothing looks for a private key in every file of a directory: as PEM, as
// base64, and as the number that it is.
func findNothing(t *testing.T, dir string, p issuer.Pair) {
	t.Helper()
	block, _ := pem.Decode(p.Key)
	key, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	number, err := key.PrivateKey.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	needles := [][]byte{number, []byte("PRIVATE KEY"), []byte(base64.StdEncoding.EncodeToString(block.Bytes)[:64])}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range needles {
			if bytes.Contains(b, n) {
				t.Errorf("%s has the private key: %q", path, n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
