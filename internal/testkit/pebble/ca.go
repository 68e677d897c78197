package pebble

import (
	"crypto/x509"
	"encoding/pem"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// CA is a certificate authority that speaks ACME on loopback.
type CA struct {
	Directory string // URL of its directory
	Roots     string // PEM file of who certifies the directory's server

	store *db.MemoryStore
	ca    *ca.CAImpl
}

// Start runs an authority that asks r until the test ends. The goroutine that
// validates for it outlives the test: nothing can end it.
func Start(t testing.TB, r *Resolver) *CA {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_AUTHZREUSE", "100") // as authorities do
	logger := log.New(writer{t}, "", 0)
	const ninetyDays = 90 * 24 * 60 * 60
	store := db.NewMemoryStore()
	authority := ca.New(logger, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "as Let's Encrypt's", PromoteCommonName: true, ValidityPeriod: ninetyDays}})
	front := wfe.New(logger, store, va.New(logger, 0, 0, false, r.Address, store), authority, []string{"pebble.example"}, false, false, 0, 0)
	srv := httptest.NewTLSServer(front.Handler())
	t.Cleanup(srv.Close)
	c := &CA{Directory: srv.URL + wfe.DirectoryPath, Roots: filepath.Join(t.TempDir(), "directory.pem"), store: store, ca: authority}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(c.Roots, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// Root is the certificate that all which is issued leads to, in PEM.
func (c *CA) Root() []byte { return c.ca.GetRootCert(0).PEM() }

// Pool has Root.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.Root())
	return pool
}

// Refuse has the authority never issue for a domain.
func (c *CA) Refuse(t testing.TB, domain string) {
	t.Helper()
	if err := c.store.AddBlockedDomain(domain); err != nil {
		t.Fatal(err)
	}
}

// writer sends log lines to the test's log.
type writer struct{ t testing.TB }

func (w writer) Write(b []byte) (int, error) { return w.t.Output().Write(b) }
