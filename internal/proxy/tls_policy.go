package proxy

import (
	"crypto/fips140"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// protocols and cipherSuites are what policies name. The suites of TLS 1.3 can't
// be chosen from (crypto/tls has all three), and no policy leaves any out but those
// of FIPS, whose mode does so by itself.
var protocols = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

var cipherSuites = map[string]uint16{
	"TLS_AES_128_GCM_SHA256":        tls.TLS_AES_128_GCM_SHA256,
	"TLS_AES_256_GCM_SHA384":        tls.TLS_AES_256_GCM_SHA384,
	"TLS_CHACHA20_POLY1305_SHA256":  tls.TLS_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES128-SHA256":     tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA256":                 tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"DES-CBC3-SHA":                  tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
}

var (
	classicalGroups = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	hybridGroups    = append([]tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}, classicalGroups...)
)

// groups are the key exchanges of a policy with or without hybrids.
func groups(postQuantum bool) []tls.CurveID {
	if postQuantum {
		return hybridGroups
	}
	return classicalGroups
}

// obey has a listener negotiate by its security policy. An error says why it can't,
// with the remedy.
func obey(c *tls.Config, policy *snapshot.TLS) error {
	if policy.FIPS && !fips140.Enabled() {
		return errors.New("the listener's security policy is one of FIPS 140-3, and this host doesn't run in that mode (start it with GODEBUG=fips140=on, or choose another policy)")
	}
	for _, name := range policy.Protocols {
		v, ok := protocols[name]
		if !ok {
			return fmt.Errorf("the listener's security policy has protocol %q, which this host doesn't know (choose another policy)", name)
		}
		if c.MinVersion == 0 {
			c.MinVersion = v
		}
		c.MaxVersion = v
	}
	if c.MinVersion == 0 {
		return errors.New("the listener's security policy has no protocols (choose another policy)")
	}
	for _, name := range policy.Ciphers {
		id, ok := cipherSuites[name]
		if !ok {
			return fmt.Errorf("the listener's security policy has cipher %q, which this host doesn't know (choose another policy)", name)
		}
		c.CipherSuites = append(c.CipherSuites, id)
	}
	c.CurvePreferences = groups(policy.PostQuantum)
	return nil
}
