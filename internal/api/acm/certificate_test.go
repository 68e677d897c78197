package acm_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

func TestACertificateIsImportedToldAndDeleted(t *testing.T) {
	w := newWorld(t)
	mid := w.root.Intermediate("Intermediate")
	pair := mid.Issue("shop.example", "*.shop.example")
	begun := time.Now().Truncate(time.Millisecond)
	imported, err := w.ImportCertificate(t.Context(), &sdk.ImportCertificateInput{
		Certificate: pair.Certificate, PrivateKey: pair.Key, CertificateChain: mid.PEM, Tags: []types.Tag{{Key: new("team"), Value: new("web")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := *imported.CertificateArn
	w.users[arn] = []string{"arn:lb"}

	described, err := w.DescribeCertificate(t.Context(), &sdk.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	d := described.Certificate
	if *d.DomainName != "shop.example" || !slices.Equal(d.SubjectAlternativeNames, []string{"shop.example", "*.shop.example"}) || d.Status != types.CertificateStatusIssued ||
		d.Type != types.CertificateTypeImported || d.KeyAlgorithm != types.KeyAlgorithmEcPrime256v1 || d.RenewalEligibility != types.RenewalEligibilityIneligible {
		t.Errorf("got %+v", d)
	}
	if !d.NotAfter.Equal(pair.Leaf.NotAfter) || d.ImportedAt.Before(begun) || d.ImportedAt.After(time.Now()) || !slices.Equal(d.InUseBy, []string{"arn:lb"}) {
		t.Errorf("got NotAfter %v, ImportedAt %v, InUseBy %v", d.NotAfter, d.ImportedAt, d.InUseBy)
	}
	if len(d.ExtendedKeyUsages) != 1 || d.ExtendedKeyUsages[0].Name != types.ExtendedKeyUsageNameTlsWebServerAuthentication || d.KeyUsages[0].Name != types.KeyUsageNameDigitalSignature {
		t.Errorf("got usages %+v, %+v", d.KeyUsages, d.ExtendedKeyUsages)
	}
	got, err := w.GetCertificate(t.Context(), &sdk.GetCertificateInput{CertificateArn: &arn})
	if err != nil || *got.Certificate != string(pair.Certificate) || *got.CertificateChain != string(mid.PEM) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, do := range map[string]func() error{ // I8
		"describe": func() error {
			_, err := w.as(stranger).DescribeCertificate(t.Context(), &sdk.DescribeCertificateInput{CertificateArn: &arn})
			return err
		},
		"get": func() error {
			_, err := w.as(stranger).GetCertificate(t.Context(), &sdk.GetCertificateInput{CertificateArn: &arn})
			return err
		},
		"delete": func() error {
			_, err := w.as(stranger).DeleteCertificate(t.Context(), &sdk.DeleteCertificateInput{CertificateArn: &arn})
			return err
		},
		"tags": func() error {
			_, err := w.as(stranger).ListTagsForCertificate(t.Context(), &sdk.ListTagsForCertificateInput{CertificateArn: &arn})
			return err
		},
		"replace": func() error {
			_, err := w.as(stranger).ImportCertificate(t.Context(), &sdk.ImportCertificateInput{CertificateArn: &arn, Certificate: pair.Certificate, PrivateKey: pair.Key})
			return err
		},
	} {
		t.Run("a stranger's "+name, func(t *testing.T) { w.refused(t, do, "ResourceNotFoundException", arn) })
	}

	remove := func() error {
		_, err := w.DeleteCertificate(t.Context(), &sdk.DeleteCertificateInput{CertificateArn: &arn})
		return err
	}
	w.refused(t, remove, "ResourceInUseException", arn)
	delete(w.users, arn)
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	w.refused(t, remove, "ResourceNotFoundException", arn)
}

func TestAReimportKeepsTheARN(t *testing.T) {
	w := newWorld(t)
	arn := w.imports(w.root.Issue("shop.example"))
	next := w.root.Issue("shop.example", "new.example")
	out, err := w.ImportCertificate(t.Context(), &sdk.ImportCertificateInput{CertificateArn: &arn, Certificate: next.Certificate, PrivateKey: next.Key})
	if err != nil || *out.CertificateArn != arn {
		t.Fatalf("got %+v, %v", out, err)
	}
	got, err := w.GetCertificate(t.Context(), &sdk.GetCertificateInput{CertificateArn: &arn})
	if err != nil || *got.Certificate != string(next.Certificate) || got.CertificateChain != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCertificateRefusals(t *testing.T) {
	w := newWorld(t)
	good := w.root.Issue("shop.example")
	importing := func(edit func(*sdk.ImportCertificateInput)) func() error {
		return func() error {
			in := &sdk.ImportCertificateInput{Certificate: good.Certificate, PrivateKey: good.Key}
			edit(in)
			_, err := w.ImportCertificate(t.Context(), in)
			return err
		}
	}
	named := func(arn string) func() error {
		return func() error {
			_, err := w.DescribeCertificate(t.Context(), &sdk.DescribeCertificateInput{CertificateArn: &arn})
			return err
		}
	}
	tagged := func(tg ...types.Tag) func() error {
		return importing(func(in *sdk.ImportCertificateInput) { in.Tags = tg })
	}
	listing := func(in sdk.ListCertificatesInput) func() error {
		return func() error { _, err := w.ListCertificates(t.Context(), &in); return err }
	}
	var many []types.Tag
	for i := range 51 {
		many = append(many, types.Tag{Key: new(fmt.Sprint("k", i))})
	}
	const absent = "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
	for name, c := range map[string]struct {
		do         func() error
		code, text string
	}{
		"another's key":           {importing(func(in *sdk.ImportCertificateInput) { in.PrivateKey = w.root.Issue("a.example").Key }), "ValidationException", "does not match"},
		"a key for a certificate": {importing(func(in *sdk.ImportCertificateInput) { in.Certificate = in.PrivateKey }), "ValidationException", "PEM format"},
		"a large certificate":     {importing(func(in *sdk.ImportCertificateInput) { in.Certificate = make([]byte, 32769) }), "ValidationException", "'certificate' failed to satisfy constraint: Member must have length less than or equal to 32768"},
		"a large key":             {importing(func(in *sdk.ImportCertificateInput) { in.PrivateKey = make([]byte, 5121) }), "ValidationException", "'privateKey' failed"},
		"an empty chain":          {importing(func(in *sdk.ImportCertificateInput) { in.CertificateChain = []byte{} }), "ValidationException", "'certificateChain' failed"},
		"expired": {importing(func(in *sdk.ImportCertificateInput) {
			p := w.root.IssueFor(issuer.Key(t), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			in.Certificate, in.PrivateKey = p.Certificate, p.Key
		}), "ValidationException", "expired"},
		"replacing what isn't there": {importing(func(in *sdk.ImportCertificateInput) { in.CertificateArn = new(absent) }), "ResourceNotFoundException", absent},
		"replacing no ARN":           {importing(func(in *sdk.ImportCertificateInput) { in.CertificateArn = new("certificate/00000000-0000") }), "ValidationException", "'certificateArn' failed to satisfy constraint"},
		"what isn't there":           {named(absent), "ResourceNotFoundException", absent},
		"no ARN":                     {named("shop.example and some more text"), "ValidationException", "regular expression pattern: arn:"},
		"another service's ARN":      {named("arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/a/b"), "ValidationException", "regular expression pattern"},
		"an ARN of no certificate":   {named("arn:aws:acm:us-east-1:111122223333:account/x"), "InvalidArnException", "not one of a certificate"},
		"a reserved tag":             {tagged(types.Tag{Key: new("aws:x")}), "InvalidTagException", "reserved"},
		"a tag twice":                {tagged(types.Tag{Key: new("a")}, types.Tag{Key: new("a")}), "InvalidTagException", "more than once"},
		"a tag of odd characters":    {tagged(types.Tag{Key: new("a{")}), "ValidationException", "tag key"},
		"a tag's long value":         {tagged(types.Tag{Key: new("a"), Value: new(strings.Repeat("v", 257))}), "ValidationException", "value of tag 'a'"},
		"many tags":                  {tagged(many...), "TooManyTagsException", "50"},
		"a page of none":             {listing(sdk.ListCertificatesInput{MaxItems: aws.Int32(0)}), "ValidationException", "'maxItems'"},
		"half an order":              {listing(sdk.ListCertificatesInput{SortBy: types.SortByCreatedAt}), "ValidationException", "together"},
		"a stranger's token":         {listing(sdk.ListCertificatesInput{NextToken: new("abc")}), "ValidationException", "token"},
		"a certificate that is to be issued": {func() error {
			_, err := w.RequestCertificate(t.Context(), &sdk.RequestCertificateInput{DomainName: new("shop.example")})
			return err
		}, "ValidationException", "no certificate authority is configured"},
		"a private key to be had": {func() error {
			_, err := w.ExportCertificate(t.Context(), &sdk.ExportCertificateInput{CertificateArn: new(absent), Passphrase: []byte("pass")})
			return err
		}, "ValidationException", "not given out"},
	} {
		t.Run(name, func(t *testing.T) { w.refused(t, c.do, c.code, c.text) })
	}
}

func TestCertificatesAreListed(t *testing.T) {
	w := newWorld(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	var usual []string // RSA
	for i := range 5 {
		usual = append(usual, w.imports(w.root.IssueFor(small, func(c *x509.Certificate) {
			c.DNSNames = []string{fmt.Sprintf("shop-%d.example", i)}
			if i == 4 {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			}
		})))
	}
	elliptic := w.imports(w.root.Issue("p256.example"))
	nameless := w.imports(w.root.IssueFor(small, func(*x509.Certificate) {}))
	w.users[usual[2]] = []string{"arn:lb"}
	p256 := &types.Filters{KeyTypes: []types.KeyAlgorithm{types.KeyAlgorithmEcPrime256v1}}

	for name, c := range map[string]struct {
		in   sdk.ListCertificatesInput
		want []string
	}{
		"without filters: RSA with a name": {sdk.ListCertificatesInput{}, usual},
		"by key type":                      {sdk.ListCertificatesInput{Includes: p256}, []string{elliptic}},
		"by key type, with names or not":   {sdk.ListCertificatesInput{Includes: &types.Filters{KeyTypes: []types.KeyAlgorithm{types.KeyAlgorithmRsa1024}}}, append([]string{nameless}, usual...)},
		"by status":                        {sdk.ListCertificatesInput{CertificateStatuses: []types.CertificateStatus{types.CertificateStatusIssued}}, usual},
		"by another status":                {sdk.ListCertificatesInput{CertificateStatuses: []types.CertificateStatus{types.CertificateStatusExpired}}, nil},
		"by purpose":                       {sdk.ListCertificatesInput{Includes: &types.Filters{ExtendedKeyUsage: []types.ExtendedKeyUsageName{types.ExtendedKeyUsageNameTlsWebClientAuthentication}}}, usual[4:]},
		"by use":                           {sdk.ListCertificatesInput{Includes: &types.Filters{KeyUsage: []types.KeyUsageName{types.KeyUsageNameCrlSigning}}}, nil},
		"by export":                        {sdk.ListCertificatesInput{Includes: &types.Filters{ExportOption: types.CertificateExportEnabled}}, nil},
	} {
		out, err := w.ListCertificates(t.Context(), &c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := arns(out.CertificateSummaryList)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}

	for _, order := range []types.SortOrder{types.SortOrderAscending, types.SortOrderDescending} {
		var got []string
		pages := sdk.NewListCertificatesPaginator(w, &sdk.ListCertificatesInput{MaxItems: aws.Int32(2), SortBy: types.SortByCreatedAt, SortOrder: order})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range out.CertificateSummaryList {
				if inUse := *s.CertificateArn == usual[2]; *s.InUse != inUse || s.Type != types.CertificateTypeImported || !strings.HasPrefix(*s.DomainName, "shop-") {
					t.Errorf("got %+v", s)
				}
			}
			got = append(got, arns(out.CertificateSummaryList)...)
		}
		want := slices.Clone(usual)
		if order == types.SortOrderDescending {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", order, got, want)
		}
	}
	if out, err := w.as(stranger).ListCertificates(t.Context(), nil); err != nil || len(out.CertificateSummaryList) != 0 {
		t.Errorf("a stranger sees %v, %v", out, err)
	}
}

func arns(list []types.CertificateSummary) []string {
	var out []string
	for _, s := range list {
		out = append(out, *s.CertificateArn)
	}
	return out
}

func TestTagsOfACertificate(t *testing.T) {
	w := newWorld(t)
	arn := w.imports(w.root.Issue("shop.example"))
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	if _, err := w.AddTagsToCertificate(t.Context(), &sdk.AddTagsToCertificateInput{CertificateArn: &arn, Tags: []types.Tag{tag("a", "1"), tag("b", "2"), tag("c", "")}}); err != nil {
		t.Fatal(err)
	}
	// By key whatever its value, by key and value, and by a value that it hasn't.
	if _, err := w.RemoveTagsFromCertificate(t.Context(), &sdk.RemoveTagsFromCertificateInput{CertificateArn: &arn, Tags: []types.Tag{{Key: new("a")}, tag("b", "3"), tag("c", "")}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.ListTagsForCertificate(t.Context(), &sdk.ListTagsForCertificateInput{CertificateArn: &arn})
	if err != nil || len(out.Tags) != 1 || *out.Tags[0].Key != "b" || *out.Tags[0].Value != "2" {
		t.Errorf("got %+v, %v, want b=2 alone", out, err)
	}
}
