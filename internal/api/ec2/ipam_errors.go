package ec2

import (
	"errors"
	"net/http"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ipam"
)

// ipamAbsences are code and message for what the caller doesn't have.
var ipamAbsences = map[ipam.Noun]struct{ code, format string }{
	ipam.NounIPAM:       {"InvalidIpamId.NotFound", "The ipam ID '%s' does not exist"},
	ipam.NounScope:      {"InvalidIpamScopeId.NotFound", "The ipam-scope ID '%s' does not exist"},
	ipam.NounPool:       {"InvalidIpamPoolId.NotFound", "The ipam-pool ID '%s' does not exist"},
	ipam.NounVPC:        {"InvalidVpcID.NotFound", "The vpc ID '%s' does not exist"},
	ipam.NounAllocation: {"InvalidIpamPoolAllocationId.NotFound", "The IPAM pool allocation (%s) does not exist."},
	ipam.NounToken:      {"InvalidIpamExternalResourceVerificationTokenId.NotFound", "The ipam-external-resource-verification-token ID '%s' does not exist"},
	ipam.NounPublicPool: {"InvalidPublicIpv4PoolID.NotFound", "The public IPv4 pool ID '%s' does not exist"},
	ipam.NounPolicy:     {"InvalidIpamPolicyId.NotFound", "The ipam-policy ID '%s' does not exist"},
}

// ipamRefusal returns what the caller is told of an error of the ipam room's.
func ipamRefusal(err error) error {
	var (
		absent  *ipam.NotFoundError
		mistake *ipam.CallError
	)
	switch {
	case errors.As(err, &absent):
		return apierr.New(ipamAbsences[absent.Noun].code, ipamAbsences[absent.Noun].format, absent.ID)
	case errors.As(err, &mistake):
		// The room's reasons are EC2's codes.
		return apierr.New(string(mistake.Reason), "%s", mistake.Text)
	case errors.Is(err, ipam.ErrPoolExhausted):
		return apierr.New(string(ipam.InvalidValue), "The allocation size is too big for the pool.")
	case errors.Is(err, ipam.ErrNotAllowed):
		return apierr.New(string(ipam.InvalidValue), "The netmask length is not within the allocation rules of the IPAM pool.")
	case errors.Is(err, ipam.ErrNotHad):
		return apierr.New("InvalidAddress.NotFound", "The address is in no pool of yours in this region, and isn't one that you have just released.")
	case errors.Is(err, ipam.ErrClosed):
		return apierr.New("Unavailable", "The server is stopping. Retry the request.").WithStatus(http.StatusServiceUnavailable)
	}
	return err
}
