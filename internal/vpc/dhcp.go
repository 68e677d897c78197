package vpc

import (
	"context"

	"github.com/fairlead/fairlead/internal/store"
)

// DHCPOptionsID names the DHCP options that an account has in a region. They
// can't be changed, and are told by no record.
func DHCPOptionsID(account, region string) string { return derived("dopt", account, region) }

// NoDHCPOptionsID is what stands for no DHCP options in a VPC (EC2
// AssociateDhcpOptions).
const NoDHCPOptionsID = "default"

// DHCPOptionsID names the DHCP options that the VPC has.
func (v VPC) DHCPOptionsID() string {
	if v.NoDHCPOptions {
		return NoDHCPOptionsID
	}
	return DHCPOptionsID(v.Account, v.Region)
}

// AssociateDHCPOptions gives a VPC the account's DHCP options, or none.
func (s *Service) AssociateDHCPOptions(ctx context.Context, account, region, vpcID, optionsID string) error {
	if optionsID != NoDHCPOptionsID && optionsID != DHCPOptionsID(account, region) {
		return &NotFoundError{KindDHCPOptions, optionsID}
	}
	return s.update(ctx, func(tx *store.Tx) error {
		v, err := s.vpc(tx, account, region, vpcID)
		if err != nil {
			return err
		}
		v.NoDHCPOptions = optionsID == NoDHCPOptionsID
		s.vpcs.Put(tx, vpcID, v)
		return nil
	})
}
