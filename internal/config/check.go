package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,}$`)
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	regionName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
)

// Check returns everything that is wrong with the settings, each line naming
// its key.
func (c Config) Check() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			bad(key, "%q is not one of %s", value, strings.Join(allowed, ", "))
		}
	}

	if c.DataDir == "" {
		bad("data-dir", "must name a directory")
	}
	for key, addr := range map[string]string{"api-addr": c.APIAddr, "dns-addr": c.DNSAddr, "ops-addr": c.OpsAddr} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			bad(key, "%q is not HOST:PORT", addr)
			continue
		}
		if c.Dev && !isLoopback(host) {
			bad(key, "%q is not a loopback address, and with dev anyone who reaches it has every right", addr)
		}
	}
	oneOf("log-level", c.LogLevel, "debug", "info", "warn", "error")
	oneOf("log-format", c.LogFormat, "text", "json")
	oneOf("attachment.driver", c.Attachment.Driver, DriverLoopback)
	c.checkBYOIP(bad)
	c.checkACME(bad)
	c.checkCognito(bad)
	for _, p := range c.Providers.Addresses {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			bad("providers.addresses", "%s is not a CIDR without host bits", p)
		}
	}
	if !domainName.MatchString(c.DNS.BaseDomain) {
		bad("dns.base-domain", "%q is not a lower-case domain name of two labels or more", c.DNS.BaseDomain)
	}
	if c.DNS.TTL < time.Second || c.DNS.TTL > 24*time.Hour {
		bad("dns.ttl", "%v is not between 1s and 24h", c.DNS.TTL)
	}
	if c.QuarantineTime() < 0 {
		bad("ipam.quarantine", "%v is negative", c.QuarantineTime())
	}
	if q := c.IPAM.FreeTierQuarantine; q != nil && *q < 0 {
		bad("ipam.free-tier-quarantine", "%v is negative", *q)
	}
	checkQuotas("ipam.quotas", c.IPAM.Quotas, bad)
	checkQuotas("quotas.elasticloadbalancing", c.Quotas.ELB, bad)
	checkQuotas("quotas.vpc", c.Quotas.VPC, bad)
	if c.Audit.MaxBytes < 1<<20 {
		bad("audit.max-bytes", "%d is less than %d, a MiB", c.Audit.MaxBytes, 1<<20)
	}
	if c.Audit.MaxAge < time.Hour {
		bad("audit.max-age", "%v is less than an hour", c.Audit.MaxAge)
	}
	c.checkAccounts(bad)
	c.checkRegions(bad)
	c.checkInstances(bad)
	for _, name := range slices.Sorted(maps.Keys(c.Buckets)) {
		if name == "" || c.Buckets[name] == "" {
			bad("buckets", "%q must name a bucket, and its directory or URL", name)
		}
	}
	if c.Logs.MaxSpool < 1<<20 {
		bad("logs.max-spool-bytes", "%d is less than %d, a MiB", c.Logs.MaxSpool, 1<<20)
	}
	if !regionName.MatchString(c.S3.Region) {
		bad("s3.region", "%q is not the name of a region", c.S3.Region)
	}
	return errors.Join(errs...)
}

func (c Config) checkBYOIP(bad func(key, format string, args ...any)) {
	v := c.BYOIP.Verification
	if err := v.check(); err != nil {
		bad("byoip.verification", "%v", err)
		return
	}
	if _, _, err := net.SplitHostPort(c.BYOIP.Resolver); v.Has(VerificationDNS) && err != nil {
		bad("byoip.resolver", "%q is not HOST:PORT of the resolver that byoip.verification dns asks", c.BYOIP.Resolver)
	}
	if v.Has(VerificationX509) && c.BYOIP.Certificates == "" {
		bad("byoip.certificates", "must name the directory of certificates that byoip.verification x509 looks into")
	}
}

func (c Config) checkACME(bad func(key, format string, args ...any)) {
	a := c.ACME
	if a.Directory == "" {
		if a != (ACME{}) {
			bad("acme.directory", "must name the authority's directory, which the other settings of acme belong to")
		}
		return
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		bad("acme.directory", "%q is not an https:// URL", a.Directory)
	}
	if m, err := mail.ParseAddress(a.Email); a.Email != "" && (err != nil || m.Address != a.Email) {
		bad("acme.email", "%q is not an e-mail address", a.Email)
	}
	if _, _, err := net.SplitHostPort(a.Resolver); a.Resolver != "" && err != nil {
		bad("acme.resolver", "%q is not HOST:PORT", a.Resolver)
	}
}

func (c Config) checkCognito(bad func(key, format string, args ...any)) {
	for _, s := range []struct{ key, address string }{{"cognito.endpoint", c.Cognito.Endpoint}, {"cognito.issuer", c.Cognito.Issuer}} {
		filled := strings.NewReplacer("{domain}", "d", "{region}", "r", "{pool}", "p").Replace(s.address)
		if u, err := url.Parse(filled); s.address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(filled, "{}")) {
			bad(s.key, "%q is not an https:// URL, in which {domain}, {region} and {pool} stand for those of a rule", s.address)
		}
	}
}

func (c Config) checkAccounts(bad func(key, format string, args ...any)) {
	if !accountID.MatchString(c.RootAccount) {
		bad("root-account", "%q is not 12 digits", c.RootAccount)
	}
	seen := map[string]bool{c.RootAccount: true}
	for i, a := range c.Accounts {
		key := fmt.Sprintf("accounts[%d]", i)
		switch {
		case !accountID.MatchString(a.ID):
			bad(key+".id", "%q is not 12 digits", a.ID)
		case seen[a.ID]:
			bad(key+".id", "account %s is given twice", a.ID)
		}
		seen[a.ID] = true
	}
}

func (c Config) checkRegions(bad func(key, format string, args ...any)) {
	if len(c.Regions) == 0 {
		bad("regions", "at least one is needed")
	}
	seen := map[string]bool{}
	var taken []netip.Prefix
	for i, r := range c.Regions {
		key := fmt.Sprintf("regions[%d]", i)
		if !regionName.MatchString(r.Name) || seen[r.Name] {
			bad(key+".name", "%q is not a new name of lower-case letters, digits and hyphens", r.Name)
		}
		seen[r.Name] = true
		if len(r.Zones) < 2 {
			bad(key+".zones", "a load balancer needs two zones; %d given", len(r.Zones))
		}
		for j, z := range r.Zones {
			if !strings.HasPrefix(z, r.Name) || z == r.Name || slices.Contains(r.Zones[:j], z) {
				bad(key+".zones", "%q is not a new name that begins with %q", z, r.Name)
			}
		}
		if len(r.ProviderPools) == 0 {
			bad(key+".provider-pools", "at least one CIDR is needed, for addresses that no IPAM pool gives")
		}
		for _, p := range r.ProviderPools {
			if !p.Addr().Is4() {
				bad(key+".provider-pools", "%s is not an IPv4 CIDR", p)
			}
		}
		for _, p := range slices.Concat(r.ProviderPools, r.ProviderBlocks) {
			if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
				bad(key, "%s is not a CIDR without host bits", p)
				continue
			}
			for _, other := range taken {
				if p.Overlaps(other) {
					bad(key, "%s overlaps %s: an address has one owner", p, other)
				}
			}
			taken = append(taken, p)
		}
	}
}

func (c Config) checkInstances(bad func(key, format string, args ...any)) {
	seen := map[string]bool{}
	for n, i := range c.Instances {
		key := fmt.Sprintf("instances[%d]", n)
		if !instanceID.MatchString(i.ID) || seen[i.ID] {
			bad(key+".id", "%q is not a new id of i- and at least 8 hexadecimal digits", i.ID)
		}
		seen[i.ID] = true
		if !i.PrivateIP.Is4() {
			bad(key+".private-ip", "must be an IPv4 address")
		}
		if i.IPv6.IsValid() && (!i.IPv6.Is6() || i.IPv6.Is4In6()) {
			bad(key+".ipv6", "%s is not an IPv6 address", i.IPv6)
		}
		if i.Account != "" && i.Account != c.RootAccount && !slices.ContainsFunc(c.Accounts, func(a Account) bool { return a.ID == i.Account }) {
			bad(key+".account", "there is no account %q", i.Account)
		}
		zones := c.zonesOf(i.Region)
		switch {
		case zones == nil:
			bad(key+".region", "there is no region %q", i.Region)
		case i.Zone != "" && !slices.Contains(zones, i.Zone):
			bad(key+".zone", "%q is not one of %s", i.Zone, strings.Join(zones, ", "))
		}
		if i.Subnet != "" && (i.VPC == "" || i.Zone == "") {
			bad(key+".subnet", "needs vpc and zone, which are not looked up")
		}
	}
}

// zonesOf returns the zones of a region, of the first for "".
func (c Config) zonesOf(region string) []string {
	if region == "" && len(c.Regions) > 0 {
		return c.Regions[0].Zones
	}
	r, _ := c.Region(region)
	return r.Zones
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// ValidRegion says whether a region can have the name.
func ValidRegion(name string) bool { return len(name) <= 32 && regionName.MatchString(name) }
