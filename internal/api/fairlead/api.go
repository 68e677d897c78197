// Package fairlead answers the calls of the service "fairlead", which is ours
// alone: what AWS's APIs have no operation for. Requests are signed and written
// as EC2's are, so that every account's key and every region work as there.
package fairlead

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/shapes/fairlead"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// Spec tells the service from others on the wire.
var Spec = wire.ServiceSpec{
	Name: "fairlead", Version: "2026-11-01", Protocol: wire.EC2Query,
	Namespace: "urn:fairlead:2026-11-01",
}

// MaxBlocks is how many blocks one call may have.
const MaxBlocks = 500

// Deps are the rooms that the service calls.
type Deps struct {
	Store     *store.Store
	Tags      *tags.Service
	IPAM      *ipam.Service
	ELB       *elb.Service
	Instances *instance.Service
	Events    *event.Log
	Root      string // the account that may see everybody's events
}

type api struct {
	store     *store.Store
	tags      *tags.Service
	ipam      *ipam.Service
	elb       *elb.Service
	instances *instance.Service
	events    *event.Log
	root      string
}

// New returns the service.
func New(d Deps) *wire.Service {
	a := &api{d.Store, d.Tags, d.IPAM, d.ELB, d.Instances, d.Events, d.Root}
	svc := wire.NewService(Spec)
	handle(svc, "DescribeMigration", a.describeMigration)
	handle(svc, "CancelMigration", a.cancelMigration)
	wire.HandleStream(svc, "StreamEvents", a.streamEvents)
	handle(svc, "CheckImport", a.checkImport)
	handle(svc, "BeginImport", a.beginImport)
	handle(svc, "AddToImport", a.addToImport)
	handle(svc, "FinishImport", a.finishImport)
	handle(svc, "AbandonImport", a.abandonImport)
	handle(svc, "AddInstance", a.addInstance)
	handle(svc, "RemoveInstance", a.removeInstance)
	handle(svc, "ListInstances", a.listInstances)
	return svc
}

func handle[In, Out any](svc *wire.Service, action string, h func(context.Context, *wire.Call, *In) (*Out, error)) {
	wire.Handle(svc, action, func(ctx context.Context, c *wire.Call, in *In) (*Out, error) {
		out, err := h(ctx, c, in)
		return out, refusal(err)
	})
}

// refusal returns what the caller is told of a room's error.
func refusal(err error) error {
	if refused, ok := instanceRefusal(err); ok {
		return refused
	}
	if no, ok := errors.AsType[*elb.Error](err); ok {
		return apierr.New(string(no.Kind), "%s", no.Message) // LoadBalancerNotFound, OperationNotPermitted
	}
	if errors.Is(err, store.ErrConflict) {
		return apierr.New("RequestLimitExceeded", "Too many concurrent changes to the same resource. Try again later.").WithStatus(http.StatusServiceUnavailable)
	}
	if absent, ok := errors.AsType[*ipam.NotFoundError](err); ok {
		code := "InvalidImportId.NotFound"
		if absent.Noun == ipam.NounPool {
			code = "InvalidIpamPoolId.NotFound"
		}
		return apierr.New(code, "The %s ID '%s' does not exist", absent.Noun, absent.ID)
	}
	if mistake, ok := errors.AsType[*ipam.CallError](err); ok {
		return apierr.New(string(mistake.Reason), "%s", mistake.Text)
	}
	if bad, ok := errors.AsType[*tags.RuleError](err); ok {
		return apierr.New("InvalidParameterValue", "%s", bad.Text)
	}
	if errors.Is(err, tags.ErrTooMany) {
		return apierr.New("TagLimitExceeded", "A resource may have at most %d tags.", tags.Max)
	}
	return err
}

func (a *api) checkImport(_ context.Context, c *wire.Call, in *fairlead.CheckImportInput) (*fairlead.CheckImportOutput, error) {
	blocks, err := decodeBlocks(in.Blocks)
	if err != nil {
		return nil, err
	}
	conflicts, err := a.ipam.CheckImport(a.store.Snapshot(), c.Account, c.Region, *in.IpamPoolId, blocks)
	if err != nil {
		return nil, err
	}
	return &fairlead.CheckImportOutput{Conflicts: render(conflicts)}, nil
}

func (a *api) beginImport(ctx context.Context, c *wire.Call, in *fairlead.BeginImportInput) (*fairlead.BeginImportOutput, error) {
	m, err := a.ipam.BeginImport(ctx, ipam.Import{
		ID: ids.EC2("ipam-import"), Account: c.Account, Region: c.Region, PoolID: *in.IpamPoolId, Touched: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return &fairlead.BeginImportOutput{ImportId: &m.ID}, nil
}

func (a *api) addToImport(ctx context.Context, c *wire.Call, in *fairlead.AddToImportInput) (*fairlead.AddToImportOutput, error) {
	blocks, err := decodeBlocks(in.Blocks)
	if err != nil {
		return nil, err
	}
	conflicts, err := a.ipam.AddToImport(ctx, c.Account, c.Region, *in.ImportId, blocks, c.Now)
	if err != nil {
		return nil, err
	}
	return &fairlead.AddToImportOutput{Conflicts: render(conflicts)}, nil
}

func (a *api) finishImport(ctx context.Context, c *wire.Call, in *fairlead.FinishImportInput) (*fairlead.FinishImportOutput, error) {
	n, err := a.ipam.FinishImport(ctx, c.Account, c.Region, *in.ImportId, c.Now)
	if err != nil {
		return nil, err
	}
	return &fairlead.FinishImportOutput{Blocks: new(int32(n))}, nil
}

func (a *api) abandonImport(ctx context.Context, c *wire.Call, in *fairlead.AbandonImportInput) (*fairlead.AbandonImportOutput, error) {
	if err := a.ipam.AbandonImport(ctx, c.Account, c.Region, *in.ImportId, c.Now); err != nil {
		return nil, err
	}
	return &fairlead.AbandonImportOutput{Return: new(true)}, nil
}

func decodeBlocks(in []fairlead.ImportBlock) ([]ipam.ImportBlock, error) {
	if len(in) > MaxBlocks {
		return nil, apierr.New("InvalidParameterValue", "A call may have at most %d blocks, and this one has %d.", MaxBlocks, len(in))
	}
	blocks := make([]ipam.ImportBlock, 0, len(in))
	for n, b := range in {
		cidr, err := netip.ParsePrefix(*b.Cidr)
		if err != nil {
			return nil, apierr.New("InvalidParameterValue", "Value (%s) for parameter Block.%d.Cidr is invalid. It must be a CIDR, such as 10.0.0.0/24.", *b.Cidr, n+1)
		}
		block := ipam.ImportBlock{CIDR: cidr}
		if b.Description != nil {
			block.Description = *b.Description
		}
		for _, t := range b.Tags {
			tag := tags.Tag{Key: *t.Key}
			if t.Value != nil {
				tag.Value = *t.Value
			}
			block.Tags = append(block.Tags, tag)
		}
		if err := tags.Check(block.Tags); err != nil {
			return nil, err
		}
		blocks = append(blocks, block)
	}
	return blocks, nil
}

func render(conflicts []ipam.ImportConflict) []fairlead.ImportConflict {
	out := []fairlead.ImportConflict{}
	for _, c := range conflicts {
		out = append(out, fairlead.ImportConflict{Block: new(int32(c.Block + 1)), Reason: &c.Reason})
	}
	return out
}
