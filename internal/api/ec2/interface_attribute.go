package ec2

import (
	"context"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerInterfaceAttributes(svc *wire.Service) {
	network(a, svc, "ModifyNetworkInterfaceAttribute", a.modifyInterface)
	network(a, svc, "DescribeNetworkInterfaceAttribute", a.describeInterfaceAttribute)
	network(a, svc, "ResetNetworkInterfaceAttribute", a.resetInterface)
}

// modifyInterface changes one attribute, as many as EC2 changes with a call.
func (a *API) modifyInterface(ctx context.Context, c *wire.Call, in *ec2.ModifyNetworkInterfaceAttributeInput) (*ec2.ModifyNetworkInterfaceAttributeOutput, error) {
	if err := refuseUnserved(c, "AssociatePublicIpAddress", "AssociatedSubnetId", "ConnectionTrackingSpecification",
		"EnaSrdSpecification", "EnablePrimaryIpv6"); err != nil {
		return nil, err
	}
	ch := vpc.InterfaceChange{SecurityGroups: in.Groups}
	named := 0
	if in.Description != nil {
		ch.Description = new(value(in.Description.Value))
		named++
	}
	if in.SourceDestCheck != nil {
		ch.SourceDestination = new(value(in.SourceDestCheck.Value))
		named++
	}
	if in.Groups != nil {
		named++
	}
	if in.Attachment != nil {
		named++
	}
	switch {
	case named == 0:
		return nil, apierr.New("InvalidParameterCombination", "No attributes specified.")
	case named > 1:
		return nil, apierr.New("InvalidParameterCombination", "Only one attribute of a network interface can be modified at a time.")
	case in.Attachment != nil:
		return nil, a.refuseAttachment(c, value(in.Attachment.AttachmentId))
	}
	if err := checkInterfaceText(value(ch.Description), ch.SecurityGroups); err != nil {
		return nil, err
	}
	return &ec2.ModifyNetworkInterfaceAttributeOutput{}, a.vpc(c).ModifyInterface(ctx, c.Account, c.Region, *in.NetworkInterfaceId, ch)
}

// resetInterface switches the source/destination check on again, the one
// attribute that can be reset.
func (a *API) resetInterface(ctx context.Context, c *wire.Call, in *ec2.ResetNetworkInterfaceAttributeInput) (*ec2.ResetNetworkInterfaceAttributeOutput, error) {
	if in.SourceDestCheck == nil {
		return nil, missing("SourceDestCheck")
	}
	ch := vpc.InterfaceChange{SourceDestination: new(true)}
	return &ec2.ResetNetworkInterfaceAttributeOutput{}, a.vpc(c).ModifyInterface(ctx, c.Account, c.Region, *in.NetworkInterfaceId, ch)
}

func (a *API) describeInterfaceAttribute(_ context.Context, c *wire.Call, in *ec2.DescribeNetworkInterfaceAttributeInput) (*ec2.DescribeNetworkInterfaceAttributeOutput, error) {
	snap := a.Store.Snapshot()
	i, ok := a.VPC.Interface(snap, c.Account, c.Region, *in.NetworkInterfaceId)
	if !ok {
		return nil, &vpc.NotFoundError{Kind: vpc.KindInterface, ID: *in.NetworkInterfaceId}
	}
	out := &ec2.DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: new(i.ID)}
	switch in.Attribute {
	case ec2.NetworkInterfaceAttributeDescription:
		out.Description = &ec2.AttributeValue{Value: new(i.Description)}
	case ec2.NetworkInterfaceAttributeGroupSet:
		out.Groups = a.renderInterfaceGroups(snap, i)
	case ec2.NetworkInterfaceAttributeSourceDestCheck:
		out.SourceDestCheck = &ec2.AttributeBooleanValue{Value: new(!i.Transit)}
	case ec2.NetworkInterfaceAttributeAttachment:
		out.Attachment = renderAttachment(i)
	case ec2.NetworkInterfaceAttributeAssociatePublicIpAddress:
		out.AssociatePublicIpAddress = new(false)
	case "":
		return nil, missing("Attribute")
	default:
		return nil, invalid(in.Attribute, "attribute", "There is no such attribute.")
	}
	return out, c.CheckDryRun()
}
