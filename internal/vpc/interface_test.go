package vpc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/vpc"
)

func TestAnInterfaceGetsTheLowestFreeAddress(t *testing.T) {
	// I3, for private addresses: a model of the subnet says which one is next.
	for _, cidr := range []string{"10.0.0.0/28", "10.0.0.64/26", "10.0.0.0/24", "10.0.0.0/22"} {
		t.Run(cidr, func(t *testing.T) {
			r := begin(t)
			r.makeVPC(t, "vpc-1", "10.0.0.0/16")
			n := r.makeSubnet(t, "subnet-1", "vpc-1", cidr)
			var usable []netip.Addr
			for a := n.CIDR.Addr(); n.CIDR.Contains(a); a = a.Next() {
				usable = append(usable, a)
			}
			usable = usable[4 : len(usable)-1]
			held := map[netip.Addr]string{} // interface ids
			rng := rand.New(rand.NewPCG(1, uint64(n.CIDR.Bits())))
			spec := vpc.InterfaceSpec{Account: account, Region: reg, SubnetID: "subnet-1", Time: now}
			steps := 4 * len(usable)
			if testing.Short() {
				steps = len(usable) + 20
			}
			for step := range steps {
				// Up to the brim first, then up and down.
				if step > len(usable)+2 && rng.IntN(2) == 0 && len(held) > 0 {
					a := usable[rng.IntN(len(usable))]
					if id := held[a]; id != "" {
						if err := r.ReleaseServiceInterface(t.Context(), id); err != nil {
							t.Fatal(err)
						}
						delete(held, a)
					}
				} else {
					var want netip.Addr
					for _, a := range usable {
						if held[a] == "" {
							want = a
							break
						}
					}
					spec.Owner = fmt.Sprint("node-", step)
					i, err := r.CreateServiceInterface(t.Context(), spec)
					switch {
					case !want.IsValid() && !errors.Is(err, vpc.ErrSubnetFull):
						t.Fatalf("step %d: got %v, %v; want a full subnet", step, i.Private, err)
					case want.IsValid() && (err != nil || i.Private != want):
						t.Fatalf("step %d: got %v, %v; want %v", step, i.Private, err, want)
					case want.IsValid():
						held[want] = i.ID
					}
				}
				now, _ := r.Subnet(r.now(), account, reg, "subnet-1")
				if got, want := now.FreeAddresses(), len(usable)-len(held); got != want {
					t.Fatalf("step %d: got %d free addresses, want %d", step, got, want)
				}
			}
		})
	}
}

func TestAnInterfaceIsMadeOnceForItsOwner(t *testing.T) {
	r := begin(t)
	v := r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	first := r.makeInterface(t, "subnet-1", "node-1")
	if first.Private.String() != "10.0.0.4" || len(first.SecurityGroups) != 1 || first.SecurityGroups[0] != v.DefaultGroupID() {
		t.Errorf("got %+v, want 10.0.0.4 in the default group", first)
	}
	if again := r.makeInterface(t, "subnet-1", "node-1"); again.ID != first.ID || again.Private != first.Private {
		t.Errorf("again: got %+v, want %+v", again, first)
	}
	n, _ := r.Subnet(r.now(), account, reg, "subnet-1")
	if n.FreeAddresses() != 250 {
		t.Errorf("free addresses: got %d, want 250", n.FreeAddresses())
	}
	wantFault(t, r.DeleteSubnet(t.Context(), account, reg, "subnet-1"), vpc.Dependency)
	for range 2 { // what is gone is no error
		if err := r.ReleaseServiceInterface(t.Context(), first.ID); err != nil {
			t.Error(err)
		}
	}
	if err := r.DeleteSubnet(t.Context(), account, reg, "subnet-1"); err != nil {
		t.Error(err)
	}
}

func TestAnInterfaceNeedsWhatItNames(t *testing.T) {
	r := begin(t)
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	other := r.makeVPC(t, "vpc-2", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	create := func(account, subnet string, groups ...string) error {
		_, err := r.CreateServiceInterface(t.Context(), vpc.InterfaceSpec{Account: account, Region: reg, SubnetID: subnet, SecurityGroups: groups, Owner: "node"})
		return err
	}
	wantNotFound(t, create(account, "subnet-9"), vpc.KindSubnet)
	wantNotFound(t, create(stranger, "subnet-1"), vpc.KindSubnet) // I8
	wantNotFound(t, create(account, "subnet-1", "sg-9"), vpc.KindSecurityGroup)
	wantFault(t, create(account, "subnet-1", other.DefaultGroupID()), vpc.InvalidValue)
	if n, _ := r.Subnet(r.now(), account, reg, "subnet-1"); n.Held != 0 {
		t.Errorf("held after refusals: got %d, want 0 (I10)", n.Held)
	}
}

func TestConcurrentInterfacesShareNoAddress(t *testing.T) {
	// I1, for private addresses, with two servers over one engine.
	engine := memstore.New()
	servers := []*room{newRoom(t, engine, vpc.Quotas{}), newRoom(t, engine, vpc.Quotas{})}
	servers[0].makeVPC(t, "vpc-1", "10.0.0.0/16")
	servers[0].makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	if err := servers[1].st.WaitRevision(t.Context(), servers[0].now().Revision()); err != nil {
		t.Fatal(err)
	}
	const n = 40
	got := make([]vpc.Interface, 2*n)
	var wg sync.WaitGroup
	for i := range got { // each node's twice, by different servers
		wg.Go(func() {
			var err error
			got[i], err = servers[i%2].CreateServiceInterface(t.Context(), vpc.InterfaceSpec{
				Account: account, Region: reg, SubnetID: "subnet-1", Owner: fmt.Sprint("node-", i/2), Time: now,
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	holder := map[netip.Addr]string{}
	for i, eni := range got {
		if eni.ID != got[i/2*2].ID {
			t.Errorf("node %d has two interfaces", i/2)
		}
		if h := holder[eni.Private]; h != "" && h != eni.ID {
			t.Errorf("%v belongs to %s and %s", eni.Private, h, eni.ID)
		}
		holder[eni.Private] = eni.ID
	}
	for i := range n {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(4 + i)})
		if holder[a] == "" {
			t.Errorf("%v is free, with addresses above it taken (I3)", a)
		}
	}
}

func TestAnAddressIsDrawnOnceForItsInterface(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	i := r.makeInterface(t, "subnet-1", "node-1")
	j := r.makeInterface(t, "subnet-1", "node-2")

	got := make([]vpc.Address, 8)
	var wg sync.WaitGroup
	for n := range got {
		wg.Go(func() {
			var err error
			if got[n], err = r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, PoolID: "pool", Time: now}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, a := range got {
		if a.Public.String() != "192.0.2.144" || a.PoolID != "pool" || a.Private != i.Private {
			t.Errorf("got %+v, want 192.0.2.144", a)
		}
	}
	if n := r.pools.taken.Len(r.now()); n != 1 {
		t.Errorf("the pool gave %d addresses, want 1 (I2)", n)
	}
	a, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: j.ID, Time: now})
	if err != nil || a.Public.String() != "127.64.0.0" || a.PoolID != "" {
		t.Errorf("without a pool: got %+v, %v; want the provider's first", a, err)
	}
	if b, ok := r.AddressByPublic(r.now(), account, reg, a.Public); !ok || b.ID != a.ID {
		t.Errorf("by its value: got %+v, %v", b, ok)
	}
	if _, ok := r.AddressByPublic(r.now(), stranger, reg, a.Public); ok {
		t.Error("another account sees the address (I8)")
	}
}

func TestAPoolThatGivesNothingChangesNothing(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	for n := range 4 {
		i := r.makeInterface(t, "subnet-1", fmt.Sprint("node-", n))
		if _, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, PoolID: "pool"}); err != nil {
			t.Fatal(err)
		}
	}
	i := r.makeInterface(t, "subnet-1", "node-last")
	for pool, want := range map[string]error{"pool": vpc.ErrPoolExhausted, "nowhere": vpc.ErrPoolNotFound} {
		if _, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, PoolID: pool}); !errors.Is(err, want) {
			t.Errorf("from %s: got %v, want %v", pool, err, want)
		}
	}
	if _, ok := r.AddressOf(r.now(), i.ID); ok {
		t.Error("the interface has an address all the same")
	}
	_, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: "eni-9", PoolID: "pool"})
	wantNotFound(t, err, vpc.KindInterface)
}

func TestReleaseGivesBothAddressesBackOrNeither(t *testing.T) {
	r := begin(t)
	ctx := t.Context()
	r.makeVPC(t, "vpc-1", "10.0.0.0/16")
	r.makeSubnet(t, "subnet-1", "vpc-1", "10.0.0.0/24")
	i := r.makeInterface(t, "subnet-1", "node-1")
	if _, err := r.AssignServiceAddress(ctx, vpc.AddressSpec{InterfaceID: i.ID, PoolID: "pool"}); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	r.pools.fail = refused
	if err := r.ReleaseServiceInterface(ctx, i.ID); !errors.Is(err, refused) {
		t.Errorf("got %v, want the pool's refusal", err)
	}
	if _, ok := r.AddressOf(r.now(), i.ID); !ok {
		t.Error("the address record is gone, the allocation is not (I2)")
	}
	r.pools.fail = nil
	if err := r.ReleaseServiceInterface(ctx, i.ID); err != nil {
		t.Fatal(err)
	}
	_, hasENI := r.InterfaceByOwner(r.now(), "node-1")
	n, _ := r.Subnet(r.now(), account, reg, "subnet-1")
	if hasENI || n.Held != 0 || r.pools.taken.Len(r.now()) != 0 {
		t.Errorf("after release: interface %v, %d private and %d public addresses held; want nothing", hasENI, n.Held, r.pools.taken.Len(r.now()))
	}
}
