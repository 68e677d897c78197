package server

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/proxy/outbound"
)

// providers is how the host reaches those who authenticate clients.
func providers(cfg config.Providers) (outbound.Options, error) {
	o := outbound.Options{Addresses: cfg.Addresses, Plain: cfg.Plain}
	if cfg.CA == "" {
		return o, nil
	}
	text, err := os.ReadFile(cfg.CA)
	if err != nil {
		return o, fmt.Errorf("providers.ca: %w", err)
	}
	if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(text) {
		return o, fmt.Errorf("providers.ca: %s has no certificate in PEM", cfg.CA)
	}
	return o, nil
}
