package elb

import (
	"cmp"
	"crypto/fips140"
	"slices"
	"strings"
)

// DefaultSSLPolicy is an HTTPS listener's that names none (ELBv2 CreateListener).
const DefaultSSLPolicy = "ELBSecurityPolicy-2016-08"

// SSLPolicy is what a listener negotiates TLS by (ELB user guide, "Security
// policies for your Application Load Balancer").
type SSLPolicy struct {
	Name        string
	Protocols   []string // API names, oldest first, without gaps: "TLSv1.2"
	Ciphers     []string // OpenSSL names, in the order of preference
	PostQuantum bool     // ML-KEM hybrids are among the key exchanges
	FIPS        bool     // by a validated module alone
}

// ciphers are those of the policies, in the order of preference that all of them
// have. Left out are ECDHE-ECDSA-AES256-SHA384, ECDHE-RSA-AES256-SHA384 and
// AES256-SHA256, which AWS's policies have beside the others and no host here can
// serve (crypto/tls hasn't CBC with SHA-384 or AES-256 with SHA-256): a policy
// says what is negotiated.
var ciphers = []struct {
	name string
	in   cipherClass
}{
	{"TLS_AES_128_GCM_SHA256", aes13}, {"TLS_AES_256_GCM_SHA384", aes13}, {"TLS_CHACHA20_POLY1305_SHA256", chacha13},
	{"ECDHE-ECDSA-AES128-GCM-SHA256", aead}, {"ECDHE-RSA-AES128-GCM-SHA256", aead},
	{"ECDHE-ECDSA-AES128-SHA256", cbc2}, {"ECDHE-RSA-AES128-SHA256", cbc2},
	{"ECDHE-ECDSA-AES128-SHA", cbc1}, {"ECDHE-RSA-AES128-SHA", cbc1},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", aead}, {"ECDHE-RSA-AES256-GCM-SHA384", aead},
	{"ECDHE-RSA-AES256-SHA", cbc1}, {"ECDHE-ECDSA-AES256-SHA", cbc1},
	{"AES128-GCM-SHA256", static2}, {"AES128-SHA256", static2}, {"AES128-SHA", static1},
	{"AES256-GCM-SHA384", static2}, {"AES256-SHA", static1},
	{"DES-CBC3-SHA", tripleDES},
}

// cipherClass is what policies choose ciphers by. AWS's policies take or leave
// each class whole.
type cipherClass uint8

const (
	aes13     cipherClass = 1 << iota // of TLS 1.3, GCM
	chacha13                          // of TLS 1.3
	aead                              // ECDHE, GCM
	cbc2                              // ECDHE, CBC with SHA-256
	cbc1                              // ECDHE, CBC with SHA-1
	static2                           // RSA key exchange, of TLS 1.2
	static1                           // RSA key exchange, CBC with SHA-1
	tripleDES                         // 64-bit blocks

	tls13 = aes13 | chacha13
	all12 = aead | cbc2 | cbc1 | static2 | static1
	// approved are those that crypto/tls has left in the mode of FIPS 140-3.
	approved = aes13 | aead | cbc2
)

// sslPolicies are AWS's that can be served as they are meant, by name: those of FIPS
// where refusal says so.
var sslPolicies = policiesIn(fips140.Enabled())

// policiesIn makes the policies as they are negotiated in the mode of FIPS 140-3, or
// outside it. In it crypto/tls leaves out what isn't approved, whatever it is told.
func policiesIn(fips bool) map[string]SSLPolicy {
	out := map[string]SSLPolicy{}
	add := func(in cipherClass, oldest, newest int, names ...string) {
		if fips {
			in, oldest = in&approved, max(oldest, 2)
		}
		for _, name := range names {
			p := SSLPolicy{Name: "ELBSecurityPolicy-" + name, PostQuantum: strings.Contains(name, "-PQ-"), FIPS: strings.Contains(name, "-FIPS-")}
			for _, c := range ciphers {
				if c.in&in != 0 {
					p.Ciphers = append(p.Ciphers, c.name)
				}
			}
			p.Protocols = slices.Clone([]string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}[oldest : newest+1])
			out[p.Name] = p
		}
	}
	add(tls13, 3, 3, "TLS13-1-3-2021-06", "TLS13-1-3-PQ-2025-09")
	add(tls13|aead, 2, 3, "TLS13-1-2-Res-2021-06", "TLS13-1-2-Res-PQ-2025-09")
	add(tls13|aead|cbc2, 2, 3, "TLS13-1-2-2021-06", "TLS13-1-2-PQ-2025-09")
	add(tls13|aead|cbc2|static2, 2, 3, "TLS13-1-2-Ext1-2021-06", "TLS13-1-2-Ext1-PQ-2025-09")
	add(tls13|all12, 2, 3, "TLS13-1-2-Ext2-2021-06", "TLS13-1-2-Ext2-PQ-2025-09")
	add(tls13|all12, 1, 3, "TLS13-1-1-2021-06")
	add(tls13|all12, 0, 3, "TLS13-1-0-2021-06", "TLS13-1-0-PQ-2025-09")
	add(aes13, 3, 3, "TLS13-1-3-FIPS-2023-04", "TLS13-1-3-FIPS-PQ-2025-09")
	add(aes13|aead, 2, 3, "TLS13-1-2-Res-FIPS-2023-04", "TLS13-1-2-Res-FIPS-PQ-2025-09")
	add(aes13|aead|cbc2, 2, 3, "TLS13-1-2-FIPS-2023-04", "TLS13-1-2-FIPS-PQ-2025-09")
	add(aead, 2, 2, "FS-1-2-Res-2020-10")
	add(aead|cbc2, 2, 2, "FS-1-2-Res-2019-08")
	add(aead|cbc2|cbc1, 2, 2, "FS-1-2-2019-08")
	add(aead|cbc2|cbc1, 1, 2, "FS-1-1-2019-08")
	add(aead|cbc2|cbc1, 0, 2, "FS-2018-06")
	add(aead|cbc2|static2, 2, 2, "TLS-1-2-2017-01")
	add(all12, 2, 2, "TLS-1-2-Ext-2018-06")
	add(all12, 1, 2, "TLS-1-1-2017-01")
	add(all12|tripleDES, 0, 2, "TLS-1-0-2015-04")
	add(all12, 0, 2, "2016-08", "2015-05")
	return out
}

// refusal says why a policy of AWS's isn't offered here, "" if it is, or is none of
// AWS's. validated is whether this process runs a module that is, or is to be,
// validated to FIPS 140-3; hosts say themselves whether they do.
func refusal(name string, validated bool) string {
	p, known := sslPolicies[name]
	switch {
	case known && p.FIPS && !validated:
		return "it promises a module that is validated to FIPS 140-3, which a server has that was built with GOFIPS140=certified"
	case known || !foreignPolicies[name]:
		return ""
	case strings.Contains(name, "-RFC9151-"):
		return "it leaves out ciphers and key exchanges of TLS 1.3 that hosts can't leave out"
	}
	return "it has ciphers or versions of TLS that a module validated to FIPS 140-3 doesn't have here; use one of the policies TLS13-1-3, TLS13-1-2-Res or TLS13-1-2 with FIPS in their names"
}

// foreignPolicies are AWS's that no host can serve.
var foreignPolicies = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range []string{
		"1-2-Ext0-FIPS-2023-04", "1-2-Ext1-FIPS-2023-04", "1-2-Ext2-FIPS-2023-04", "1-1-FIPS-2023-04", "1-0-FIPS-2023-04",
		"1-2-Ext0-FIPS-PQ-2025-09", "1-2-Ext1-FIPS-PQ-2025-09", "1-2-Ext2-FIPS-PQ-2025-09", "1-0-FIPS-PQ-2025-09",
		"1-3-RFC9151-FIPS-2023-07", "1-2-RFC9151-FIPS-2023-07", "1-2-Ext0-RFC9151-FIPS-2023-07",
		"1-2-RFC9151-INTEROP1-FIPS-2023-07", "1-2-RFC9151-INTEROP2-FIPS-2023-07", "1-2-RFC9151-INTEROP3-FIPS-2023-07", "1-2-RFC9151-INTEROP4-FIPS-2023-07",
	} {
		out["ELBSecurityPolicy-TLS13-"+name] = true
	}
	return out
}()

// validated says whether this process runs a module that was frozen for validation,
// in its mode.
func validated() bool { return fips140.Enabled() && fips140.Version() != "latest" }

// SSLPolicies returns the policies that a listener can have, by name.
func SSLPolicies() []SSLPolicy {
	var out []SSLPolicy
	for _, p := range sslPolicies {
		if refusal(p.Name, validated()) == "" {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(x, y SSLPolicy) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// SSLPolicyNamed returns a policy by name, if a listener can have it.
func SSLPolicyNamed(name string) (SSLPolicy, error) {
	if why := refusal(name, validated()); why != "" {
		return SSLPolicy{}, fail(SSLPolicyNotFound, "SSL policy '%s' is not supported by this installation: %s", name, why)
	}
	p, ok := sslPolicies[name]
	if !ok {
		return SSLPolicy{}, fail(SSLPolicyNotFound, "SSL policy '%s' not found", name)
	}
	return p, nil
}
