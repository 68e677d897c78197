package elb

import (
	"strings"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// projectRequestHeaders makes what a host must know of a load balancer's
// attributes about requests.
func projectRequestHeaders(set map[string]string) snapshot.RequestHeaders {
	h := snapshot.RequestHeaders{
		ForwardedFor: snapshot.ForwardedFor(set["routing.http.xff_header_processing.mode"]),
		ClientPort:   set["routing.http.xff_client_port.enabled"] == "true",
		PreserveHost: set["routing.http.preserve_host_header.enabled"] == "true",
		TLS:          set["routing.http.x_amzn_tls_version_and_cipher_suite.enabled"] == "true",
	}
	if h.ForwardedFor == "append" {
		h.ForwardedFor = snapshot.AppendForwardedFor
	}
	return h
}

// projectHeaderNames does so for the names that a listener gives to headers.
func projectHeaderNames(set map[string]string) snapshot.HeaderNames {
	name := func(usual string) string { return set["routing.http.request."+usual+".header_name"] }
	return snapshot.HeaderNames{
		TLSVersion:         name("x_amzn_tls_version"),
		TLSCipherSuite:     name("x_amzn_tls_cipher_suite"),
		ClientCertificate:  name("x_amzn_mtls_clientcert"),
		ClientLeaf:         name("x_amzn_mtls_clientcert_leaf"),
		ClientSerialNumber: name("x_amzn_mtls_clientcert_serial_number"),
		ClientIssuer:       name("x_amzn_mtls_clientcert_issuer"),
		ClientSubject:      name("x_amzn_mtls_clientcert_subject"),
		ClientValidity:     name("x_amzn_mtls_clientcert_validity"),
	}
}

// projectResponseHeaders does so for what a listener makes of responses.
func projectResponseHeaders(set map[string]string) snapshot.ResponseHeaders {
	h := snapshot.ResponseHeaders{Anonymous: set["routing.http.response.server.enabled"] == "false"}
	for _, r := range responseHeaders {
		if v := set["routing.http.response."+r.name+".header_value"]; v != "" {
			h.Set = append(h.Set, snapshot.Header{Name: headerOf(r.name), Value: v})
		}
	}
	return h
}

// headerOf returns the header whose name an attribute's key has: "x_frame_options"
// is X-Frame-Options.
func headerOf(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "-")
}

func projectDesync(mode string) snapshot.DesyncMode {
	if mode == "defensive" {
		return snapshot.DesyncDefensive
	}
	return snapshot.DesyncMode(mode)
}
