package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/fsck"
	"github.com/fairlead/fairlead/internal/ipam"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
)

// estate is a pair of servers with something of everything that holds addresses.
type estate struct {
	*pair
	t testing.TB

	address, eni string       // of the pool, associated with the interface
	free         string       // an address of the provider's, associated with nothing
	private      string       // the private scope
	top, child   string       // pools: 10.64.0.0/12, and 10.64.0.0/16 of it
	drawn        string       // a VPC of the child's, 10.64.0.0/24
	custom       netip.Prefix // an allocation of the child's
	carved       string       // a pool of Amazon's, with a /30
	public       string       // a public IPv4 pool: 192.0.2.148/30, of pool
	drawnFrom    string       // an address of public
	plan         string       // a planning pool of vpc's 10.0.0.0/16, with subnet and planned in it
	planned      string       // a subnet of the plan's
	noticed      string       // a pool whose CIDR, 10.96.0.0/16, may not be used yet
	manager      string       // the IPAM
	publicScope  string
}

func newEstate(t testing.TB) *estate {
	t.Helper()
	e := &estate{pair: newPair(t, 0), t: t}
	e.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &e.gateway, VpcId: &e.vpc}, nil)
	var a, b shapes.AllocateAddressOutput
	e.must(t, "AllocateAddress", &shapes.AllocateAddressInput{IpamPoolId: &e.pool}, &a)
	e.must(t, "AllocateAddress", &shapes.AllocateAddressInput{}, &b)
	e.address, e.free = *a.AllocationId, *b.AllocationId
	var i shapes.CreateNetworkInterfaceOutput
	e.must(t, "CreateNetworkInterface", &shapes.CreateNetworkInterfaceInput{SubnetId: &e.subnet, SecondaryPrivateIpAddressCount: new(int32(2))}, &i)
	e.eni = *i.NetworkInterface.NetworkInterfaceId
	e.must(t, "AssociateAddress", &shapes.AssociateAddressInput{AllocationId: &e.address, NetworkInterfaceId: &e.eni}, nil)

	var managers shapes.DescribeIpamsOutput
	e.must(t, "DescribeIpams", &shapes.DescribeIpamsInput{}, &managers)
	e.manager = *managers.Ipams[0].IpamId
	e.private, e.publicScope = *managers.Ipams[0].PrivateDefaultScopeId, *managers.Ipams[0].PublicDefaultScopeId
	e.top = e.newPool(&shapes.CreateIpamPoolInput{IpamScopeId: &e.private, AddressFamily: "ipv4", Locale: new(locale)})
	e.provision(e.top, "10.64.0.0/12")
	e.child = e.newPool(&shapes.CreateIpamPoolInput{IpamScopeId: &e.private, AddressFamily: "ipv4", Locale: new(locale), SourceIpamPoolId: &e.top})
	e.provision(e.child, "10.64.0.0/16")
	var v shapes.CreateVpcOutput
	e.must(t, "CreateVpc", &shapes.CreateVpcInput{Ipv4IpamPoolId: &e.child, Ipv4NetmaskLength: new(int32(24))}, &v)
	e.drawn = *v.Vpc.VpcId
	var c shapes.AllocateIpamPoolCidrOutput
	e.must(t, "AllocateIpamPoolCidr", &shapes.AllocateIpamPoolCidrInput{IpamPoolId: &e.child, NetmaskLength: new(int32(26))}, &c)
	e.custom = netip.MustParsePrefix(*c.IpamPoolAllocation.Cidr)
	e.carved = e.newPool(&shapes.CreateIpamPoolInput{IpamScopeId: &e.publicScope, AddressFamily: "ipv4", Locale: new(locale), PublicIpSource: "amazon", AwsService: "ec2"})
	e.must(t, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &e.carved, NetmaskLength: new(int32(30))}, nil)
	e.publicPool()
	e.plans()
	return e
}

// publicPool makes a public IPv4 pool out of the tenant's, and an address of it.
func (e *estate) publicPool() {
	e.t.Helper()
	var p shapes.CreatePublicIpv4PoolOutput
	e.must(e.t, "CreatePublicIpv4Pool", &shapes.CreatePublicIpv4PoolInput{}, &p)
	e.public = *p.PoolId
	e.must(e.t, "ProvisionPublicIpv4PoolCidr", &shapes.ProvisionPublicIpv4PoolCidrInput{PoolId: &e.public, IpamPoolId: &e.pool, NetmaskLength: new(int32(30))}, nil)
	var a shapes.AllocateAddressOutput
	e.must(e.t, "AllocateAddress", &shapes.AllocateAddressInput{PublicIpv4Pool: &e.public}, &a)
	e.drawnFrom = *a.AllocationId
}

// plans makes what plans: a planning pool, and one with a notice period.
func (e *estate) plans() {
	e.t.Helper()
	e.plan = e.newPool(&shapes.CreateIpamPoolInput{
		IpamScopeId: &e.private, AddressFamily: "ipv4", Locale: new(locale),
		SourceResource: &shapes.IpamPoolSourceResourceRequest{ResourceId: &e.vpc, ResourceType: "vpc", ResourceRegion: new(locale), ResourceOwner: new(tenant)},
	})
	e.provision(e.plan, "10.0.0.0/16")
	var n shapes.CreateSubnetOutput
	e.must(e.t, "CreateSubnet", &shapes.CreateSubnetInput{VpcId: &e.vpc, Ipv4IpamPoolId: &e.plan, Ipv4NetmaskLength: new(int32(24))}, &n)
	e.planned = *n.Subnet.SubnetId
	e.noticed = e.newPool(&shapes.CreateIpamPoolInput{
		IpamScopeId: &e.private, AddressFamily: "ipv4", Locale: new(locale),
		TagSpecifications: []shapes.TagSpecification{{ResourceType: "ipam-pool", Tags: []shapes.Tag{{Key: new(ipam.TagNotice), Value: new("72h")}}}},
	})
	e.provision(e.noticed, "10.96.0.0/16")
	e.must(e.t, "AssociateVpcCidrBlock", &shapes.AssociateVpcCidrBlockInput{VpcId: &e.drawn, AmazonProvidedIpv6CidrBlock: new(true)}, nil)
}

// reserve makes a block for a load balancer, which isn't told.
func (e *estate) reserve(arn string) elb.Block {
	e.t.Helper()
	r, err := e.rooms[0].ipam.Reserve(e.t.Context(), ipam.Reserve{
		ID: "reserved-1", CIDRID: "ipam-pool-cidr-1", AllocationID: ipam.NewAllocationID(time.Now()), Account: tenant, Region: locale,
		PoolID: e.pool, For: arn, NetmaskLength: 31, Time: time.Now(),
	}, func(*store.Tx, ipam.Reservation) error { return nil })
	if err != nil {
		e.t.Fatal(err)
	}
	e.damaged = true
	return elb.Block{ID: r.PoolID, PoolID: e.pool, CIDR: r.CIDR}
}

func (e *estate) newPool(in *shapes.CreateIpamPoolInput) string {
	e.t.Helper()
	var out shapes.CreateIpamPoolOutput
	e.must(e.t, "CreateIpamPool", in, &out)
	return *out.IpamPool.IpamPoolId
}

func (e *estate) provision(pool, cidr string) {
	e.t.Helper()
	e.must(e.t, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &pool, Cidr: &cidr}, nil)
}

// write puts a record past all rooms; nil deletes it.
func (e *estate) write(collection, key string, v any) {
	e.t.Helper()
	e.commit(e.op(collection, key, v))
}

func (e *estate) op(collection, key string, v any) store.Op {
	e.t.Helper()
	op := store.Op{Key: "/fairlead/v1/" + collection + "/" + key, Delete: v == nil}
	if v != nil {
		b, err := json.Marshal(v)
		if err != nil {
			e.t.Fatal(err)
		}
		op.Value = append([]byte("1 "), b...)
	}
	return op
}

func (e *estate) commit(ops ...store.Op) {
	e.t.Helper()
	res, err := e.engine.Commit(context.Background(), store.Txn{Ops: ops})
	if err != nil {
		e.t.Fatal(err)
	}
	e.damaged = true
	for _, r := range e.rooms {
		if err := r.store.WaitRevision(context.Background(), res.Revision); err != nil {
			e.t.Fatal(err)
		}
	}
}

// edit changes a record past all rooms.
func edit[T any](e *estate, collection, key string, change func(*T)) {
	e.t.Helper()
	found := false
	full := "/fairlead/v1/" + collection + "/" + key
	var v T
	_, err := e.engine.Load(context.Background(), full, func(kv store.KV) error {
		if kv.Key != full {
			return nil
		}
		found = true
		return json.Unmarshal(kv.Value[2:], &v)
	})
	if err != nil || !found {
		e.t.Fatalf("%s: %v, found: %v", full, err, found)
	}
	change(&v)
	e.write(collection, key, v)
}

func blockKey(pool, first string) string {
	return fmt.Sprintf("%s/%x", pool, netip.MustParseAddr(first).AsSlice())
}

// editPool changes a pool's allocations past all rooms. They are stored in pages;
// here each is written by itself, as an older program did.
func (e *estate) editPool(pool string, change func(blocks map[string]ipam.Allocation)) {
	e.t.Helper()
	before := map[string]ipam.Allocation{}
	for b := range e.rooms[0].ipam.BookedBlocks(e.rooms[0].store.Snapshot()) {
		if b.PoolID == pool {
			before[blockKey(pool, b.CIDR.Addr().String())] = b.Allocation
		}
	}
	after := maps.Clone(before)
	change(after)
	ops := map[string]store.Op{}
	_, err := e.engine.Load(context.Background(), "/fairlead/v1/ipam.allocation/"+pool+"/", func(kv store.KV) error {
		ops[kv.Key] = store.Op{Key: kv.Key, Delete: true}
		return nil
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for key, a := range after {
		op := e.op("ipam.allocation", key, a)
		ops[op.Key] = op
	}
	e.commit(slices.Collect(maps.Values(ops))...)
}

// editBlock changes an allocation past all rooms.
func (e *estate) editBlock(pool, first string, change func(*ipam.Allocation)) {
	e.t.Helper()
	e.editPool(pool, func(blocks map[string]ipam.Allocation) {
		a, ok := blocks[blockKey(pool, first)]
		if !ok {
			e.t.Fatalf("no allocation at %s in %s", first, pool)
		}
		change(&a)
		blocks[blockKey(pool, first)] = a
	})
}

// dropBlock ends an allocation past all rooms.
func (e *estate) dropBlock(pool, first string) {
	e.t.Helper()
	e.editPool(pool, func(blocks map[string]ipam.Allocation) { delete(blocks, blockKey(pool, first)) })
}

// block is an allocation that nobody made.
func (e *estate) block(pool, cidr string, h ipam.Holder) {
	c := netip.MustParsePrefix(cidr)
	a := ipam.Allocation{ID: "ipam-pool-alloc-0badc0de", PoolID: pool, CIDR: c, Holder: h, Created: time.Now()}
	edit(e, "ipam.ledger", pool, func(l *ipam.Ledger) {
		l.Seq++
		a.Seq = l.Seq
		if n, ok := slices.BinarySearch(l.Lengths, c.Bits()); !ok {
			l.Lengths = slices.Insert(l.Lengths, n, c.Bits())
		}
	})
	e.editPool(pool, func(blocks map[string]ipam.Allocation) { blocks[blockKey(pool, c.Addr().String())] = a })
}

func holder(kind ipam.ResourceType, id string) ipam.Holder {
	return ipam.Holder{Type: kind, ResourceID: id, Account: tenant, Region: locale}
}

// cidrID returns the id of a pool's one CIDR.
func (e *estate) cidrID(pool string) string {
	e.t.Helper()
	for _, c := range e.rooms[0].ipam.CIDRs(e.rooms[0].store.Snapshot(), pool, "") {
		return c.ID
	}
	e.t.Fatalf("pool %s has no CIDR", pool)
	return ""
}

func (e *estate) checker(grace time.Duration) *fsck.Checker { return e.rooms[0].newChecker(grace) }
