package elb_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

// ELBv2 ModifyLoadBalancerAttributes, ModifyListenerAttributes: a host is told of
// each attribute about headers at once, and of its end.
func TestAHostIsToldOfAttributesAboutHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		b := w.create(shop("subnet-a", "subnet-b"))
		in := listener(b.ARN, 443, forward(group(t, w.svc, "web").ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Policy: "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", Certificates: []string{"arn:a"}}
		l := open(t, w.svc, in)

		type told struct {
			Requests  snapshot.RequestHeaders
			Names     snapshot.HeaderNames
			Responses snapshot.ResponseHeaders
		}
		check := func(when string, want told) {
			t.Helper()
			synctest.Wait()
			b := w.newest().LoadBalancers[0]
			if diff := cmp.Diff(want, told{b.RequestHeaders, b.Listeners[0].HeaderNames, b.Listeners[0].ResponseHeaders}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		set := func(balancer, listener map[string]string) {
			t.Helper()
			if _, err := w.svc.ModifyLoadBalancerAttributes(t.Context(), account, region, b.ARN, balancer, time.Now()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.svc.ModifyListenerAttributes(t.Context(), account, region, l.ARN, listener); err != nil {
				t.Fatal(err)
			}
		}
		check("by default", told{})

		requests := func(name string) string { return "routing.http.request.x_amzn_" + name + ".header_name" }
		responses := func(name string) string { return "routing.http.response." + name + ".header_value" }
		all := map[string]string{
			requests("tls_version"): "A", requests("tls_cipher_suite"): "B", requests("mtls_clientcert"): "C", requests("mtls_clientcert_leaf"): "D",
			requests("mtls_clientcert_serial_number"): "E", requests("mtls_clientcert_issuer"): "F", requests("mtls_clientcert_subject"): "G", requests("mtls_clientcert_validity"): "H",
			responses("strict_transport_security"): "a", responses("access_control_allow_origin"): "b", responses("access_control_allow_methods"): "c",
			responses("access_control_allow_headers"): "d", responses("access_control_allow_credentials"): "true", responses("access_control_expose_headers"): "f",
			responses("access_control_max_age"): "7", responses("content_security_policy"): "h", responses("x_content_type_options"): "nosniff", responses("x_frame_options"): "DENY",
			"routing.http.response.server.enabled": "false",
		}
		set(map[string]string{
			"routing.http.xff_header_processing.mode": "preserve", "routing.http.xff_client_port.enabled": "true",
			"routing.http.preserve_host_header.enabled": "true", "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "true",
		}, all)
		check("with all of them", told{
			snapshot.RequestHeaders{ForwardedFor: snapshot.PreserveForwardedFor, ClientPort: true, PreserveHost: true, TLS: true},
			snapshot.HeaderNames{TLSVersion: "A", TLSCipherSuite: "B", ClientCertificate: "C", ClientLeaf: "D", ClientSerialNumber: "E", ClientIssuer: "F", ClientSubject: "G", ClientValidity: "H"},
			snapshot.ResponseHeaders{Anonymous: true, Set: []snapshot.Header{
				{Name: "Strict-Transport-Security", Value: "a"}, {Name: "Access-Control-Allow-Origin", Value: "b"}, {Name: "Access-Control-Allow-Methods", Value: "c"},
				{Name: "Access-Control-Allow-Headers", Value: "d"}, {Name: "Access-Control-Allow-Credentials", Value: "true"}, {Name: "Access-Control-Expose-Headers", Value: "f"},
				{Name: "Access-Control-Max-Age", Value: "7"}, {Name: "Content-Security-Policy", Value: "h"}, {Name: "X-Content-Type-Options", Value: "nosniff"}, {Name: "X-Frame-Options", Value: "DENY"},
			}},
		})

		for key := range all {
			all[key] = ""
			if name, ok := map[string]string{
				requests("tls_version"): "X-Amzn-Tls-Version", requests("tls_cipher_suite"): "X-Amzn-Tls-Cipher-Suite",
				requests("mtls_clientcert"): "X-Amzn-Mtls-Clientcert", requests("mtls_clientcert_leaf"): "X-Amzn-Mtls-Clientcert-Leaf",
				requests("mtls_clientcert_serial_number"): "X-Amzn-Mtls-Clientcert-Serial-Number", requests("mtls_clientcert_issuer"): "X-Amzn-Mtls-Clientcert-Issuer",
				requests("mtls_clientcert_subject"): "X-Amzn-Mtls-Clientcert-Subject", requests("mtls_clientcert_validity"): "X-Amzn-Mtls-Clientcert-Validity",
				"routing.http.response.server.enabled": "true",
			}[key]; ok {
				all[key] = name
			}
		}
		set(map[string]string{
			"routing.http.xff_header_processing.mode": "append", "routing.http.xff_client_port.enabled": "false",
			"routing.http.preserve_host_header.enabled": "false", "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
		}, all)
		check("with the defaults again", told{})

		for name, changes := range map[string]map[string]string{
			"a header that frames requests": {requests("tls_version"): "Content-Length"},
			"the host":                      {requests("tls_version"): "HOST"},
			"two headers of one name":       {requests("tls_version"): "X-Mine", requests("tls_cipher_suite"): "x-mine"},
			"another one's usual name":      {requests("tls_version"): "X-Amzn-Tls-Cipher-Suite"},
		} {
			if _, err := w.svc.ModifyListenerAttributes(t.Context(), account, region, l.ARN, changes); kind(t, err) != elb.InvalidConfiguration {
				t.Errorf("%s: got %v, want it refused", name, err)
			}
		}
		check("after refusals", told{})
	})
}

func TestAHostIsToldWhetherToOfferHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, memstore.New(), 2)
		defer w.stop()
		w.certify("arn:a", "shop.example", "1")
		b := w.create(shop("subnet-a", "subnet-b"))
		in := listener(b.ARN, 443, forward(group(t, w.svc, "web").ARN))
		in.Protocol, in.TLS = "HTTPS", elb.TLSSettings{Policy: "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", Certificates: []string{"arn:a"}}
		open(t, w.svc, in)
		for _, enabled := range []string{"", "false", "true"} {
			if enabled != "" {
				if _, err := w.svc.ModifyLoadBalancerAttributes(t.Context(), account, region, b.ARN, map[string]string{"routing.http2.enabled": enabled}, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if got, want := w.newest().LoadBalancers[0].Listeners[0].TLS.HTTP1Only, enabled == "false"; got != want {
				t.Errorf("routing.http2.enabled %q: HTTP/1 only is %t", enabled, got)
			}
		}
	})
}
