package ec2

import (
	"context"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

// What an interface may be attached to are load balancer nodes, by the service
// that makes both, and instances, of which there are none: so every call of an
// account's about an attachment is refused.

func (a *API) registerAttachments(svc *wire.Service) {
	network(a, svc, "AttachNetworkInterface", a.attachInterface)
	network(a, svc, "DetachNetworkInterface", a.detachInterface)
}

func (a *API) attachInterface(_ context.Context, c *wire.Call, in *ec2.AttachNetworkInterfaceInput) (*ec2.AttachNetworkInterfaceOutput, error) {
	i, ok := a.VPC.Interface(a.Store.Snapshot(), c.Account, c.Region, *in.NetworkInterfaceId)
	switch {
	case !ok:
		return nil, &vpc.NotFoundError{Kind: vpc.KindInterface, ID: *in.NetworkInterfaceId}
	case i.RequesterManaged():
		return nil, errServiceAttachment
	}
	return nil, noInstance(*in.InstanceId)
}

func (a *API) detachInterface(_ context.Context, c *wire.Call, in *ec2.DetachNetworkInterfaceInput) (*ec2.DetachNetworkInterfaceOutput, error) {
	return nil, a.refuseAttachment(c, *in.AttachmentId)
}

var errServiceAttachment = apierr.New("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")

// refuseAttachment returns why an account can't change an attachment.
func (a *API) refuseAttachment(c *wire.Call, id string) error {
	for _, i := range a.VPC.Interfaces(a.Store.Snapshot(), c.Account, c.Region, "") {
		if i.RequesterManaged() && i.AttachmentID() == id {
			return errServiceAttachment
		}
	}
	return apierr.New("InvalidAttachmentID.NotFound", "The attachment ID '%s' does not exist", id)
}

func attachmentAttribute(i vpc.Interface, name string) ([]string, bool) {
	at := renderAttachment(i)
	if at == nil {
		at = &ec2.NetworkInterfaceAttachment{}
	}
	switch name {
	case "attachment-id":
		return some(value(at.AttachmentId)), true
	case "status":
		return some(string(at.Status)), true
	case "instance-owner-id":
		return some(value(at.InstanceOwnerId)), true
	case "attach-time":
		if at.AttachTime != nil {
			return some(at.AttachTime.UTC().Format(time.RFC3339)), true
		}
	case "device-index":
		if at.DeviceIndex != nil {
			return some(strconv.Itoa(int(*at.DeviceIndex))), true
		}
	case "delete-on-termination":
		if at.DeleteOnTermination != nil {
			return yesNo(*at.DeleteOnTermination), true
		}
	case "instance-id", "nat-gateway-id":
	default:
		return nil, false
	}
	return nil, true
}

// renderAttachment shows what an interface is attached to; nil for nothing.
func renderAttachment(i vpc.Interface) *ec2.NetworkInterfaceAttachment {
	if !i.RequesterManaged() {
		return nil
	}
	return &ec2.NetworkInterfaceAttachment{
		AttachmentId: new(i.AttachmentID()), AttachTime: new(i.Created), DeleteOnTermination: new(false), DeviceIndex: new(int32(1)),
		InstanceOwnerId: new(vpc.RequesterID), Status: ec2.AttachmentStatusAttached,
	}
}
