package elb

import (
	"slices"
	"strings"
	"testing"
)

// Every policy of AWS's is either offered, or refused with a reason; none is offered
// that couldn't be served as it is meant.
func TestPoliciesThatWouldMisleadAreRefused(t *testing.T) {
	const fips, rfc9151, wider = "GOFIPS140=certified", "leaves out ciphers", "use one of the policies"
	for _, c := range []struct {
		name               string
		without, validated string // part of the reason; "": offered
	}{
		{"2016-08", "", ""},
		{"TLS13-1-2-Res-PQ-2025-09", "", ""},
		{"TLS-1-0-2015-04", "", ""},
		{"TLS13-1-3-FIPS-2023-04", fips, ""},
		{"TLS13-1-2-Res-FIPS-2023-04", fips, ""},
		{"TLS13-1-2-FIPS-2023-04", fips, ""},
		{"TLS13-1-3-FIPS-PQ-2025-09", fips, ""},
		{"TLS13-1-2-Res-FIPS-PQ-2025-09", fips, ""},
		{"TLS13-1-2-FIPS-PQ-2025-09", fips, ""},
		{"TLS13-1-2-Ext0-FIPS-2023-04", wider, wider},
		{"TLS13-1-2-Ext2-FIPS-PQ-2025-09", wider, wider},
		{"TLS13-1-1-FIPS-2023-04", wider, wider},
		{"TLS13-1-0-FIPS-2023-04", wider, wider},
		{"TLS13-1-0-FIPS-PQ-2025-09", wider, wider},
		{"TLS13-1-3-RFC9151-FIPS-2023-07", rfc9151, rfc9151},
		{"TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07", rfc9151, rfc9151},
	} {
		name := "ELBSecurityPolicy-" + c.name
		for validated, want := range map[bool]string{false: c.without, true: c.validated} {
			if got := refusal(name, validated); (got == "") != (want == "") || !strings.Contains(got, want) {
				t.Errorf("%s, with a validated module %v: got %q, want %q", c.name, validated, got, want)
			}
		}
	}
	if got := len(sslPolicies) + len(foreignPolicies); got != 46 {
		t.Errorf("there are %d policies, want 46 (ELB user guide)", got)
	}
	for name := range foreignPolicies {
		if _, both := sslPolicies[name]; both {
			t.Errorf("%s is served, and isn't", name)
		}
	}
}

// In the mode of FIPS 140-3 policies have what is approved of their ciphers, and
// those of FIPS have all of theirs.
func TestPoliciesInFIPSModeHaveWhatIsApproved(t *testing.T) {
	in, outside := policiesIn(true), policiesIn(false)
	for name, p := range in {
		if o := outside[name]; p.FIPS && (!slices.Equal(p.Ciphers, o.Ciphers) || !slices.Equal(p.Protocols, o.Protocols)) {
			t.Errorf("%s: got %q, %q, want what it has outside, %q, %q", name, p.Protocols, p.Ciphers, o.Protocols, o.Ciphers)
		}
		for _, c := range p.Ciphers {
			if !slices.Contains(outside["ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04"].Ciphers, c) {
				t.Errorf("%s has %s", name, c)
			}
		}
		if len(p.Ciphers) == 0 || p.Protocols[0] < "TLSv1.2" {
			t.Errorf("%s: got %q, %q", name, p.Protocols, p.Ciphers)
		}
	}
	if got := outside[DefaultSSLPolicy]; len(got.Protocols) != 3 || len(got.Ciphers) != 15 {
		t.Errorf("the default one, outside: got %+v", got)
	}
}
