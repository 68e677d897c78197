package ec2

import (
	"context"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerAssociations(svc *wire.Service) {
	network(a, svc, "AssociateAddress", a.associateAddress)
	network(a, svc, "DisassociateAddress", a.disassociateAddress)
}

func (a *API) associateAddress(ctx context.Context, c *wire.Call, in *ec2.AssociateAddressInput) (*ec2.AssociateAddressOutput, error) {
	id, public, eni, instance := value(in.AllocationId), value(in.PublicIp), value(in.NetworkInterfaceId), value(in.InstanceId)
	switch {
	case id != "" && public != "":
		return nil, apierr.New("InvalidParameterCombination", "You may specify public IP or allocation id, but not both in the same call")
	case id == "" && public == "":
		return nil, apierr.New("MissingParameter", "Either public IP or allocation id must be specified")
	case eni != "" && instance != "":
		return nil, apierr.New("InvalidParameterCombination", "You may specify a network interface or an instance, but not both in the same call")
	case instance != "":
		return nil, noInstance(instance)
	case eni == "":
		return nil, missing("NetworkInterfaceId")
	}
	if public != "" {
		ad, err := a.addressByPublic(a.Store.Snapshot(), c, public)
		if err != nil {
			return nil, err
		}
		id = ad.ID
	}
	spec := vpc.AssociationSpec{
		ID: ids.EC2("eipassoc"), Account: c.Account, Region: c.Region, AddressID: id, InterfaceID: eni,
		KeepOthers: in.AllowReassociation != nil && !*in.AllowReassociation,
	}
	if in.PrivateIpAddress != nil {
		var err error
		if spec.Private, err = parseAddress(*in.PrivateIpAddress, "privateIpAddress"); err != nil {
			return nil, err
		}
	}
	ad, err := a.vpc(c).AssociateAddress(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &ec2.AssociateAddressOutput{AssociationId: new(ad.AssociationID)}, nil
}

func (a *API) disassociateAddress(ctx context.Context, c *wire.Call, in *ec2.DisassociateAddressInput) (*ec2.DisassociateAddressOutput, error) {
	id, public := value(in.AssociationId), value(in.PublicIp)
	switch {
	case id != "" && public != "":
		return nil, apierr.New("InvalidParameterCombination", "You may specify public IP or association id, but not both in the same call")
	case id != "":
		return &ec2.DisassociateAddressOutput{}, a.vpc(c).DisassociateAddress(ctx, c.Account, c.Region, id)
	case public == "":
		return nil, apierr.New("MissingParameter", "Either public IP or association id must be specified")
	}
	ad, err := a.addressByPublic(a.Store.Snapshot(), c, public)
	if err != nil {
		return nil, err
	}
	return &ec2.DisassociateAddressOutput{}, a.vpc(c).DisassociateFrom(ctx, c.Account, c.Region, ad.ID)
}

// noInstance refuses an instance: those of the inventory have no interfaces.
func noInstance(id string) error {
	if !ids.WellFormed(id, "i") {
		return apierr.New("InvalidInstanceID.Malformed", "Invalid id: \"%s\" (expecting \"i-...\")", id)
	}
	return apierr.New("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist: this installation has an inventory of instances, which have no network interfaces", id)
}
