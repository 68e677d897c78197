package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/testkit/tokens"
)

// A rule that asks for tokens, as a person sets it up with the AWS CLI and curl, against a
// provider that rotates its keys and goes away (I7).
func TestTokensWithTheAWSCLI(t *testing.T) {
	for _, tool := range []string{"aws", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the story isn't told with the real client", tool)
		}
	}
	files := t.TempDir()
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	id := tokens.New(t)
	id.Rotate(jose.RS256)
	root := issuer.New(t, "Root")
	pair := root.Issue("shop.example")
	ca := write("root.pem", root.PEM)

	data := filepath.Join(t.TempDir(), "data")
	configuration := fmt.Sprintf("dns: {ttl: 1s}\nproviders: {ca: %q, addresses: [127.0.0.0/8]}\n", write("id.pem", id.CA()))
	process := testkit.StartProcessWith(t, data, configuration)
	c := cli{t, process.Server}
	vpc := c.aws("ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId")
	one := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.0.0/24 --availability-zone local-1a --query Subnet.SubnetId", vpc)
	two := c.aws("ec2 create-subnet --vpc-id %s --cidr-block 10.0.1.0/24 --availability-zone local-1b --query Subnet.SubnetId", vpc)
	c.aws("ec2 attach-internet-gateway --vpc-id %s --internet-gateway-id %s", vpc, c.aws("ec2 create-internet-gateway --query InternetGateway.InternetGatewayId"))
	target := testkit.StartTarget(t, "web-1", nil)
	group := c.aws("elbv2 create-target-group --name web --protocol HTTP --port 80 --vpc-id %s --target-type ip --query TargetGroups[0].TargetGroupArn", vpc)
	c.aws("elbv2 register-targets --target-group-arn %s --targets Id=%s,Port=%d", group, target.Addr.Addr(), target.Addr.Port())
	lb := c.aws("elbv2 create-load-balancer --name shop --subnets %s %s --query LoadBalancers[0].LoadBalancerArn", one, two)
	c.aws("elbv2 wait load-balancer-available --load-balancer-arns %s", lb)
	address := c.s.Resolve(t, c.aws("elbv2 describe-load-balancers --load-balancer-arns %s --query LoadBalancers[0].DNSName", lb))[0].String()
	port := strconv.Itoa(int(testkit.FreePort(t)))
	certificate := c.aws("acm import-certificate --certificate fileb://%s --private-key fileb://%s --query CertificateArn", write("cert.pem", pair.Certificate), write("key.pem", pair.Key))
	listener := c.aws("elbv2 create-listener --load-balancer-arn %s --protocol HTTPS --port %s --certificates CertificateArn=%s --default-actions Type=forward,TargetGroupArn=%s --query Listeners[0].ListenerArn", lb, port, certificate, group)
	c.aws(`elbv2 create-rule --listener-arn %s --priority 10 --conditions Field=path-pattern,Values=/api/* --actions `+
		`[{"Type":"jwt-validation","Order":1,"JwtValidationConfig":{"JwksEndpoint":"%s","Issuer":"%s","AdditionalClaims":[{"Format":"space-separated-values","Name":"scope","Values":["orders"]}]}},`+
		`{"Type":"forward","Order":2,"TargetGroupArn":"%s"}]`, listener, id.JWKS(), id.Name, group)

	// ask returns the status, and WWW-Authenticate.
	ask := func(version, path, token string) string {
		t.Helper()
		args := []string{"-sS", "-m", "10", version, "-o", "/dev/null", "-w", "%{response_code} %header{www-authenticate}", "--cacert", ca,
			"--resolve", "shop.example:" + port + ":" + address, "https://shop.example:" + port + path}
		if token != "" {
			args = append(args, "-H", "Authorization: Bearer "+token)
		}
		out, err := exec.Command("curl", args...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%s: %v", out, err)
		}
		return strings.TrimSpace(string(out))
	}
	becomes := func(what, want, path, token string) {
		t.Helper()
		testkit.Eventually(t, what, func() error {
			if got := ask("--http1.1", path, token); got != want {
				return fmt.Errorf("got %s, want %s", got, want)
			}
			return nil
		})
	}
	orders := map[string]any{"scope": "profile orders"}
	first := id.Token(orders)
	becomes("a token", "200", "/api/", first)
	for _, version := range []string{"--http1.1", "--http2"} {
		for what, tt := range map[string]struct{ path, token, want string }{
			"a token":                     {"/api/1", first, "200"},
			"no token":                    {"/api/1", "", "401 Bearer"},
			"no token, by the other rule": {"/", "", "200"},
			"a token of before":           {"/api/1", id.Token(map[string]any{"scope": "orders", "exp": 1}), `401 Bearer error="invalid_token"`},
			"a token for something else":  {"/api/1", id.Token(nil), `401 Bearer error="invalid_token"`},
			"a token of somebody else":    {"/api/1", id.Token(map[string]any{"scope": "orders", "iss": "https://evil.test/"}), `401 Bearer error="invalid_token"`},
			"a token that was changed":    {"/api/1", first[:len(first)-6] + "AAAAAA", `401 Bearer error="invalid_token"`},
		} {
			if got := ask(version, tt.path, tt.token); got != tt.want {
				t.Errorf("%s, %s: got %s, want %s", version, what, got, tt.want)
			}
		}
	}

	id.Rotate(jose.ES256)
	second := id.Token(orders)
	becomes("a token by the new key", "200", "/api/", second)
	if got := ask("--http1.1", "/api/", first); !strings.HasPrefix(got, "401") {
		t.Errorf("a token by a key that is gone: got %s, want 401", got)
	}

	id.Stop()
	if got := ask("--http1.1", "/api/", id.Token(map[string]any{"scope": "orders", "jti": time.Now()})); got != "200" {
		t.Errorf("a token of a provider that is gone: got %s, want 200", got)
	}
	process.Kill()
	c.s = testkit.StartProcessWith(t, data, configuration).Server
	becomes("the rule after a restart, without keys", "500", "/api/", second)
	becomes("the rule after a restart, without a token", "401 Bearer", "/api/", "")
	becomes("the other rule after a restart", "200", "/", "")
}
