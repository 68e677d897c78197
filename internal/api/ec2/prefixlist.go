package ec2

import (
	"context"
	"fmt"
	"iter"
	"net/netip"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

func (a *API) registerPrefixLists(svc *wire.Service) {
	handle(svc, "CreateManagedPrefixList", a.createPrefixList)
	handle(svc, "DescribeManagedPrefixLists", a.describePrefixLists)
	handle(svc, "ModifyManagedPrefixList", a.modifyPrefixList)
	handle(svc, "RestoreManagedPrefixListVersion", a.restorePrefixListVersion)
	handle(svc, "DeleteManagedPrefixList", a.deletePrefixList)
	handle(svc, "GetManagedPrefixListEntries", a.getPrefixListEntries)
	handle(svc, "GetManagedPrefixListAssociations", a.getPrefixListAssociations)
	handle(svc, "DescribePrefixLists", a.describeServicePrefixLists)
}

func (a *API) createPrefixList(ctx context.Context, c *wire.Call, in *ec2.CreateManagedPrefixListInput) (*ec2.CreateManagedPrefixListOutput, error) {
	tg, err := specifiedTags(in.TagSpecifications, prefixlist.TagType)
	if err != nil {
		return nil, err
	}
	tok, err := token(c, in.ClientToken)
	if err != nil {
		return nil, err
	}
	entries, err := entriesToAdd(in.Entries)
	if err != nil {
		return nil, err
	}
	l, err := a.PrefixLists.Create(ctx, prefixlist.Create{
		ID: ids.EC2("pl"), Account: c.Account, Region: c.Region, Name: *in.PrefixListName, Family: prefixlist.Family(*in.AddressFamily),
		MaxEntries: int(*in.MaxEntries), Entries: entries, Tags: tg, Token: tok, Time: c.Now,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderPrefixList(a.Store.Snapshot(), l)
	out.State = ec2.PrefixListStateCreateInProgress
	return &ec2.CreateManagedPrefixListOutput{PrefixList: &out}, nil
}

func entriesToAdd(in []ec2.AddPrefixListEntry) ([]prefixlist.Entry, error) {
	var entries []prefixlist.Entry
	for _, e := range in {
		p, err := parseCIDR(*e.Cidr, "cidr")
		if err != nil {
			return nil, err
		}
		entries = append(entries, prefixlist.Entry{CIDR: p, Description: value(e.Description)})
	}
	return entries, nil
}

func (a *API) modifyPrefixList(ctx context.Context, c *wire.Call, in *ec2.ModifyManagedPrefixListInput) (*ec2.ModifyManagedPrefixListOutput, error) {
	add, err := entriesToAdd(in.AddEntries)
	if err != nil {
		return nil, err
	}
	var remove []netip.Prefix
	for _, e := range in.RemoveEntries {
		p, err := parseCIDR(*e.Cidr, "cidr")
		if err != nil {
			return nil, err
		}
		remove = append(remove, p)
	}
	l, err := a.PrefixLists.Modify(ctx, prefixlist.Modify{
		ID: *in.PrefixListId, Account: c.Account, Region: c.Region, CurrentVersion: in.CurrentVersion, Name: in.PrefixListName,
		MaxEntries: length(in.MaxEntries), Add: add, Remove: remove, Sync: in.IpamPrefixListResolverSyncEnabled,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderPrefixList(a.Store.Snapshot(), l)
	out.State, out.StateMessage = ec2.PrefixListStateModifyInProgress, nil
	return &ec2.ModifyManagedPrefixListOutput{PrefixList: &out}, nil
}

func (a *API) restorePrefixListVersion(ctx context.Context, c *wire.Call, in *ec2.RestoreManagedPrefixListVersionInput) (*ec2.RestoreManagedPrefixListVersionOutput, error) {
	l, err := a.PrefixLists.Restore(ctx, prefixlist.Restore{
		ID: *in.PrefixListId, Account: c.Account, Region: c.Region, CurrentVersion: *in.CurrentVersion, PreviousVersion: *in.PreviousVersion,
	}, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderPrefixList(a.Store.Snapshot(), l)
	out.State = ec2.PrefixListStateRestoreInProgress
	return &ec2.RestoreManagedPrefixListVersionOutput{PrefixList: &out}, nil
}

func (a *API) deletePrefixList(ctx context.Context, c *wire.Call, in *ec2.DeleteManagedPrefixListInput) (*ec2.DeleteManagedPrefixListOutput, error) {
	before := a.Store.Snapshot() // after the deletion the tags are gone
	l, err := a.PrefixLists.Delete(ctx, c.Account, c.Region, *in.PrefixListId, c.CheckDryRun)
	if err != nil {
		return nil, err
	}
	out := a.renderPrefixList(before, l)
	out.State, out.StateMessage = ec2.PrefixListStateDeleteInProgress, nil
	return &ec2.DeleteManagedPrefixListOutput{PrefixList: &out}, nil
}

// MaxResults of calls about prefix lists (EC2 PrefixListMaxResults,
// GetManagedPrefixListAssociationsMaxResults).
const (
	minPrefixLists            = 1
	maxPrefixLists            = 100
	minPrefixListAssociations = 5
	maxPrefixListAssociations = 255
)

func (a *API) describePrefixLists(_ context.Context, c *wire.Call, in *ec2.DescribeManagedPrefixListsInput) (*ec2.DescribeManagedPrefixListsOutput, error) {
	snap := a.Store.Snapshot()
	items, next, err := list(c, query{IDs: in.PrefixListIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minPrefixLists, Max: maxPrefixLists},
		source[ec2.ManagedPrefixList]{
			from: func(key string) iter.Seq2[string, ec2.ManagedPrefixList] {
				return rendered(a.PrefixLists.Lists(snap, c.Account, c.Region, key), func(l prefixlist.List) ec2.ManagedPrefixList { return a.renderPrefixList(snap, l) })
			},
			get: func(id string) (ec2.ManagedPrefixList, bool) {
				l, ok := a.PrefixLists.List(snap, c.Account, c.Region, id)
				return a.renderPrefixList(snap, l), ok
			},
			absent:    prefixListAbsent,
			attribute: replyAttribute[ec2.ManagedPrefixList],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeManagedPrefixListsOutput{PrefixLists: items, NextToken: next}, nil
}

func prefixListAbsent(id string) error { return &prefixlist.NotFoundError{ID: id} }

func (a *API) renderPrefixList(r store.Reader, l prefixlist.List) ec2.ManagedPrefixList {
	out := ec2.ManagedPrefixList{
		PrefixListId: new(l.ID), PrefixListArn: new(arn.New("ec2", l.Region, l.Account, "prefix-list/"+l.ID).String()),
		PrefixListName: new(l.Name), AddressFamily: new(string(l.Family)), MaxEntries: new(int32(l.MaxEntries)), Version: new(l.Version),
		OwnerId: new(l.Account), State: ec2.PrefixListState(l.State), StateMessage: unlessEmpty(l.StateMessage),
		IpamPrefixListResolverTargetId: unlessEmpty(l.TargetID), Tags: renderTags(a.Tags.Of(r, l.ID)),
	}
	if l.TargetID != "" {
		out.IpamPrefixListResolverSyncEnabled = new(l.Sync)
	}
	return out
}

// getPrefixListEntries goes on with the version that it began with, so that a
// change between two pages leaves nothing out.
func (a *API) getPrefixListEntries(_ context.Context, c *wire.Call, in *ec2.GetManagedPrefixListEntriesInput) (*ec2.GetManagedPrefixListEntriesOutput, error) {
	snap := a.Store.Snapshot()
	l, ok := a.PrefixLists.List(snap, c.Account, c.Region, *in.PrefixListId)
	if !ok {
		return nil, prefixListAbsent(*in.PrefixListId)
	}
	number := l.Version
	if in.TargetVersion != nil {
		number = *in.TargetVersion
	}
	if _, ok := a.PrefixLists.Entries(snap, l, number); !ok {
		return nil, invalid(number, "targetVersion", fmt.Sprintf("The prefix list has the versions %d to %d.", l.Oldest, l.Version))
	}
	items, next, err := list(c, query{MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minPrefixLists, Max: maxPrefixLists},
		source[ec2.PrefixListEntry]{
			from: func(key string) iter.Seq2[string, ec2.PrefixListEntry] {
				first := 0
				if n, err := fmt.Sscanf(key, "%d/%d", &number, &first); key != "" && (n != 2 || err != nil) {
					return func(func(string, ec2.PrefixListEntry) bool) {}
				}
				entries, _ := a.PrefixLists.Entries(snap, l, number)
				return func(yield func(string, ec2.PrefixListEntry) bool) {
					for i := max(first, 0); i < len(entries); i++ {
						e := ec2.PrefixListEntry{Cidr: new(entries[i].CIDR.String()), Description: unlessEmpty(entries[i].Description)}
						if !yield(fmt.Sprintf("%d/%d", number, i), e) {
							return
						}
					}
				}
			},
			attribute: replyAttribute[ec2.PrefixListEntry],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetManagedPrefixListEntriesOutput{Entries: items, NextToken: next}, nil
}

func (a *API) getPrefixListAssociations(_ context.Context, c *wire.Call, in *ec2.GetManagedPrefixListAssociationsInput) (*ec2.GetManagedPrefixListAssociationsOutput, error) {
	snap := a.Store.Snapshot()
	l, ok := a.PrefixLists.List(snap, c.Account, c.Region, *in.PrefixListId)
	if !ok {
		return nil, prefixListAbsent(*in.PrefixListId)
	}
	items, next, err := list(c, query{MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minPrefixListAssociations, Max: maxPrefixListAssociations},
		source[ec2.PrefixListAssociation]{
			from: func(key string) iter.Seq2[string, ec2.PrefixListAssociation] {
				return func(yield func(string, ec2.PrefixListAssociation) bool) {
					for id := range a.PrefixLists.Users(snap, l, key) {
						if !yield(id, ec2.PrefixListAssociation{ResourceId: new(id), ResourceOwner: new(c.Account)}) {
							return
						}
					}
				}
			},
			attribute: replyAttribute[ec2.PrefixListAssociation],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.GetManagedPrefixListAssociationsOutput{PrefixListAssociations: items, NextToken: next}, nil
}

// describeServicePrefixLists tells of the lists of the provider's own services
// (EC2 DescribePrefixLists). There are none.
func (a *API) describeServicePrefixLists(_ context.Context, c *wire.Call, in *ec2.DescribePrefixListsInput) (*ec2.DescribePrefixListsOutput, error) {
	items, next, err := list(c, query{IDs: in.PrefixListIds, Filters: in.Filters, MaxResults: in.MaxResults, NextToken: in.NextToken, Min: minIPAMResults, Max: maxIPAMResults},
		source[ec2.PrefixList]{
			from:      func(string) iter.Seq2[string, ec2.PrefixList] { return func(func(string, ec2.PrefixList) bool) {} },
			get:       func(string) (ec2.PrefixList, bool) { return ec2.PrefixList{}, false },
			absent:    prefixListAbsent,
			attribute: replyAttribute[ec2.PrefixList],
		})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribePrefixListsOutput{PrefixLists: items, NextToken: next}, nil
}
