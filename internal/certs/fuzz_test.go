package certs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/testkit/issuer"
)

// I10: whatever material is, it is read or refused as the caller's fault.
func FuzzMaterial(f *testing.F) {
	root := issuer.New(f, "Root")
	good := root.Issue("shop.example")
	f.Add(good.Certificate, root.PEM, good.Key)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte{}, []byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	now := time.Now()
	f.Fuzz(func(t *testing.T, certificate, chain, key []byte) {
		_, err := certs.Read(certs.Material{Certificate: certificate, Chain: chain, PrivateKey: key}, now)
		if e, ok := errors.AsType[*certs.Error](err); err != nil && (!ok || e.Kind != certs.Invalid) {
			t.Errorf("got %v", err)
		}
	})
}
