package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/ids"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

// I1: two servers over one store. While one's clients make VPCs in the space of
// a pool with AutoImport, and delete some, the other's take blocks of the pool.
// Nobody who asks after a VPC's creation has been answered is given a part of its
// space, imported or not; and in the end what is allocated for VPCs is what
// VPCs have (I2).
func TestAVPCsSpaceIsNeverGivenAway(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Engine{
		"memstore": func(*testing.T) store.Engine { return memstore.New() },
		"etcd": func(t *testing.T) store.Engine {
			if testing.Short() {
				t.Skip("needs a disk")
			}
			e, err := etcd.Open(t.Context(), etcd.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = e.Close() })
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			engine := open(t)
			a, b := newSite(t, engine).run(), newSite(t, engine).run()
			for round := range 12 { // an account each, since an account has few VPCs
				raceForSpace(t, [2]*site{a, b}, fmt.Sprintf("%012d", round+1))
			}
		})
	}
}

// late is an engine whose watch tells nothing new until it is let go.
type late struct {
	store.Engine
	hold atomic.Bool
	free chan struct{}
}

func (l *late) Watch(ctx context.Context, prefix string, after int64, each func(store.Batch) error) error {
	return l.Engine.Watch(ctx, prefix, after, func(b store.Batch) error {
		if l.hold.Load() {
			select {
			case <-l.free:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return each(b)
	})
}

// I1: a server that hasn't heard of a VPC yet, which another has made and
// answered, can't give its space away either: the set of VPCs is guarded.
func TestAServerThatIsBehindGivesNoVPCsSpaceAway(t *testing.T) {
	engine := memstore.New()
	behind := &late{Engine: engine, free: make(chan struct{})}
	a, b := newSite(t, engine), newSite(t, behind) // a's importer would change the pool
	pool := a.poolOf(a.ipamOf(tenant), "10.0.0.0/18", true)
	allocate := func() (netip.Prefix, error) {
		// A commit that succeeds waits until it is seen, which it isn't for now.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		al, err := b.ipam.Allocate(ctx, ipam.Allocate{
			ID: ipam.NewAllocationID(time.Now()), Account: tenant, Region: home, PoolID: pool, NetmaskLength: new(24), Time: time.Now().UTC(),
		}, nil)
		return al.CIDR, err
	}
	if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	behind.hold.Store(true)
	a.vpcOf(tenant, "10.0.0.0/20")
	got, err := allocate()
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("while it is behind: got %v, %v, want no decision", got, err)
	}
	close(behind.free)
	if err := b.store.WaitRevision(t.Context(), a.store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	if got, err = allocate(); err != nil || got.String() != "10.0.16.0/24" {
		t.Errorf("when it has heard of it: got %v, %v, want 10.0.16.0/24", got, err)
	}
	for _, s := range []*site{a, b} { // nobody else ends the writers
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.ipam.Run(ctx)
	}
}

// live is a VPC between the answer to its creation and the call of its deletion.
type live struct {
	id          string
	cidr        netip.Prefix
	since, till time.Time // till is zero for one that stays
}

type given struct {
	cidr  netip.Prefix
	asked time.Time
}

func raceForSpace(t *testing.T, sites [2]*site, account string) {
	i := sites[0].ipamOf(account)
	pool := sites[0].poolOf(i, "10.0.0.0/18", true)
	if err := sites[1].store.WaitRevision(t.Context(), sites[0].store.Snapshot().Revision()); err != nil {
		t.Fatal(err)
	}
	var (
		mu     sync.Mutex
		vpcs   []live
		blocks []given
		all    sync.WaitGroup
	)
	for n := range 4 {
		all.Go(func() {
			s := sites[n%2]
			v := live{id: ids.EC2("vpc"), cidr: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(16 * n), 0}), 21+n%2)}
			_, err := s.vpc.CreateVPC(t.Context(), vpc.VPCSpec{ID: v.id, Account: account, Region: home, CIDR: v.cidr, Time: time.Now().UTC()})
			v.since = time.Now()
			if err != nil {
				t.Error(err)
				return
			}
			if n == 3 {
				v.till = time.Now()
				other := sites[(n+1)%2]
				if err := other.store.WaitRevision(t.Context(), s.store.Snapshot().Revision()); err != nil {
					t.Error(err)
				}
				if err := other.vpc.DeleteVPC(t.Context(), account, home, v.id); err != nil {
					t.Error(err)
				}
			}
			mu.Lock()
			vpcs = append(vpcs, v)
			mu.Unlock()
		})
	}
	for n := range 8 {
		all.Go(func() {
			for range 12 {
				asked := time.Now()
				al, err := sites[n%2].ipam.Allocate(t.Context(), ipam.Allocate{
					ID: ipam.NewAllocationID(asked), Account: account, Region: home, PoolID: pool, NetmaskLength: new(24 + n%4), Time: asked.UTC().Round(0),
				}, nil)
				if errors.Is(err, ipam.ErrPoolExhausted) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				blocks = append(blocks, given{al.CIDR, asked})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, g := range blocks {
		for _, v := range vpcs {
			if v.till.IsZero() && g.asked.After(v.since) && g.cidr.Overlaps(v.cidr) {
				t.Errorf("account %s: %s was given %s after %s had come to have %s", account, g.cidr, g.asked.Sub(v.since), v.id, v.cidr)
			}
		}
	}
	// What can be imported is, and nothing is held for who is gone.
	wanted := map[string]bool{}
	for _, v := range vpcs {
		free := v.till.IsZero()
		for _, g := range blocks {
			free = free && !g.cidr.Overlaps(v.cidr)
		}
		if free {
			wanted[v.id] = true
		}
	}
	holds := func() map[string]bool {
		got := map[string]bool{}
		for _, al := range sites[0].ipam.Allocations(sites[0].store.Snapshot(), pool, "") {
			if al.Holder.Type == ipam.VPC {
				got[al.Holder.ResourceID] = true
			}
		}
		return got
	}
	sites[0].eventually(fmt.Sprintf("account %s: allocations for exactly %v, got %v", account, wanted, holds()), func() bool {
		return fmt.Sprint(holds()) == fmt.Sprint(wanted)
	})
}
