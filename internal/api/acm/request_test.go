package acm_test

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// authority issues at once what it is let, and refuses what begins with "no".
type authority struct {
	root *issuer.Issuer
	let  chan struct{} // closed: issues
}

func (a *authority) Proven(ctx context.Context, _ []certs.Domain) (bool, error) {
	select {
	case <-a.let:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (a *authority) Issue(_ context.Context, o certs.Order) ([]byte, error) {
	if strings.HasPrefix(o.Names[0], "no") {
		return nil, &certs.Refusal{Reason: certs.CAAError, Err: errors.New("no")}
	}
	pair := a.root.IssueFor(o.Key, func(c *x509.Certificate) { c.DNSNames = o.Names })
	return slices.Concat(pair.Certificate, a.root.PEM), nil
}

func newAuthority(t *testing.T) *authority {
	return &authority{root: issuer.New(t, "Root"), let: make(chan struct{})}
}

func (w *world) describe(arn string) *types.CertificateDetail {
	w.t.Helper()
	out, err := w.DescribeCertificate(w.t.Context(), &sdk.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Certificate
}

// becomes waits for a certificate's status.
func (w *world) becomes(arn string, want types.CertificateStatus) *types.CertificateDetail {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if d := w.describe(arn); d.Status == want {
			return d
		}
	}
	w.t.Fatalf("%s isn't %s after 20 s: %+v", arn, want, w.describe(arn))
	return nil
}

func TestACertificateIsRequestedIssuedAndRenewed(t *testing.T) {
	ca := newAuthority(t)
	w := newWorldOf(t, ca)
	ask := func(in sdk.RequestCertificateInput) string {
		t.Helper()
		out, err := w.RequestCertificate(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.CertificateArn
	}
	in := sdk.RequestCertificateInput{
		DomainName: new("shop.example"), SubjectAlternativeNames: []string{"*.shop.example"}, ValidationMethod: types.ValidationMethodDns,
		KeyAlgorithm: types.KeyAlgorithmEcPrime256v1, IdempotencyToken: new("one"), Tags: []types.Tag{{Key: new("team"), Value: new("web")}},
	}
	arn := ask(in)
	if again := ask(in); again != arn {
		t.Errorf("asked again: got %s, want %s", again, arn)
	}
	d := w.describe(arn)
	if d.Status != types.CertificateStatusPendingValidation || d.Type != types.CertificateTypeAmazonIssued || *d.Subject != "CN=shop.example" || d.KeyAlgorithm != types.KeyAlgorithmEcPrime256v1 ||
		d.NotAfter != nil || d.Serial != nil || d.IssuedAt != nil || d.ImportedAt != nil || d.RenewalEligibility != types.RenewalEligibilityIneligible {
		t.Errorf("got %+v", d)
	}
	if len(d.DomainValidationOptions) != 2 {
		t.Fatalf("got %d validations, want one for each name", len(d.DomainValidationOptions))
	}
	for i, v := range d.DomainValidationOptions {
		r := v.ResourceRecord
		if *v.DomainName != []string{"shop.example", "*.shop.example"}[i] || v.ValidationStatus != types.DomainStatusPendingValidation || v.ValidationMethod != types.ValidationMethodDns ||
			*r.Name != "_acme-challenge.shop.example." || r.Type != types.RecordTypeCname || !strings.HasSuffix(*r.Value, ".acm-validations.elb.example.") {
			t.Errorf("got %+v, record %+v", v, r)
		}
	}
	get := func() error {
		_, err := w.GetCertificate(t.Context(), &sdk.GetCertificateInput{CertificateArn: &arn})
		return err
	}
	renew := func() error {
		_, err := w.RenewCertificate(t.Context(), &sdk.RenewCertificateInput{CertificateArn: &arn})
		return err
	}
	w.refused(t, get, "RequestInProgressException", "in progress")
	w.refused(t, renew, "RequestInProgressException", "in progress")
	listed := func(in sdk.ListCertificatesInput) []types.CertificateSummary {
		t.Helper()
		in.Includes = &types.Filters{KeyTypes: []types.KeyAlgorithm{types.KeyAlgorithmEcPrime256v1}}
		out, err := w.ListCertificates(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return out.CertificateSummaryList
	}
	pending := []types.CertificateStatus{types.CertificateStatusPendingValidation}
	if got := listed(sdk.ListCertificatesInput{CertificateStatuses: pending}); len(got) != 1 || got[0].NotAfter != nil || got[0].IssuedAt != nil || got[0].Status != types.CertificateStatusPendingValidation {
		t.Errorf("those that are pending: got %+v", got)
	}

	close(ca.let)
	d = w.becomes(arn, types.CertificateStatusIssued)
	if d.IssuedAt == nil || d.NotAfter == nil || d.Serial == nil || *d.Issuer != "Root" || *d.DomainName != "shop.example" || d.DomainValidationOptions[1].ValidationStatus != types.DomainStatusSuccess || d.RenewalSummary != nil {
		t.Errorf("got %+v", d)
	}
	if err := sdk.NewCertificateValidatedWaiter(w).Wait(t.Context(), &sdk.DescribeCertificateInput{CertificateArn: &arn}, time.Minute); err != nil {
		t.Errorf("the waiter: %v", err)
	}
	if err := get(); err != nil {
		t.Error(err)
	}
	if got := listed(sdk.ListCertificatesInput{CertificateStatuses: pending}); len(got) != 0 {
		t.Errorf("those that are still pending: got %+v", got)
	}
	if got := listed(sdk.ListCertificatesInput{CertificateKeyPairOrigins: []types.CertificateKeyPairOrigin{types.CertificateKeyPairOriginAwsManaged}}); len(got) != 1 || got[0].IssuedAt == nil || got[0].ImportedAt != nil {
		t.Errorf("those whose key is ours: got %+v", got)
	}

	serial := *d.Serial
	if err := renew(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); *d.Serial == serial && time.Now().Before(end); {
		d = w.describe(arn)
	}
	if *d.Serial == serial || d.RenewalSummary == nil || d.RenewalSummary.RenewalStatus != types.RenewalStatusSuccess || len(d.RenewalSummary.DomainValidationOptions) != 2 {
		t.Errorf("renewed: got serial %s, %+v", *d.Serial, d.RenewalSummary)
	}

	refused := w.becomes(ask(sdk.RequestCertificateInput{DomainName: new("no.example")}), types.CertificateStatusFailed)
	if refused.FailureReason != types.FailureReasonCaaError || refused.DomainValidationOptions[0].ValidationStatus != types.DomainStatusFailed {
		t.Errorf("refused by the authority: got %+v", refused)
	}
	arn = *refused.CertificateArn
	w.refused(t, get, "ResourceNotFoundException", "FAILED")
	w.refused(t, renew, "ValidationException", "not eligible")
}

func TestRequestRefusals(t *testing.T) {
	w := newWorldOf(t, newAuthority(t))
	for name, c := range map[string]struct {
		edit       func(*sdk.RequestCertificateInput)
		code, text string
	}{
		"no domain name":      {func(in *sdk.RequestCertificateInput) { in.DomainName = new("shop") }, "ValidationException", "'domainName' failed to satisfy constraint"},
		"a name with a space": {func(in *sdk.RequestCertificateInput) { in.DomainName = new("shop .example") }, "ValidationException", "regular expression"},
		"an asterisk within":  {func(in *sdk.RequestCertificateInput) { in.DomainName = new("a.*.example") }, "ValidationException", "regular expression"},
		"an address":          {func(in *sdk.RequestCertificateInput) { in.DomainName = new("::1") }, "ValidationException", "regular expression"},
		"a long name":         {func(in *sdk.RequestCertificateInput) { in.DomainName = new(strings.Repeat("a.", 130) + "example") }, "ValidationException", "between 1 and 253"},
		"a long domain":       {func(in *sdk.RequestCertificateInput) { in.DomainName = new(strings.Repeat("a.", 40) + "example") }, "ValidationException", "longer than 64"},
		"another name that isn't": {func(in *sdk.RequestCertificateInput) {
			in.SubjectAlternativeNames = []string{"a.example", "-b.example"}
		}, "ValidationException", "subjectAlternativeNames.2.member"},
		"no other names":         {func(in *sdk.RequestCertificateInput) { in.SubjectAlternativeNames = []string{} }, "ValidationException", "subjectAlternativeNames"},
		"a token of odd letters": {func(in *sdk.RequestCertificateInput) { in.IdempotencyToken = new("a-b") }, "ValidationException", "idempotencyToken"},
		"a long token":           {func(in *sdk.RequestCertificateInput) { in.IdempotencyToken = new(strings.Repeat("a", 33)) }, "ValidationException", "idempotencyToken"},
		"validation by mail":     {func(in *sdk.RequestCertificateInput) { in.ValidationMethod = types.ValidationMethodEmail }, "ValidationException", "EMAIL is not served by this installation. Use DNS."},
		"validation by HTTP":     {func(in *sdk.RequestCertificateInput) { in.ValidationMethod = types.ValidationMethodHttp }, "ValidationException", "Use DNS"},
		"whom to write to": {func(in *sdk.RequestCertificateInput) {
			in.DomainValidationOptions = []types.DomainValidationOption{{DomainName: new("shop.example"), ValidationDomain: new("shop.example")}}
		}, "InvalidDomainValidationOptionsException", "e-mail"},
		"a large key": {func(in *sdk.RequestCertificateInput) { in.KeyAlgorithm = types.KeyAlgorithmRsa4096 }, "ValidationException", "RSA_2048, EC_prime256v1 or EC_secp384r1"},
		"a private authority": {func(in *sdk.RequestCertificateInput) {
			in.CertificateAuthorityArn = new("arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/1")
		}, "ValidationException", "Private certificate authorities"},
		"a key that is to be had": {func(in *sdk.RequestCertificateInput) {
			in.Options = &types.CertificateOptions{Export: types.CertificateExportEnabled}
		}, "ValidationException", "not given out"},
		"another service's":      {func(in *sdk.RequestCertificateInput) { in.ManagedBy = types.CertificateManagedByCloudfront }, "ValidationException", "another service"},
		"a reserved tag":         {func(in *sdk.RequestCertificateInput) { in.Tags = []types.Tag{{Key: aws.String("aws:x")}} }, "InvalidTagException", "reserved"},
		"a key of no known type": {func(in *sdk.RequestCertificateInput) { in.KeyAlgorithm = "RSA_1" }, "ValidationException", "RSA_1"},
	} {
		t.Run(name, func(t *testing.T) {
			in := sdk.RequestCertificateInput{DomainName: new("shop.example")}
			c.edit(&in)
			w.refused(t, func() error { _, err := w.RequestCertificate(t.Context(), &in); return err }, c.code, c.text)
		})
	}
}
