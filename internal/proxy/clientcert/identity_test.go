package clientcert_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/proxy/clientcert"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

func TestClientsAreIdentified(t *testing.T) {
	root := issuer.New(t, "Root")
	c := root.IssueClient("x", func(c *x509.Certificate) {
		c.SerialNumber = big.NewInt(0x3a5b1)
		c.NotBefore, c.NotAfter = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	}).Leaf
	id := clientcert.Identify(c)
	if id.Serial != "03A5B1" || id.Issuer != "CN=Root" || id.Subject != "CN=x" || id.Validity != "NotBefore=2026-01-02T03:04:05Z;NotAfter=2027-01-02T03:04:05Z" {
		t.Errorf("got %+v", id)
	}
	text := clientcert.PEM(c)
	if !strings.HasPrefix(text, "-----BEGIN%20CERTIFICATE-----%0AMII") || !strings.HasSuffix(text, "%0A-----END%20CERTIFICATE-----%0A") {
		t.Errorf("got %s", text)
	}
	if plain, err := url.PathUnescape(text); err != nil || !strings.Contains(plain, "\n-----END CERTIFICATE-----\n") {
		t.Errorf("unescaped: %s, %v", plain, err)
	}
}

// RFC 2253 §2, with OpenSSL's escapes for what doesn't belong into a header: a line
// break in a name begins no other header.
func TestNamesAreWritten(t *testing.T) {
	root := issuer.New(t, "Root")
	value := func(oid asn1.ObjectIdentifier, v any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oid, Value: v}
	}
	cn, o := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 10}
	for _, tt := range []struct {
		name string
		in   pkix.RDNSequence
		want string
	}{
		{"the last part comes first", pkix.RDNSequence{{value([]int{2, 5, 4, 6}, "NL")}, {value(o, "Example Shop")}, {value(cn, "till-7")}}, "CN=till-7,O=Example Shop,C=NL"},
		{"several values of one part", pkix.RDNSequence{{value(cn, "a"), value(o, "b")}}, "CN=a+O=b"},
		{"separators", pkix.RDNSequence{{value(cn, `a,b+c"d\e<f>g;h`)}}, `CN=a\,b\+c\"d\\e\<f\>g\;h`},
		{"a hash in front, and blanks around", pkix.RDNSequence{{value(cn, "#a")}, {value(o, " b ")}}, `O=\ b\ ,CN=\#a`},
		{"a line break", pkix.RDNSequence{{value(cn, "a\r\nX-Admin: 1")}}, `CN=a\0D\0AX-Admin: 1`},
		{"beyond ASCII", pkix.RDNSequence{{value(cn, "é")}}, `CN=\C3\A9`},
		{"text in UTF-16", pkix.RDNSequence{{value(cn, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte{0, 'a', 0, 0xe9}})}}, `CN=a\C3\A9`},
		{"an unknown attribute", pkix.RDNSequence{{value([]int{1, 2, 3}, "a")}}, "1.2.3=#130161"},
		{"mail and domain", pkix.RDNSequence{{value([]int{0, 9, 2342, 19200300, 100, 1, 25}, "example")}, {value([]int{1, 2, 840, 113549, 1, 9, 1}, "a@b.example")}},
			"emailAddress=a@b.example,DC=example"},
		{"nothing", pkix.RDNSequence{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			der, err := asn1.Marshal(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			c := root.IssueClient("x", func(c *x509.Certificate) { c.RawSubject = der }).Leaf
			if got := clientcert.Identify(c).Subject; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
