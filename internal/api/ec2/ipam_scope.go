package ec2

import (
	"context"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) createIPAMScope(ctx context.Context, c *wire.Call, in *ec2.CreateIpamScopeInput) (*ec2.CreateIpamScopeOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, "ipam-scope")
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	authority, err := authority(in.ExternalAuthorityConfiguration)
	if err != nil {
		return nil, err
	}
	sc, err := a.IPAM.CreateScope(ctx, ipam.CreateScope{
		ID: ids.EC2("ipam-scope"), Account: c.Account, Region: c.Region, IPAMID: *in.IpamId,
		Description: value(in.Description), Authority: authority, Tags: tg, Token: tok, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMScope(a.Store.Snapshot(), sc)
	out.State = ec2.IpamScopeStateCreateInProgress
	return &ec2.CreateIpamScopeOutput{IpamScope: &out}, nil
}

func (a *API) modifyIPAMScope(ctx context.Context, c *wire.Call, in *ec2.ModifyIpamScopeInput) (*ec2.ModifyIpamScopeOutput, error) {
	authority, err := authority(in.ExternalAuthorityConfiguration)
	if err != nil {
		return nil, err
	}
	sc, err := a.IPAM.ModifyScope(ctx, ipam.ModifyScope{
		ID: *in.IpamScopeId, Account: c.Account, Region: c.Region, Description: in.Description,
		Authority: authority, RemoveAuthority: value(in.RemoveExternalAuthorityConfiguration),
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMScope(a.Store.Snapshot(), sc)
	out.State = ec2.IpamScopeStateModifyInProgress
	return &ec2.ModifyIpamScopeOutput{IpamScope: &out}, nil
}

func (a *API) deleteIPAMScope(ctx context.Context, c *wire.Call, in *ec2.DeleteIpamScopeInput) (*ec2.DeleteIpamScopeOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	sc, err := a.IPAM.DeleteScope(ctx, c.Account, c.Region, *in.IpamScopeId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderIPAMScope(before, sc)
	out.State = ec2.IpamScopeStateDeleteInProgress
	return &ec2.DeleteIpamScopeOutput{IpamScope: &out}, nil
}

func authority(in *ec2.ExternalAuthorityConfiguration) (*ipam.ExternalAuthority, error) {
	switch {
	case in == nil:
		return nil, nil
	case in.Type == "":
		return nil, missing("ExternalAuthorityConfiguration.Type")
	case in.ExternalResourceIdentifier == nil:
		return nil, missing("ExternalAuthorityConfiguration.ExternalResourceIdentifier")
	}
	return &ipam.ExternalAuthority{Type: string(in.Type), Identifier: *in.ExternalResourceIdentifier}, nil
}

func renderAuthority(a *ipam.ExternalAuthority) *ec2.IpamScopeExternalAuthorityConfiguration {
	if a == nil {
		return nil
	}
	return &ec2.IpamScopeExternalAuthorityConfiguration{Type: ec2.IpamScopeExternalAuthorityType(a.Type), ExternalResourceIdentifier: new(a.Identifier)}
}
