package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/testkit"
)

// reverse is a DNS server on loopback for reverse names, by UDP and TCP, whose
// records a test publishes.
type reverse struct {
	addr string

	mu    sync.Mutex // guards texts
	texts map[string]string
}

func startReverse(t *testing.T) *reverse {
	t.Helper()
	r := &reverse{texts: map[string]string{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: r}, {Listener: ln, Handler: r}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		ended := make(chan error, 1)
		go func() { ended <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return r
}

func (r *reverse) publish(owner, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts[owner] = text
}

// publisher returns a program that publishes a record: OWNER TEXT.
func (r *reverse) publisher(t *testing.T) string {
	t.Helper()
	door := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		r.publish(dns.Fqdn(q.FormValue("owner")), q.FormValue("text"))
	}))
	t.Cleanup(door.Close)
	path := filepath.Join(t.TempDir(), "publish")
	program := "#!/bin/sh\nexec curl -sf " + door.URL + ` --data-urlencode "owner=$1" --data-urlencode "text=$2"`
	if err := os.WriteFile(path, []byte(program+"\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return path
}

// ServeDNS implements dns.Handler.
func (r *reverse) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	r.mu.Lock()
	text, ok := r.texts[q.Question[0].Name]
	r.mu.Unlock()
	reply := new(dns.Msg).SetReply(q)
	if ok {
		reply.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{text}}}
	} else {
		reply.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(reply)
}

// refused checks that a command ends with the text.
func (c cli) refused(want, format string, args ...any) {
	c.Helper()
	if out, err := c.run(strings.Fields(fmt.Sprintf(format, args...))...); err == nil || !strings.Contains(err.Error(), want) {
		c.Errorf("aws %s: got %q, %v; want %s", fmt.Sprintf(format, args...), out, err, want)
	}
}

// eventually waits until a command prints what is wanted.
func (c cli) eventually(want, format string, args ...any) {
	c.Helper()
	testkit.Eventually(c, want, func() error {
		if got := c.aws(format, args...); got != want {
			return fmt.Errorf("aws %s: got %q, want %q", fmt.Sprintf(format, args...), got, want)
		}
		return nil
	})
}

// announced returns what the operators' address says routers should announce.
func (c cli) announced() string {
	c.Helper()
	resp, err := http.Get(c.s.Ops + "/announcements")
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), "")
}

// S7 as a person tells it, with the AWS CLI, a DNS server and openssl: prove
// control of a prefix, provision it, advertise it, draw from it, withdraw it.
func TestBringingAPrefixWithTheAWSCLI(t *testing.T) {
	for _, tool := range []string{"aws", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed, so the story isn't told with the real client", tool)
		}
	}
	zone, certificates := startReverse(t), t.TempDir()
	configuration := fmt.Sprintf("byoip: {verification: [dns, x509], resolver: %q, certificates: %q}\n", zone.addr, certificates)
	dir := filepath.Join(t.TempDir(), "data")
	p := testkit.StartProcessWith(t, dir, configuration)
	c := cli{t, p.Server}

	ipam := c.aws("ec2 create-ipam --operating-regions RegionName=local-1 --query Ipam.IpamId")
	scope := c.aws("ec2 describe-ipams --ipam-ids %s --query Ipams[0].PublicDefaultScopeId", ipam)
	pool := c.aws("ec2 create-ipam-pool --ipam-scope-id %s --address-family ipv4 --locale local-1 --aws-service ec2 --public-ip-source byoip --query IpamPool.IpamPoolId", scope)
	cidrs := fmt.Sprintf("ec2 get-ipam-pool-cidrs --ipam-pool-id %s --query sort_by(IpamPoolCidrs,&State)[].[Cidr,State]", pool)
	c.refused("(InvalidParameterCombination) when calling the ProvisionIpamPoolCidr operation: The request must contain a CIDR Auth",
		"ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 198.18.12.0/22", pool)

	t.Run("by a DNS token", func(t *testing.T) {
		c := cli{t, p.Server}
		token := c.aws("ec2 create-ipam-external-resource-verification-token --ipam-id %s --query IpamExternalResourceVerificationToken.IpamExternalResourceVerificationTokenId", ipam)
		told := strings.Fields(c.aws("ec2 describe-ipam-external-resource-verification-tokens --query IpamExternalResourceVerificationTokens[].[TokenName,TokenValue,Status,State]"))
		if len(told) != 4 || told[2] != "valid" || told[3] != "create-complete" {
			t.Fatalf("token: got %q", told)
		}
		provision := func() {
			c.aws("ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 198.18.12.0/22 --verification-method dns-token --ipam-external-resource-verification-token-id %s", pool, token)
		}
		for _, octet := range []string{"12", "13", "15"} {
			zone.publish(told[0]+"."+octet+".18.198.in-addr.arpa.", told[1])
		}
		provision()
		c.eventually("198.18.12.0/22\tfailed-provision", "%s", cidrs)
		reason := c.aws("ec2 get-ipam-pool-cidrs --ipam-pool-id %s --query IpamPoolCidrs[0].FailureReason.Message", pool)
		if want := "There is no TXT record " + told[0] + ".14.18.198.in-addr.arpa."; reason != want {
			t.Errorf("got %q, want %q", reason, want)
		}
		zone.publish(told[0]+".14.18.198.in-addr.arpa.", told[1])
		provision()
		c.eventually("198.18.12.0/22\tfailed-provision\n198.18.12.0/22\tprovisioned", "%s", cidrs)
		c.aws("ec2 delete-ipam-external-resource-verification-token --ipam-external-resource-verification-token-id %s", token)
		c.refused("(InvalidIpamExternalResourceVerificationTokenId.NotFound)",
			"ec2 provision-ipam-pool-cidr --ipam-pool-id %s --cidr 198.18.16.0/24 --verification-method dns-token --ipam-external-resource-verification-token-id %s", pool, token)
	})

	t.Run("by a signature, made as the EC2 user guide shows", func(t *testing.T) {
		c := cli{t, p.Server}
		sh := func(script string) string {
			t.Helper()
			cmd := exec.Command("sh", "-c", script)
			cmd.Dir = certificates
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v", script, err)
			}
			return strings.TrimSpace(string(out))
		}
		sh("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private.key 2>/dev/null && openssl req -new -x509 -key private.key -days 365 -subj /CN=holder -out holder.crt")
		message := "1|aws|000000000000|198.18.64.0/24|" + time.Now().AddDate(0, 0, 7).Format("20060102") + "|SHA256|RSAPSS"
		signature := sh("printf %s '" + message + "' | openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1 -sign private.key | openssl base64 -A | tr -- '+=/' '-_~'")
		bring := fmt.Sprintf("ec2 provision-byoip-cidr --cidr 198.18.64.0/24 --cidr-authorization-context Message=%s,Signature=%s", message, signature)
		c.refused("There is no certificate for 198.18.64.0/24.", "%s", bring)
		if err := os.Rename(filepath.Join(certificates, "holder.crt"), filepath.Join(certificates, "198.18.64.0_20.pem")); err != nil {
			t.Fatal(err)
		}
		c.refused("The proof of control of the CIDR '198.18.65.0/24' is not valid: the message is for 198.18.64.0/24", "%s", strings.Replace(bring, "198.18.64", "198.18.65", 1))
		c.aws("%s", bring)
		c.eventually("provisioned", "ec2 describe-byoip-cidrs --max-results 5 --query ByoipCidrs[?Cidr=='198.18.64.0/24'].State")
		if got := c.aws("ec2 describe-public-ipv4-pools --query PublicIpv4Pools[].[TotalAddressCount,TotalAvailableAddressCount]"); got != "256\t256" {
			t.Errorf("the range's pool: got %q", got)
		}
		c.aws("ec2 deprovision-byoip-cidr --cidr 198.18.64.0/24")
	})

	// Advertised, over a restart.
	c.aws("ec2 advertise-byoip-cidr --cidr 198.18.12.0/22")
	c.eventually("198.18.12.0/22\tadvertised", "ec2 describe-byoip-cidrs --max-results 5 --query ByoipCidrs[].[Cidr,State]")
	const routes = `[{"region":"local-1","prefix":"198.18.12.0/22"}]`
	if got := c.announced(); got != routes {
		t.Errorf("announcements: got %s, want %s", got, routes)
	}
	p.Kill()
	p = testkit.StartProcessWith(t, dir, configuration)
	c = cli{t, p.Server}
	testkit.Eventually(t, "announced again after a restart", func() error {
		if got := c.announced(); got != routes {
			return fmt.Errorf("got %s, want %s", got, routes)
		}
		return nil
	})
	c.refused("(IncorrectState) when calling the DeprovisionIpamPoolCidr operation: The CIDR '198.18.12.0/22' is advertised", "ec2 deprovision-ipam-pool-cidr --ipam-pool-id %s --cidr 198.18.12.0/22", pool)

	// Drawn from.
	public := c.aws("ec2 create-public-ipv4-pool --query PoolId")
	c.aws("ec2 provision-public-ipv4-pool-cidr --pool-id %s --ipam-pool-id %s --netmask-length 30", public, pool)
	if got := c.aws("ec2 get-ipam-pool-allocations --ipam-pool-id %s --query IpamPoolAllocations[].[Cidr,ResourceType,ResourceId]", pool); got != "198.18.12.0/30\tec2-public-ipv4-pool\t"+public {
		t.Errorf("allocations: got %q", got)
	}
	if got := c.aws("ec2 deprovision-public-ipv4-pool-cidr --pool-id %s --cidr 198.18.12.0/30 --query DeprovisionedAddresses", public); got != "198.18.12.0\t198.18.12.1\t198.18.12.2\t198.18.12.3" {
		t.Errorf("deprovisioned addresses: got %q", got)
	}
	c.aws("ec2 delete-public-ipv4-pool --pool-id %s", public)

	// Withdrawn, and gone.
	c.aws("ec2 withdraw-byoip-cidr --cidr 198.18.12.0/22")
	c.eventually("198.18.12.0/22\tprovisioned", "ec2 describe-byoip-cidrs --max-results 5 --query ByoipCidrs[].[Cidr,State]")
	if got := c.announced(); got != "[]" {
		t.Errorf("announcements: got %s, want none", got)
	}
	c.aws("ec2 deprovision-ipam-pool-cidr --ipam-pool-id %s --cidr 198.18.12.0/22", pool)
	c.eventually("", "ec2 describe-byoip-cidrs --max-results 5 --query ByoipCidrs[].[Cidr,State]")
}
