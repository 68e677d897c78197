package server

import (
	"iter"

	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/certs/acme"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/store"
)

// certificates is the certs room as the elb room needs it.
type certificates struct{ certs *certs.Service }

func (c certificates) Certificate(r store.Reader, arn string) (elb.Certificate, bool) {
	found, ok := c.certs.ByARN(r, arn)
	if !ok {
		return elb.Certificate{}, false
	}
	return elb.Certificate{
		Account: found.Account, Region: found.Region, KeyAlgorithm: found.KeyAlgorithm, SignatureAlgorithm: found.SignatureAlgorithm,
		Hosts: found.Hosts(), PEM: found.Body + found.Chain, Key: found.Key,
	}, true
}

func (c certificates) Use(tx *store.Tx, arns []string) { c.certs.Use(tx, arns) }

func (c certificates) Collection() string { return c.certs.Collection() }

// authority is who issues certificates, nil if the operator named nobody.
func authority(cfg config.ACME, st *store.Store, sealer *certs.Sealer) *acme.Authority {
	if cfg.Directory == "" {
		return nil
	}
	return acme.New(st, acme.Options{Directory: cfg.Directory, Email: cfg.Email, Roots: cfg.CA, Resolver: cfg.Resolver, Sealer: sealer})
}

// orNone is an authority as the certs room needs it.
func orNone(a *acme.Authority) certs.Authority {
	if a == nil {
		return nil
	}
	return a
}

// texts is the certs room as the dns room needs it.
type texts struct{ certs *certs.Service }

func (t texts) Collection() string { return t.certs.TextCollection() }

func (t texts) Texts(r store.Reader, key string) (names, texts []string) {
	return t.certs.Texts(r, key)
}

func (t texts) All(r store.Reader) iter.Seq[string] { return t.certs.AllTexts(r) }
