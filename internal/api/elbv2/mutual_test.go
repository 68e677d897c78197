package elbv2_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
	"github.com/fairlead/fairlead/internal/truststore"
)

// A trust store stays while a listener verifies clients by it, and goes with that.
func TestMutualAuthenticationIsEchoedAndHoldsItsTrustStore(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	w.objects[truststore.Object{Bucket: "cas", Key: "root.pem"}] = issuer.New(t, "root").PEM
	made, err := w.CreateTrustStore(ctx, &sdk.CreateTrustStoreInput{Name: new("clients"), CaCertificatesBundleS3Bucket: new("cas"), CaCertificatesBundleS3Key: new("root.pem")})
	if err != nil {
		t.Fatal(err)
	}
	trust := made.TrustStores[0].TrustStoreArn
	arn, actions := *w.balancer(shop()).LoadBalancerArn, to(w.group("web"))
	in := secure(arn, 443, actions)
	in.MutualAuthentication = &types.MutualAuthenticationAttributes{Mode: new("verify"), TrustStoreArn: trust, AdvertiseTrustStoreCaNames: types.AdvertiseTrustStoreCaNamesEnumOn}
	l := w.listener(in)
	check := func(l types.Listener, want types.MutualAuthenticationAttributes) {
		t.Helper()
		if diff := cmp.Diff(want, *l.MutualAuthentication, cmpopts.IgnoreUnexported(want)); diff != "" {
			t.Errorf("mutual authentication (-want +got):\n%s", diff)
		}
	}
	check(l, types.MutualAuthenticationAttributes{Mode: new("verify"), TrustStoreArn: trust, IgnoreClientCertificateExpiry: new(false),
		AdvertiseTrustStoreCaNames: types.AdvertiseTrustStoreCaNamesEnumOn, TrustStoreAssociationStatus: types.TrustStoreAssociationStatusEnumActive})
	if again := w.listener(in); *again.ListenerArn != *l.ListenerArn {
		t.Errorf("created again: got %s, want the same", *again.ListenerArn)
	}
	_, err = w.CreateListener(ctx, secure(arn, 443, actions))
	if code, _ := refusal(t, err); code != "DuplicateListener" {
		t.Errorf("without mutual authentication on the same port: %v", err)
	}

	users, err := w.DescribeTrustStoreAssociations(ctx, &sdk.DescribeTrustStoreAssociationsInput{TrustStoreArn: trust})
	if err != nil || len(users.TrustStoreAssociations) != 1 || *users.TrustStoreAssociations[0].ResourceArn != arn {
		t.Errorf("associations: got %+v, %v", users, err)
	}
	unassociate := func(resource string) error {
		_, err := w.DeleteSharedTrustStoreAssociation(ctx, &sdk.DeleteSharedTrustStoreAssociationInput{TrustStoreArn: trust, ResourceArn: &resource})
		return err
	}
	for want, err := range map[string]error{
		"TrustStoreInUse": func() error {
			_, err := w.DeleteTrustStore(ctx, &sdk.DeleteTrustStoreInput{TrustStoreArn: trust})
			return err
		}(),
		"DeleteAssociationSameAccount": unassociate(arn),
		"AssociationNotFound":          unassociate("arn:of-nobody"),
	} {
		if code, text := refusal(t, err); code != want {
			t.Errorf("got %s: %s, want %s", code, text, want)
		}
	}

	modify := func(m types.MutualAuthenticationAttributes) types.Listener {
		t.Helper()
		out, err := w.ModifyListener(ctx, &sdk.ModifyListenerInput{ListenerArn: l.ListenerArn, MutualAuthentication: &m})
		if err != nil {
			t.Fatal(err)
		}
		return out.Listeners[0]
	}
	check(modify(types.MutualAuthenticationAttributes{Mode: new("passthrough")}), types.MutualAuthenticationAttributes{Mode: new("passthrough")})
	if _, err := w.DeleteTrustStore(ctx, &sdk.DeleteTrustStoreInput{TrustStoreArn: trust}); err != nil {
		t.Errorf("once nothing verifies by it: %v", err)
	}
	check(modify(types.MutualAuthenticationAttributes{Mode: new("off")}), types.MutualAuthenticationAttributes{Mode: new("off")})
}

// ELBv2 quota: two listeners of a load balancer verify clients, others may do without.
func TestTwoListenersVerifyClients(t *testing.T) {
	w := newWorld(t, elb.DefaultQuotas)
	ctx := t.Context()
	w.objects[truststore.Object{Bucket: "cas", Key: "root.pem"}] = issuer.New(t, "root").PEM
	made, err := w.CreateTrustStore(ctx, &sdk.CreateTrustStoreInput{Name: new("clients"), CaCertificatesBundleS3Bucket: new("cas"), CaCertificatesBundleS3Key: new("root.pem")})
	if err != nil {
		t.Fatal(err)
	}
	arn, actions := *w.balancer(shop()).LoadBalancerArn, to(w.group("web"))
	listener := func(port int32, mode string) *sdk.CreateListenerInput {
		in := secure(arn, port, actions)
		in.MutualAuthentication = &types.MutualAuthenticationAttributes{Mode: &mode}
		if mode == "verify" {
			in.MutualAuthentication.TrustStoreArn = made.TrustStores[0].TrustStoreArn
		}
		return in
	}
	w.listener(listener(443, "verify"))
	second := w.listener(listener(444, "verify"))
	third := w.listener(listener(445, "passthrough"))

	_, err = w.CreateListener(ctx, listener(446, "verify"))
	if code, _ := refusal(t, err); code != "InvalidConfigurationRequest" {
		t.Errorf("a third one: %v", err)
	}
	modify := func(l types.Listener, mode string) error {
		_, err := w.ModifyListener(ctx, &sdk.ModifyListenerInput{ListenerArn: l.ListenerArn, MutualAuthentication: listener(1, mode).MutualAuthentication})
		return err
	}
	if code, _ := refusal(t, modify(third, "verify")); code != "InvalidConfigurationRequest" {
		t.Errorf("one that becomes the third: got %s", code)
	}
	for _, change := range []error{modify(second, "verify"), modify(second, "off"), modify(third, "verify")} {
		if change != nil {
			t.Error(change)
		}
	}
}
