package server

import (
	"github.com/fairlead/fairlead/internal/certs"
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
