package server

import (
	"context"
	"errors"
	"iter"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/fsck"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/vpc"
)

func (r *rooms) newChecker(grace time.Duration) *fsck.Checker {
	return fsck.New(r.store, fsck.Options{
		Pools:    poolBooks{r.ipam},
		Networks: networkBooks{r.vpc},
		Nodes:    nodeBooks{r.elb},
		Counting: []fsck.Counting{poolBooks{r.ipam}, networkBooks{r.vpc}},
		Keepers:  r.keepers(),
		Grace:    grace,
	})
}

// keepers know the holders of allocations, by the kind that an allocation has.
// One that isn't here is reported as not checked.
func (r *rooms) keepers() map[string]fsck.Keeper {
	return map[string]fsck.Keeper{
		string(ipam.Custom):    func(store.Reader, fsck.Block) fsck.Standing { return fsck.Holds }, // bookkeeping: nobody needs to live
		string(ipam.EIP):       r.keepsAddress,
		string(ipam.VPC):       r.keepsVPC,
		string(ipam.Subnet):    r.keepsSubnet,
		string(ipam.ChildPool): r.keepsPool,

		string(ipam.PublicIPv4Pool): r.keepsPool,
	}
}

func (r *rooms) keepsAddress(rd store.Reader, b fsck.Block) fsck.Standing {
	a, ok := r.vpc.AnyAddress(rd, b.Holder.ID)
	switch {
	case !ok:
		return fsck.Gone
	case refOfDrawn(a.Drawn) == b.Ref:
		return fsck.Holds
	case b.CIDR.Contains(a.Public):
		return fsck.Disputed
	}
	return fsck.Gone
}

func (r *rooms) keepsVPC(rd store.Reader, b fsck.Block) fsck.Standing {
	v, ok := r.vpc.AnyVPC(rd, b.Holder.ID)
	if !ok {
		return fsck.Gone
	}
	return standing(v.CIDRs(), b)
}

func (r *rooms) keepsSubnet(rd store.Reader, b fsck.Block) fsck.Standing {
	n, ok := r.vpc.AnySubnet(rd, b.Holder.ID)
	if !ok {
		return fsck.Gone
	}
	return standing(n.CIDRs(), b)
}

// standing judges a living holder by the CIDRs that it has. Which allocation it says is
// its own doesn't matter: a CIDR may be allocated to it after it was made.
func standing(cidrs []vpc.CIDRBlock, b fsck.Block) fsck.Standing {
	is := func(c vpc.CIDRBlock) bool { return c.CIDR == b.CIDR }
	touches := func(c vpc.CIDRBlock) bool { return c.CIDR.Overlaps(b.CIDR) }
	switch {
	case slices.ContainsFunc(cidrs, is):
		return fsck.Holds
	case slices.ContainsFunc(cidrs, touches):
		return fsck.Disputed
	}
	return fsck.Gone
}

func (r *rooms) keepsPool(rd store.Reader, b fsck.Block) fsck.Standing {
	if r.ipam.HasCIDR(rd, b.Holder.ID, b.PoolID, b.CIDR) {
		return fsck.Holds
	}
	return fsck.Gone
}

// poolBooks is the ipam room as fsck needs it.
type poolBooks struct{ ipam *ipam.Service }

func (p poolBooks) Pools(r store.Snapshot) iter.Seq[fsck.Pool] {
	return func(yield func(fsck.Pool) bool) {
		for u := range p.ipam.Pools(r) {
			if !yield(fsck.Pool{ID: u.Pool.ID, Total: u.Total, Free: new(big.Int).Sub(u.Total, u.Taken), ReservedFor: u.Pool.ReservedFor}) {
				return
			}
		}
	}
}

func (p poolBooks) CIDRs(r store.Snapshot) iter.Seq[fsck.CIDR] {
	return each(p.ipam.BookedCIDRs(r), func(c ipam.BookedCIDR) fsck.CIDR {
		return fsck.CIDR{
			ID: c.ID, PoolID: c.PoolID, CIDR: c.CIDR, Source: c.Source, Domain: c.Domain, Space: c.Space, Usable: c.Usable, Open: c.Open,
		}
	})
}

func (p poolBooks) Blocks(r store.Snapshot) iter.Seq[fsck.Block] {
	return each(p.ipam.BookedBlocks(r), func(b ipam.Booked) fsck.Block {
		out := blockOf(b.Allocation)
		out.Misfiled = b.Misfiled
		return out
	})
}

func (p poolBooks) Block(r store.Reader, pool string, first netip.Addr) (fsck.Block, bool) {
	a, ok := p.ipam.BookedAt(r, pool, first)
	return blockOf(a), ok
}

func blockOf(a ipam.Allocation) fsck.Block {
	b := fsck.Block{
		Ref:    fsck.Ref{PoolID: a.PoolID, ID: a.ID, CIDR: a.CIDR, Seq: a.Seq},
		Holder: fsck.Holder{Kind: string(a.Holder.Type), ID: a.Holder.ResourceID, Account: a.Holder.Account, Region: a.Holder.Region},
	}
	switch a.State {
	case ipam.Held:
		b.State = fsck.Held
	case ipam.Cooling:
		b.State = fsck.Cooling
	case ipam.Staged:
		b.State = fsck.Staged
	}
	return b
}

func (p poolBooks) Ledgers(r store.Snapshot) iter.Seq[fsck.Ledger] {
	return func(yield func(fsck.Ledger) bool) {
		for pool, l := range p.ipam.BookedLedgers(r) {
			if !yield(fsck.Ledger{PoolID: pool, Seq: l.Seq, CIDRSeq: l.CIDRSeq, Lengths: l.Lengths}) {
				return
			}
		}
	}
}

func (p poolBooks) Spans(r store.Snapshot) iter.Seq[fsck.Span] {
	return each(p.ipam.BookedSpans(r), func(sp ipam.Span) fsck.Span { return fsck.Span(sp) })
}

func (p poolBooks) IsStaged(r store.Reader, ref fsck.Ref) bool {
	return p.ipam.IsStaged(r, ipam.AllocationRef(ref))
}

func (p poolBooks) ReturnOrphan(ctx context.Context, ref fsck.Ref, gone func(r store.Reader) bool, now time.Time) (bool, error) {
	return p.ipam.ReturnOrphan(ctx, ipam.AllocationRef(ref), gone, now)
}

func (p poolBooks) MendLedger(ctx context.Context, pool string) (bool, error) {
	return p.ipam.MendLedger(ctx, pool)
}

func (p poolBooks) DropCIDR(ctx context.Context, id string) (bool, error) {
	return p.ipam.DropCIDR(ctx, id)
}

func (p poolBooks) MendSpan(ctx context.Context, sp fsck.Span) (bool, error) {
	return p.ipam.MendSpan(ctx, ipam.Span(sp))
}

// errNeeded ends a transaction that has found out that a repair would be wrong.
var errNeeded = errors.New("it is needed")

func (p poolBooks) ReturnReserved(ctx context.Context, pool string, gone func(r store.Reader) bool) (bool, error) {
	err := p.ipam.Unreserve(ctx, pool, func(tx *store.Tx) error {
		if !gone(tx) {
			return errNeeded
		}
		return nil
	})
	if errors.Is(err, errNeeded) || errors.Is(err, ipam.ErrBlockInUse) {
		return false, nil
	}
	return err == nil, err
}

func (p poolBooks) Counters(r store.Snapshot) iter.Seq[fsck.Counter] {
	return each(p.ipam.Counters(r), func(c ipam.Counter) fsck.Counter { return fsck.Counter(c) })
}

func (p poolBooks) Recount(ctx context.Context, where string) (bool, error) {
	return p.ipam.Recount(ctx, where)
}

// networkBooks is the vpc room as fsck needs it.
type networkBooks struct{ vpc *vpc.Service }

func (n networkBooks) Addresses(r store.Snapshot) iter.Seq[fsck.Address] {
	return func(yield func(fsck.Address) bool) {
		for _, a := range n.vpc.AllAddresses(r) {
			if !yield(addressOf(a)) {
				return
			}
		}
	}
}

func (n networkBooks) Address(r store.Snapshot, id string) (fsck.Address, bool) {
	a, ok := n.vpc.AnyAddress(r, id)
	return addressOf(a), ok
}

func addressOf(a vpc.Address) fsck.Address {
	return fsck.Address{ID: a.ID, Public: a.Public, Block: a.Drawn.Block, InterfaceID: a.InterfaceID, Private: a.Private}
}

func (n networkBooks) Interfaces(r store.Snapshot) iter.Seq[fsck.Interface] {
	return func(yield func(fsck.Interface) bool) {
		for _, i := range n.vpc.AllInterfaces(r) {
			if !yield(n.interfaceOf(r, i)) {
				return
			}
		}
	}
}

func (n networkBooks) Interface(r store.Snapshot, id string) (fsck.Interface, bool) {
	i, ok := n.vpc.AnyInterface(r, id)
	if !ok {
		return fsck.Interface{}, false
	}
	return n.interfaceOf(r, i), true
}

func (n networkBooks) interfaceOf(r store.Snapshot, i vpc.Interface) fsck.Interface {
	subnet, _ := n.vpc.AnySubnet(r, i.SubnetID)
	out := fsck.Interface{ID: i.ID, SubnetID: i.SubnetID, Subnet: subnet.CIDR, Owner: i.Owner, IPv6: i.IPv6.Addr}
	if len(subnet.Blocks) > 0 {
		out.IPv6Block = subnet.Blocks[0].CIDR
	}
	for _, p := range i.Addresses() {
		out.Addresses = append(out.Addresses, fsck.PrivateAddress{Addr: p.Addr, AddressID: p.AddressID})
	}
	return out
}

// Claims yields what addresses, VPCs and subnets say that they were drawn as.
// An address is never without; what a VPC or a subnet has may be ignored by its
// IPAM, or its pool deleted, while it lives.
func (n networkBooks) Claims(r store.Snapshot) iter.Seq[fsck.Claim] {
	return func(yield func(fsck.Claim) bool) {
		blocks := func(who string, cidrs []vpc.CIDRBlock) bool {
			for _, c := range cidrs {
				if c.Drawn != (vpc.Drawn{}) && !yield(fsck.Claim{Who: who, Ref: refOfDrawn(c.Drawn)}) {
					return false
				}
			}
			return true
		}
		for id, a := range n.vpc.AllAddresses(r) {
			if !yield(fsck.Claim{Who: id, Ref: refOfDrawn(a.Drawn), Must: true}) {
				return
			}
		}
		for id, v := range n.vpc.AllVPCs(r) {
			if !blocks(id, v.CIDRs()) {
				return
			}
		}
		for id, subnet := range n.vpc.AllSubnets(r) {
			if !blocks(id, subnet.CIDRs()) {
				return
			}
		}
	}
}

func refOfDrawn(d vpc.Drawn) fsck.Ref {
	return fsck.Ref{PoolID: d.PoolID, ID: d.AllocationID, CIDR: d.Block, Seq: d.Seq}
}

func (n networkBooks) Counters(r store.Snapshot) iter.Seq[fsck.Counter] {
	return each(n.vpc.Counters(r), func(c vpc.Counter) fsck.Counter { return fsck.Counter(c) })
}

func (n networkBooks) Recount(ctx context.Context, where string) (bool, error) {
	return n.vpc.Recount(ctx, where)
}

// nodeBooks is the elb room as fsck needs it.
type nodeBooks struct{ elb *elb.Service }

func (n nodeBooks) Nodes(r store.Snapshot) iter.Seq[fsck.Node] {
	return func(yield func(fsck.Node) bool) {
		for id, node := range n.elb.AllNodes(r) {
			b, ok := n.elb.AnyBalancer(r, node.LoadBalancerARN)
			out := fsck.Node{
				ID: id, Balancer: node.LoadBalancerARN, Balanced: ok, Internal: b.Scheme == elb.Internal || node.NoPublicIPv4,
				Placed:      node.Phase != elb.NodeProvisioning && node.Phase != elb.NodeClosed,
				InterfaceID: node.InterfaceID, Private: node.Private, Public: node.Public,
			}
			if node.IPv6.Phase != elb.NodeClosed {
				out.IPv6 = node.IPv6.Addr
			}
			if !yield(out) {
				return
			}
		}
	}
}

func (n nodeBooks) Reserved(r store.Snapshot) iter.Seq[fsck.Reserved] {
	return func(yield func(fsck.Reserved) bool) {
		for arn, b := range n.elb.AllBalancers(r) {
			for _, k := range b.Blocks() {
				if !yield(fsck.Reserved{Balancer: arn, PoolID: k.ID, CIDR: k.CIDR}) {
					return
				}
			}
		}
	}
}

func (n nodeBooks) HasReserved(r store.Reader, balancer, pool string) bool {
	b, ok := n.elb.AnyBalancer(r, balancer)
	return ok && slices.ContainsFunc(b.Blocks(), func(k elb.Block) bool { return k.ID == pool })
}

func (n nodeBooks) HasNode(r store.Snapshot, id string) bool { return n.elb.HasNode(r, id) }

// each yields what f makes of what seq yields.
func each[A, B any](seq iter.Seq[A], f func(A) B) iter.Seq[B] {
	return func(yield func(B) bool) {
		for a := range seq {
			if !yield(f(a)) {
				return
			}
		}
	}
}
