package elbv2

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/shapes/elbv2"
	"github.com/fairlead/fairlead/internal/wire"
)

// readTLS reads what a call says of a listener's TLS.
func readTLS(alpn []string, certificates []elbv2.Certificate, policy *string, mutual *elbv2.MutualAuthenticationAttributes) (elb.TLSSettings, error) {
	var out elb.TLSSettings
	switch {
	case len(alpn) > 0:
		return out, invalid("ALPN policies are not supported for application load balancers")
	case policy != nil && *policy == "":
		return out, invalid("The security policy's name must not be empty")
	}
	arns, err := certificateARNs(certificates)
	out.Policy, out.Certificates = value(policy), arns
	if mutual == nil {
		return out, err
	}
	out.Mutual = elb.Mutual{
		Mode: value(mutual.Mode), TrustStore: value(mutual.TrustStoreArn), IgnoreExpiry: value(mutual.IgnoreClientCertificateExpiry),
		Advertise: mutual.AdvertiseTrustStoreCaNames == elbv2.AdvertiseTrustStoreCaNamesEnumOn,
	}
	switch {
	case !slices.Contains(elb.MutualModes, out.Mutual.Mode):
		return out, invalid("Mutual authentication mode '%s' must be one of '%s'", out.Mutual.Mode, strings.Join(elb.MutualModes, ", "))
	case out.Mutual.Mode != elb.MutualVerify && (mutual.TrustStoreArn != nil || mutual.IgnoreClientCertificateExpiry != nil || mutual.AdvertiseTrustStoreCaNames != ""):
		return out, invalid("A trust store and its settings can be specified only with the mutual authentication mode 'verify'")
	}
	return out, err
}

// certificateARNs reads a list of certificates, nil for none given. Which of a
// listener's is the default one is said by the operation.
func certificateARNs(certificates []elbv2.Certificate) ([]string, error) {
	if certificates == nil {
		return nil, nil
	}
	arns := []string{}
	for _, c := range certificates {
		switch {
		case c.IsDefault != nil:
			return nil, invalid("You cannot specify IsDefault for a certificate")
		case value(c.CertificateArn) == "":
			return nil, invalid("A certificate ARN must be specified")
		}
		arns = append(arns, *c.CertificateArn)
	}
	return arns, nil
}

// one reads the certificate of an operation that takes one a call.
func one(certificates []elbv2.Certificate) (string, error) {
	arns, err := certificateARNs(certificates)
	if err == nil && len(arns) != 1 {
		err = invalid("You must specify exactly one certificate")
	}
	if err != nil {
		return "", err
	}
	return arns[0], nil
}

// renderTLS shows the default certificate alone, as DescribeListeners does.
func renderTLS(out *elbv2.Listener, t *elb.ListenerTLS) {
	if t == nil {
		return
	}
	out.SslPolicy = &t.Policy
	out.Certificates = []elbv2.Certificate{{CertificateArn: &t.Certificate}}
	out.MutualAuthentication = renderMutual(t.Mutual)
}

func renderMutual(m *elb.Mutual) *elbv2.MutualAuthenticationAttributes {
	if m == nil {
		return &elbv2.MutualAuthenticationAttributes{Mode: new(elb.MutualOff)}
	}
	out := &elbv2.MutualAuthenticationAttributes{Mode: &m.Mode}
	if m.Mode != elb.MutualVerify {
		return out
	}
	out.TrustStoreArn, out.IgnoreClientCertificateExpiry = &m.TrustStore, &m.IgnoreExpiry
	out.TrustStoreAssociationStatus = elbv2.TrustStoreAssociationStatusEnumActive
	out.AdvertiseTrustStoreCaNames = elbv2.AdvertiseTrustStoreCaNamesEnumOff
	if m.Advertise {
		out.AdvertiseTrustStoreCaNames = elbv2.AdvertiseTrustStoreCaNamesEnumOn
	}
	return out
}

func (a *API) addListenerCertificates(ctx context.Context, c *wire.Call, in *elbv2.AddListenerCertificatesInput) (*elbv2.AddListenerCertificatesOutput, error) {
	arn, err := one(in.Certificates)
	if err != nil {
		return nil, err
	}
	if err := a.elb.AddCertificate(ctx, c.Account, c.Region, *in.ListenerArn, arn); err != nil {
		return nil, err
	}
	return &elbv2.AddListenerCertificatesOutput{Certificates: []elbv2.Certificate{{CertificateArn: &arn, IsDefault: new(false)}}}, nil
}

func (a *API) removeListenerCertificates(ctx context.Context, c *wire.Call, in *elbv2.RemoveListenerCertificatesInput) (*elbv2.RemoveListenerCertificatesOutput, error) {
	arn, err := one(in.Certificates)
	if err != nil {
		return nil, err
	}
	return &elbv2.RemoveListenerCertificatesOutput{}, a.elb.RemoveCertificate(ctx, c.Account, c.Region, *in.ListenerArn, arn)
}

// describeListenerCertificates shows a certificate that is the default one and in
// the list too twice, as the service does.
func (a *API) describeListenerCertificates(_ context.Context, c *wire.Call, in *elbv2.DescribeListenerCertificatesInput) (*elbv2.DescribeListenerCertificatesOutput, error) {
	l, err := a.elb.Listener(a.store.Snapshot(), c.Account, c.Region, *in.ListenerArn)
	if err != nil {
		return nil, err
	}
	found, next, err := pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elbv2.Certificate] {
		return func(yield func(string, elbv2.Certificate) bool) {
			if l.TLS == nil {
				return
			}
			if from == "" && !yield("", elbv2.Certificate{CertificateArn: &l.TLS.Certificate, IsDefault: new(true)}) {
				return
			}
			for _, arn := range l.TLS.More {
				if arn >= from && !yield(arn, elbv2.Certificate{CertificateArn: &arn, IsDefault: new(false)}) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeListenerCertificatesOutput{Certificates: found, NextMarker: next}, nil
}

func (a *API) describeSSLPolicies(_ context.Context, _ *wire.Call, in *elbv2.DescribeSSLPoliciesInput) (*elbv2.DescribeSSLPoliciesOutput, error) {
	policies := elb.SSLPolicies()
	if len(in.Names) > 0 {
		var err error
		if policies, err = named(in.Names, elb.SSLPolicyNamed); err != nil {
			return nil, err
		}
		slices.SortFunc(policies, func(x, y elb.SSLPolicy) int { return strings.Compare(x.Name, y.Name) })
	}
	if in.LoadBalancerType != "" && in.LoadBalancerType != elbv2.LoadBalancerTypeEnumApplication {
		policies = nil // of the others, this installation has none
	}
	found, next, err := pageOf(in.Marker, in.PageSize, func(from string) iter.Seq2[string, elbv2.SslPolicy] {
		return func(yield func(string, elbv2.SslPolicy) bool) {
			for _, p := range policies {
				if p.Name < from {
					continue
				}
				out := elbv2.SslPolicy{Name: &p.Name, SslProtocols: p.Protocols, SupportedLoadBalancerTypes: []string{"application"}}
				for i, name := range p.Ciphers {
					out.Ciphers = append(out.Ciphers, elbv2.Cipher{Name: &name, Priority: new(int32(i + 1))})
				}
				if !yield(p.Name, out) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeSSLPoliciesOutput{SslPolicies: found, NextMarker: next}, nil
}
