package server

import (
	"crypto/fips140"
	"encoding/xml"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scan is what sslscan has found at a listener.
type scan struct {
	Test struct {
		Protocols []struct {
			Type    string `xml:"type,attr"`
			Version string `xml:"version,attr"`
			Enabled bool   `xml:"enabled,attr"`
		} `xml:"protocol"`
		Compression struct {
			Supported bool `xml:"supported,attr"`
		} `xml:"compression"`
		Ciphers []struct {
			Version string `xml:"sslversion,attr"`
			Name    string `xml:"cipher,attr"`
		} `xml:"cipher"`
		Groups []struct {
			Version string `xml:"sslversion,attr"`
			Name    string `xml:"name,attr"`
		} `xml:"group"`
	} `xml:"ssltest"`
}

// A scanner that has nothing of Go's finds in each policy's listener what
// DescribeSSLPolicies tells, and nothing else.
func TestSSLPoliciesAreServedAsAScannerSeesThem(t *testing.T) {
	sslscan, err := exec.LookPath("sslscan")
	if err != nil {
		t.Skip("needs sslscan (Debian: sslscan)")
	}
	s := servePolicies(t, "127.95.1.2")
	for i, policy := range s.policies {
		for _, host := range []string{"rsa.example", "ecdsa.example"} {
			var want []string
			for _, version := range policy.Protocols {
				want = append(want, strings.Replace(version, "TLSv", "tls ", 1))
				for _, name := range policy.Ciphers {
					suite, below13 := suites[name]
					label := strings.Replace(version+" ", "TLSv1 ", "TLSv1.0 ", 1) + name
					switch {
					case !below13 && version == "TLSv1.3", // with any certificate
						below13 && version == "TLSv1.2" && suite.ecdsa == (host == "ecdsa.example"),
						suite.old && version < "TLSv1.2" && suite.ecdsa == (host == "ecdsa.example"):
						want = append(want, label)
					}
				}
			}
			groups := []string{"secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)", "secp521r1 (NIST P-521)", "x25519"}
			if fips140.Enabled() {
				groups = groups[:3]
			}
			for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
				if slices.Contains(policy.Protocols, version) {
					for _, g := range groups {
						want = append(want, version+" "+g)
					}
				}
			}

			out, err := exec.CommandContext(t.Context(), sslscan, "--xml=-", "--no-check-certificate", "--no-heartbleed", "--sni-name="+host, s.at(i)).Output()
			if err != nil {
				t.Fatalf("sslscan: %v: %s", err, out)
			}
			var found scan
			if err := xml.Unmarshal(out, &found); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var got []string
			for _, p := range found.Test.Protocols {
				if p.Enabled {
					got = append(got, strings.Replace(p.Type+" "+p.Version, "tls 1.0", "tls 1", 1))
				}
			}
			for _, c := range found.Test.Ciphers {
				// Debian's OpenSSL has no 3DES, and so no name for it.
				got = append(got, c.Version+" "+strings.Replace(c.Name, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", 1))
			}
			for _, g := range found.Test.Groups {
				got = append(got, g.Version+" "+g.Name)
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" || found.Test.Compression.Supported {
				t.Errorf("%s, %s: compression %v (-want +got):\n%s", policy.Name, host, found.Test.Compression.Supported, diff)
			}
		}
	}
}

// In the mode of FIPS 140-3 crypto/tls leaves out what isn't approved, and the
// policies tell so.
func TestSSLPoliciesTellWhatFIPSLeavesOut(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("runs in the mode already")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSSLPoliciesAreServedAsAScannerSeesThem$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=on")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	t.Logf("%s", out)
}
