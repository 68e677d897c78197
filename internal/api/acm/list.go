package acm

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/shapes/acm"
	"github.com/fairlead/fairlead/internal/wire"
)

// maxItems is the largest page, and what one has whose size isn't given.
const maxItems = 1000

// usualKeys are the key types that are listed when none are asked for (ACM
// ListCertificates, Filters.keyTypes).
var usualKeys = []acm.KeyAlgorithm{acm.KeyAlgorithmRsa1024, acm.KeyAlgorithmRsa2048}

func (a *API) listCertificates(_ context.Context, c *wire.Call, in *acm.ListCertificatesInput) (*acm.ListCertificatesOutput, error) {
	limit := maxItems
	if in.MaxItems != nil {
		if *in.MaxItems < 1 || *in.MaxItems > maxItems {
			return nil, constraint(strconv.Itoa(int(*in.MaxItems)), "maxItems", "Member must have value between 1 and %d", maxItems)
		}
		limit = int(*in.MaxItems)
	}
	if (in.SortBy == "") != (in.SortOrder == "") {
		return nil, invalid("SortBy and SortOrder must be specified together.")
	}
	from, err := wire.From(in.NextToken, "ValidationException")
	if err != nil {
		return nil, err
	}
	snap := a.store.Snapshot()
	found := slices.DeleteFunc(a.certs.Certificates(snap, c.Account, c.Region), func(x certs.Certificate) bool { return !included(in, x, c.Now) })
	// A place in the order is a key, by creation or by ARN, which a token keeps.
	key := func(x certs.Certificate) string { return x.ARN }
	if in.SortBy != "" {
		key = func(x certs.Certificate) string {
			return x.Created.UTC().Format("20060102T150405.000000000") + " " + x.ARN
		}
	}
	order := func(x, y string) int { return cmp.Compare(x, y) }
	if in.SortOrder == acm.SortOrderDescending {
		order = func(x, y string) int { return cmp.Compare(y, x) }
	}
	slices.SortFunc(found, func(x, y certs.Certificate) int { return order(key(x), key(y)) })
	items, next := wire.Page(iter.Seq2[string, certs.Certificate](func(yield func(string, certs.Certificate) bool) {
		for _, x := range found {
			if from != "" && order(key(x), from) < 0 {
				continue
			}
			if !yield(key(x), x) {
				return
			}
		}
	}), limit)
	out := &acm.ListCertificatesOutput{CertificateSummaryList: []acm.CertificateSummary{}, NextToken: next}
	for _, x := range items {
		out.CertificateSummaryList = append(out.CertificateSummaryList, summary(x, c.Now, len(a.certs.InUseBy(snap, x.ARN)) > 0))
	}
	return out, nil
}

// included says whether a call's filters let a certificate through: each that is
// given must, by one of its values.
func included(in *acm.ListCertificatesInput, x certs.Certificate, now time.Time) bool {
	by := in.Includes
	if by == nil {
		by = new(acm.Filters)
	}
	types := by.KeyTypes
	if len(types) == 0 {
		if types = usualKeys; len(x.Names) == 0 {
			return false
		}
	}
	switch {
	case !slices.Contains(types, acm.KeyAlgorithm(x.KeyAlgorithm)),
		len(in.CertificateStatuses) > 0 && !slices.Contains(in.CertificateStatuses, acm.CertificateStatus(x.Status(now))),
		len(in.CertificateKeyPairOrigins) > 0 && !slices.Contains(in.CertificateKeyPairOrigins, origin(x)),
		by.ManagedBy != "", by.ExportOption == acm.CertificateExportEnabled,
		len(by.KeyUsage) > 0 && !slices.ContainsFunc(by.KeyUsage, func(u acm.KeyUsageName) bool { return slices.Contains(x.KeyUsages, string(u)) }),
		len(by.ExtendedKeyUsage) > 0 && !slices.ContainsFunc(by.ExtendedKeyUsage, func(u acm.ExtendedKeyUsageName) bool {
			return slices.ContainsFunc(x.ExtendedKeyUsages, func(e certs.ExtendedKeyUsage) bool { return e.Name == string(u) })
		}):
		return false
	}
	return true
}

// maxSummaryNames is how many names a summary shows (the service's model).
const maxSummaryNames = 100

func summary(x certs.Certificate, now time.Time, inUse bool) acm.CertificateSummary {
	s := acm.CertificateSummary{
		CertificateArn: &x.ARN, DomainName: given(x.Domain), SubjectAlternativeNameSummaries: x.Names[:min(len(x.Names), maxSummaryNames)],
		HasAdditionalSubjectAlternativeNames: new(len(x.Names) > maxSummaryNames), Status: acm.CertificateStatus(x.Status(now)), Type: acm.CertificateType(x.Type),
		KeyAlgorithm: acm.KeyAlgorithm(x.KeyAlgorithm), KeyUsages: []acm.KeyUsageName{}, ExtendedKeyUsages: []acm.ExtendedKeyUsageName{},
		CertificateKeyPairOrigin: origin(x), ExportOption: acm.CertificateExportDisabled, Exported: new(false),
		InUse: &inUse, RenewalEligibility: eligibility(x, inUse), CreatedAt: &x.Created,
	}
	if x.HasContent() {
		s.NotBefore, s.NotAfter = &x.NotBefore, &x.NotAfter
	}
	switch {
	case x.Issuance == nil:
		s.ImportedAt = &x.Updated
	case !x.Issuance.IssuedAt.IsZero():
		s.IssuedAt = &x.Issuance.IssuedAt
	}
	for _, u := range x.KeyUsages {
		s.KeyUsages = append(s.KeyUsages, acm.KeyUsageName(u))
	}
	for _, u := range x.ExtendedKeyUsages {
		s.ExtendedKeyUsages = append(s.ExtendedKeyUsages, acm.ExtendedKeyUsageName(u.Name))
	}
	return s
}
