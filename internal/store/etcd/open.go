package etcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fairlead/fairlead/internal/store"
)

// Options say where an embedded member keeps its data.
type Options struct {
	Dir string       // made if absent; the engine has LOCK, etcd and etcd.new in it
	Log *slog.Logger // etcd's warnings and errors; nil: slog.Default
}

// Tuning of the embedded member. It is alone, so that its ticks time nothing
// but its own first election: half to a whole electionTime after the start. A
// shorter tick would wake an idle process for nothing.
const (
	tick         = 20 * time.Millisecond
	electionTime = 5 * tick // the least that etcd accepts

	// The log of the last transactions is held in memory until a snapshot, and
	// catchUpEntries of it beyond. etcd's 10,000 + 5,000 could be hundreds of
	// MiB with the largest transactions; a lone member has no follower to feed.
	snapshotEntries = 2000
	catchUpEntries  = 100

	// A watcher that falls further behind loads again. History costs memory and
	// disk by the number of changes in it.
	historyKept = 2 * time.Minute

	// At quotaBytes of data etcd refuses writes rather than fill the disk. The
	// largest that etcd's documentation recommends; a million records of 1 KiB
	// with their history take about a quarter.
	quotaBytes = 8 << 30

	// Requests slower than this are logged.
	slowRequest = time.Second
)

// member is an etcd server inside this process, and its directory's lock.
type member struct {
	server *embed.Etcd
	lock   *os.File
	// What a member that stops says of its own unfinished work is no news:
	// raised to errors then.
	logged zap.AtomicLevel
}

// Open starts an embedded member on a directory, which is locked against other
// processes until Close, and returns once the member takes writes, or when ctx
// ends. Every commit is synced to disk before it is acknowledged.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Dir == "" {
		return nil, errors.New("open etcd: no directory given")
	}
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	data := filepath.Join(o.Dir, "etcd")
	err = bootstrap(ctx, data, log)
	var m *member
	if err == nil {
		m, err = start(ctx, data, log)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open etcd in %s: %w", o.Dir, err), lock.Close())
	}
	m.lock = lock
	return &Engine{
		client: v3client.New(m.server.Server),
		txns:   adapter.KvServerToKvClient(v3rpc.NewQuotaKVServer(m.server.Server)),
		member: m,
	}, nil
}

// bootstrap makes the member's data if there is none. etcd does so in several
// steps, and a member that was killed between them never starts again: it has
// a log, but no voter in it. So the first start is made in a directory beside,
// which gets its name when it is complete; what is left of an earlier attempt
// was never written to by anybody.
func bootstrap(ctx context.Context, data string, log *slog.Logger) error {
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished := data + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	m, err := start(ctx, unfinished, log)
	if err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	m.stop()
	if err := os.Rename(unfinished, data); err != nil {
		return err
	}
	return syncDir(filepath.Dir(data))
}

// syncDir makes a renaming in the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func config(dir string, log *zap.Logger) *embed.Config {
	c := embed.NewConfig()
	c.Name = "fairlead"
	c.Dir = dir // which etcd makes, for this user alone
	c.InitialClusterToken = "fairlead"
	// The member's identity, which etcd wants as an URL. Nothing listens there.
	identity := url.URL{Scheme: "http", Host: "127.0.0.1:2380"}
	c.AdvertisePeerUrls = []url.URL{identity}
	c.InitialCluster = c.Name + "=" + identity.String()
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil, nil
	c.EnableGRPCGateway = false
	c.AuthToken = "" // no users: callers are in this process

	c.TickMs, c.ElectionMs = uint(tick.Milliseconds()), uint(electionTime.Milliseconds())
	c.SnapshotCount, c.SnapshotCatchUpEntries = snapshotEntries, catchUpEntries
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, historyKept.String()
	c.QuotaBackendBytes = quotaBytes
	c.MaxTxnOps = store.MaxTxnOps
	c.MaxRequestBytes = embed.DefaultMaxRequestBytes // store.MaxTxnBytes is a little less
	c.WarningApplyDuration, c.WarningUnaryRequestDuration = slowRequest, slowRequest

	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log)
	return c
}

// start runs a member on its data and waits until it is its own leader. etcd
// panics where data can't be read; on this goroutine that becomes an error.
func start(ctx context.Context, data string, log *slog.Logger) (m *member, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("etcd gave up: %v", p)
		}
	}()
	m = &member{logged: zap.NewAtomicLevelAt(zapcore.WarnLevel)}
	m.server, err = embed.StartEtcd(config(data, zap.New(newZapCore(log, m.logged), zap.WithFatalHook(zapcore.WriteThenPanic))))
	if err != nil {
		return nil, err
	}
	select {
	case <-m.server.Server.ReadyNotify():
		return m, nil
	case <-m.server.Server.StopNotify():
		err = errors.New("server stopped while starting")
	case <-ctx.Done():
		err = ctx.Err()
	}
	m.stop()
	return nil, err
}

func (m *member) stop() {
	m.logged.SetLevel(zapcore.ErrorLevel)
	m.server.Close()
}

func (m *member) close() error {
	m.stop()
	return m.lock.Close()
}
