package server_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/server"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/wire"
)

// The data directory of a server that doesn't run can be looked into, and that of
// one that runs can't.
func TestFsckOfADataDirectory(t *testing.T) {
	cfg, quiet := testkit.Config(t), slog.New(slog.DiscardHandler)
	if _, err := server.Fsck(t.Context(), cfg, false, quiet); err == nil || !strings.Contains(err.Error(), "no server has kept anything") {
		t.Errorf("of nothing: %v", err)
	}
	s := testkit.Start(t, cfg)
	c := wire.Client{Endpoint: s.API, Spec: ec2.Spec, Region: s.Region, AccessKeyID: s.Key.ID, Secret: s.Key.Secret}
	if err := c.Do(t.Context(), "AllocateAddress", &shapes.AllocateAddressInput{}, new(shapes.AllocateAddressOutput)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Fsck(t.Context(), cfg, false, quiet); err == nil || !strings.Contains(err.Error(), "a server runs") {
		t.Errorf("while a server runs: %v", err)
	}
	s.Stop(t)
	for _, repair := range []bool{false, true} {
		out, err := server.Fsck(t.Context(), cfg, repair, quiet)
		if err != nil || out.Left != 0 || out.Addresses != 1 || out.Held != 1 || out.Pools == 0 {
			t.Errorf("repair %v: %+v, %v", repair, out, err)
		}
	}
}
