package server

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// suite is a cipher as a client that knows no other one asks for it.
type suite struct {
	id    uint16
	ecdsa bool // for certificates with such a key
	old   bool // of TLS 1.0 and 1.1, too
}

var suites = map[string]suite{
	"ECDHE-ECDSA-AES128-GCM-SHA256": {tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true, false},
	"ECDHE-RSA-AES128-GCM-SHA256":   {tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false, false},
	"ECDHE-ECDSA-AES128-SHA256":     {tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, true, false},
	"ECDHE-RSA-AES128-SHA256":       {tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, false, false},
	"ECDHE-ECDSA-AES128-SHA":        {tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, true, true},
	"ECDHE-RSA-AES128-SHA":          {tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, false, true},
	"ECDHE-ECDSA-AES256-GCM-SHA384": {tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true, false},
	"ECDHE-RSA-AES256-GCM-SHA384":   {tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, false, false},
	"ECDHE-RSA-AES256-SHA":          {tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, false, true},
	"ECDHE-ECDSA-AES256-SHA":        {tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, true, true},
	"AES128-GCM-SHA256":             {tls.TLS_RSA_WITH_AES_128_GCM_SHA256, false, false},
	"AES128-SHA256":                 {tls.TLS_RSA_WITH_AES_128_CBC_SHA256, false, false},
	"AES128-SHA":                    {tls.TLS_RSA_WITH_AES_128_CBC_SHA, false, true},
	"AES256-GCM-SHA384":             {tls.TLS_RSA_WITH_AES_256_GCM_SHA384, false, false},
	"AES256-SHA":                    {tls.TLS_RSA_WITH_AES_256_CBC_SHA, false, true},
	"DES-CBC3-SHA":                  {tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, false, true},
}

var versions = map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

// policyServer is a node that has a listener for each policy, with a certificate for
// rsa.example, the default one, and one for ecdsa.example.
type policyServer struct {
	root     *issuer.Issuer
	node     netip.Addr
	policies []elb.SSLPolicy
}

// at returns the address of the listener of policies[i].
func (s *policyServer) at(i int) string { return netip.AddrPortFrom(s.node, 29000+uint16(i)).String() }

func servePolicies(t *testing.T, node string) *policyServer {
	t.Helper()
	s := &policyServer{root: issuer.New(t, "Root"), node: netip.MustParseAddr(node), policies: elb.SSLPolicies()}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := proxy.New(proxy.Options{OpenKey: func(_ string, sealed []byte) ([]byte, error) { return append([]byte{}, sealed...), nil }})
	t.Cleanup(func() { p.Close(context.Background()) })
	lb := &snapshot.LoadBalancer{ARN: "lb", IdleTimeout: time.Minute, ClientKeepAlive: time.Minute}
	for i, policy := range s.policies {
		lb.Listeners = append(lb.Listeners, snapshot.Listener{
			ARN: policy.Name, Port: 29000 + uint16(i), Protocol: snapshot.HTTPS,
			TLS:   &snapshot.TLS{Protocols: policy.Protocols, Ciphers: policy.Ciphers, PostQuantum: policy.PostQuantum, FIPS: policy.FIPS, Certificates: []string{"rsa", "ecdsa"}},
			Rules: []snapshot.Rule{{ARN: "default", Actions: []snapshot.Action{{Type: snapshot.ActionFixedResponse, FixedResponse: &snapshot.FixedResponse{StatusCode: 200}}}}},
		})
	}
	a := &snapshot.Assignment{Version: snapshot.Version, Revision: 1, LoadBalancers: []*snapshot.LoadBalancer{lb},
		Nodes: []*snapshot.Node{{ID: "node", LoadBalancerARN: "lb", Private: s.node, Phase: snapshot.NodeServing}}}
	for _, c := range []struct {
		arn string
		key crypto.Signer
	}{{"ecdsa", issuer.Key(t)}, {"rsa", key}} {
		pair := s.root.IssueFor(c.key, func(x *x509.Certificate) { x.DNSNames = []string{c.arn + ".example"} })
		block, _ := pem.Decode(pair.Key)
		a.Certificates = append(a.Certificates, &snapshot.Certificate{ARN: c.arn, Hosts: pair.Leaf.DNSNames, PEM: string(pair.Certificate), Key: block.Bytes})
	}
	if err := p.Apply(a, func(string) (netip.Addr, bool) { return s.node, true }); err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Status()[0].Listeners {
		if l.Error != "" {
			t.Fatalf("%s: %s", l.ARN, l.Error)
		}
	}
	return s
}

// What DescribeSSLPolicies tells of a policy is what a client meets, no less and no
// more: every version and, up to TLS 1.2, every cipher is tried by itself.
func TestSSLPoliciesAreServedAsTheyAreTold(t *testing.T) {
	s := servePolicies(t, "127.95.1.1")
	for i, policy := range s.policies {
		try := func(cfg *tls.Config) (tls.ConnectionState, bool) {
			cfg.RootCAs = s.root.Pool()
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.at(i), cfg)
			if err != nil {
				return tls.ConnectionState{}, false
			}
			defer conn.Close()
			return conn.ConnectionState(), true
		}
		told := map[string]bool{}
		for _, name := range append(policy.Ciphers, policy.Protocols...) {
			told[name] = true
		}
		for version, id := range versions {
			if version == "TLSv1.3" { // whose ciphers no client can choose
				if _, ok := try(&tls.Config{ServerName: "rsa.example", MinVersion: id}); ok != told[version] {
					t.Errorf("%s: %s: got %v, want %v", policy.Name, version, ok, told[version])
				}
				continue
			}
			for name, suite := range suites {
				if version != "TLSv1.2" && !suite.old {
					continue
				}
				host := "rsa.example"
				if suite.ecdsa {
					host = "ecdsa.example"
				}
				_, ok := try(&tls.Config{ServerName: host, MinVersion: id, MaxVersion: id, CipherSuites: []uint16{suite.id}})
				if want := told[version] && told[name]; ok != want {
					t.Errorf("%s: %s with %s: got %v, want %v", policy.Name, version, name, ok, want)
				}
			}
		}
		if told["TLSv1.3"] {
			if _, ok := try(&tls.Config{ServerName: "rsa.example", CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}); ok != policy.PostQuantum {
				t.Errorf("%s: hybrid key exchange: got %v, want %v", policy.Name, ok, policy.PostQuantum)
			}
		}
	}
}
