package dnsserver_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead/fairlead/internal/dnsserver"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// model is the slow server: it compares names as strings and looks at each.
type model struct {
	zones map[string]snapshot.Zone
	names map[string]snapshot.Name
}

// ask answers as "RCODE sorted addresses / origin of the SOA".
func (m *model) ask(owner string, qtype uint16) string {
	var origin string
	for o := range m.zones {
		if (o == owner || strings.HasSuffix(owner, "."+o)) && len(o) > len(origin) {
			origin = o
		}
	}
	if origin == "" {
		return "REFUSED"
	}
	n := m.names[owner]
	addrs := n.A
	if qtype == dns.TypeAAAA {
		addrs = n.AAAA
	}
	if len(addrs) > 0 {
		var out []string
		for _, a := range addrs {
			out = append(out, a.String())
		}
		slices.Sort(out)
		return "NOERROR " + strings.Join(out, " ")
	}
	for o := range maps.Keys(m.names) {
		if o == owner || strings.HasSuffix(o, "."+owner) {
			return "NOERROR / " + origin
		}
	}
	for o := range maps.Keys(m.zones) {
		if o == owner || strings.HasSuffix(o, "."+owner) {
			return "NOERROR / " + origin
		}
	}
	return "NXDOMAIN / " + origin
}

func rendered(m *dns.Msg) string {
	out := dns.RcodeToString[m.Rcode]
	if addrs := addresses(m.Answer); len(addrs) > 0 {
		slices.Sort(addrs)
		out += " " + strings.Join(addrs, " ")
	}
	for _, rr := range m.Ns {
		out += " / " + rr.Header().Name
	}
	return out
}

// Law: after any changes, the server answers as the model does, and as one that
// was filled with the same zones and names at once.
func TestServerAnswersAsTheModelDoes(t *testing.T) {
	const seeds, steps = 20, 200
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 1))
		// Few labels, so that names meet as ancestors, apexes and holders of records.
		randomName := func() string {
			labels := make([]string, 1+rng.IntN(4))
			for i := range labels {
				labels[i] = string(rune('a' + rng.IntN(3)))
			}
			return strings.Join(labels, ".") + "."
		}
		m := &model{zones: map[string]snapshot.Zone{}, names: map[string]snapshot.Name{}}
		s := dnsserver.New(dnsserver.Options{UDPWorkers: 1})
		for step := range steps {
			owner := randomName()
			switch k := rng.IntN(20); {
			case k == 0:
				z := snapshot.Zone{Origin: owner, Hostmaster: ".", TTL: time.Minute}
				m.zones[owner] = z
				s.SetZone(z)
			case k < 9:
				delete(m.names, owner)
				s.Remove(owner)
			default:
				n := name(owner)
				for i := range rng.IntN(3) {
					n.A = append(n.A, name("", fmt.Sprintf("192.0.2.%d", step%100+i)).A...)
				}
				if rng.IntN(2) == 0 {
					n.AAAA = name("", fmt.Sprintf("2001:db8::%d", step)).AAAA
				}
				m.names[owner] = n
				s.Put(n)
			}
			for range 5 {
				asked, qtype := randomName(), []uint16{dns.TypeA, dns.TypeAAAA}[rng.IntN(2)]
				got, want := rendered(ask(t, s, question(asked, qtype), true)), m.ask(asked, qtype)
				if got != want {
					t.Fatalf("seed %d step %d: %s %s: got %q, want %q", seed, step, asked, dns.TypeToString[qtype], got, want)
				}
			}
		}
		rebuilt := dnsserver.New(dnsserver.Options{UDPWorkers: 1})
		rebuilt.Reset(slices.Collect(maps.Values(m.zones)), slices.Collect(maps.Values(m.names)))
		if got, want := s.Names(), rebuilt.Names(); got != want {
			t.Errorf("seed %d: %d names exist after %d steps, %d when rebuilt", seed, got, steps, want)
		}
		for owner := range m.names {
			s.Remove(owner)
		}
		bare := dnsserver.New(dnsserver.Options{UDPWorkers: 1})
		bare.Reset(slices.Collect(maps.Values(m.zones)), nil)
		if got, want := s.Names(), bare.Names(); got != want {
			t.Errorf("seed %d: %d names exist after all are removed, want %d", seed, got, want)
		}
	}
}

// I9, I4: queries go on while names come, change and go by the thousand. Each
// answer is one that some state of the server gave: never a mixture of an old
// and a new set, never a denial of a name that is always there.
func TestQueriesDuringUpdatesSeeWholeStates(t *testing.T) {
	s := answered()
	sets := [][]string{{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, {"198.51.100.1", "198.51.100.2"}}
	want := []string{"NOERROR 192.0.2.1 192.0.2.2 192.0.2.3", "NOERROR 198.51.100.1 198.51.100.2"}
	const steady, flicker = "steady.elb.fairlead.test.", "flicker.elb.fairlead.test."
	s.Put(name(steady, sets[0]...))

	packet, err := question(flicker, dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			if got := rendered(ask(t, s, question(steady, dns.TypeA), true)); !slices.Contains(want, got) {
				t.Errorf("%s: got %q, want one of %q", steady, got, want)
				return
			}
		}
	})
	wg.Go(func() { // without unpacking: the instant to meet is short
		respond := s.Responder()
		for !done.Load() {
			response := respond(packet)
			rcode, answers := response[3]&0xF, response[7]
			if answers != 1 && rcode != dns.RcodeNameError {
				t.Errorf("%s: got rcode %d and %d records, want its address or NXDOMAIN", flicker, rcode, answers)
				return
			}
		}
	})
	for i := range 20_000 {
		s.Put(name(steady, sets[i%2]...))
		s.Put(name(flicker, "192.0.2.7"))
		s.Remove(flicker)
		s.Put(name(fmt.Sprintf("n%d.elb.fairlead.test.", i), "192.0.2.9")) // makes the table grow
		s.SetZone(childZone)
		if i%1000 == 0 {
			s.Reset([]snapshot.Zone{parentZone, childZone}, []snapshot.Name{name(steady, sets[0]...)})
		}
	}
	done.Store(true)
	wg.Wait()
}
