package acm

import (
	"context"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/shapes/acm"
	"github.com/fairlead/fairlead/internal/wire"
)

// Sizes of ImportCertificate's members in bytes (the service's model). A chain of
// its full length doesn't fit into a request here, which has wire.MaxBodyBytes.
const (
	maxCertificate = 32 << 10
	maxKey         = 5 << 10
	maxChain       = 2 << 20
)

func (a *API) importCertificate(ctx context.Context, c *wire.Call, in *acm.ImportCertificateInput) (*acm.ImportCertificateOutput, error) {
	for _, part := range []struct {
		path  string
		value []byte
		limit int
	}{{"certificate", in.Certificate, maxCertificate}, {"privateKey", in.PrivateKey, maxKey}, {"certificateChain", in.CertificateChain, maxChain}} {
		switch {
		case len(part.value) > part.limit:
			return nil, constraint("(not shown)", part.path, "Member must have length less than or equal to %d", part.limit)
		case part.value != nil && len(part.value) == 0:
			return nil, constraint("", part.path, "Member must have length greater than or equal to 1")
		}
	}
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	imp := certs.Import{
		Account: c.Account, Region: c.Region, ID: uuid.NewString(), Tags: tg, Time: c.Now,
		Material: certs.Material{Certificate: in.Certificate, Chain: in.CertificateChain, PrivateKey: in.PrivateKey},
	}
	if in.CertificateArn != nil {
		if err := checkARN(*in.CertificateArn); err != nil {
			return nil, err
		}
		imp.ARN = *in.CertificateArn
	}
	made, err := a.certs.Import(ctx, imp)
	if err != nil {
		return nil, err
	}
	return &acm.ImportCertificateOutput{CertificateArn: &made.ARN}, nil
}

// certificate finds the one that a call names.
func (a *API) certificate(c *wire.Call, arn string) (certs.Certificate, error) {
	if err := checkARN(arn); err != nil {
		return certs.Certificate{}, err
	}
	return a.certs.Certificate(a.store.Snapshot(), c.Account, c.Region, arn)
}

func (a *API) describeCertificate(_ context.Context, c *wire.Call, in *acm.DescribeCertificateInput) (*acm.DescribeCertificateOutput, error) {
	found, err := a.certificate(c, *in.CertificateArn)
	if err != nil {
		return nil, err
	}
	users := a.certs.InUseBy(a.store.Snapshot(), found.ARN)
	d := acm.CertificateDetail{
		CertificateArn: &found.ARN, DomainName: given(found.Domain), SubjectAlternativeNames: found.Names, Serial: given(found.Serial), Subject: &found.Subject, Issuer: given(found.Issuer),
		CreatedAt: &found.Created, Status: acm.CertificateStatus(found.Status(c.Now)), KeyAlgorithm: acm.KeyAlgorithm(found.KeyAlgorithm), SignatureAlgorithm: given(found.SignatureAlgorithm),
		Type: acm.CertificateType(found.Type), CertificateKeyPairOrigin: origin(found), RenewalEligibility: eligibility(found, len(users) > 0), InUseBy: append([]string{}, users...),
		Options: &acm.CertificateOptions{CertificateTransparencyLoggingPreference: acm.CertificateTransparencyLoggingPreferenceDisabled, Export: acm.CertificateExportDisabled},
	}
	if found.HasContent() {
		d.NotBefore, d.NotAfter = &found.NotBefore, &found.NotAfter
	}
	if found.Issuance == nil {
		d.ImportedAt = &found.Updated
	} else {
		a.describeIssuance(&d, found)
	}
	for _, u := range found.KeyUsages {
		d.KeyUsages = append(d.KeyUsages, acm.KeyUsage{Name: acm.KeyUsageName(u)})
	}
	for _, u := range found.ExtendedKeyUsages {
		d.ExtendedKeyUsages = append(d.ExtendedKeyUsages, acm.ExtendedKeyUsage{Name: acm.ExtendedKeyUsageName(u.Name), OID: given(u.OID)})
	}
	return &acm.DescribeCertificateOutput{Certificate: &d}, nil
}

func (a *API) getCertificate(_ context.Context, c *wire.Call, in *acm.GetCertificateInput) (*acm.GetCertificateOutput, error) {
	found, err := a.certificate(c, *in.CertificateArn)
	if err != nil {
		return nil, err
	}
	switch status := found.Status(c.Now); {
	case status == certs.PendingValidation:
		return nil, apierr.New("RequestInProgressException", "The certificate request %s is in progress: it has not been issued yet.", found.ARN)
	case !found.HasContent():
		return nil, apierr.New("ResourceNotFoundException", "The certificate %s was never issued: its status is %s.", found.ARN, status)
	}
	return &acm.GetCertificateOutput{Certificate: &found.Body, CertificateChain: given(found.Chain)}, nil
}

func (a *API) deleteCertificate(ctx context.Context, c *wire.Call, in *acm.DeleteCertificateInput) (*acm.DeleteCertificateOutput, error) {
	if err := checkARN(*in.CertificateArn); err != nil {
		return nil, err
	}
	return &acm.DeleteCertificateOutput{}, a.certs.Delete(ctx, c.Account, c.Region, *in.CertificateArn)
}

// given returns a member, absent if it is empty.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
