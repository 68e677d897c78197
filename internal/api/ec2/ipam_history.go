package ec2

import (
	"context"
	"iter"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/wire"
)

// MaxResults of GetIpamAddressHistory, and what it is by default.
const (
	minIPAMHistory     = 1
	maxIPAMHistory     = 1000
	defaultIPAMHistory = 100
)

func (a *API) getIPAMAddressHistory(_ context.Context, c *wire.Call, in *ec2.GetIpamAddressHistoryInput) (*ec2.GetIpamAddressHistoryOutput, error) {
	cidr, err := parseCIDR(*in.Cidr, "cidr")
	if err != nil {
		return nil, err
	}
	if cidr != cidr.Masked() {
		return nil, invalid(*in.Cidr, "cidr", "It has bits set beyond its netmask.")
	}
	to := c.Now
	if in.EndTime != nil {
		to = *in.EndTime
	}
	start := to
	if in.StartTime != nil {
		start = *in.StartTime
	}
	if start.After(to) {
		return nil, apierr.New("InvalidParameterCombination", "The StartTime must not be later than the EndTime.")
	}
	snap := a.Store.Snapshot()
	sc, err := a.Discovery.ScopeIn(snap, c.Account, c.Region, *in.IpamScopeId)
	if err != nil {
		return nil, err
	}
	size := in.MaxResults
	if size == nil {
		size = new(int32(defaultIPAMHistory))
	}
	q := discovery.HistoryQuery{Scope: sc, CIDR: cidr, VPCID: value(in.VpcId), From: start, To: to}
	items, next, err := list(c, query{MaxResults: size, NextToken: in.NextToken, Min: minIPAMHistory, Max: maxIPAMHistory},
		source[ec2.IpamAddressHistoryRecord]{
			from: func(key string) iter.Seq2[string, ec2.IpamAddressHistoryRecord] {
				return rendered(a.Discovery.History(snap, q, key), renderHistory)
			},
			attribute: replyAttribute[ec2.IpamAddressHistoryRecord],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetIpamAddressHistoryOutput{HistoryRecords: items, NextToken: next}, nil
}

func renderHistory(rec history.Record) ec2.IpamAddressHistoryRecord {
	seen := rec.Seen[0]
	return ec2.IpamAddressHistoryRecord{
		ResourceCidr: new(rec.CIDR.String()), ResourceId: unlessEmpty(rec.ResourceID), ResourceName: unlessEmpty(rec.Name),
		ResourceType: ec2.IpamAddressHistoryResourceType(rec.Kind), ResourceOwnerId: new(rec.Account), ResourceRegion: new(rec.Region),
		ResourceComplianceStatus: ec2.IpamComplianceStatus(seen.Compliance), ResourceOverlapStatus: ec2.IpamOverlapStatus(seen.Overlap),
		VpcId: unlessEmpty(rec.VPCID), SampledStartTime: unlessZero(rec.Start), SampledEndTime: unlessZero(rec.End),
	}
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
