package elb

import (
	"slices"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// The modes of mutual authentication (ELBv2 MutualAuthenticationAttributes.Mode).
const (
	MutualOff         = "off"
	MutualPassthrough = "passthrough" // clients' certificates are passed on to targets, valid or not
	MutualVerify      = "verify"      // clients have a certificate that a trust store vouches for
)

// MutualModes are all modes, in the order that the service names them.
var MutualModes = []string{MutualOff, MutualPassthrough, MutualVerify}

// Mutual is how a listener has clients authenticate themselves.
type Mutual struct {
	Mode         string // passthrough, verify
	TrustStore   string `json:",omitempty"` // ARN; verify
	IgnoreExpiry bool   `json:",omitempty"` // verify
	Advertise    bool   `json:",omitempty"` // verify: clients are told the trust store's authorities
}

// TrustStores is the truststore room, as listeners see it.
type TrustStores interface {
	// Has says whether an account has a trust store in a region.
	Has(r store.Reader, account, region, arn string) bool
	// Use has a trust store stay from tx on, as long as Service.TrustStoreUsers names
	// somebody.
	Use(tx *store.Tx, arn string)
	// Trust returns what hosts verify clients by; false if there is no such trust
	// store.
	Trust(r store.Reader, arn string) (*snapshot.TrustStore, bool)
	// Collection is where trust stores are records, by ARN.
	Collection() string
}

// takeMutual checks how a listener is to have clients authenticate themselves; nil:
// not at all.
func (s *Service) takeMutual(tx *store.Tx, account, region string, m Mutual) (*Mutual, error) {
	switch {
	case m.Mode == MutualOff:
		return nil, nil
	case m.Mode == MutualVerify && m.TrustStore == "":
		return nil, fail(Invalid, "A trust store must be specified with the mutual authentication mode 'verify'")
	case m.Mode == MutualVerify:
		if s.opts.TrustStores == nil || !s.opts.TrustStores.Has(tx, account, region, m.TrustStore) {
			return nil, fail(TrustStoreNotFound, "Trust store '%s' not found", m.TrustStore)
		}
		s.opts.TrustStores.Use(tx, m.TrustStore)
	}
	return &m, nil
}

// checkVerifying holds the quota of listeners that verify clients, with one that is
// about to be as it is given. Whoever asks writes the load balancer.
func (s *Service) checkVerifying(tx *store.Tx, l Listener) error {
	if !l.verifies() {
		return nil
	}
	n, most := 1, s.opts.Quotas.VerifyListeners
	for _, other := range s.listenersByLB.Each(tx, l.LoadBalancerARN) {
		if other.ARN != l.ARN && other.verifies() {
			n++
		}
	}
	if n > most {
		return fail(InvalidConfiguration, "A load balancer can have %d listeners at most with the mutual authentication mode 'verify'", most)
	}
	return nil
}

// verifies says whether clients must have a certificate that a trust store vouches for.
func (l Listener) verifies() bool {
	return l.TLS != nil && l.TLS.Mutual != nil && l.TLS.Mutual.Mode == MutualVerify
}

// TrustStoreUsers returns the ARNs of the load balancers whose listeners verify
// clients by a trust store, each once.
func (s *Service) TrustStoreUsers(r store.Reader, arn string) []string {
	var users []string
	for _, l := range s.listenersByTrustStore.Each(r, arn) {
		users = append(users, l.LoadBalancerARN)
	}
	slices.Sort(users)
	return slices.Compact(users)
}
