package inventory_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/inventory"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pools returns a client of a new server, and two pools of 10.0.0.0/16 in it.
func pools(t *testing.T) (wire.Client, [2]string) {
	t.Helper()
	s := testkit.Start(t, testkit.Config(t))
	c := wire.Client{Endpoint: s.API, Spec: ec2.Spec, Region: s.Region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}
	do := func(action string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), action, in, out); err != nil {
			t.Fatal(err)
		}
	}
	var manager shapes.CreateIpamOutput
	do("CreateIpam", &shapes.CreateIpamInput{}, &manager)
	make := func(cidr string) string {
		var p shapes.CreateIpamPoolOutput
		do("CreateIpamPool", &shapes.CreateIpamPoolInput{IpamScopeId: manager.Ipam.PrivateDefaultScopeId, AddressFamily: "ipv4", Locale: &s.Region}, &p)
		do("ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: p.IpamPool.IpamPoolId, Cidr: &cidr}, new(shapes.ProvisionIpamPoolCidrOutput))
		return *p.IpamPool.IpamPoolId
	}
	return c, [2]string{make("10.0.0.0/16"), make("10.1.0.0/16")}
}

func export(t *testing.T, c wire.Client, pool string) string {
	t.Helper()
	found, err := inventory.NewExporter(c).Export(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := inventory.WriteCSV(&out, found); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// B10: more blocks than one call holds, in and out again.
func TestAnImportIsExportedAsItWas(t *testing.T) {
	c, pool := pools(t)
	var file strings.Builder
	file.WriteString("cidr,description,tag:row\n")
	for i := range 1200 {
		fmt.Fprintf(&file, "10.0.%d.%d/32,host %d,%d\n", i/256, i%256, i, i)
	}
	read, err := inventory.Read([]byte(file.String()), inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	into := inventory.NewImporter(c, pool[0])
	if notes, err := into.Check(t.Context(), read.Entries); err != nil || notes != nil {
		t.Fatalf("check: got %d conflicts and %v, want none", len(notes), err)
	}
	if notes, err := into.Import(t.Context(), read.Entries); err != nil || notes != nil {
		t.Fatalf("import: got %d conflicts and %v, want none", len(notes), err)
	}
	again, err := inventory.Read([]byte(export(t, c, pool[0])), inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	strip := func(r inventory.Reading) []string {
		r.Entries = append([]inventory.Entry(nil), r.Entries...)
		for i := range r.Entries {
			r.Entries[i].Line = 0
		}
		return lines(r)
	}
	if diff := cmp.Diff(strip(read), strip(again)); diff != "" {
		t.Errorf("(-imported +exported):\n%s", diff)
	}
}

// B10: the first conflict of the last call undoes the ones before.
func TestAnImportWithAConflictLeavesNothing(t *testing.T) {
	c, pool := pools(t)
	var entries []inventory.Entry
	for i := range 700 {
		entries = append(entries, inventory.Entry{Line: i + 2, CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 256), byte(i)}), 32)})
	}
	entries = append(entries, inventory.Entry{Line: 800, CIDR: netip.MustParsePrefix("10.1.0.0/24")})
	before := export(t, c, pool[0])
	want := []inventory.Note{{Line: 800, Text: "10.1.0.0/24 is in none of the pool's CIDRs"}}
	into := inventory.NewImporter(c, pool[0])
	for name, work := range map[string]func() ([]inventory.Note, error){
		"check":  func() ([]inventory.Note, error) { return into.Check(t.Context(), entries) },
		"import": func() ([]inventory.Note, error) { return into.Import(t.Context(), entries) },
	} {
		got, err := work()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(before, export(t, c, pool[0])); diff != "" {
			t.Errorf("%s left something (-before +after):\n%s", name, diff)
		}
	}
	if notes, err := into.Import(t.Context(), entries[:700]); err != nil || notes != nil {
		t.Errorf("without the conflict: got %v and %v, want all space to be free again", notes, err)
	}
}

func TestAnImportIntoAPoolThatIsntThereSaysSo(t *testing.T) {
	c, _ := pools(t)
	entry := []inventory.Entry{{Line: 2, CIDR: netip.MustParsePrefix("10.0.0.0/24")}}
	if _, err := inventory.NewImporter(c, "ipam-pool-0").Import(t.Context(), entry); err == nil || !strings.Contains(err.Error(), "ipam-pool-0") {
		t.Errorf("got %v, want it to name the pool", err)
	}
	if _, err := inventory.NewImporter(c, "ipam-pool-0").Check(t.Context(), entry); err == nil || !strings.Contains(err.Error(), "ipam-pool-0") {
		t.Errorf("got %v, want it to name the pool", err)
	}
}
