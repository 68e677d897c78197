package proof_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/ipam/proof"
)

const rightMessage = "1|aws|111122223333|198.18.0.0/16|20260102|SHA256|RSAPSS"

func TestParseMessage(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"right":                       {rightMessage, ""},
		"right, of IPv6":              {"1|aws|111122223333|2001:db8::/32|20281231|SHA256|RSAPSS", ""},
		"empty":                       {"", "must be 1|aws|"},
		"a field too many":            {rightMessage + "|", "must be 1|aws|"},
		"another version":             {"2" + rightMessage[1:], "must be 1|aws|"},
		"another provider":            {strings.Replace(rightMessage, "aws", "AWS", 1), "must be 1|aws|"},
		"another hash":                {strings.Replace(rightMessage, "SHA256", "SHA1", 1), "must be 1|aws|"},
		"another signature scheme":    {strings.Replace(rightMessage, "RSAPSS", "RSA", 1), "must be 1|aws|"},
		"account of 11 digits":        {strings.Replace(rightMessage, "111122223333", "11112222333", 1), "12 digits"},
		"account with a letter":       {strings.Replace(rightMessage, "111122223333", "11112222333x", 1), "12 digits"},
		"no CIDR":                     {strings.Replace(rightMessage, "198.18.0.0/16", "198.18.0.0", 1), "without host bits"},
		"CIDR with host bits":         {strings.Replace(rightMessage, "198.18.0.0/16", "198.18.1.0/16", 1), "without host bits"},
		"CIDR in an uncommon way":     {strings.Replace(rightMessage, "198.18.0.0/16", "2001:DB8::/32", 1), "written as 2001:db8::/32"},
		"a day that there isn't":      {strings.Replace(rightMessage, "20260102", "20260230", 1), "YYYYMMDD"},
		"a time":                      {strings.Replace(rightMessage, "20260102", "2026-01-02", 1), "YYYYMMDD"},
		"longer than any real one is": {rightMessage + strings.Repeat(" ", 100), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := proof.ParseMessage(c.message)
			switch {
			case c.want == "" && (err != nil || m.String() != c.message):
				t.Errorf("%q: got %v, %v", c.message, m, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%q: got %v, want %q", c.message, err, c.want)
			}
		})
	}
}

// What is accepted is what is signed, to the byte: there is one way to write a message.
func FuzzParseMessage(f *testing.F) {
	f.Add(rightMessage)
	f.Add("1|aws|111122223333|2001:db8::/32|00010101|SHA256|RSAPSS")
	f.Add("1|aws|||||")
	f.Add("1|aws|111122223333|::ffff:198.18.0.0/112|20260102|SHA256|RSAPSS")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := proof.ParseMessage(s)
		if err != nil {
			return
		}
		if m.String() != s {
			t.Errorf("%q is read as %q", s, m)
		}
		if m.CIDR != m.CIDR.Masked() || len(m.Account) != 12 {
			t.Errorf("%q: got %+v", s, m)
		}
	})
}
