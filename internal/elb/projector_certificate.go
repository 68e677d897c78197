package elb

import (
	"reflect"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// projectTLS makes what a host must know of a listener's TLS.
func projectTLS(t *ListenerTLS) *snapshot.TLS {
	if t == nil {
		return nil
	}
	p := sslPolicies[t.Policy]
	return &snapshot.TLS{Protocols: p.Protocols, Ciphers: p.Ciphers, PostQuantum: p.PostQuantum, FIPS: p.FIPS, NoResumption: t.Mutual != nil, Certificates: t.all(), Mutual: projectMutual(t.Mutual)}
}

// collections are those that an assignment is made of.
func (p *Projector) collections() []string {
	names := []string{p.s.balancers.Name(), p.s.listeners.Name(), p.s.rules.Name(), p.s.groups.Name(), p.s.targets.Name(), p.s.nodes.Name()}
	if c := p.s.opts.Certificates; c != nil {
		names = append(names, c.Collection())
	}
	if c := p.trustStores.collection(); c != "" {
		names = append(names, c)
	}
	if d := p.s.opts.Instances; d != nil {
		names = append(names, d.Collection())
	}
	return names
}

// useCertificates counts a load balancer among the users of other certificates.
func (p *Projector) useCertificates(old, next map[string]bool) {
	for arn := range old {
		if p.certificateUsers[arn]--; p.certificateUsers[arn] == 0 {
			delete(p.certificateUsers, arn)
		}
	}
	for arn := range next {
		p.certificateUsers[arn]++
	}
}

// updateCertificates brings the certificates of the ARNs up to date, those that no
// listener of the host names being left out, and says whether any differs.
func (p *Projector) updateCertificates(r store.Snapshot, arns map[string]bool) (changed bool) {
	for arn := range arns {
		old, was := p.certificates[arn]
		var next *snapshot.Certificate
		is := p.certificateUsers[arn] > 0
		if is {
			next, is = p.certificate(r, arn)
		}
		switch {
		case !is && was:
			delete(p.certificates, arn)
			p.pending.certificates[arn] = nil
			changed = true
		case is && (!was || !reflect.DeepEqual(old, next)):
			p.certificates[arn] = next
			p.pending.certificates[arn] = next
			changed = true
		}
	}
	return changed
}

func (p *Projector) certificate(r store.Snapshot, arn string) (*snapshot.Certificate, bool) {
	if p.s.opts.Certificates == nil {
		return nil, false
	}
	c, ok := p.s.opts.Certificates.Certificate(r, arn)
	return &snapshot.Certificate{ARN: arn, Hosts: c.Hosts, PEM: c.PEM, Key: c.Key}, ok
}
