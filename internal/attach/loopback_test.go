package attach_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/attach"
)

var (
	addr     = netip.MustParseAddr
	shadows  = netip.MustParsePrefix("127.128.0.0/9")
	loopback = netip.MustParsePrefix("127.0.0.0/8")
)

func newDriver(t *testing.T, dir string) *attach.LoopbackDriver {
	t.Helper()
	d, err := attach.NewLoopback(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustAttach(t *testing.T, d attach.Driver, node, a string) netip.Addr {
	t.Helper()
	bound, err := d.Attach(t.Context(), node, addr(a))
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

func TestLoopbackBindsWhereItSays(t *testing.T) {
	tests := []struct {
		name   string
		addr   string
		shadow bool
	}{
		{"an address inside 127.0.0.0/8 is used as it is", "127.64.0.9", false},
		{"an address in the shadow range is used as it is while nobody else has it", "127.200.1.1", false},
		{"a 4-in-6 loopback address is the IPv4 one", "::ffff:127.64.0.9", false},
		{"a public IPv4 address gets a shadow", "192.0.2.144", true},
		{"a private IPv4 address gets a shadow", "10.1.2.3", true},
		{"an IPv6 address gets an IPv4 shadow", "2001:db8::144", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustAttach(t, newDriver(t, t.TempDir()), "node-1", tt.addr)
			if !tt.shadow && got != addr(tt.addr).Unmap() {
				t.Errorf("%s is bound to %s, want itself", tt.addr, got)
			}
			if tt.shadow && !shadows.Contains(got) {
				t.Errorf("%s is bound to %s, want one of %s", tt.addr, got, shadows)
			}
		})
	}
}

func TestLoopbackRefusesAddressesThatNoSocketCanHave(t *testing.T) {
	d := newDriver(t, t.TempDir())
	for _, a := range []netip.Addr{{}, addr("0.0.0.0"), addr("224.0.0.1"), addr("::")} {
		if got, err := d.Attach(t.Context(), "node-1", a); !errors.Is(err, attach.ErrUnsupported) {
			t.Errorf("Attach(%s) = %s, %v, want ErrUnsupported", a, got, err)
		}
	}
}

// I1 on one host: no two nodes share a bound address, whatever the mix of real
// and shadow addresses, and a restart changes none.
func TestShadowsAreDistinctAndSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	d := newDriver(t, dir)
	bound := map[netip.Addr]string{}
	want := map[string]netip.Addr{}
	a := addr("203.0.113.0")
	for range 200 {
		node := "node-" + a.String()
		b := mustAttach(t, d, node, a.String())
		if other, ok := bound[b]; ok {
			t.Fatalf("%s and %s are both bound to %s", node, other, b)
		}
		bound[b], want[a.String()] = node, b
		a = a.Next()
	}
	// The shadow of one is then asked for by a node that has it of its own.
	taken := want["203.0.113.7"]
	if b := mustAttach(t, d, "node-real", taken.String()); bound[b] != "" || !loopback.Contains(b) {
		t.Fatalf("a node with the address %s is bound to %s, which %s has", taken, b, bound[b])
	}

	real := mustAttach(t, d, "node-real", taken.String())
	d = newDriver(t, dir)
	if got := mustAttach(t, d, "node-real", taken.String()); got != real {
		t.Errorf("after a restart %s is bound to %s, before to %s", taken, got, real)
	}
	for a, b := range want {
		if got := mustAttach(t, d, "other-"+a, a); got != b {
			t.Errorf("after a restart %s is bound to %s, before to %s", a, got, b)
		}
	}
}

func TestUnusedShadowGivesWayToARealAddress(t *testing.T) {
	d := newDriver(t, t.TempDir())
	shadow := mustAttach(t, d, "node-1", "192.0.2.1")
	if err := d.Detach(t.Context(), "node-1"); err != nil {
		t.Fatal(err)
	}
	if got := mustAttach(t, d, "node-2", shadow.String()); got != shadow {
		t.Errorf("%s is bound to %s though its shadow user is gone", shadow, got)
	}
	if got := mustAttach(t, d, "node-1", "192.0.2.1"); got == shadow || !shadows.Contains(got) {
		t.Errorf("192.0.2.1 is bound to %s, want another shadow than %s", got, shadow)
	}
}

func TestAttachAndDetachCanBeRepeated(t *testing.T) {
	d := newDriver(t, t.TempDir())
	first := mustAttach(t, d, "node-1", "192.0.2.1")
	if again := mustAttach(t, d, "node-1", "192.0.2.1"); again != first {
		t.Errorf("attached again: %s, first %s", again, first)
	}
	for range 2 {
		if err := d.Detach(t.Context(), "node-1"); err != nil {
			t.Fatal(err)
		}
	}
	if again := mustAttach(t, d, "node-9", "192.0.2.1"); again != first {
		t.Errorf("the address's next node is bound to %s, the former to %s", again, first)
	}
}

func TestDamagedFileIsRefusedWithARemedy(t *testing.T) {
	for _, content := range []string{"{", `{"Version":1,"Shadows":{"192.0.2.1":"10.0.0.1"}}`, `{"Version":99}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "shadows.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := attach.NewLoopback(dir); err == nil || !strings.Contains(err.Error(), "shadows.json") {
			t.Errorf("content %q: error %v, want one that names the file", content, err)
		}
	}
}

func TestUnknownDriverIsUnsupported(t *testing.T) {
	if _, err := attach.New("bgp", t.TempDir()); !errors.Is(err, attach.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
	if d, err := attach.New(attach.NameLoopback, t.TempDir()); err != nil || d == nil {
		t.Errorf("loopback: %v, %v", d, err)
	}
}
