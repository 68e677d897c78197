package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/attach"
	"github.com/fairlead/fairlead/internal/audit"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dns"
	"github.com/fairlead/fairlead/internal/dnsserver"
	"github.com/fairlead/fairlead/internal/logship"
	"github.com/fairlead/fairlead/internal/node"
	"github.com/fairlead/fairlead/internal/store/etcd"
)

// Addresses are where a running server is reached, as HOST:PORT.
type Addresses struct{ API, DNS, Ops string }

// ListenError says that an address can't be listened on; Flag names the setting
// that chooses another.
type ListenError struct {
	Flag, Addr string
	Err        error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("listen on %s (--%s): %v", e.Addr, e.Flag, e.Err)
}

// Unwrap returns the system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// Server is one running process of all roles.
type Server struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	rooms   *rooms
	sweeper *sweeper
	dns     *dnsserver.Server
	agent   atomic.Pointer[node.Agent]
	shipper *logship.Shipper
	started time.Time
	ready   atomic.Bool

	apiAddr, dnsAddr, opsAddr string
}

// stopTime is how long requests to the APIs may take to end when the server stops.
const stopTime = 5 * time.Second

// Run serves until ctx ends, and then stops in order. onReady is called once
// everything that was there before serves again and the APIs answer.
func Run(ctx context.Context, cfg config.Config, version string, log *slog.Logger, onReady func(Addresses)) (err error) {
	s := &Server{cfg: cfg, version: version, log: log, started: time.Now().UTC()}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	// Before anything is opened: a second server must not disturb the first.
	engine, err := etcd.Open(ctx, etcd.Options{Dir: filepath.Join(cfg.DataDir, "store"), Log: log})
	if errors.Is(err, etcd.ErrLocked) {
		return fmt.Errorf("another server runs on data directory %s: stop it, or choose another with --data-dir", cfg.DataDir)
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()

	accounts, root, err := directory(cfg)
	if err != nil {
		return err
	}
	sealer, err := certs.OpenKeyFile(cfg.CertificateKeyFile())
	if err != nil {
		return err
	}
	record, err := audit.Open(audit.Options{Dir: filepath.Join(cfg.DataDir, "audit"), MaxBytes: cfg.Audit.MaxBytes, MaxAge: cfg.Audit.MaxAge, Log: log})
	if err != nil {
		return err
	}
	defer record.Close() // after the APIs have ended
	objects, err := writer(cfg)
	if err != nil {
		return err
	}
	shipper, err := newShipper(cfg, objects, log)
	if err != nil {
		return err
	}
	defer func() { // after the hosts have ended
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		shipper.Close(ctx)
	}()
	s.shipper = shipper
	s.rooms = build(cfg, engine, accounts, sealer, record, objects, log)
	if a := s.rooms.authority; a != nil {
		if err := a.ReadRoots(); err != nil {
			return err
		}
	}
	s.sweeper = &sweeper{checker: s.rooms.newChecker(fsckGrace), log: log}
	if err := s.rooms.store.Start(ctx); err != nil {
		return err
	}
	defer s.rooms.store.Close()
	if err := s.rooms.certs.CheckKeys(s.rooms.elb.Sealed(s.rooms.store.Snapshot())); err != nil {
		return err
	}

	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer listeners.close()
	if err := writeClientFiles(cfg, endpoint(s.apiAddr), root); err != nil {
		return fmt.Errorf("write client configuration: %w", err)
	}
	return s.run(ctx, listeners, onReady)
}

// sockets are what the server listens on.
type sockets struct {
	api, ops net.Listener
	dns      *dnsserver.Server
}

func (l *sockets) close() {
	if l.api != nil {
		_ = l.api.Close()
	}
	if l.ops != nil {
		_ = l.ops.Close()
	}
	if l.dns != nil {
		_ = l.dns.Close()
	}
}

// listen opens all sockets, so that a port that is taken ends the start. Nothing
// is answered yet.
func (s *Server) listen(ctx context.Context) (_ *sockets, err error) {
	l := new(sockets)
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	var lc net.ListenConfig
	if l.api, err = lc.Listen(ctx, "tcp", s.cfg.APIAddr); err != nil {
		return nil, &ListenError{"api-addr", s.cfg.APIAddr, err}
	}
	if l.ops, err = lc.Listen(ctx, "tcp", s.cfg.OpsAddr); err != nil {
		return nil, &ListenError{"ops-addr", s.cfg.OpsAddr, err}
	}
	l.dns = dnsserver.New(dnsserver.Options{Log: s.log})
	s.dns = l.dns
	s.apiAddr, s.opsAddr = l.api.Addr().String(), l.ops.Addr().String()
	return l, nil
}

// run starts the rooms in the order in which they depend on each other: hosts
// carry again what they carried (I7) before DNS names it (I4), and the APIs
// answer last.
func (s *Server) run(ctx context.Context, l *sockets, onReady func(Addresses)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel(nil)
	r := s.rooms

	tasks.Go(func() { r.ipam.Run(ctx) })
	tasks.Go(func() { r.history.Run(ctx, s.log) })
	tasks.Go(func() { r.resolvers.Run(ctx) })
	tasks.Go(func() { r.events.Run(ctx) })
	tasks.Go(func() { r.ipam.KeepAnnounced(ctx, r.announcer) })
	if err := r.regions.ensureProviders(ctx); err != nil {
		return err
	}
	s.configureInstances(ctx)
	r.contents.base = endpoint(s.apiAddr)
	driver, err := attach.New(s.cfg.Attachment.Driver, filepath.Join(s.cfg.DataDir, "node"))
	if err != nil {
		return err
	}
	tasks.Go(func() { r.projector.Run(ctx) })
	tasks.Go(func() { r.controller.Run(ctx) })
	asked, err := providers(s.cfg.Providers)
	if err != nil {
		return err
	}
	link := newHost(r)
	agent, err := node.New(node.Options{
		Log: s.log, Host: hostName, Dir: filepath.Join(s.cfg.DataDir, "node"), Driver: driver, ControlPlane: link, OpenKey: r.openKey, Providers: asked, Logs: openLog(s.shipper),
	})
	if err != nil {
		return err
	}
	s.agent.Store(agent)
	tasks.Go(func() { agent.Run(ctx) })

	named := make(chan struct{})
	feed := dns.NewFeed(r.store, endpoints{r.elb}, s.dns, dns.Options{BaseDomain: s.cfg.DNS.BaseDomain, TTL: s.cfg.DNS.TTL, AnswerBound: s.cfg.Dev, Texts: texts{r.certs}})
	tasks.Go(func() { feed.Run(ctx, func() { close(named) }) })
	for _, first := range []<-chan struct{}{named, link.reported} {
		select {
		case <-first:
		case <-ctx.Done():
			return stopped(ctx)
		}
	}
	if err := s.dns.Listen(ctx, s.cfg.DNSAddr); err != nil {
		return &ListenError{"dns-addr", s.cfg.DNSAddr, err}
	}
	s.dnsAddr = s.dns.Addr().String()
	if r.authority != nil { // once challenges are answered
		tasks.Go(func() { r.certs.NewController(s.log).Run(ctx) })
	}
	tasks.Go(func() { s.sweep(ctx) })
	tasks.Go(func() { s.sweeper.run(ctx) })

	api := &http.Server{Handler: r.contents.beside(r.authKeys.beside(r.wire)), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	ops := &http.Server{Handler: s.opsHandler(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	api.RegisterOnShutdown(r.wire.EndStreams)
	tasks.Go(func() { s.serve(api, l.api, cancel) })
	tasks.Go(func() { s.serve(ops, l.ops, cancel) })

	s.ready.Store(true)
	s.log.Info("ready", "api", endpoint(s.apiAddr), "dns", s.dnsAddr, "ops", endpoint(s.opsAddr), "data_dir", s.cfg.DataDir, "took", time.Since(s.started).Round(time.Millisecond))
	if onReady != nil {
		onReady(Addresses{API: s.apiAddr, DNS: s.dnsAddr, Ops: s.opsAddr})
	}
	select {
	case <-ctx.Done():
	case <-r.store.Done():
		cancel(r.store.Err())
	}
	s.ready.Store(false)
	s.log.Info("stopping")
	s.stop(api, ops)
	return stopped(ctx)
}

// stopped returns why ctx ended, nil if it was asked to.
func stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (s *Server) serve(srv *http.Server, ln net.Listener, fail context.CancelCauseFunc) {
	if err := srv.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
		fail(fmt.Errorf("serve %s: %w", ln.Addr(), err))
	}
}

// stop lets requests under way end.
func (s *Server) stop(servers ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			_ = srv.Close()
		}
	}
}

// sweepEvery is how often what has passed its time is removed.
const sweepEvery = time.Hour

func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := s.rooms.idempotency.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Warn("forgetting client tokens failed", "error", err)
			}
			if err := s.rooms.trustStores.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Warn("deleting former contents of trust stores failed", "error", err)
			}
			if err := s.rooms.discovery.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("forgetting what was decided about the resources of former IPAMs failed", "error", err)
			}
		}
	}
}

// empty deletes everything there is (dev mode).
func (s *Server) empty(ctx context.Context) error {
	if err := s.rooms.store.Reset(ctx); err != nil {
		return err
	}
	if err := s.rooms.regions.ensureProviders(ctx); err != nil {
		return err
	}
	s.configureInstances(ctx)
	return nil
}
