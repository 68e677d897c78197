package config

import (
	"cmp"
	"net/netip"
	"path/filepath"
	"time"
)

// Config is every setting of `fairlead server`.
type Config struct {
	DataDir   string `yaml:"data-dir"`   // all durable state
	APIAddr   string `yaml:"api-addr"`   // the AWS APIs, HTTP
	DNSAddr   string `yaml:"dns-addr"`   // authoritative DNS, UDP and TCP
	OpsAddr   string `yaml:"ops-addr"`   // health, metrics, profiles; for operators only
	LogLevel  string `yaml:"log-level"`  // debug, info, warn, error
	LogFormat string `yaml:"log-format"` // text, json
	Dev       bool   `yaml:"dev"`        // accept any key and region; loopback listeners only

	RootAccount string    `yaml:"root-account"` // made on first start
	Accounts    []Account `yaml:"accounts"`
	Regions     []Region  `yaml:"regions"`

	// Buckets are where the objects are that calls name by bucket and key: by the
	// bucket's name, a directory, or a URL that keys are appended to.
	Buckets map[string]string `yaml:"buckets"`

	S3   S3   `yaml:"s3"`
	Logs Logs `yaml:"logs"`

	Instances []Instance `yaml:"instances"` // the inventory's, beside those that are added while the server runs

	DNS          DNS          `yaml:"dns"`
	Attachment   Attachment   `yaml:"attachment"`
	BYOIP        BYOIP        `yaml:"byoip"`
	IPAM         IPAM         `yaml:"ipam"`
	Certificates Certificates `yaml:"certificates"`
	ACME         ACME         `yaml:"acme"`
	Providers    Providers    `yaml:"providers"`
	Cognito      Cognito      `yaml:"cognito"`
	Audit        Audit        `yaml:"audit"`
	Quotas       Quotas       `yaml:"quotas"` // but those of IPAM, which have a place there
}

// Account is a tenant beside the root account.
type Account struct {
	ID       string `yaml:"id"` // 12 digits
	Name     string `yaml:"name"`
	KeysFile string `yaml:"keys-file"` // see Keys
}

// Region is a group of zones with its own addresses.
type Region struct {
	Name  string   `yaml:"name"`
	Zones []string `yaml:"zones"` // full names, in order: "local-1a"

	// ProviderPools is where public addresses come from that no IPAM pool gave.
	ProviderPools []netip.Prefix `yaml:"provider-pools"`

	// ProviderBlocks is where contiguous public blocks are carved from: for IPAM
	// pools with the public IP source "amazon", and IPv6 ones for VPCs.
	ProviderBlocks []netip.Prefix `yaml:"provider-blocks"`
}

// S3 is who the server is to servers of buckets.
type S3 struct {
	KeysFile string `yaml:"keys-file"` // see Keys: the one that puts are signed with; "": they aren't
	Region   string `yaml:"region"`    // that signatures are for
}

// Logs is where logs of load balancers go.
type Logs struct {
	// Dir is the directory that buckets are in which Buckets doesn't name, one
	// directory each; "": logs in the data directory.
	Dir string `yaml:"dir"`

	// MaxSpool is how many bytes may wait for their buckets; the oldest go first.
	MaxSpool int64 `yaml:"max-spool-bytes"`
}

// Instance is a machine that target groups can have as a target by its id.
type Instance struct {
	ID        string     `yaml:"id"` // "i-" and at least 8 hex digits
	PrivateIP netip.Addr `yaml:"private-ip"`
	IPv6      netip.Addr `yaml:"ipv6"` // for target groups with the IP address type ipv6

	Account string `yaml:"account"` // whose it is; default: the root account
	Region  string `yaml:"region"`  // default: the first

	// Where it is filed. One without a VPC can be a target in all of its
	// account's; one without a zone serves all. A subnet comes with both.
	VPC    string `yaml:"vpc"`
	Subnet string `yaml:"subnet"`
	Zone   string `yaml:"zone"`

	Tags map[string]string `yaml:"tags"` // Name is what clients show
}

// DNS is the names that load balancers get.
type DNS struct {
	BaseDomain string        `yaml:"base-domain"` // names are NAME-DIGITS.REGION.BASE
	TTL        time.Duration `yaml:"ttl"`         // of addresses; also how long an address serves on after it has left DNS
}

// Attachment is how addresses get onto a host.
type Attachment struct {
	Driver string `yaml:"driver"` // loopback
}

// BYOIP is how the operator's own prefixes come in.
type BYOIP struct {
	Verification Verification `yaml:"verification"` // the proofs of control that are accepted
	Resolver     string       `yaml:"resolver"`     // HOST:PORT of the recursive resolver that finds tokens; for dns
	Certificates string       `yaml:"certificates"` // directory of PEM files, RANGE_LENGTH.pem; for x509
}

// Certificates is how TLS certificates are kept.
type Certificates struct {
	// KeyFile has the key that private keys are encrypted under. It is made if it
	// isn't there; "": certificates.key in the data directory.
	KeyFile string `yaml:"key-file"`
}

// ACME is the certificate authority that certificates can be requested from.
type ACME struct {
	Directory string `yaml:"directory"` // URL of its directory; "": certificates can only be imported
	Email     string `yaml:"email"`     // that it may write to
	CA        string `yaml:"ca"`        // PEM file of who certifies the directory's server; "": the system's
	Resolver  string `yaml:"resolver"`  // HOST:PORT of the recursive resolver that looks for challenges; "": the system's
}

// Providers is how hosts reach those who authenticate clients, by rules that say so.
type Providers struct {
	CA        string         `yaml:"ca"`        // PEM file of who certifies them; "": the system's
	Addresses []netip.Prefix `yaml:"addresses"` // that they may have beside public ones
	Plain     bool           `yaml:"plain"`     // those with http:// are asked too
}

// Cognito is where the user pools are that rules name, if not at AWS. In its URLs
// {domain}, {region} and {pool} stand for those of the rule.
type Cognito struct {
	Endpoint string `yaml:"endpoint"` // of a user pool's domain, with /oauth2/authorize, /oauth2/token and /oauth2/userInfo below it
	Issuer   string `yaml:"issuer"`   // of its ID tokens
}

// IPAM is the address manager's settings.
type IPAM struct {
	// Quarantine is how long a released address stays unused. It defaults to
	// nothing with the loopback driver, where no cache outside the machine can
	// know an address, and to 60 s with any other.
	Quarantine *time.Duration `yaml:"quarantine"`

	// FreeTierQuarantine is the same for pools of IPAMs of the free tier. It
	// defaults to Quarantine; AWS takes up to 48 hours.
	FreeTierQuarantine *time.Duration `yaml:"free-tier-quarantine"`

	Quotas IPAMQuotas `yaml:"quotas"`
}

// Audit is how much of the audit log is kept; the older goes first.
type Audit struct {
	MaxBytes int64         `yaml:"max-bytes"`
	MaxAge   time.Duration `yaml:"max-age"`
}

// IPAMQuotas are limits that AWS raises on request.
type IPAMQuotas struct {
	PoolsPerScope      int `yaml:"pools-per-scope"`
	CIDRsPerPool       int `yaml:"cidrs-per-pool"`
	AllocationsPerPool int `yaml:"allocations-per-pool"`
}

// Drivers that exist.
const DriverLoopback = "loopback"

// Default returns the settings that hold where nothing else is said: one region
// of three zones, on loopback.
func Default() Config {
	return Config{
		DataDir:     "./fairlead-data",
		APIAddr:     "127.0.0.1:7480",
		DNSAddr:     "127.0.0.1:7453",
		OpsAddr:     "127.0.0.1:7490",
		LogLevel:    "info",
		LogFormat:   "text",
		RootAccount: "000000000000",
		Regions: []Region{{
			Name:           "local-1",
			Zones:          []string{"local-1a", "local-1b", "local-1c"},
			ProviderPools:  []netip.Prefix{netip.MustParsePrefix("127.64.0.0/16")},
			ProviderBlocks: []netip.Prefix{netip.MustParsePrefix("127.65.0.0/16"), netip.MustParsePrefix("fdfa:1ead::/40")},
		}},
		DNS:        DNS{BaseDomain: "elb.fairlead.test", TTL: 60 * time.Second},
		Attachment: Attachment{Driver: DriverLoopback},
		BYOIP:      BYOIP{Verification: Verification{VerificationNone}},
		IPAM:       IPAM{Quotas: IPAMQuotas{PoolsPerScope: 50, CIDRsPerPool: 50, AllocationsPerPool: 550_000}},
		S3:         S3{Region: "us-east-1"},
		Logs:       Logs{MaxSpool: 1 << 30},
		Quotas:     defaultQuotas(),
		Audit:      Audit{MaxBytes: 1 << 30, MaxAge: 366 * 24 * time.Hour},
	}
}

// QuarantineTime returns how long a released address stays unused.
func (c Config) QuarantineTime() time.Duration {
	switch {
	case c.IPAM.Quarantine != nil:
		return *c.IPAM.Quarantine
	case c.Attachment.Driver == DriverLoopback:
		return 0
	}
	return 60 * time.Second
}

// CertificateKeyFile returns the path of the key that private keys are encrypted
// under.
func (c Config) CertificateKeyFile() string {
	return cmp.Or(c.Certificates.KeyFile, filepath.Join(c.DataDir, "certificates.key"))
}

// LogDir returns the directory of the buckets that aren't configured.
func (c Config) LogDir() string {
	return cmp.Or(c.Logs.Dir, filepath.Join(c.DataDir, "logs"))
}

// Region returns the named region's settings.
func (c Config) Region(name string) (Region, bool) {
	for _, r := range c.Regions {
		if r.Name == name {
			return r, true
		}
	}
	return Region{}, false
}
