package elbv2

import (
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/truststore"
)

// CodeOf returns the service's code for a kind of the room's errors.
func CodeOf(k elb.Kind) string { return codes[k] }

// Codes returns the codes that the service's refusals can have.
func Codes() map[string]bool {
	all := map[string]bool{"DuplicateTagKeys": true, "Throttling": true}
	for _, code := range codes {
		all[code] = true
	}
	for _, k := range []truststore.Kind{
		truststore.Invalid, truststore.NotFound, truststore.Duplicate, truststore.TooMany, truststore.InUse, truststore.InvalidBundle, truststore.BundleNotFound,
		truststore.InvalidRevocation, truststore.RevocationMissing, truststore.RevocationNotFound, truststore.TooManyEntries, truststore.TooManyTags,
	} {
		all[string(k)] = true
	}
	return all
}
