package e2e

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// Mutual TLS as a person sets it up, with the AWS CLI, curl and OpenSSL: clients are
// verified by a trust store out of a bucket, one of them is revoked, the bundle is
// replaced, and a kill -9 changes nothing of it (I7).
func TestMutualTLSWithTheAWSCLI(t *testing.T) {
	for _, tool := range []string{"aws", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the story isn't told with the real client", tool)
		}
	}
	files, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	configuration := fmt.Sprintf("dns: {ttl: 1s}\nbuckets: {clients: %s}\n", files)
	process := testkit.StartProcessWith(t, data, configuration)
	s := process.Server
	c := cli{t, s}

	root, people, others := issuer.New(t, "Root"), issuer.New(t, "People"), issuer.New(t, "Others")
	ca, shop := write("root.pem", root.PEM), root.Issue("shop.example")
	write("people.pem", people.PEM)
	write("others.pem", others.PEM)
	person := func(by *issuer.Issuer, name string) (p issuer.Pair, args []string) {
		p = by.IssueClient(name, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name, Organization: []string{"Example"}} })
		return p, []string{"--cert", write(name+".pem", p.Certificate), "--key", write(name+".key", p.Key)}
	}
	_, ann := person(people, "ann")
	bobs, bob := person(people, "bob")
	_, eve := person(others, "eve")

	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	one := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.0.0/24 --availability-zone local-1a --query Subnet.SubnetId", vpc)
	two := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.1.0/24 --availability-zone local-1b --query Subnet.SubnetId", vpc)
	c.aws("ec2 attach-internet-gateway --vpc-id %s --internet-gateway-id %s", vpc, c.aws("ec2 create-internet-gateway --query InternetGateway.InternetGatewayId"))
	target := testkit.StartTarget(t, "web-1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s%s%.27s", r.Header.Get("X-Who"), r.Header.Get("X-Amzn-Mtls-Clientcert-Subject"), r.Header.Get("X-Amzn-Mtls-Clientcert"))
	}))
	group := c.aws("elbv2 create-target-group --name web --protocol HTTP --port 80 --vpc-id %s --target-type ip --query TargetGroups[0].TargetGroupArn", vpc)
	c.aws("elbv2 register-targets --target-group-arn %s --targets Id=%s,Port=%d", group, target.Addr.Addr(), target.Addr.Port())
	lb := c.aws("elbv2 create-load-balancer --name shop --subnets %s %s --query LoadBalancers[0].LoadBalancerArn", one, two)
	certificate := c.aws("acm import-certificate --certificate fileb://%s --private-key fileb://%s --query CertificateArn", write("cert.pem", shop.Certificate), write("key.pem", shop.Key))
	store := c.aws("elbv2 create-trust-store --name people --ca-certificates-bundle-s3-bucket clients --ca-certificates-bundle-s3-key people.pem --query TrustStores[0].TrustStoreArn")
	c.aws("elbv2 wait load-balancer-available --load-balancer-arns %s", lb)
	address := s.Resolve(t, c.aws("elbv2 describe-load-balancers --load-balancer-arns %s --query LoadBalancers[0].DNSName", lb))[0].String()
	port := strconv.Itoa(int(testkit.FreePort(t)))
	listener := c.aws("elbv2 create-listener --load-balancer-arn %s --protocol HTTPS --port %s --certificates CertificateArn=%s --ssl-policy ELBSecurityPolicy-TLS13-1-2-Res-2021-06 --mutual-authentication Mode=verify,TrustStoreArn=%s,AdvertiseTrustStoreCaNames=on --default-actions Type=forward,TargetGroupArn=%s --query Listeners[0].ListenerArn",
		lb, port, certificate, store, group)

	curl := func(version string, who []string) (string, error) {
		args := append([]string{"-sS", "-m", "5", "--cacert", ca, "--tlsv" + version, "--tls-max", version,
			"-H", "X-Amzn-Mtls-Clientcert-Subject: CN=forged", "--resolve", "shop.example:" + port + ":" + address, "https://shop.example:" + port + "/"}, who...)
		out, err := exec.Command("curl", args...).CombinedOutput()
		return string(out), err
	}
	serves := func(want string, who []string) {
		t.Helper()
		for _, version := range []string{"1.2", "1.3"} {
			testkit.Eventually(t, "curl with "+strings.Join(who, " ")+", TLS "+version, func() error {
				if out, err := curl(version, who); err != nil || out != want {
					return fmt.Errorf("got %q, %v, want %q", out, err, want)
				}
				return nil
			})
		}
	}
	refuses := func(who []string) {
		t.Helper()
		for _, version := range []string{"1.2", "1.3"} {
			testkit.Eventually(t, "curl with "+strings.Join(who, " ")+", TLS "+version+", is refused", func() error {
				if out, err := curl(version, who); err == nil {
					return fmt.Errorf("got %q", out)
				}
				return nil
			})
		}
	}
	serves("hello CN=ann,O=Example", ann)
	serves("hello CN=bob,O=Example", bob)
	refuses(eve)
	refuses(nil)
	// OpenSSL says whom the trust store believes.
	hello := exec.Command("openssl", "s_client", "-connect", address+":"+port, "-servername", "shop.example", "-CAfile", ca, "-cert", ann[1], "-key", ann[3])
	if out, err := hello.CombinedOutput(); err != nil || !strings.Contains(string(out), "Acceptable client certificate CA names\nCN = People\n") && !strings.Contains(string(out), "Acceptable client certificate CA names\nCN=People\n") {
		t.Errorf("openssl s_client: %v\n%s", err, out)
	}

	write("revoked.crl", people.Revoke([]*big.Int{bobs.Leaf.SerialNumber}))
	c.aws("elbv2 add-trust-store-revocations --trust-store-arn %s --revocation-contents S3Bucket=clients,S3Key=revoked.crl,RevocationType=CRL", store)
	refuses(bob)
	serves("hello CN=ann,O=Example", ann)

	process.Kill()
	s = testkit.StartProcessWith(t, data, configuration).Server
	c.s = s
	serves("hello CN=ann,O=Example", ann)
	refuses(bob)
	refuses(nil)

	c.aws("elbv2 remove-trust-store-revocations --trust-store-arn %s --revocation-ids 1", store)
	serves("hello CN=bob,O=Example", bob)
	c.aws("elbv2 modify-trust-store --trust-store-arn %s --ca-certificates-bundle-s3-bucket clients --ca-certificates-bundle-s3-key others.pem", store)
	serves("hello CN=eve,O=Example", eve)
	refuses(ann)

	c.aws("elbv2 modify-listener-attributes --listener-arn %s --attributes Key=routing.http.request.x_amzn_mtls_clientcert_subject.header_name,Value=X-Who", listener)
	serves("hello CN=eve,O=Example", eve)
	if _, err := c.run("elbv2", "delete-trust-store", "--trust-store-arn", store); err == nil || !strings.Contains(err.Error(), "TrustStoreInUse") {
		t.Errorf("a trust store in use: %v", err)
	}
	c.aws("elbv2 modify-listener --listener-arn %s --mutual-authentication Mode=passthrough", listener)
	serves("hello -----BEGIN%20CERTIFICATE---", ann)
	serves("hello ", nil)
	c.aws("elbv2 delete-trust-store --trust-store-arn %s", store)
	c.aws("elbv2 modify-listener --listener-arn %s --mutual-authentication Mode=off", listener)
	serves("hello ", ann)
}
