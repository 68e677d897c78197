package server

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apiec2 "github.com/fairlead/fairlead/internal/api/ec2"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/storetest"
	"github.com/fairlead/fairlead/internal/wire"
)

// walk is a tenant who does everything that addresses and CIDRs are changed by,
// at random and at any server. What is refused doesn't matter.
type walk struct {
	*pair
	t   *testing.T
	rng *rand.Rand // guarded by mu

	mu      sync.Mutex          // guards the following
	known   map[string][]string // ids and CIDRs, by what they are of; some are gone
	done    map[string]int      // calls that succeeded, by action
	refused map[string]int      // by action
	lost    int                 // calls that a server failed to answer
	rough   bool                // a server may fail
}

func newWalk(t *testing.T, p *pair) *walk {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	w := &walk{
		pair: p, t: t, rng: rand.New(rand.NewPCG(seed, 0)),
		known: map[string][]string{}, done: map[string]int{}, refused: map[string]int{},
	}
	w.know("pool", p.pool)
	w.know("brought pool", p.pool)
	w.know("vpc", p.vpc)
	w.know("subnet", p.subnet)
	w.know("in "+p.pool, "192.0.2.144/29")
	var managers shapes.DescribeIpamsOutput
	p.must(t, "DescribeIpams", &shapes.DescribeIpamsInput{}, &managers)
	m := managers.Ipams[0]
	w.know("ipam", *m.IpamId)
	w.know("private scope", *m.PrivateDefaultScopeId)
	w.know("public scope", *m.PublicDefaultScopeId)
	p.must(t, "AttachInternetGateway", &shapes.AttachInternetGatewayInput{InternetGatewayId: &p.gateway, VpcId: &p.vpc}, nil)
	return w
}

func (w *walk) n(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *walk) maybe(share float64) bool { return float64(w.n(1000))/1000 < share }

func oneOf[T any](w *walk, of ...T) T { return of[w.n(len(of))] }

func (w *walk) know(what, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[what] = append(w.known[what], id)
}

// forget takes back what know was told of an id.
func (w *walk) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for what, all := range w.known {
		w.known[what] = slices.DeleteFunc(all, func(k string) bool { return k == id })
	}
}

// a returns one of what is known; something unknown if there is none.
func (w *walk) a(what string) *string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.known[what]
	if len(all) == 0 {
		return new("nothing-0")
	}
	return new(all[w.rng.IntN(len(all))])
}

// do asks a server, and says whether it agreed.
func (w *walk) do(action string, in, out any) bool { return w.doOf(apiec2.Spec, action, in, out) }

func (w *walk) doOf(spec wire.ServiceSpec, action string, in, out any) bool {
	code, err := w.callOf(spec, w.n(2), action, in, out)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch failed := code == "" || strings.HasPrefix(code, "Internal") || code == "ServiceUnavailable"; {
	case err == nil:
		w.done[action]++
	case !failed:
		w.refused[action]++
	case w.rough:
		w.lost++
	default:
		w.t.Errorf("%s: %v", action, err)
	}
	return err == nil
}

// step does one thing, and seldom one that ends something.
func (w *walk) step() {
	all := w.steps()
	names := slices.Sorted(maps.Keys(all))
	for {
		name := names[w.n(len(names))]
		if !strings.HasPrefix(name, "delete") || w.maybe(0.5) {
			all[name]()
			return
		}
	}
}

// I1, I2, I5: whatever is done, at either of two servers, all records fit
// together after each thing.
func TestWhateverIsDoneFitsTogether(t *testing.T) {
	walks, steps := 4, 700
	if testing.Short() {
		walks = 1
	}
	done := map[string]int{}
	for name, quarantine := range map[string]time.Duration{"free at once": 0, "after a quarantine": time.Minute} {
		for n := range walks {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWalk(t, newPair(t, quarantine))
					w.alone(steps)
					for action, n := range w.done {
						done[action] += n
					}
					for action := range w.refused {
						done[action] += 0
					}
				})
			})
		}
	}
	for action, n := range done {
		if n == 0 && !testing.Short() {
			t.Errorf("%s has never been done: this is no test of it", action)
		}
	}
	t.Logf("done: %v", done)
}

// alone takes steps one after the other, with a sweep after each.
func (w *walk) alone(steps int) {
	checker := w.rooms[0].newChecker(0)
	for n := range steps {
		w.step()
		if n%50 == 0 {
			time.Sleep(20 * time.Second) // something cools down
			synctest.Wait()
		}
		if out := checker.Check(time.Now()); out.Left > 0 || len(out.NotChecked) > 0 {
			w.t.Fatalf("after step %d:%s\nnot checked: %v", n, text(out), out.NotChecked)
		}
	}
}

// I1, I2, I5: clients do everything at once at two servers, whose commits meet
// conflicts and lose their answers, and which are killed. A sweep fits at any
// moment; one that repairs without any patience finds nothing to repair.
func TestWhoeverIsKilledLeavesWhatFitsTogether(t *testing.T) {
	worlds := 3
	if testing.Short() {
		worlds = 1
	}
	for n := range worlds {
		t.Run(fmt.Sprint("world ", n), func(t *testing.T) { synctest.Test(t, killAndSweep) })
	}
}

func killAndSweep(t *testing.T) {
	const rounds, clients = 3, 6
	engines := [2]*storetest.Rough{}
	p := newPairOver(t, 5*time.Second, func(n int, e store.Engine) store.Engine {
		engines[n] = storetest.NewRough(e, storetest.Day{})
		return engines[n]
	})
	w := newWalk(t, p)
	w.rough = true
	sweeps := 0
	for range rounds {
		for n := range p.rooms { // those that there are had a calm beginning
			p.stop[n]()
			p.start(t, n)
			engines[n].Set(storetest.Day{Slow: 3 * time.Millisecond, Late: 10 * time.Millisecond, Conflicts: 0.1, Lost: 0.01})
		}
		sweeps += w.together(clients, time.Duration(5+w.n(20))*time.Second, func() {
			engines[w.n(2)].Kill() // its clients have no answers from now on
		})
		for _, e := range engines {
			e.Kill()
		}
	}
	for n := range p.rooms {
		p.stop[n]()
		p.start(t, n)
	}
	if out := p.rooms[0].newChecker(0).Check(time.Now()); out.Left > 0 {
		t.Errorf("after a restart:%s", text(out))
	}
	done := 0
	for _, n := range w.done {
		done += n
	}
	t.Logf("%d calls done, %d without an answer, %d sweeps", done, w.lost, sweeps)
}

// together has clients take steps for a while, and both servers sweep and
// repair; in the middle it calls disturb.
func (w *walk) together(clients int, while time.Duration, disturb func()) (sweeps int) {
	over := time.Now().Add(while)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for time.Now().Before(over) {
				w.step()
				time.Sleep(time.Duration(w.n(200)) * time.Millisecond)
			}
		})
	}
	var swept atomic.Int32
	for n, r := range w.rooms {
		checker := r.newChecker(0)
		all.Go(func() {
			for time.Now().Before(over) {
				if out := checker.Repair(w.t.Context(), time.Now()); len(out.Findings)+len(out.NotChecked) > 0 {
					w.t.Errorf("server %d at revision %d:%s\nnot checked: %v", n, out.Revision, text(out), out.NotChecked)
				}
				swept.Add(1)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	all.Go(func() {
		time.Sleep(while / 2)
		disturb()
	})
	all.Wait()
	return int(swept.Load())
}
