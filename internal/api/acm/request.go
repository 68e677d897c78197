package acm

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/shapes/acm"
	"github.com/fairlead/fairlead/internal/wire"
)

// namePattern is the model's of a domain name, without its lookaheads: a label
// doesn't begin with a hyphen.
const namePattern = `(\*\.)?(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])`

var (
	nameForm  = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]$`)
	tokenForm = regexp.MustCompile(`^\w{1,32}$`)
)

// requestedKeys are the key types that a certificate can be requested with (ACM
// RequestCertificate, KeyAlgorithm).
var requestedKeys = []acm.KeyAlgorithm{acm.KeyAlgorithmRsa2048, acm.KeyAlgorithmEcPrime256v1, acm.KeyAlgorithmEcSecp384r1}

func (a *API) requestCertificate(ctx context.Context, c *wire.Call, in *acm.RequestCertificateInput) (*acm.RequestCertificateOutput, error) {
	if err := checkRequest(in); err != nil {
		return nil, err
	}
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	r := certs.Request{
		Account: c.Account, Region: c.Region, ID: uuid.NewString(), Names: append([]string{*in.DomainName}, in.SubjectAlternativeNames...),
		KeyAlgorithm: string(cmp.Or(in.KeyAlgorithm, acm.KeyAlgorithmRsa2048)), Tags: tg, Time: c.Now,
	}
	if in.IdempotencyToken != nil {
		r.Token = *in.IdempotencyToken
	}
	made, err := a.certs.Request(ctx, r)
	if err != nil {
		return nil, err
	}
	return &acm.RequestCertificateOutput{CertificateArn: &made.ARN}, nil
}

// checkRequest checks a request's form, and refuses what this installation has not.
// Without a validation method it is DNS, the only one, where ACM would send mail.
func checkRequest(in *acm.RequestCertificateInput) error {
	if err := checkName(*in.DomainName, "domainName"); err != nil {
		return err
	}
	if in.SubjectAlternativeNames != nil && (len(in.SubjectAlternativeNames) == 0 || len(in.SubjectAlternativeNames) > certs.MaxNames) {
		return constraint("(not shown)", "subjectAlternativeNames", "Member must have length between 1 and %d", certs.MaxNames)
	}
	for i, n := range in.SubjectAlternativeNames {
		if err := checkName(n, fmt.Sprintf("subjectAlternativeNames.%d.member", i+1)); err != nil {
			return err
		}
	}
	if t := in.IdempotencyToken; t != nil && !tokenForm.MatchString(*t) {
		return constraint((*t)[:min(len(*t), 64)], "idempotencyToken", `Member must satisfy regular expression pattern: \w+ and have length between 1 and 32`)
	}
	switch {
	case in.KeyAlgorithm != "" && !slices.Contains(requestedKeys, in.KeyAlgorithm):
		return invalid("The key algorithm %s can't be requested. Use RSA_2048, EC_prime256v1 or EC_secp384r1.", in.KeyAlgorithm)
	case in.CertificateAuthorityArn != nil:
		return invalid("Private certificate authorities are not served by this installation. Leave CertificateAuthorityArn out.")
	case in.ManagedBy != "":
		return invalid("Certificates that another service manages are not served by this installation. Leave ManagedBy out.")
	case in.ValidationMethod != "" && in.ValidationMethod != acm.ValidationMethodDns:
		return invalid("The validation method %s is not served by this installation. Use DNS.", in.ValidationMethod)
	case in.DomainValidationOptions != nil:
		return apierr.New("InvalidDomainValidationOptionsException", "DomainValidationOptions are for validation by e-mail, which is not served by this installation. Leave them out.")
	case in.Options != nil && in.Options.Export == acm.CertificateExportEnabled:
		return invalid("Private keys are not given out by this installation. Leave Options.Export out, or DISABLED.")
	}
	return nil
}

func checkName(name, path string) error {
	switch {
	case len(name) > 253 || name == "":
		return constraint(name[:min(len(name), 256)], path, "Member must have length between 1 and 253")
	case !nameForm.MatchString(name):
		return constraint(name, path, "Member must satisfy regular expression pattern: %s", namePattern)
	}
	return nil
}

func (a *API) renewCertificate(ctx context.Context, c *wire.Call, in *acm.RenewCertificateInput) (*acm.RenewCertificateOutput, error) {
	if err := checkARN(*in.CertificateArn); err != nil {
		return nil, err
	}
	return &acm.RenewCertificateOutput{}, a.certs.Renew(ctx, c.Account, c.Region, *in.CertificateArn, c.Now)
}

// describeIssuance tells what became of a request.
func (a *API) describeIssuance(d *acm.CertificateDetail, x certs.Certificate) {
	i := x.Issuance
	d.Options.CertificateTransparencyLoggingPreference = acm.CertificateTransparencyLoggingPreferenceEnabled
	if !i.IssuedAt.IsZero() {
		d.IssuedAt = &i.IssuedAt
	}
	d.FailureReason = acm.FailureReason(i.Reason)
	status := map[certs.Status]acm.DomainStatus{
		certs.PendingValidation: acm.DomainStatusPendingValidation, certs.Issued: acm.DomainStatusSuccess,
		certs.Failed: acm.DomainStatusFailed, certs.ValidationTimedOut: acm.DomainStatusFailed,
	}[i.Status]
	d.DomainValidationOptions = a.validations(x, status)
	if r := i.Renewal; r != nil {
		status := acm.DomainStatusSuccess
		switch r.Status {
		case certs.RenewalPendingValidation:
			status = acm.DomainStatusPendingValidation
		case certs.RenewalFailed:
			status = acm.DomainStatusFailed
		}
		d.RenewalSummary = &acm.RenewalSummary{
			RenewalStatus: acm.RenewalStatus(r.Status), RenewalStatusReason: acm.FailureReason(r.Reason), UpdatedAt: &r.Updated,
			DomainValidationOptions: a.validations(x, status),
		}
	}
}

// validations tells which record each name needs. The service knows of a status for
// each; here they become valid together, when the certificate is issued.
func (a *API) validations(x certs.Certificate, status acm.DomainStatus) []acm.DomainValidation {
	var out []acm.DomainValidation
	for _, n := range x.Names {
		record, target := a.certs.Delegation(x, n)
		out = append(out, acm.DomainValidation{
			DomainName: new(n), ValidationDomain: new(n), ValidationMethod: acm.ValidationMethodDns, ValidationStatus: status,
			ResourceRecord: &acm.ResourceRecord{Name: &record, Type: acm.RecordTypeCname, Value: &target},
		})
	}
	return out
}

// origin says who made a certificate's private key.
func origin(x certs.Certificate) acm.CertificateKeyPairOrigin {
	if x.Issuance != nil {
		return acm.CertificateKeyPairOriginAwsManaged
	}
	return acm.CertificateKeyPairOriginCustomerProvided
}

func eligibility(x certs.Certificate, inUse bool) acm.RenewalEligibility {
	if x.Eligible(inUse) {
		return acm.RenewalEligibilityEligible
	}
	return acm.RenewalEligibilityIneligible
}
