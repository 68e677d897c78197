package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
)

func read(t *testing.T, text string) (config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	if err := config.ReadFile(path, &cfg); err != nil {
		return cfg, err
	}
	return cfg, cfg.Check()
}

func TestTheDefaultsAreValid(t *testing.T) {
	if err := config.Default().Check(); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOverridesOnlyWhatItNames(t *testing.T) {
	cfg, err := read(t, `
api-addr: 127.0.0.1:9000
dns:
  ttl: 5s
regions:
  - name: home-1
    zones: [home-1a, home-1b]
    provider-pools: [10.20.0.0/24]
ipam:
  quarantine: 90s
  quotas:
    pools-per-scope: 200000
quotas:
  elasticloadbalancing: {targets-per-application-load-balancer: 2000}
`)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.APIAddr != "127.0.0.1:9000" || cfg.DNSAddr != config.Default().DNSAddr {
		t.Errorf("addresses: got %q and %q", cfg.APIAddr, cfg.DNSAddr)
	}
	if cfg.DNS.TTL != 5*time.Second || cfg.DNS.BaseDomain != "elb.fairlead.test" {
		t.Errorf("dns: got %+v", cfg.DNS)
	}
	if len(cfg.Regions) != 1 || cfg.Regions[0].Zones[1] != "home-1b" {
		t.Errorf("regions: got %+v", cfg.Regions)
	}
	if got := cfg.IPAM.Quotas; got.PoolsPerScope != 200_000 || got.AllocationsPerPool != 550_000 {
		t.Errorf("quotas: got %+v", got)
	}
	if got := cfg.Quotas; got.ELB.TargetsPerBalancer != 2000 || got.ELB.TargetGroups != 3000 || got.VPC.VPCs != 5 {
		t.Errorf("quotas: got %+v", got)
	}
	if got := cfg.QuarantineTime(); got != 90*time.Second {
		t.Errorf("quarantine: got %v", got)
	}
}

func TestProofsAreATextOrAList(t *testing.T) {
	for text, want := range map[string][]string{
		"none":        {config.VerificationNone},
		"dns+x509":    {config.VerificationDNS, config.VerificationX509},
		"[x509, dns]": {config.VerificationX509, config.VerificationDNS},
		`["dns"]`:     {config.VerificationDNS},
	} {
		cfg, err := read(t, "byoip:\n  resolver: 127.0.0.1:53\n  certificates: /etc/fairlead/certificates\n  verification: "+text+"\n")
		if err != nil || !slices.Equal(cfg.BYOIP.Verification, want) {
			t.Errorf("%s: got %q, %v; want %q", text, cfg.BYOIP.Verification, err, want)
		}
	}
}

func TestInstancesAreRead(t *testing.T) {
	cfg, err := read(t, `
instances:
  - {id: i-00000001, private-ip: 10.0.0.1, ipv6: "fd00::1", zone: local-1b, tags: {Name: till}}
  - {id: i-00000002, private-ip: 10.0.0.2, vpc: vpc-1, subnet: subnet-1, zone: local-1a}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Instance{
		{ID: "i-00000001", PrivateIP: netip.MustParseAddr("10.0.0.1"), IPv6: netip.MustParseAddr("fd00::1"), Zone: "local-1b", Tags: map[string]string{"Name": "till"}},
		{ID: "i-00000002", PrivateIP: netip.MustParseAddr("10.0.0.2"), VPC: "vpc-1", Subnet: "subnet-1", Zone: "local-1a"},
	}
	if !reflect.DeepEqual(cfg.Instances, want) {
		t.Errorf("got %+v\nwant %+v", cfg.Instances, want)
	}
}

func TestTheCertificateKeyFileIsInTheDataDirectoryUnlessItIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"data-dir: /d\n": "/d/certificates.key",
		"data-dir: /d\ncertificates: {key-file: /run/keys/tls}\n": "/run/keys/tls",
	} {
		if cfg, err := read(t, text); err != nil || cfg.CertificateKeyFile() != want {
			t.Errorf("%q: got %s, %v, want %s", text, cfg.CertificateKeyFile(), err, want)
		}
	}
}

func TestMistakesAreRefusedWithTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":         {"api-adr: 127.0.0.1:1\n", `:1: unknown key "api-adr"; did you mean "api-addr"?`},
		"unknown nested key":  {"dev: true\ndns:\n  base-domian: a.b\n", `:3: unknown key "base-domian"; did you mean "base-domain"?`},
		"far from any key":    {"frobnicate: 1\n", `:1: unknown key "frobnicate"`},
		"wrong type":          {"dev: true\naccounts: 7\n", ":2: "},
		"dev on all hosts":    {"dev: true\napi-addr: 0.0.0.0:7480\n", "api-addr: \"0.0.0.0:7480\" is not a loopback address"},
		"bad address":         {"dns-addr: here\n", `dns-addr: "here" is not HOST:PORT`},
		"one zone":            {"regions: [{name: a-1, zones: [a-1a], provider-pools: [10.0.0.0/8]}]\n", "needs two zones"},
		"overlapping pools":   {"regions: [{name: a-1, zones: [a-1a, a-1b], provider-pools: [10.0.0.0/8], provider-blocks: [10.1.0.0/16]}]\n", "10.1.0.0/16 overlaps 10.0.0.0/8"},
		"host bits":           {"regions: [{name: a-1, zones: [a-1a, a-1b], provider-pools: [10.0.0.1/8]}]\n", "without host bits"},
		"a short wait":        {"ipam: {free-tier-quarantine: -1s}\n", "ipam.free-tier-quarantine: -1s is negative"},
		"unknown proof":       {"byoip: {verification: magic}\n", `byoip.verification: "magic" is not one of none, dns, x509`},
		"unknown proof, too":  {"byoip: {verification: [dns, magic]}\n", `"magic" is not one of`},
		"proofs and none":     {"byoip: {verification: none+dns}\n", "none can't be combined"},
		"no proofs":           {"byoip: {verification: []}\n", "byoip.verification: is empty"},
		"proof of no shape":   {"byoip: {verification: {dns: true}}\n", "must be a text such as"},
		"dns, no resolver":    {"byoip: {verification: dns}\n", `byoip.resolver: "" is not HOST:PORT`},
		"x509, no directory":  {"byoip: {verification: x509}\n", "byoip.certificates: must name the directory"},
		"acme, no directory":  {"acme: {email: ops@shop.example}\n", "acme.directory: must name the authority's directory"},
		"acme without TLS":    {"acme: {directory: \"http://ca.example/dir\"}\n", `acme.directory: "http://ca.example/dir" is not an https:// URL`},
		"acme's email":        {"acme: {directory: \"https://ca.example/dir\", email: ops}\n", `acme.email: "ops" is not an e-mail address`},
		"acme's resolver":     {"acme: {directory: \"https://ca.example/dir\", resolver: ns}\n", `acme.resolver: "ns" is not HOST:PORT`},
		"private provider":    {"providers: {addresses: [10.0.0.1/8]}\n", "providers.addresses: 10.0.0.1/8 is not a CIDR without host bits"},
		"cognito without TLS": {"cognito: {endpoint: \"http://{domain}.test\"}\n", `cognito.endpoint: "http://{domain}.test" is not an https:// URL`},
		"cognito's braces":    {"cognito: {issuer: \"https://idp.test/{user}\"}\n", `cognito.issuer: "https://idp.test/{user}" is not an https:// URL`},
		"unknown driver":      {"attachment: {driver: magic}\n", `attachment.driver: "magic" is not one of loopback`},
		"instance id":         {"instances: [{id: web, private-ip: 10.0.0.1}]\n", `instances[0].id: "web" is not a new id`},
		"instance twice":      {"instances: [{id: i-00000001, private-ip: 10.0.0.1}, {id: i-00000001, private-ip: 10.0.0.2}]\n", `instances[1].id: "i-00000001" is not a new id`},
		"no private address":  {"instances: [{id: i-00000001}]\n", "instances[0].private-ip: must be an IPv4 address"},
		"IPv4 as IPv6":        {"instances: [{id: i-00000001, private-ip: 10.0.0.1, ipv6: 10.0.0.2}]\n", "instances[0].ipv6: 10.0.0.2 is not an IPv6 address"},
		"instance's account":  {"instances: [{id: i-00000001, private-ip: 10.0.0.1, account: \"1\"}]\n", `instances[0].account: there is no account "1"`},
		"instance's region":   {"instances: [{id: i-00000001, private-ip: 10.0.0.1, region: far-1}]\n", `instances[0].region: there is no region "far-1"`},
		"instance's zone":     {"instances: [{id: i-00000001, private-ip: 10.0.0.1, zone: far-1a}]\n", `instances[0].zone: "far-1a" is not one of local-1a, local-1b, local-1c`},
		"a subnet alone":      {"instances: [{id: i-00000001, private-ip: 10.0.0.1, subnet: subnet-1}]\n", "instances[0].subnet: needs vpc and zone"},
		"quota of nothing":    {"ipam: {quotas: {pools-per-scope: 0}}\n", "ipam.quotas.pools-per-scope: 0 is not a number from 1 on"},
		"quota not known": {"quotas:\n  vpc:\n    vpcs: 7\n    frobnications: 2\n",
			`:4: unknown key "frobnications"; known below quotas.vpc: vpcs, internet-gateways, security-groups, cidr-blocks-per-vpc`},
		"on one line":                  {"dev: true\nquotas: {elasticloadbalancing: {target-groups: 7, frobnications: 2}}\n", `; known below quotas.elasticloadbalancing: application-load-balancers, target-groups`},
		"quota of a service not known": {"quotas: {frobnication: {}}\n", "; known below quotas: elasticloadbalancing, vpc"},
		"too high a quota": {"quotas: {elasticloadbalancing: {target-groups-per-application-load-balancer: 101}}\n",
			"quotas.elasticloadbalancing.target-groups-per-application-load-balancer: 101 is more than 100, the most that can be"},
		"account id": {"accounts: [{id: \"12\"}]\n", `accounts[0].id: "12" is not 12 digits`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s\ngot  %v\nwant %q", c.text, err, c.want)
			}
		})
	}
}

func TestAKeysFileThatOthersCanReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	text := "keys:\n  - access-key-id: AKIAEXAMPLE\n    secret-access-key: hush\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := config.ReadKeys(path)
	if err != nil || len(keys) != 1 || keys[0].ID != "AKIAEXAMPLE" || keys[0].Secret != "hush" {
		t.Fatalf("got %v, %v", keys, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := config.ReadKeys(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v, want a refusal that names chmod 600", err)
	}
}
