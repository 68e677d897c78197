package elbv2_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/truststore"
)

// A trust store's life on the wire: bundle, revocations, tags, locations, users.
func TestTrustStores(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	root := issuer.New(t, "Root")
	w.objects[truststore.Object{Bucket: "cas", Key: "root.pem"}] = root.PEM
	w.objects[truststore.Object{Bucket: "cas", Key: "root.pem", Version: "2"}] = append(append([]byte{}, root.PEM...), issuer.New(t, "Other").PEM...)
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Now()}}},
		&x509.Certificate{KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}, issuer.Key(t))
	if err != nil {
		t.Fatal(err)
	}
	w.objects[truststore.Object{Bucket: "cas", Key: "revoked.crl"}] = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl})
	create := func(name, key string) (*sdk.CreateTrustStoreOutput, error) {
		return w.CreateTrustStore(ctx, &sdk.CreateTrustStoreInput{Name: &name, CaCertificatesBundleS3Bucket: new("cas"), CaCertificatesBundleS3Key: &key, Tags: []types.Tag{tag("team", "web")}})
	}
	made, err := create("clients", "root.pem")
	if err != nil {
		t.Fatal(err)
	}
	at := made.TrustStores[0].TrustStoreArn
	if _, err := w.ModifyTrustStore(ctx, &sdk.ModifyTrustStoreInput{TrustStoreArn: at, CaCertificatesBundleS3Bucket: new("cas"), CaCertificatesBundleS3Key: new("root.pem"), CaCertificatesBundleS3ObjectVersion: new("2")}); err != nil {
		t.Fatal(err)
	}
	content := func(bucket, key string) *sdk.AddTrustStoreRevocationsInput {
		return &sdk.AddTrustStoreRevocationsInput{TrustStoreArn: at, RevocationContents: []types.RevocationContent{{S3Bucket: &bucket, S3Key: &key, RevocationType: types.RevocationTypeCrl}}}
	}
	for want := int64(1); want < 3; want++ {
		out, err := w.AddTrustStoreRevocations(ctx, content("cas", "revoked.crl"))
		if err != nil || *out.TrustStoreRevocations[0].RevocationId != want || *out.TrustStoreRevocations[0].NumberOfRevokedEntries != 1 {
			t.Fatalf("got %+v, %v", out, err)
		}
	}
	shown, err := w.DescribeTrustStores(ctx, &sdk.DescribeTrustStoresInput{Names: []string{"clients"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := shown.TrustStores[0]; *s.TrustStoreArn != *at || s.Status != types.TrustStoreStatusActive || *s.NumberOfCaCertificates != 2 || *s.TotalRevokedEntries != 2 {
		t.Errorf("got %+v", s)
	}
	page, err := w.DescribeTrustStoreRevocations(ctx, &sdk.DescribeTrustStoreRevocationsInput{TrustStoreArn: at, PageSize: new(int32(1))})
	if err != nil || len(page.TrustStoreRevocations) != 1 || page.NextMarker == nil {
		t.Fatalf("first page: got %+v, %v", page, err)
	}
	page, err = w.DescribeTrustStoreRevocations(ctx, &sdk.DescribeTrustStoreRevocationsInput{TrustStoreArn: at, Marker: page.NextMarker})
	if err != nil || len(page.TrustStoreRevocations) != 1 || *page.TrustStoreRevocations[0].RevocationId != 2 || page.NextMarker != nil {
		t.Errorf("second page: got %+v, %v", page, err)
	}
	bundle, err := w.GetTrustStoreCaCertificatesBundle(ctx, &sdk.GetTrustStoreCaCertificatesBundleInput{TrustStoreArn: at})
	if err != nil || !strings.Contains(*bundle.Location, "/clients.pem?") {
		t.Errorf("bundle: got %+v, %v", bundle, err)
	}
	list, err := w.GetTrustStoreRevocationContent(ctx, &sdk.GetTrustStoreRevocationContentInput{TrustStoreArn: at, RevocationId: new(int64(2))})
	if err != nil || !strings.Contains(*list.Location, "/clients-2.crl?") {
		t.Errorf("revocations: got %+v, %v", list, err)
	}
	if _, err := w.AddTags(ctx, &sdk.AddTagsInput{ResourceArns: []string{*at}, Tags: []types.Tag{tag("team", "shop")}}); err != nil {
		t.Error(err)
	}
	tags, err := w.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{*at}})
	if err != nil || len(tags.TagDescriptions[0].Tags) != 1 || *tags.TagDescriptions[0].Tags[0].Value != "shop" {
		t.Errorf("tags: got %+v, %v", tags, err)
	}
	used, err := create("used", "root.pem")
	if err != nil {
		t.Fatal(err)
	}
	users, err := w.DescribeTrustStoreAssociations(ctx, &sdk.DescribeTrustStoreAssociationsInput{TrustStoreArn: used.TrustStores[0].TrustStoreArn})
	if err != nil || len(users.TrustStoreAssociations) != 2 || *users.TrustStoreAssociations[0].ResourceArn != "arn:of-a-listener" {
		t.Errorf("users: got %+v, %v", users, err)
	}

	refused(t, w, map[string]unwelcome{
		"a name that is taken":    {func() error { _, err := create("clients", "root.pem"); return err }, "DuplicateTrustStoreName", "'clients' exists"},
		"no such bundle":          {func() error { _, err := create("other", "none"); return err }, "CaCertificatesBundleNotFound", "'none'"},
		"no such revocations":     {func() error { _, err := w.AddTrustStoreRevocations(ctx, content("cas", "none")); return err }, "RevocationContentNotFound", "'none'"},
		"revocations of a bundle": {func() error { _, err := w.AddTrustStoreRevocations(ctx, content("cas", "root.pem")); return err }, "InvalidRevocationContent", "certificate revocation list"},
		"one that is in use": {func() error {
			_, err := w.DeleteTrustStore(ctx, &sdk.DeleteTrustStoreInput{TrustStoreArn: used.TrustStores[0].TrustStoreArn})
			return err
		}, "TrustStoreInUse", "in use by a listener"},
		"an unknown revocation": {func() error {
			_, err := w.RemoveTrustStoreRevocations(ctx, &sdk.RemoveTrustStoreRevocationsInput{TrustStoreArn: at, RevocationIds: []int64{1, 9}})
			return err
		}, "RevocationIdNotFound", "'9'"},
		"I8: another account's": {func() error {
			_, err := w.as(stranger).GetTrustStoreCaCertificatesBundle(ctx, &sdk.GetTrustStoreCaCertificatesBundleInput{TrustStoreArn: at})
			return err
		}, "TrustStoreNotFound", *at},
		"I8: another account's tags": {func() error {
			_, err := w.as(stranger).DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceArns: []string{*at}})
			return err
		}, "TrustStoreNotFound", *at},
	})

	if _, err := w.RemoveTrustStoreRevocations(ctx, &sdk.RemoveTrustStoreRevocationsInput{TrustStoreArn: at, RevocationIds: []int64{1, 2}}); err != nil {
		t.Error(err)
	}
	if _, err := w.DeleteTrustStore(ctx, &sdk.DeleteTrustStoreInput{TrustStoreArn: at}); err != nil {
		t.Error(err)
	}
	if left, err := w.DescribeTrustStores(ctx, &sdk.DescribeTrustStoresInput{}); err != nil || len(left.TrustStores) != 1 {
		t.Errorf("left: got %+v, %v", left, err)
	}
}
