package e2e

import (
	"bytes"
	"crypto/tls"
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
	"github.com/fairlead/fairlead/internal/testkit/pebble"
)

// A certificate as a person requests it, with the AWS CLI and curl: the CNAME that
// it asks for is made, an ACME authority issues it, a listener serves it, and goes on
// when it is renewed and when the server is killed (I5, I9, I10).
func TestARequestedCertificateWithTheAWSCLI(t *testing.T) {
	for _, tool := range []string{"aws", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the story isn't told with the real client", tool)
		}
	}
	dns := pebble.Resolve(t)
	ca := pebble.Start(t, dns)
	data := filepath.Join(t.TempDir(), "data")
	configuration := fmt.Sprintf("dns: {ttl: 1s}\nacme: {directory: %q, email: ops@shop.example, ca: %q, resolver: %q}\n", ca.Directory, ca.Roots, dns.Address)
	process := testkit.StartProcessWith(t, data, configuration)
	s := process.Server
	dns.Delegate("elb.fairlead.test", s.DNS)
	c := cli{t, s}
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, ca.Root(), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(want, format string, args ...any) {
		t.Helper()
		if out, err := c.run(strings.Fields(fmt.Sprintf(format, args...))...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, want %s", fmt.Sprintf(format, args...), out, err, want)
		}
	}

	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	one := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.0.0/24 --availability-zone local-1a --query Subnet.SubnetId", vpc)
	two := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.1.0/24 --availability-zone local-1b --query Subnet.SubnetId", vpc)
	c.aws("ec2 attach-internet-gateway --vpc-id %s --internet-gateway-id %s", vpc, c.aws("ec2 create-internet-gateway --query InternetGateway.InternetGatewayId"))
	lb := c.aws("elbv2 create-load-balancer --name shop --subnets %s %s --query LoadBalancers[0].LoadBalancerArn", one, two)
	c.aws("elbv2 wait load-balancer-available --load-balancer-arns %s", lb)
	name := c.aws("elbv2 describe-load-balancers --load-balancer-arns %s --query LoadBalancers[0].DNSName", lb)
	address := s.Resolve(t, name)[0].String()
	port := strconv.Itoa(int(testkit.FreePort(t)))

	arn := c.aws("acm request-certificate --domain-name shop.example --subject-alternative-names *.shop.example --validation-method DNS --idempotency-token one --tags Key=team,Value=web --query CertificateArn")
	if again := c.aws("acm request-certificate --domain-name shop.example --subject-alternative-names *.shop.example --validation-method DNS --idempotency-token one --query CertificateArn"); again != arn {
		t.Errorf("asked again: got %s, want %s", again, arn)
	}
	if got := c.aws("acm describe-certificate --certificate-arn %s --query Certificate.[Status,Type,KeyAlgorithm,RenewalEligibility,NotAfter]", arn); got != "PENDING_VALIDATION\tAMAZON_ISSUED\tRSA_2048\tINELIGIBLE\tNone" {
		t.Errorf("requested: got %q", got)
	}
	refused("RequestInProgressException", "acm get-certificate --certificate-arn %s", arn)
	refused("RequestInProgressException", "acm renew-certificate --certificate-arn %s", arn)
	listen := "elbv2 create-listener --load-balancer-arn %s --protocol HTTPS --port %s --certificates CertificateArn=%s --default-actions Type=fixed-response,FixedResponseConfig={StatusCode=200,ContentType=text/plain,MessageBody=hello} --query Listeners[0].ListenerArn"
	refused("UnsupportedCertificate", listen, lb, port, arn)

	record := strings.Fields(c.aws("acm describe-certificate --certificate-arn %s --query Certificate.DomainValidationOptions[1].ResourceRecord.[Name,Type,Value]", arn))
	if len(record) != 3 || record[0] != "_acme-challenge.shop.example." || record[1] != "CNAME" {
		t.Fatalf("the record that is asked for: got %q", record)
	}
	dns.SetCNAME(record[0], record[2])
	status := func(arn string) string {
		return c.aws("acm describe-certificate --certificate-arn %s --query Certificate.[Status,FailureReason]", arn)
	}
	becomes := func(arn, want string) {
		t.Helper()
		testkit.Eventually(t, want, func() error {
			if got := status(arn); got != want {
				return fmt.Errorf("got %q", got)
			}
			return nil
		})
	}
	becomes(arn, "ISSUED\tNone")
	c.aws("acm wait certificate-validated --certificate-arn %s", arn)
	listener := c.aws(listen, lb, port, arn)
	if got, want := c.aws("acm describe-certificate --certificate-arn %s --query Certificate.[RenewalEligibility,InUseBy[0],DomainValidationOptions[0].ValidationStatus]", arn), "ELIGIBLE\t"+lb+"\tSUCCESS"; got != want {
		t.Errorf("in use: got %q, want %q", got, want)
	}
	refused("ResourceInUseException", "acm delete-certificate --certificate-arn %s", arn)
	serves := func(host string) {
		t.Helper()
		testkit.Eventually(t, "curl https://"+host, func() error {
			out, err := exec.Command("curl", "-sS", "-m", "5", "--cacert", root, "--resolve", host+":"+port+":"+address, "https://"+host+":"+port+"/").CombinedOutput()
			if err != nil || string(out) != "hello" {
				return fmt.Errorf("got %q, %v", out, err)
			}
			return nil
		})
	}
	serves("shop.example")
	serves("www.shop.example")

	serial := func() *big.Int {
		t.Helper()
		conn, err := tls.Dial("tcp", address+":"+port, &tls.Config{RootCAs: ca.Pool(), ServerName: "shop.example"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	first := serial()
	c.aws("acm renew-certificate --certificate-arn %s", arn)
	renewed := func() error {
		if serial().Cmp(first) == 0 {
			return fmt.Errorf("the former certificate is served")
		}
		return nil
	}
	testkit.Eventually(t, "the renewed certificate", renewed)
	if got := c.aws("acm describe-certificate --certificate-arn %s --query Certificate.RenewalSummary.RenewalStatus", arn); got != "SUCCESS" {
		t.Errorf("renewed: got %q", got)
	}

	// The load balancer's own name needs no CNAME; nobody else's name is to be had.
	own := c.aws("acm request-certificate --domain-name %s --key-algorithm EC_prime256v1 --validation-method DNS --query CertificateArn", strings.ToLower(name))
	becomes(own, "ISSUED\tNone")
	c.aws("elbv2 add-listener-certificates --listener-arn %s --certificates CertificateArn=%s", listener, own)
	serves(strings.ToLower(name))
	becomes(c.aws("acm request-certificate --domain-name other.local-1.elb.fairlead.test --validation-method DNS --query CertificateArn"), "FAILED\tDOMAIN_NOT_ALLOWED")

	// Killed while a request waits, it goes on with it, and serves from its disk.
	// No private key is there in plain text.
	late := c.aws("acm request-certificate --domain-name late.example --validation-method DNS --query CertificateArn")
	process.Kill()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("PRIVATE KEY")) {
			t.Errorf("%s has a private key in plain text", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s = testkit.StartProcessWith(t, data, configuration).Server
	c.s = s
	dns.Delegate("elb.fairlead.test", s.DNS)
	serves("shop.example")
	testkit.Eventually(t, "the renewed certificate after a restart", renewed)
	record = strings.Fields(c.aws("acm describe-certificate --certificate-arn %s --query Certificate.DomainValidationOptions[0].ResourceRecord.[Name,Value]", late))
	dns.SetCNAME(record[0], record[1])
	becomes(late, "ISSUED\tNone")

	c.aws("elbv2 delete-listener --listener-arn %s", listener)
	c.aws("acm delete-certificate --certificate-arn %s", arn)
	refused("ResourceNotFoundException", "acm describe-certificate --certificate-arn %s", arn)
}
