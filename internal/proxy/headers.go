package proxy

import (
	"cmp"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// edits is what a listener makes of heads, compiled. It never changes.
type edits struct {
	requests  *http1.RequestEdits
	responses *http1.ResponseEdits
}

var forwardedFor = map[snapshot.ForwardedFor]http1.ForwardedFor{
	snapshot.AppendForwardedFor:   http1.AppendForwardedFor,
	snapshot.PreserveForwardedFor: http1.PreserveForwardedFor,
	snapshot.RemoveForwardedFor:   http1.RemoveForwardedFor,
}

// compileEdits compiles what a listener of the load balancer makes of heads.
func compileEdits(b *snapshot.LoadBalancer, l *snapshot.Listener) edits {
	h, names := b.RequestHeaders, l.HeaderNames
	requests := &http1.RequestEdits{
		ForwardedFor: forwardedFor[h.ForwardedFor], ClientPort: h.ClientPort, PreserveHost: h.PreserveHost,
	}
	if l.Protocol == snapshot.HTTPS {
		if h.TLS {
			requests.TLSVersion = cmp.Or(names.TLSVersion, "X-Amzn-Tls-Version")
			requests.TLSCipher = cmp.Or(names.TLSCipherSuite, "X-Amzn-Tls-Cipher-Suite")
		}
		requests.Certificate = http1.CertificateFields{
			cmp.Or(names.ClientCertificate, "X-Amzn-Mtls-Clientcert"),
			cmp.Or(names.ClientLeaf, "X-Amzn-Mtls-Clientcert-Leaf"),
			cmp.Or(names.ClientSerialNumber, "X-Amzn-Mtls-Clientcert-Serial-Number"),
			cmp.Or(names.ClientIssuer, "X-Amzn-Mtls-Clientcert-Issuer"),
			cmp.Or(names.ClientSubject, "X-Amzn-Mtls-Clientcert-Subject"),
			cmp.Or(names.ClientValidity, "X-Amzn-Mtls-Clientcert-Validity"),
		}
		for _, name := range []string{
			names.TLSVersion, names.TLSCipherSuite, names.ClientCertificate, names.ClientLeaf,
			names.ClientSerialNumber, names.ClientIssuer, names.ClientSubject, names.ClientValidity,
		} {
			if name != "" {
				requests.Ours.Add(name)
			}
		}
	}
	if logsIn(l) {
		for name := range loginFields {
			requests.Ours.Add(name)
		}
	}
	responses := &http1.ResponseEdits{Anonymous: l.ResponseHeaders.Anonymous}
	for _, set := range l.ResponseHeaders.Set {
		responses.Set(set.Name, set.Value)
	}
	return edits{requests, responses}
}

// policyOf is how the load balancer's requests are read.
func policyOf(b *snapshot.LoadBalancer) http1.Policy {
	p := http1.Policy{DropInvalid: b.DropInvalidHeaders}
	switch b.Desync {
	case snapshot.DesyncMonitor:
		p.Mode = http1.Monitor
	case snapshot.DesyncStrictest:
		p.Mode = http1.Strictest
	case snapshot.DesyncDefensive:
	}
	return p
}
