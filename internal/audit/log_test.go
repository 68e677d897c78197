package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.at = c.at.Add(d)
	c.mu.Unlock()
}

func open(t *testing.T, o audit.Options) (*audit.Log, string) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "audit")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l, err := audit.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, o.Dir
}

func call(at time.Time, action, account, code string, parameters map[string]string) audit.Record {
	return audit.Record{Time: at, Action: action, Account: account, Code: code, Parameters: parameters}
}

func actions(recs []audit.Record) string {
	var out []string
	for _, r := range recs {
		out = append(out, r.Action)
	}
	return strings.Join(out, " ")
}

func TestRecordsAreFound(t *testing.T) {
	c := &clock{at: noon}
	l, _ := open(t, audit.Options{Now: c.now})
	arn := "arn:aws:elasticloadbalancing:local-1:111122223333:loadbalancer/app/shop/0123456789abcdef"
	l.Append(call(noon, "CreateVpc", "111122223333", audit.OK, nil), &struct{ VpcId *string }{new("vpc-0123456789abcdef0")})
	l.Append(call(noon.Add(time.Minute), "ModifyIpPools", "111122223333", audit.OK, map[string]string{"LoadBalancerArn": arn}), nil)
	c.pass(25 * time.Hour) // another segment
	l.Append(call(noon.Add(25*time.Hour), "DeleteVpc", "111122223333", "DependencyViolation", map[string]string{"VpcId": "vpc-0123456789abcdef0"}), nil)
	l.Append(call(noon.Add(26*time.Hour), "CreateSubnet", "444455556666", audit.OK, nil), nil)
	for name, x := range map[string]struct {
		f    audit.Filter
		want string
	}{
		"all, the oldest first":              {audit.Filter{}, "CreateVpc ModifyIpPools DeleteVpc CreateSubnet"},
		"since an instant":                   {audit.Filter{Since: noon.Add(time.Minute)}, "ModifyIpPools DeleteVpc CreateSubnet"},
		"until one":                          {audit.Filter{Until: noon.Add(time.Minute)}, "CreateVpc"},
		"an account's":                       {audit.Filter{Account: "444455556666"}, "CreateSubnet"},
		"an action, whatever its case":       {audit.Filter{Action: "createvpc"}, "CreateVpc"},
		"actions by pattern":                 {audit.Filter{Action: "Create*"}, "CreateVpc CreateSubnet"},
		"what failed":                        {audit.Filter{Errors: true}, "DeleteVpc"},
		"about what a call made, and named":  {audit.Filter{Resource: "vpc-0123456789abcdef0"}, "CreateVpc DeleteVpc"},
		"about a load balancer by its ARN":   {audit.Filter{Resource: arn}, "ModifyIpPools"},
		"about a load balancer by its name":  {audit.Filter{Resource: "shop"}, "ModifyIpPools"},
		"not by a part of its name":          {audit.Filter{Resource: "sho"}, ""},
		"the latest, from the last segment":  {audit.Filter{Limit: 1}, "CreateSubnet"},
		"the latest, from more than one":     {audit.Filter{Limit: 3}, "ModifyIpPools DeleteVpc CreateSubnet"},
		"all that must hold does":            {audit.Filter{Action: "Create*", Account: "111122223333"}, "CreateVpc"},
		"the latest of those that it admits": {audit.Filter{Action: "*Vpc", Limit: 1}, "DeleteVpc"},
	} {
		recs, err := l.Find(t.Context(), x.f)
		if got := actions(recs); got != x.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, x.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Find(ctx, audit.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a question that nobody waits for: got %v", err)
	}
}

// Append returns once the record is in its file: whoever kills the process then
// finds it. I5.
func TestARecordIsInItsFileBeforeTheCallIsAnswered(t *testing.T) {
	l, dir := open(t, audit.Options{})
	var calls sync.WaitGroup
	for n := range 8 {
		calls.Go(func() {
			for i := range 50 {
				action := fmt.Sprintf("Change-%d-%d.", n, i)
				l.Append(call(noon, action, "1", audit.OK, nil), nil)
				if !strings.Contains(content(t, dir), action) {
					t.Errorf("%s isn't in the log", action)
				}
			}
		})
	}
	calls.Wait()
	if recs, err := l.Find(t.Context(), audit.Filter{}); len(recs) != 400 || err != nil {
		t.Errorf("got %d records, %v, want 400", len(recs), err)
	}
}

func TestTheLogIsBoundedBySizeAndAge(t *testing.T) {
	c := &clock{at: noon}
	const most = 1 << 20
	l, dir := open(t, audit.Options{MaxBytes: most, MaxAge: 10 * 24 * time.Hour, Now: c.now})
	size := func() (n int64) {
		for _, name := range must(filepath.Glob(filepath.Join(dir, "*"))) {
			n += must(os.Stat(name)).Size()
		}
		return n
	}
	big := map[string]string{"Description": strings.Repeat("x", 1000)}
	for n := range 2000 {
		l.Append(call(c.now(), fmt.Sprint("Big", n), "1", audit.OK, big), nil)
		if got := size(); got > most {
			t.Fatalf("after %d records the log has %d bytes, want at most %d", n, got, most)
		}
	}
	recs, err := l.Find(t.Context(), audit.Filter{})
	if err != nil || len(recs) < 700 || recs[len(recs)-1].Action != "Big1999" {
		t.Errorf("got %d records, %v, want the latest 700 and more", len(recs), err)
	}
	c.pass(11 * 24 * time.Hour)
	l.Append(call(c.now(), "Late", "1", audit.OK, nil), nil)
	c.pass(25 * time.Hour)
	l.Append(call(c.now(), "Later", "1", audit.OK, nil), nil)
	c.pass(9 * 24 * time.Hour)
	l.Append(call(c.now(), "Latest", "1", audit.OK, nil), nil)
	recs, err = l.Find(t.Context(), audit.Filter{})
	if got := actions(recs); got != "Late Later Latest" || err != nil {
		t.Errorf("when the old is too old: got %.60q, %v", got, err)
	}
}

func TestALongCallTakesNoMoreThanItsShare(t *testing.T) {
	l, dir := open(t, audit.Options{})
	many := map[string]string{}
	for n := range 1000 {
		many[fmt.Sprintf("Block.%04d.Cidr", n)] = strings.Repeat("é", 2000)
	}
	l.Append(call(noon, "Import", "1", audit.OK, many), nil)
	recs, err := l.Find(t.Context(), audit.Filter{})
	if err != nil || len(recs) != 1 || len(recs[0].Parameters)+recs[0].Omitted != 1000 || recs[0].Omitted == 0 {
		t.Errorf("got %d records, %v, want one that says how many parameters it leaves out", len(recs), err)
	}
	if got := len(content(t, dir)); got > 64<<10 {
		t.Errorf("the record takes %d bytes", got)
	}
}

// flaky is a file on a disk that is full now and then.
type flaky struct {
	*os.File
	full *bool
	cuts bool // refuse to be truncated
}

func (f flaky) Write(p []byte) (int, error) {
	if *f.full {
		n, err := f.File.Write(p[:len(p)/2]) // as much as there was room for
		return n, errors.Join(err, syscall.ENOSPC)
	}
	return f.File.Write(p)
}

func (f flaky) Truncate(n int64) error {
	if f.cuts {
		return syscall.EIO
	}
	return f.File.Truncate(n)
}

func TestADiskThatIsFullStopsNothingAndIsToldOf(t *testing.T) {
	for name, cuts := range map[string]bool{"what was half written is cut off": false, "and when that fails, too": true} {
		t.Run(name, func(t *testing.T) {
			full := false
			defer audit.SetOpen(func(name string) (audit.File, error) {
				f, err := audit.OpenFile(name)
				return flaky{f, &full, cuts}, err
			})()
			var log bytes.Buffer
			l, _ := open(t, audit.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			l.Append(call(noon, "Before", "1", audit.OK, nil), nil)
			full = true
			l.Append(call(noon, "Lost1", "111122223333", audit.OK, nil), nil)
			l.Append(call(noon, "Lost2", "1", audit.OK, nil), nil)
			full = false
			l.Append(call(noon, "After", "1", audit.OK, nil), nil)
			recs, err := l.Find(t.Context(), audit.Filter{})
			// One that tells of those before it may have been written twice.
			recs = slices.DeleteFunc(recs, func(r audit.Record) bool { return cuts && r.Lost == 1 })
			if got := actions(recs); got != "Before  After" || err != nil || recs[1].Lost != 2 || l.Lost() != 2 {
				t.Errorf("got %q, %v, lost %d; want a record between the two that tells of 2", got, err, l.Lost())
			}
			for _, want := range []string{"action=Lost1", "action=Lost2", "account=111122223333", "no space left"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the server's log doesn't say %q: %s", want, log.String())
				}
			}
		})
	}
}

// A line that a crash cut off costs itself alone.
func TestALogGoesOnWhereACrashCutItOff(t *testing.T) {
	l, dir := open(t, audit.Options{})
	l.Append(call(noon, "One", "1", audit.OK, nil), nil)
	l.Append(call(noon, "Two", "1", audit.OK, nil), nil)
	l.Close()
	files := must(filepath.Glob(filepath.Join(dir, "*")))
	if err := os.Truncate(files[0], must(os.Stat(files[0])).Size()-9); err != nil {
		t.Fatal(err)
	}
	l, _ = open(t, audit.Options{Dir: dir})
	l.Append(call(noon, "Three", "1", audit.OK, nil), nil)
	recs, err := l.Find(t.Context(), audit.Filter{})
	if got := actions(recs); got != "One Three" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := must(filepath.Glob(filepath.Join(dir, "*"))); !slices.Equal(got, files) {
		t.Errorf("got files %v, want those before: %v", got, files)
	}
	if info := must(os.Stat(files[0])); info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, want 0600", info.Mode())
	}
	l.Close()
	l.Append(call(noon, "Late", "1", audit.OK, nil), nil)
	if l.Lost() != 1 {
		t.Error("a record for a log that is closed isn't told of as lost")
	}
}

func TestWhatOnlyReadsIsToldFromWhatChanges(t *testing.T) {
	var got []string
	for _, action := range []string{"DescribeVpcs", "GetIpamPoolCidrs", "ListTagsForResource", "CheckImport", "SearchThings", "CreateVpc", "ModifyIpPools", "SetSubnets", "AddTags", "ReleaseAddress"} {
		if !audit.Reads(action) {
			got = append(got, action)
		}
	}
	if diff := cmp.Diff([]string{"CreateVpc", "ModifyIpPools", "SetSubnets", "AddTags", "ReleaseAddress"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
