package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/status"
)

func TestAMigrationForPeople(t *testing.T) {
	noon := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	m := status.Migration{
		LoadBalancer: "shop", State: "draining", ToPool: "ipam-pool-1", Began: noon, Moved: noon.Add(time.Second), EndsBy: noon.Add(time.Hour), At: noon.Add(time.Minute),
		Cancellable: true,
		Old:         []status.MigratingNode{{Zone: "local-1a", Public: "127.64.0.0", IPv6: "fdfa:1ead::4", Phase: "retiring", Connections: new(3)}},
		FromType:    "dualstack-without-public-ipv4", ToType: "ipv4",
		New: []status.MigratingNode{{Zone: "local-1a", Public: "127.64.0.9", OffPool: true, InDNS: true, Phase: "in-service"}},
	}
	text := m.Render()
	for _, want := range []string{"shop", "DNS names the new addresses alone", "at most 59m0s", "addresses, of provider's, dualstack-without-public-ipv4", "fdfa:1ead::4", "addresses, of ipam-pool-1, ipv4", "addresses, of ipam-pool-1", "127.64.0.0", "(fallback)", "--cancel"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if got, want := m.Line(), "shop draining; old: 0 of 1 in DNS, 3 connections; new: 1 of 1 in DNS, 0 connections"; got != want {
		t.Errorf("line: got %q, want %q", got, want)
	}
	m.Cancellable, m.Obstacle = false, "too late"
	if text := m.Render(); !strings.Contains(text, "too late") || strings.Contains(text, "--cancel") {
		t.Errorf("one that can't be cancelled:\n%s", text)
	}
}

func TestAuditRecordsForPeople(t *testing.T) {
	a := status.Audit{Lost: 2, Records: []status.AuditRecord{
		{Service: "ec2", Action: "CreateVpc", Code: "OK", Account: "111122223333", Parameters: map[string]string{"CidrBlock": "10.0.0.0/16"}, Omitted: 3},
		{Lost: 2},
		{Service: "ec2", Action: "DeleteVpc", Code: "DependencyViolation", Message: "in use"},
	}}
	text := a.Render()
	for _, want := range []string{"2 records couldn't be written", "ec2:CreateVpc", `CidrBlock="10.0.0.0/16" and 3 more`, "2 records are missing here", "DependencyViolation: in use"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}
