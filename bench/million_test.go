package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	ec2shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// A large installation: a hundred thousand pools, and one with up to a million
// allocations. Most of it is made without the API, which would take an hour.
const (
	manyPools   = 100_000
	blockBits   = 28                   // of an allocation in the large pool
	largeBlocks = 1 << (blockBits - 8) // what a /8 has of them: 1,048,576
	settings    = "dns: {ttl: 1s}\nipam: {quotas: {pools-per-scope: 200000, allocations-per-pool: 20000000}}\n"
	manyCIDR    = "20.0.0.0/7"   // where the many pools' CIDRs are from
	prefix      = "/fairlead/v1" // of the store's keys
	region      = "local-1"
	rootAccount = "000000000000"
)

var (
	largeCIDR = netip.MustParsePrefix("10.0.0.0/8")
	made      = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// installation is a data directory with what was made in it.
type installation struct {
	dir       string
	large     string // the pool of largeCIDR
	many      string // the source of the many pools
	allocated int    // in the large pool
}

// newInstallation makes an installation whose large pool is filled to the share,
// with pools pools beside it. Where FAIRLEAD_BENCH_DATA names a directory, it is
// kept there and later ones like it are copies of it.
func newInstallation(b *testing.B, share float64, pools int) installation {
	b.Helper()
	in := installation{dir: filepath.Join(b.TempDir(), "data"), allocated: int(share * largeBlocks)}
	kept := os.Getenv("FAIRLEAD_BENCH_DATA")
	if kept != "" {
		kept = filepath.Join(kept, fmt.Sprintf("%d-%d", in.allocated, pools))
	}
	if _, err := os.Stat(kept); kept != "" && err == nil {
		copyDir(b, kept, in.dir)
		in.look(b)
		return in
	}
	p := testkit.StartProcessWith(b, in.dir, settings)
	in.make(b, p)
	if err := p.Terminate(b); err != nil {
		b.Fatal(err)
	}
	in.look(b)
	in.fill(b, pools)
	if kept != "" {
		copyDir(b, in.dir, kept)
	}
	return in
}

// copyDir copies a directory with its modes, which keys are refused without.
func copyDir(b *testing.B, from, to string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		b.Fatalf("copy %s: %v\n%s", from, err, out)
	}
}

// look finds the installation's two first pools.
func (in *installation) look(b *testing.B) {
	b.Helper()
	p := testkit.StartProcessWith(b, in.dir, settings)
	in.large, in.many = find(b, p, "large"), find(b, p, "many")
	if err := p.Terminate(b); err != nil {
		b.Fatal(err)
	}
}

// find returns the id of the pool with the description.
func find(b *testing.B, p *testkit.Process, description string) string {
	in := ec2shapes.DescribeIpamPoolsInput{Filters: []ec2shapes.Filter{{Name: new("description"), Values: []string{description}}}}
	for {
		var out ec2shapes.DescribeIpamPoolsOutput
		must(b, clientOf(p), "DescribeIpamPools", &in, &out)
		if len(out.IpamPools) > 0 {
			return *out.IpamPools[0].IpamPoolId
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			b.Fatalf("no pool is described as %q", description)
		}
	}
}

// make makes the IPAM and its first two pools as a user does.
func (in installation) make(b *testing.B, p *testkit.Process) {
	c := clientOf(p)
	var i ec2shapes.CreateIpamOutput
	must(b, c, "CreateIpam", &ec2shapes.CreateIpamInput{}, &i)
	for description, cidr := range map[string]string{"large": largeCIDR.String(), "many": manyCIDR} {
		var pool ec2shapes.CreateIpamPoolOutput
		must(b, c, "CreateIpamPool", &ec2shapes.CreateIpamPoolInput{IpamScopeId: i.Ipam.PrivateDefaultScopeId, AddressFamily: "ipv4", Locale: new(region), Description: new(description)}, &pool)
		must(b, c, "ProvisionIpamPoolCidr", &ec2shapes.ProvisionIpamPoolCidrInput{IpamPoolId: pool.IpamPool.IpamPoolId, Cidr: new(cidr)}, &ec2shapes.ProvisionIpamPoolCidrOutput{})
	}
}

// fill writes the state: records of pools as the ipam room has them, what is
// allocated in pools through the room.
func (in installation) fill(b *testing.B, pools int) {
	b.Helper()
	e, err := etcd.Open(context.Background(), etcd.Options{Dir: filepath.Join(in.dir, "store")})
	if err != nil {
		b.Fatal(err)
	}
	wants := append(in.makePools(b, e, pools), in.blocks()...)

	log := slog.New(slog.DiscardHandler)
	st := store.New(e, prefix, log)
	svc := ipam.New(st, tags.New(st), idempotency.New(st), ipam.Options{Log: log, Quotas: ipam.Quotas{AllocationsPerPool: math.MaxInt}})
	if err := st.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var room sync.WaitGroup
	room.Go(func() { svc.Run(ctx) })
	each(wants, func(w ipam.Want) {
		if _, err := svc.Draw(ctx, w, func(*store.Tx, ipam.Allocation) error { return nil }); err != nil {
			b.Error(err)
		}
	})
	cancel()
	room.Wait()
	st.Close()
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
}

// blocks returns what is to be allocated in the large pool: every second block
// for an elastic IP, the others for VPCs. They are as if all had been allocated
// in order and random ones been released.
func (in installation) blocks() []ipam.Want {
	places := rand.New(rand.NewPCG(1, 2)).Perm(largeBlocks)[:in.allocated]
	slices.Sort(places)
	wants := make([]ipam.Want, 0, len(places))
	for i, place := range places {
		w := ipam.Want{
			PoolID: in.large, CIDR: block(largeCIDR, place, blockBits), Time: made.Add(time.Duration(i) * time.Millisecond),
			Holder: ipam.Holder{Type: ipam.VPC, ResourceID: ids.EC2("vpc"), Account: rootAccount, Region: region},
		}
		if i%2 == 0 {
			w.Holder.Type, w.Holder.ResourceID = ipam.EIP, ids.EC2("eipalloc")
		}
		wants = append(wants, w)
	}
	return wants
}

// block returns block n of so many bits in a CIDR.
func block(within netip.Prefix, n, bits int) netip.Prefix {
	a := within.Addr().As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+uint32(n)<<(32-bits))
	return netip.PrefixFrom(netip.AddrFrom4(a), bits)
}

// makePools makes n child pools of the pool with manyCIDR, each with a /24, and
// returns what is still to be allocated for them.
func (in installation) makePools(b *testing.B, e store.Engine, n int) []ipam.Want {
	b.Helper()
	st := store.New(e, prefix, slog.New(slog.DiscardHandler))
	scopes := store.NewCollection[ipam.Scope](st, "ipam.scope", 1)
	pools := store.NewCollection[ipam.Pool](st, "ipam.pool", 1)
	ledgers := store.NewCollection[ipam.Ledger](st, "ipam.ledger", 1)
	cidrs := store.NewCollection[ipam.PoolCIDR](st, "ipam.cidr", 1)
	if err := st.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	update := func(f func(tx *store.Tx)) {
		if err := st.Update(context.Background(), func(tx *store.Tx) error { f(tx); return nil }); err != nil {
			b.Error(err)
		}
	}
	source, _ := pools.Get(st.Snapshot(), in.many)
	wants := make([]ipam.Want, n)
	const chunk = store.MaxTxnOps / 3
	each(slices.Collect(func(yield func(int) bool) {
		for first := 0; first < n && yield(first); first += chunk {
		}
	}), func(first int) {
		update(func(tx *store.Tx) {
			for i := first; i < min(first+chunk, n); i++ {
				p := source
				p.ID, p.SourcePoolID, p.Depth, p.Description = ids.EC2("ipam-pool"), source.ID, 2, fmt.Sprintf("tenant %d", i)
				c := ipam.PoolCIDR{
					ID: ids.New("ipam-pool-cidr-", 33), PoolID: p.ID, CIDR: block(netip.MustParsePrefix(manyCIDR), i, 24), NetmaskLength: 24,
					State: ipam.Provisioned, Created: made,
				}
				pools.Put(tx, p.ID, p)
				ledgers.Put(tx, p.ID, ipam.Ledger{Seq: 1, CIDRSeq: 1})
				cidrs.Put(tx, c.ID, c)
				wants[i] = ipam.Want{
					PoolID: source.ID, CIDR: c.CIDR, Time: made,
					Holder: ipam.Holder{Type: ipam.ChildPool, ResourceID: p.ID, Account: p.Account, Region: p.Region},
				}
			}
		})
	})
	update(func(tx *store.Tx) {
		s, _ := scopes.Get(tx, source.ScopeID)
		s.PoolCount += n
		scopes.Put(tx, s.ID, s)
	})
	return wants
}

// each has f called with every item, 128 at a time, begun in order.
func each[T any](items []T, f func(T)) {
	next := make(chan T)
	var workers sync.WaitGroup
	for range 128 {
		workers.Go(func() {
			for item := range next {
				f(item)
			}
		})
	}
	for _, item := range items {
		next <- item
	}
	close(next)
	workers.Wait()
}

func clientOf(p *testkit.Process) *wire.Client {
	return &wire.Client{Endpoint: p.API, Spec: ec2.Spec, Region: p.Region, AccessKeyID: p.Key.ID, Secret: p.Key.Secret}
}

func must(b *testing.B, c *wire.Client, action string, in, out any) {
	b.Helper()
	if err := c.Do(b.Context(), action, in, out); err != nil {
		b.Fatalf("%s: %v", action, err)
	}
}
