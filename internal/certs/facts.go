package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"slices"
	"strings"
)

func factsOf(c *x509.Certificate, keyAlgorithm string) Facts {
	f := Facts{
		Domain: c.Subject.CommonName, Subject: c.Subject.String(), Issuer: nameOf(c.Issuer), Serial: serial(c),
		KeyAlgorithm: keyAlgorithm, SignatureAlgorithm: signatureAlgorithm(c.SignatureAlgorithm),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), KeyUsages: keyUsages(c.KeyUsage), ExtendedKeyUsages: extendedKeyUsages(c),
	}
	if f.Domain == "" && len(c.DNSNames) > 0 {
		f.Domain = c.DNSNames[0]
	}
	for _, n := range append([]string{f.Domain}, c.DNSNames...) {
		if n != "" && !slices.Contains(f.Names, n) {
			f.Names = append(f.Names, n)
		}
	}
	return f
}

func nameOf(n pkix.Name) string {
	switch {
	case len(n.Organization) > 0:
		return n.Organization[0]
	case n.CommonName != "":
		return n.CommonName
	}
	return n.String()
}

// serial returns the serial number as hex bytes with colons between.
func serial(c *x509.Certificate) string {
	b := c.SerialNumber.Bytes()
	if len(b) == 0 {
		b = []byte{0}
	}
	parts := make([]string, len(b))
	for i := range b {
		parts[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(parts, ":")
}

var signatureAlgorithms = map[x509.SignatureAlgorithm]string{
	x509.MD5WithRSA: "MD5WITHRSA", x509.SHA1WithRSA: "SHA1WITHRSA",
	x509.SHA256WithRSA: "SHA256WITHRSA", x509.SHA384WithRSA: "SHA384WITHRSA", x509.SHA512WithRSA: "SHA512WITHRSA",
	x509.SHA256WithRSAPSS: "SHA256WITHRSAANDMGF1", x509.SHA384WithRSAPSS: "SHA384WITHRSAANDMGF1", x509.SHA512WithRSAPSS: "SHA512WITHRSAANDMGF1",
	x509.ECDSAWithSHA1: "SHA1WITHECDSA", x509.ECDSAWithSHA256: "SHA256WITHECDSA", x509.ECDSAWithSHA384: "SHA384WITHECDSA", x509.ECDSAWithSHA512: "SHA512WITHECDSA",
}

func signatureAlgorithm(a x509.SignatureAlgorithm) string {
	if name, ok := signatureAlgorithms[a]; ok {
		return name
	}
	return a.String()
}

// keyUsageNames are ACM's, by the bits of RFC 5280 §4.2.1.3.
var keyUsageNames = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageDigitalSignature, "DIGITAL_SIGNATURE"}, {x509.KeyUsageContentCommitment, "NON_REPUDIATION"},
	{x509.KeyUsageKeyEncipherment, "KEY_ENCIPHERMENT"}, {x509.KeyUsageDataEncipherment, "DATA_ENCIPHERMENT"},
	{x509.KeyUsageKeyAgreement, "KEY_AGREEMENT"}, {x509.KeyUsageCertSign, "CERTIFICATE_SIGNING"}, {x509.KeyUsageCRLSign, "CRL_SIGNING"},
	{x509.KeyUsageEncipherOnly, "ENCIPHER_ONLY"}, {x509.KeyUsageDecipherOnly, "DECIPHER_ONLY"},
}

// keyUsages are those of the extension; without one, any.
func keyUsages(u x509.KeyUsage) []string {
	if u == 0 {
		return []string{"ANY"}
	}
	var out []string
	for _, k := range keyUsageNames {
		if u&k.bit != 0 {
			out = append(out, k.name)
		}
	}
	return out
}

var extendedKeyUsageNames = map[x509.ExtKeyUsage]ExtendedKeyUsage{
	x509.ExtKeyUsageAny:             {"ANY", "2.5.29.37.0"},
	x509.ExtKeyUsageServerAuth:      {"TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"},
	x509.ExtKeyUsageClientAuth:      {"TLS_WEB_CLIENT_AUTHENTICATION", "1.3.6.1.5.5.7.3.2"},
	x509.ExtKeyUsageCodeSigning:     {"CODE_SIGNING", "1.3.6.1.5.5.7.3.3"},
	x509.ExtKeyUsageEmailProtection: {"EMAIL_PROTECTION", "1.3.6.1.5.5.7.3.4"},
	x509.ExtKeyUsageIPSECEndSystem:  {"IPSEC_END_SYSTEM", "1.3.6.1.5.5.7.3.5"},
	x509.ExtKeyUsageIPSECTunnel:     {"IPSEC_TUNNEL", "1.3.6.1.5.5.7.3.6"},
	x509.ExtKeyUsageIPSECUser:       {"IPSEC_USER", "1.3.6.1.5.5.7.3.7"},
	x509.ExtKeyUsageTimeStamping:    {"TIME_STAMPING", "1.3.6.1.5.5.7.3.8"},
	x509.ExtKeyUsageOCSPSigning:     {"OCSP_SIGNING", "1.3.6.1.5.5.7.3.9"},
}

func extendedKeyUsages(c *x509.Certificate) []ExtendedKeyUsage {
	var out []ExtendedKeyUsage
	for _, u := range c.ExtKeyUsage {
		if e, ok := extendedKeyUsageNames[u]; ok {
			out = append(out, e)
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		out = append(out, ExtendedKeyUsage{"CUSTOM", oid.String()})
	}
	if len(out) == 0 {
		out = append(out, ExtendedKeyUsage{Name: "NONE"})
	}
	return out
}
