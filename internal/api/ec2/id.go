package ec2

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/wire"
)

// idParameters are the parameters, alone or as lists, whose ids are held to
// their kind's shape before anything is looked for: prefix, hyphen, hex digits.
var idParameters = map[string]struct{ prefix, malformed string }{
	"IpamId":               {"ipam", "InvalidIpamId.Malformed"},
	"IpamScopeId":          {"ipam-scope", "InvalidIpamScopeId.Malformed"},
	"IpamPoolId":           {"ipam-pool", "InvalidIpamPoolId.Malformed"},
	"SourceIpamPoolId":     {"ipam-pool", "InvalidIpamPoolId.Malformed"},
	"IpamPoolAllocationId": {"ipam-pool-alloc", "InvalidIpamPoolAllocationId.Malformed"},

	"IpamPrefixListResolverId":       {resolverID, "InvalidIpamPrefixListResolverId.Malformed"},
	"IpamPrefixListResolverTargetId": {resolverTargetID, "InvalidIpamPrefixListResolverTargetId.Malformed"},
}

// checkIDs refuses a call that has an id which nothing of its kind could have.
// An empty parameter is left to the handler.
func checkIDs(c *wire.Call) error {
	for _, sent := range slices.Sorted(maps.Keys(c.Form)) {
		name, _, _ := strings.Cut(sent, ".")
		id := c.Form.Get(sent)
		if p, ok := idParameters[name]; ok && id != "" && !ids.WellFormed(id, p.prefix) {
			return apierr.New(p.malformed, "Invalid id: %q (expecting \"%s-...\")", id, p.prefix)
		}
	}
	return nil
}
