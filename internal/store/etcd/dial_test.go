package etcd_test

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/etcd"
	"github.com/fairlead/fairlead/internal/store/storetest"
)

// serve runs an etcd as a cluster's operator would, on a port of loopback, and
// returns its endpoint.
func serve(t *testing.T) string {
	t.Helper()
	c := embed.NewConfig()
	c.Name, c.Dir = "elsewhere", t.TempDir()
	c.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ListenClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = 20, 100
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	s, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	<-s.Server.ReadyNotify()
	return s.Clients[0].Addr().String()
}

// An external cluster and an embedded member behave alike.
func TestDial(t *testing.T) {
	endpoint := serve(t)
	dial := func(t *testing.T) store.Engine {
		e, err := etcd.Dial(t.Context(), []string{endpoint}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		if _, err := e.DeletePrefix(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Run("engine", func(t *testing.T) { storetest.Run(t, dial) })
	t.Run("store", func(t *testing.T) { storetest.RunStore(t, dial) })
}

func TestDialFails(t *testing.T) {
	// A reserved port of loopback, where nothing listens.
	const nowhere = "127.0.0.1:1"
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	e, err := etcd.Dial(ctx, []string{nowhere}, nil, slog.New(slog.DiscardHandler))
	if err == nil {
		e.Close()
		t.Fatal("dialled nothing")
	}
	if !strings.Contains(err.Error(), nowhere) {
		t.Errorf("got %v, want the endpoint in the error", err)
	}
}
