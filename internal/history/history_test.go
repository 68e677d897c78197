package history_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account  = "111122223333"
	stranger = "444455556666"
)

var (
	noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	logs = slog.New(slog.DiscardHandler)
)

func hour(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }

// held is a source of fixed records.
type held []history.Record

func (h held) Held(_ store.Snapshot, account string, a netip.Addr) iter.Seq[history.Record] {
	return func(yield func(history.Record) bool) {
		for _, rec := range h {
			if rec.CIDR.Contains(a) && (account == "" || rec.Account == account) && !yield(rec) {
				return
			}
		}
	}
}

type world struct {
	*history.Service
	store *store.Store
	t     *testing.T
}

func newWorld(t *testing.T, o history.Options, open ...history.Record) *world {
	t.Helper()
	st := store.New(memstore.New(), "test", logs)
	w := &world{history.New(st, o), st, t}
	w.AddSource(held(open))
	if err := st.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return w
}

func (w *world) end(recs ...history.Record) {
	w.t.Helper()
	for chunk := range slices.Chunk(recs, store.MaxTxnOps) {
		err := w.store.Update(w.t.Context(), func(tx *store.Tx) error {
			for _, rec := range chunk {
				w.Close(tx, rec)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func rec(id, cidr string, start, end time.Time) history.Record {
	return history.Record{CIDR: netip.MustParsePrefix(cidr), Kind: history.VPC, ResourceID: id, Account: account, Start: start, End: end}
}

func (w *world) between(account, cidr string, from, to time.Time) string {
	var got []string
	for _, r := range w.Between(w.store.Snapshot(), account, netip.MustParsePrefix(cidr), from, to, "") {
		got = append(got, r.ResourceID)
	}
	return strings.Join(got, " ")
}

// B5: one CIDR, one holder after the other, the last of which has it still.
func TestWhoHadACIDRWhen(t *testing.T) {
	w := newWorld(t, history.Options{}, rec("now", "10.0.0.0/24", hour(4), time.Time{}))
	alien := rec("alien", "10.0.0.0/24", hour(0), hour(9))
	alien.Account = stranger
	w.end(rec("first", "10.0.0.0/24", hour(0), hour(1)), rec("second", "10.0.0.0/24", hour(1), hour(3)),
		rec("unknown", "10.0.0.0/24", time.Time{}, hour(-1)), rec("wider", "10.0.0.0/16", hour(0), hour(3)), alien)
	for _, c := range []struct {
		name, cidr string
		from, to   time.Time
		want       string
	}{
		{"all of it, the most recent first", "10.0.0.0/24", hour(-9), hour(9), "now second first unknown"},
		{"an instant within a holding", "10.0.0.0/24", hour(2), hour(2), "second"},
		{"the instant at which it changes hands is the next holder's", "10.0.0.0/24", hour(1), hour(1), "second"},
		{"its first instant is a holder's own", "10.0.0.0/24", hour(0), hour(0), "first"},
		{"an instant at which nobody had it", "10.0.0.0/24", hour(3), hour(3), ""},
		{"from the last holding on", "10.0.0.0/24", hour(4), hour(4), "now"},
		{"a time that touches two", "10.0.0.0/24", hour(2), hour(5), "now second"},
		{"a holding whose beginning isn't known", "10.0.0.0/24", hour(-5), hour(-5), "unknown"},
		{"exactly the CIDR, not one inside", "10.0.0.0/16", hour(2), hour(2), "wider"},
		{"exactly the CIDR, not one around", "10.0.0.0/25", hour(2), hour(2), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := w.between(account, c.cidr, c.from, c.to); got != c.want {
				t.Errorf("%s from %s to %s: got %q, want %q", c.cidr, c.from, c.to, got, c.want)
			}
		})
	}
	if got := w.between(stranger, "10.0.0.0/24", hour(-9), hour(9)); got != "alien" { // I8
		t.Errorf("another account sees %q, want its own", got)
	}
	if got := w.At(w.store.Snapshot(), account, netip.MustParsePrefix("10.0.0.0/24"), hour(5)); len(got) != 1 || got[0].ResourceID != "now" {
		t.Errorf("At: got %+v, want the one that has it now", got)
	}
}

// A page ends anywhere, and the next goes on from there.
func TestAHistoryIsReadInPages(t *testing.T) {
	w := newWorld(t, history.Options{}, rec("now-1", "10.0.0.0/24", hour(50), time.Time{}), rec("now-2", "10.0.0.0/24", hour(51), time.Time{}))
	for n := range 20 {
		w.end(rec(fmt.Sprint("vpc-", n), "10.0.0.0/24", hour(n), hour(n+1)))
	}
	p := netip.MustParsePrefix("10.0.0.0/24")
	want := w.between(account, "10.0.0.0/24", hour(0), hour(99))
	var got []string
	for key, more := "", true; more; {
		more = false
		n := 0
		for k, r := range w.Between(w.store.Snapshot(), account, p, hour(0), hour(99), key) {
			if n++; n > 3 {
				key, more = k, true
				break
			}
			got = append(got, r.ResourceID)
		}
	}
	if strings.Join(got, " ") != want || len(got) != 22 {
		t.Errorf("in pages: %v, at once: %s", got, want)
	}
}

// Whatever covers an address is found, against a search of everything. B5.
func TestEveryRecordThatCoversAnAddressIsFound(t *testing.T) {
	for _, family := range []string{"ipv4", "ipv6"} {
		const seed = 7
		r := rand.New(rand.NewPCG(seed, 1))
		block := func() netip.Prefix {
			if family == "ipv4" {
				return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(4)), byte(r.IntN(256))}), r.IntN(33)).Masked()
			}
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 15: byte(r.IntN(256))}), r.IntN(129)).Masked()
		}
		var all, open []history.Record
		for n := range 400 {
			rec := history.Record{
				CIDR: block(), Kind: "custom", AllocationID: fmt.Sprint("alloc-", n),
				Account: []string{account, stranger}[n%2], Start: hour(0), End: hour(1 + r.IntN(50)),
			}
			if n%10 == 0 {
				rec.End = time.Time{}
				open = append(open, rec)
			} else {
				all = append(all, rec)
			}
		}
		w := newWorld(t, history.Options{}, open...)
		w.end(all...)
		for range 200 {
			a, who := block().Addr(), []string{account, stranger, ""}[r.IntN(3)]
			got := w.Covering(w.store.Snapshot(), who, a)
			want := map[string]bool{}
			for _, rec := range slices.Concat(all, open) {
				if rec.CIDR.Contains(a) && (who == "" || rec.Account == who) {
					want[rec.AllocationID] = true
				}
			}
			last := time.Time{}
			for n, rec := range got {
				if !want[rec.AllocationID] {
					t.Fatalf("seed %d: %s of %q: got %s, twice or without reason", seed, a, who, rec.AllocationID)
				}
				delete(want, rec.AllocationID)
				if n > 0 && (rec.End.IsZero() && !last.IsZero() || !last.IsZero() && rec.End.After(last)) {
					t.Errorf("seed %d: %s: %s after %s", seed, a, rec.End, last)
				}
				last = rec.End
			}
			if len(want) > 0 {
				t.Fatalf("seed %d: %s of %q: not found: %v", seed, a, who, want)
			}
		}
	}
}

func TestARecordIsKeptForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const retention = 10 * 24 * time.Hour
		begin := time.Now()
		w := newWorld(t, history.Options{Retention: retention})
		var recs []history.Record
		for n := range 300 { // more than one transaction holds
			recs = append(recs, rec(fmt.Sprint("old-", n), "10.0.0.0/24", begin, begin.Add(time.Minute)))
		}
		w.end(append(recs, rec("young", "10.0.0.0/24", begin, begin.Add(2*24*time.Hour)))...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.Run(ctx, logs)
		}()
		count := func() int {
			synctest.Wait()
			return len(w.Covering(w.store.Snapshot(), account, netip.MustParseAddr("10.0.0.1")))
		}
		time.Sleep(retention)
		if got := count(); got != 301 {
			t.Errorf("%d records just before their time has passed, want 301", got)
		}
		time.Sleep(2 * time.Hour)
		if got := count(); got != 1 {
			t.Errorf("%d records when the time of all but one has passed, want 1", got)
		}
		cancel()
		<-ended
	})
}

func TestTheOldestGoWhenThereAreTooMany(t *testing.T) {
	w := newWorld(t, history.Options{Max: 100})
	for n := range 100 {
		w.end(rec(fmt.Sprint("vpc-", n), "10.0.0.0/24", noon, hour(n)))
	}
	sweep := func() string {
		if err := w.Sweep(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		return w.between(account, "10.0.0.0/24", hour(-9), hour(999))
	}
	if got := sweep(); strings.Count(got, "vpc") != 100 {
		t.Errorf("as many as may be: %d are left", strings.Count(got, "vpc"))
	}
	w.end(rec("vpc-new", "10.0.0.0/24", noon, hour(500)))
	got := sweep()
	if n := strings.Count(got, "vpc"); n != 90 || !strings.HasPrefix(got, "vpc-new vpc-99 ") || !strings.HasSuffix(got, " vpc-11") {
		t.Errorf("one too many: %d are left: %s", n, got)
	}
}

func TestWhatWasHeldInsideACIDR(t *testing.T) {
	w := newWorld(t, history.Options{})
	for _, c := range []string{"10.0.0.0/8", "10.0.0.0/24", "10.0.0.9/32", "10.0.1.0/24", "10.1.0.0/16", "9.255.255.255/32", "a00:0:ffff::/48", "a00::/16"} {
		w.end(history.Record{CIDR: netip.MustParsePrefix(c), Kind: history.VPC, ResourceID: "vpc-1", Account: account, Start: noon, End: hour(1)})
	}
	for within, want := range map[string]string{
		"10.0.0.0/16": "10.0.0.0/24 10.0.0.9/32 10.0.1.0/24",
		"10.0.0.8/30": "10.0.0.9/32",
		"a00::/16":    "a00::/16 a00:0:ffff::/48",
		"11.0.0.0/8":  "",
	} {
		var got []string
		for rec := range w.Within(w.store.Snapshot(), netip.MustParsePrefix(within)) {
			got = append(got, rec.CIDR.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", within, got, want)
		}
	}
}
