package ipam_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

var errLost = errors.New("connection lost")

// faulty is an engine that loses its connection at the next commit.
type faulty struct {
	store.Engine
	before, after atomic.Bool // whether the commit is made first
	each          func()      // nil, or called at every commit
}

func (f *faulty) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if f.each != nil {
		f.each()
	}
	if f.before.CompareAndSwap(true, false) {
		return store.Result{}, errLost
	}
	r, err := f.Engine.Commit(ctx, t)
	if f.after.CompareAndSwap(true, false) {
		return store.Result{}, errLost
	}
	return r, err
}

// I2, I3: what a failed commit would have taken is the lowest free address still.
func TestAFailedCommitTakesNothing(t *testing.T) {
	e := &faulty{Engine: memstore.New()}
	w := open(t, e)
	p := w.private("10.0.0.0/24")
	must(w.draw(p.ID))(t)
	e.before.Store(true)
	if _, err := w.draw(p.ID); !errors.Is(err, errLost) {
		t.Fatalf("got %v, want the engine's error", err)
	}
	if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.0.1/32" {
		t.Errorf("got %s, want 10.0.0.1/32", a.CIDR)
	}
}

// I1: a commit whose answer was lost has happened all the same.
func TestACommitOfUnknownOutcomeIsNotGivenAgain(t *testing.T) {
	e := &faulty{Engine: memstore.New()}
	w := open(t, e)
	p := w.private("10.0.0.0/24")
	must(w.draw(p.ID))(t)
	e.after.Store(true)
	if _, err := w.draw(p.ID); !errors.Is(err, errLost) {
		t.Fatalf("got %v, want the engine's error", err)
	}
	if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.0.2/32" {
		t.Errorf("got %s, want 10.0.0.2/32", a.CIDR)
	}
}

// I5: a service that begins knows what the one before it gave.
func TestAnAllocationOutlivesTheService(t *testing.T) {
	e := memstore.New()
	var p ipam.Pool
	t.Run("before", func(t *testing.T) {
		w := open(t, e)
		p = w.private("10.0.0.0/24")
		for range 3 {
			must(w.draw(p.ID))(t)
		}
	})
	w := open(t, e)
	if a := must(w.draw(p.ID))(t); a.CIDR.String() != "10.0.0.3/32" {
		t.Errorf("got %s, want 10.0.0.3/32", a.CIDR)
	}
}

// I2: a cascade that ends anywhere in the middle is carried on by the sweep.
func TestAnInterruptedCascadeIsCarriedOn(t *testing.T) {
	for commits := 1; commits <= 5; commits++ {
		synctest.Test(t, func(t *testing.T) {
			e := &faulty{Engine: memstore.New()}
			w := open(t, e)
			i := w.ipam()
			top := w.pool(i.PrivateScopeID)
			w.provision(top.ID, "10.0.0.0/16")
			child := w.pool(i.PrivateScopeID, func(r *ipam.CreatePool) { r.SourcePoolID = top.ID })
			w.provision(child.ID, "10.0.0.0/18")
			for range 100 {
				w.allocate(child, length(28))
			}
			// The commit after this many is lost: the mark, two chunks of
			// allocations, a pool, the other pool, the ipam.
			left := commits
			e.each = func() {
				if left--; left == -1 {
					e.before.Store(true)
				}
			}
			if _, err := w.DeleteIPAM(t.Context(), account, home, i.ID, true, nil); err != nil {
				t.Fatalf("decided, but got %v", err)
			}
			if got, ok := w.IPAM(w.store.Snapshot(), account, i.ID); !ok || got.State != ipam.DeleteInProgress {
				t.Errorf("interrupted after %d commits: %+v, %v", commits, got, ok)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !gone(w, i) {
				t.Errorf("interrupted after %d commits: not carried on", commits)
			}
		})
	}
}
