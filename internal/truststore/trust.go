package truststore

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"

	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/store"
)

// Collection is where trust stores are records, by ARN.
func (s *Service) Collection() string { return s.stores.Name() }

// Trust returns what hosts verify clients by; false if there is no such trust store.
//
// Each list is read once as long as the bundle stays: of half a million entries that
// takes a second.
func (s *Service) Trust(r store.Reader, at string) (*snapshot.TrustStore, bool) {
	t, ok := s.stores.Get(r, at)
	if !ok {
		s.trust.keep(at, nil)
		return nil, false
	}
	out := &snapshot.TrustStore{ARN: at}
	authorities, err := authoritiesOf(bytes.Join(s.Content(r, t.Bundle), nil))
	if err != nil {
		out.Error = fmt.Sprintf("the bundle of trust store %s can't be used: %v (give it another one with ModifyTrustStore)", at, err)
		return out, true
	}
	for _, c := range authorities {
		out.Authorities = append(out.Authorities, c.Raw)
	}
	lists := map[listKey]*snapshot.Revocations{}
	for _, revocation := range t.Revocations {
		key := listKey{t.Bundle, revocation.Content}
		list := s.trust.get(at, key)
		if list == nil {
			if list, err = readList(bytes.Join(s.Content(r, revocation.Content), nil), authorities); err != nil {
				out.Error = fmt.Sprintf("revocation list %d of trust store %s can't be used: %v (remove it with RemoveTrustStoreRevocations, or add it again)", revocation.ID, at, err)
				return out, true
			}
			list.ID = revocation.ID
		}
		lists[key] = list
		out.Revocations = append(out.Revocations, list)
	}
	s.trust.keep(at, lists)
	return out, true
}

// listKey names a list that was checked with the certificates of a bundle, by the
// contents' ids.
type listKey struct{ bundle, content string }

// readLists are the lists of trust stores that hosts use, as they were read. The zero
// value is ready for use.
type readLists struct {
	mu    sync.Mutex
	lists map[string]map[listKey]*snapshot.Revocations // by ARN
}

func (l *readLists) get(at string, key listKey) *snapshot.Revocations {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lists[at][key]
}

// keep remembers a trust store's lists, and forgets what else it had.
func (l *readLists) keep(at string, lists map[listKey]*snapshot.Revocations) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(lists) == 0 {
		delete(l.lists, at)
		return
	}
	if l.lists == nil {
		l.lists = map[string]map[listKey]*snapshot.Revocations{}
	}
	l.lists[at] = lists
}

func authoritiesOf(bundle []byte) (out []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, bundle = pem.Decode(bundle); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("it has no certificates")
	}
	return out, nil
}

// readList reads a revocation list. One of which is known whose certificates it is
// about is no error, even if it can't be relied on: these are refused then, and all
// others are not. When the next list was due is not asked: what is revoked stays so.
func readList(content []byte, authorities []*x509.Certificate) (*snapshot.Revocations, error) {
	if block, _ := pem.Decode(content); block != nil {
		content = block.Bytes
	}
	list, err := x509.ParseRevocationList(content)
	if err != nil {
		return nil, err
	}
	out := &snapshot.Revocations{Issuer: list.RawIssuer}
	serials := make([][]byte, 0, len(list.RevokedCertificateEntries))
	for i := range list.RevokedCertificateEntries {
		e := &list.RevokedCertificateEntries[i]
		serials = append(serials, e.SerialNumber.Bytes())
		for _, x := range e.Extensions {
			if x.Critical { // as of a list about certificates of several issuers
				out.Error = "it has entries with critical extensions"
			}
		}
	}
	out.Serials = snapshot.NewSerialSet(serials)
	for _, x := range list.Extensions {
		if x.Critical && !x.Id.Equal(issuingDistributionPoint) {
			out.Error = "it has critical extension " + x.Id.String()
		}
	}
	if err := signedBy(list, authorities); err != nil {
		out.Error = err.Error()
	}
	return out, nil
}

// issuingDistributionPoint says which of an issuer's certificates a list is about
// (RFC 5280 §5.2.5). A certificate that is on it is revoked in any case.
var issuingDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}

// signedBy says why a list isn't known to be of its issuer.
func signedBy(list *x509.RevocationList, authorities []*x509.Certificate) error {
	err := errors.New("the bundle doesn't have the certificate of its issuer")
	for _, c := range authorities {
		if !bytes.Equal(c.RawSubject, list.RawIssuer) {
			continue
		}
		if failed := list.CheckSignatureFrom(c); failed != nil {
			err = fmt.Errorf("its signature: %w", failed)
			continue
		}
		return nil
	}
	return err
}
