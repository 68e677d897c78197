package elbv2

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/truststore"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerTrustStores(svc *wire.Service) {
	handle(svc, "CreateTrustStore", a.createTrustStore)
	handle(svc, "ModifyTrustStore", a.modifyTrustStore)
	handle(svc, "DescribeTrustStores", a.describeTrustStores)
	handle(svc, "DeleteTrustStore", a.deleteTrustStore)
	handle(svc, "AddTrustStoreRevocations", a.addTrustStoreRevocations)
	handle(svc, "RemoveTrustStoreRevocations", a.removeTrustStoreRevocations)
	handle(svc, "DescribeTrustStoreRevocations", a.describeTrustStoreRevocations)
	handle(svc, "DescribeTrustStoreAssociations", a.describeTrustStoreAssociations)
	handle(svc, "DeleteSharedTrustStoreAssociation", a.deleteTrustStoreAssociation)
	handle(svc, "GetTrustStoreCaCertificatesBundle", a.getTrustStoreBundle)
	handle(svc, "GetTrustStoreRevocationContent", a.getTrustStoreRevocation)
}

// locationFor is how long a content can be fetched from where a call says that it
// is (ELBv2 GetTrustStoreCaCertificatesBundle).
const locationFor = 10 * time.Minute

func renderTrustStores(t truststore.TrustStore) []elbv2.TrustStore {
	return []elbv2.TrustStore{{
		Name: &t.Name, TrustStoreArn: &t.ARN, Status: elbv2.TrustStoreStatusActive,
		NumberOfCaCertificates: new(int32(t.Certificates)), TotalRevokedEntries: new(int64(t.RevokedEntries())),
	}}
}

func (a *API) createTrustStore(ctx context.Context, c *wire.Call, in *elbv2.CreateTrustStoreInput) (*elbv2.CreateTrustStoreOutput, error) {
	tg, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	t, err := a.TrustStores.Create(ctx, truststore.Create{
		Account: c.Account, Region: c.Region, Name: *in.Name, Tags: tg, Time: c.Now,
		Bundle: truststore.Object{Bucket: *in.CaCertificatesBundleS3Bucket, Key: *in.CaCertificatesBundleS3Key, Version: value(in.CaCertificatesBundleS3ObjectVersion)},
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.CreateTrustStoreOutput{TrustStores: renderTrustStores(t)}, nil
}

func (a *API) modifyTrustStore(ctx context.Context, c *wire.Call, in *elbv2.ModifyTrustStoreInput) (*elbv2.ModifyTrustStoreOutput, error) {
	t, err := a.TrustStores.Modify(ctx, c.Account, c.Region, *in.TrustStoreArn, truststore.Object{
		Bucket: *in.CaCertificatesBundleS3Bucket, Key: *in.CaCertificatesBundleS3Key, Version: value(in.CaCertificatesBundleS3ObjectVersion),
	}, c.Now)
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyTrustStoreOutput{TrustStores: renderTrustStores(t)}, nil
}

func (a *API) describeTrustStores(_ context.Context, c *wire.Call, in *elbv2.DescribeTrustStoresInput) (*elbv2.DescribeTrustStoresOutput, error) {
	if len(in.TrustStoreArns) > 0 && len(in.Names) > 0 {
		return nil, invalid("Trust store names and trust store ARNs cannot be specified at the same time")
	}
	snap := a.store.Snapshot()
	var found []truststore.TrustStore
	var next *string
	var err error
	switch {
	case len(in.TrustStoreArns) > 0:
		found, err = named(in.TrustStoreArns, func(at string) (truststore.TrustStore, error) {
			return a.TrustStores.TrustStore(snap, c.Account, c.Region, at)
		})
	case len(in.Names) > 0:
		found, err = named(in.Names, func(name string) (truststore.TrustStore, error) {
			return a.TrustStores.ByName(snap, c.Account, c.Region, name)
		})
	default:
		found, next, err = pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, truststore.TrustStore] {
			return a.TrustStores.TrustStores(snap, c.Account, c.Region, from)
		})
	}
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTrustStoresOutput{TrustStores: []elbv2.TrustStore{}, NextMarker: next}
	for _, t := range found {
		out.TrustStores = append(out.TrustStores, renderTrustStores(t)...)
	}
	return out, nil
}

func (a *API) deleteTrustStore(ctx context.Context, c *wire.Call, in *elbv2.DeleteTrustStoreInput) (*elbv2.DeleteTrustStoreOutput, error) {
	return &elbv2.DeleteTrustStoreOutput{}, a.TrustStores.Delete(ctx, c.Account, c.Region, *in.TrustStoreArn)
}

func (a *API) addTrustStoreRevocations(ctx context.Context, c *wire.Call, in *elbv2.AddTrustStoreRevocationsInput) (*elbv2.AddTrustStoreRevocationsOutput, error) {
	var objects []truststore.Object
	for i, r := range in.RevocationContents {
		if r.S3Bucket == nil || r.S3Key == nil {
			return nil, invalid("A bucket and a key must be specified for revocation content %d", i+1)
		}
		objects = append(objects, truststore.Object{Bucket: *r.S3Bucket, Key: *r.S3Key, Version: value(r.S3ObjectVersion)})
	}
	if len(objects) == 0 {
		return nil, invalid("At least one revocation content must be specified")
	}
	added, err := a.TrustStores.AddRevocations(ctx, c.Account, c.Region, *in.TrustStoreArn, objects, c.Now)
	if err != nil {
		return nil, err
	}
	out := &elbv2.AddTrustStoreRevocationsOutput{}
	for _, r := range added {
		out.TrustStoreRevocations = append(out.TrustStoreRevocations, elbv2.TrustStoreRevocation{
			TrustStoreArn: in.TrustStoreArn, RevocationId: new(r.ID), RevocationType: elbv2.RevocationTypeCrl, NumberOfRevokedEntries: new(int64(r.Entries)),
		})
	}
	return out, nil
}

func (a *API) removeTrustStoreRevocations(ctx context.Context, c *wire.Call, in *elbv2.RemoveTrustStoreRevocationsInput) (*elbv2.RemoveTrustStoreRevocationsOutput, error) {
	return &elbv2.RemoveTrustStoreRevocationsOutput{}, a.TrustStores.RemoveRevocations(ctx, c.Account, c.Region, *in.TrustStoreArn, in.RevocationIds)
}

func (a *API) describeTrustStoreRevocations(_ context.Context, c *wire.Call, in *elbv2.DescribeTrustStoreRevocationsInput) (*elbv2.DescribeTrustStoreRevocationsOutput, error) {
	t, err := a.TrustStores.TrustStore(a.store.Snapshot(), c.Account, c.Region, *in.TrustStoreArn)
	if err != nil {
		return nil, err
	}
	for _, id := range in.RevocationIds {
		if _, err := t.Revocation(id); err != nil {
			return nil, err
		}
	}
	found, next, err := pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, truststore.Revocation] {
		return func(yield func(string, truststore.Revocation) bool) {
			for _, r := range t.Revocations { // by id
				key := fmt.Sprintf("%019d", r.ID)
				asked := len(in.RevocationIds) == 0 || slices.Contains(in.RevocationIds, r.ID)
				if asked && key >= from && !yield(key, r) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTrustStoreRevocationsOutput{TrustStoreRevocations: []elbv2.DescribeTrustStoreRevocation{}, NextMarker: next}
	for _, r := range found {
		out.TrustStoreRevocations = append(out.TrustStoreRevocations, elbv2.DescribeTrustStoreRevocation{
			TrustStoreArn: &t.ARN, RevocationId: new(r.ID), RevocationType: elbv2.RevocationTypeCrl, NumberOfRevokedEntries: new(int64(r.Entries)),
		})
	}
	return out, nil
}

func (a *API) describeTrustStoreAssociations(_ context.Context, c *wire.Call, in *elbv2.DescribeTrustStoreAssociationsInput) (*elbv2.DescribeTrustStoreAssociationsOutput, error) {
	snap := a.store.Snapshot()
	t, err := a.TrustStores.TrustStore(snap, c.Account, c.Region, *in.TrustStoreArn)
	if err != nil {
		return nil, err
	}
	users, next, err := pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, string] {
		return func(yield func(string, string) bool) {
			for _, at := range slices.Sorted(slices.Values(a.TrustStores.InUseBy(snap, t.ARN))) {
				if at >= from && !yield(at, at) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTrustStoreAssociationsOutput{TrustStoreAssociations: []elbv2.TrustStoreAssociation{}, NextMarker: next}
	for _, at := range users {
		out.TrustStoreAssociations = append(out.TrustStoreAssociations, elbv2.TrustStoreAssociation{ResourceArn: &at})
	}
	return out, nil
}

func (a *API) getTrustStoreBundle(_ context.Context, c *wire.Call, in *elbv2.GetTrustStoreCaCertificatesBundleInput) (*elbv2.GetTrustStoreCaCertificatesBundleOutput, error) {
	t, err := a.TrustStores.TrustStore(a.store.Snapshot(), c.Account, c.Region, *in.TrustStoreArn)
	if err != nil {
		return nil, err
	}
	return &elbv2.GetTrustStoreCaCertificatesBundleOutput{Location: new(a.Location(t.Bundle, t.Name+".pem", c.Now.Add(locationFor)))}, nil
}

func (a *API) getTrustStoreRevocation(_ context.Context, c *wire.Call, in *elbv2.GetTrustStoreRevocationContentInput) (*elbv2.GetTrustStoreRevocationContentOutput, error) {
	t, err := a.TrustStores.TrustStore(a.store.Snapshot(), c.Account, c.Region, *in.TrustStoreArn)
	if err != nil {
		return nil, err
	}
	r, err := t.Revocation(*in.RevocationId)
	if err != nil {
		return nil, err
	}
	name := t.Name + "-" + strconv.FormatInt(r.ID, 10) + ".crl"
	return &elbv2.GetTrustStoreRevocationContentOutput{Location: new(a.Location(r.Content, name, c.Now.Add(locationFor)))}, nil
}

// deleteTrustStoreAssociation ends what another account has begun with a shared
// trust store. Trust stores aren't shared here, so there is never anything to end.
func (a *API) deleteTrustStoreAssociation(_ context.Context, c *wire.Call, in *elbv2.DeleteSharedTrustStoreAssociationInput) (*elbv2.DeleteSharedTrustStoreAssociationOutput, error) {
	snap := a.store.Snapshot()
	t, err := a.TrustStores.TrustStore(snap, c.Account, c.Region, *in.TrustStoreArn)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(a.TrustStores.InUseBy(snap, t.ARN), *in.ResourceArn):
		return nil, apierr.New("DeleteAssociationSameAccount", "The association is one within the account; change the listener's mutual authentication")
	}
	return nil, apierr.New("AssociationNotFound", "Trust store '%s' has no association with '%s'", t.ARN, *in.ResourceArn)
}
