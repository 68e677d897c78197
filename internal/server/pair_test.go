package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/config"
	shapes "github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/memstore"
	"github.com/fairlead/fairlead/internal/wire"
)

const locale = "local-1" // of a pair

// pair is two servers' control planes over one engine, of which the controllers
// don't run, and a tenant that has a pool of eight addresses, 192.0.2.144 to 151,
// and a network with a subnet of eleven, 10.0.0.4 to 14, whose gateway isn't attached yet.
type pair struct {
	rooms     [2]*rooms
	stop      [2]func() // end a server, once
	engine    *memstore.Engine
	cfg       config.Config
	sealer    *certs.Sealer
	over      func(n int, e store.Engine) store.Engine // a server's own engine
	damaged   bool                                     // on purpose
	interrupt func()                                   // once, before the first server's next commit; nil: nothing

	pool, vpc, subnet, gateway string
}

func newPair(t testing.TB, quarantine time.Duration) *pair {
	t.Helper()
	var p *pair
	p = newPairOver(t, quarantine, func(n int, e store.Engine) store.Engine {
		if n == 0 {
			return &interrupted{e, &p}
		}
		return e
	})
	return p
}

// newPairOver is newPair with engines of the servers' own over the one that they share.
func newPairOver(t testing.TB, quarantine time.Duration, over func(n int, e store.Engine) store.Engine) *pair {
	t.Helper()
	sealer, err := certs.OpenKeyFile(filepath.Join(t.TempDir(), "certificates.key"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{engine: memstore.New(), cfg: config.Default(), sealer: sealer, over: over}
	p.cfg.Dev, p.cfg.IPAM.Quarantine = true, &quarantine
	for n := range p.rooms {
		p.start(t, n)
	}
	t.Cleanup(func() { // whatever the test did
		if out := p.rooms[0].newChecker(0).Check(time.Now()); out.Left > 0 && !p.damaged {
			t.Errorf("fsck:%s", text(out))
		}
	})
	p.furnish(t)
	return p
}

// start starts one of the servers, until the test ends.
func (p *pair) start(t testing.TB, n int) {
	t.Helper()
	r := build(p.cfg, p.over(n, p.engine), nil, p.sealer, auditLog(t), nil, slog.New(slog.DiscardHandler))
	if err := r.store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.ipam.Run(ctx) })
	p.rooms[n], p.stop[n] = r, sync.OnceFunc(func() {
		cancel()
		running.Wait()
		r.store.Close()
	})
	t.Cleanup(p.stop[n])
	if err := r.regions.ensureProviders(ctx); err != nil {
		t.Fatal(err)
	}
}

// furnish makes what the tenant has.
func (p *pair) furnish(t testing.TB) {
	t.Helper()
	var manager shapes.CreateIpamOutput
	p.must(t, "CreateIpam", &shapes.CreateIpamInput{}, &manager)
	var pool shapes.CreateIpamPoolOutput
	p.must(t, "CreateIpamPool", &shapes.CreateIpamPoolInput{
		IpamScopeId: manager.Ipam.PublicDefaultScopeId, AddressFamily: "ipv4", Locale: new(locale), AwsService: "ec2", PublicIpSource: "byoip",
	}, &pool)
	p.pool = *pool.IpamPool.IpamPoolId
	p.must(t, "ProvisionIpamPoolCidr", &shapes.ProvisionIpamPoolCidrInput{IpamPoolId: &p.pool, Cidr: new("192.0.2.144/29")}, nil)
	var v shapes.CreateVpcOutput
	p.must(t, "CreateVpc", &shapes.CreateVpcInput{CidrBlock: new("10.0.0.0/16")}, &v)
	p.vpc = *v.Vpc.VpcId
	var n shapes.CreateSubnetOutput
	p.must(t, "CreateSubnet", &shapes.CreateSubnetInput{VpcId: &p.vpc, CidrBlock: new("10.0.0.0/28")}, &n)
	p.subnet = *n.Subnet.SubnetId
	var g shapes.CreateInternetGatewayOutput
	p.must(t, "CreateInternetGateway", &shapes.CreateInternetGatewayInput{}, &g)
	p.gateway = *g.InternetGateway.InternetGatewayId
}

// interrupted is the first server's engine.
type interrupted struct {
	store.Engine
	pair **pair
}

func (e *interrupted) Commit(ctx context.Context, t store.Txn) (store.Result, error) {
	if p := *e.pair; p != nil && p.interrupt != nil {
		f := p.interrupt
		p.interrupt = nil
		f()
	}
	return e.Engine.Commit(ctx, t)
}

// carried answers requests without a socket.
type carried struct{ http.Handler }

func (c carried) RoundTrip(r *http.Request) (*http.Response, error) {
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result(), nil
}

// call asks one of the servers, which has seen what was answered before, and
// returns the code of its refusal.
func (p *pair) call(server int, action string, in, out any) (code string, err error) {
	return p.callOf(ec2.Spec, server, action, in, out)
}

func (p *pair) callOf(spec wire.ServiceSpec, server int, action string, in, out any) (code string, err error) {
	if out == nil {
		out = new(struct{})
	}
	for _, r := range p.rooms {
		if err := p.rooms[server].store.WaitRevision(context.Background(), r.store.Snapshot().Revision()); err != nil {
			return "", err
		}
	}
	c := wire.Client{
		Endpoint: "http://localhost", Spec: spec, Region: locale, AccessKeyID: tenant, Secret: "any",
		HTTP: &http.Client{Transport: carried{p.rooms[server].wire}},
	}
	err = c.Do(context.Background(), action, in, out)
	if refused, ok := errors.AsType[*apierr.Error](err); ok {
		return refused.Code, fmt.Errorf("%s: %w", action, err)
	}
	return "", err
}

// must asks the first server, which must agree.
func (p *pair) must(t testing.TB, action string, in, out any) {
	t.Helper()
	if _, err := p.call(0, action, in, out); err != nil {
		t.Fatal(err)
	}
}
