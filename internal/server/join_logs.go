package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"github.com/fairlead/fairlead/internal/arn"
	"github.com/fairlead/fairlead/internal/bucket"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/logship"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/snapshot"
	"github.com/fairlead/fairlead/internal/wire"
)

// writer returns what puts objects into the configured buckets.
func writer(cfg config.Config) (*bucket.Writer, error) {
	w := &bucket.Writer{Set: cfg.Buckets, Others: cfg.LogDir()}
	if cfg.S3.KeysFile == "" {
		return w, nil
	}
	keys, err := config.ReadKeys(cfg.S3.KeysFile)
	if err != nil {
		return nil, fmt.Errorf("s3.keys-file: %w", err)
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("s3.keys-file: %s has %d keys; requests are signed with one", cfg.S3.KeysFile, len(keys))
	}
	s := wire.Signer{AccessKeyID: keys[0].ID, Secret: keys[0].Secret, Region: cfg.S3.Region, Service: "s3"}
	w.Sign = func(r *http.Request, hash string) { s.Sign(r, hash, time.Now()) }
	return w, nil
}

// newShipper starts what takes the logs of the process's hosts to their buckets.
func newShipper(cfg config.Config, w *bucket.Writer, log *slog.Logger) (*logship.Shipper, error) {
	return logship.New(logship.Options{
		Dir: filepath.Join(cfg.DataDir, "node", "logs"), Threads: runtime.GOMAXPROCS(0) + 1, Put: w.Put, MaxSpool: cfg.Logs.MaxSpool, Log: log,
	})
}

// logKinds are the names that the rooms have for a log.
var logKinds = map[elb.LogKind]logship.Kind{elb.AccessLogs: logship.Access, elb.ConnectionLogs: logship.Connection, elb.HealthCheckLogs: logship.HealthCheck}

// trialPatience is how long a bucket may take for a test file, while a caller of
// the API waits.
const trialPatience = 10 * time.Second

// tryLog writes the test file of a log. The caller is told only that it couldn't be
// written; why may be none of its business. Without a writer no bucket is tried.
func tryLog(w *bucket.Writer, log *slog.Logger) func(context.Context, elb.LogDelivery) error {
	if w == nil {
		return nil
	}
	return func(ctx context.Context, to elb.LogDelivery) error {
		limited, cancel := context.WithTimeout(ctx, trialPatience)
		defer cancel()
		err := logship.Test(limited, w.Put, logship.Destination{
			Kind: logKinds[to.Kind], Bucket: to.Bucket, Prefix: to.Prefix, Account: to.Account, Region: to.Region, LoadBalancer: to.LoadBalancer,
		})
		if err != nil && ctx.Err() == nil {
			log.Warn("a log isn't turned on, as its bucket took no test file", "load balancer", to.LoadBalancer, "account", to.Account, "error", err)
		}
		return err
	}
}

// openLog has a node's lines taken to where its load balancer's owner wants them.
func openLog(s *logship.Shipper) func(*snapshot.LoadBalancer, *snapshot.Node, proxy.LogKind) proxy.Lines {
	return func(b *snapshot.LoadBalancer, n *snapshot.Node, kind proxy.LogKind) proxy.Lines {
		owner, err := arn.Parse(b.ARN)
		if err != nil {
			return nil // of no account: nobody can want it
		}
		to := logship.Destination{Account: owner.Account, Region: owner.Region, LoadBalancer: b.ID, Node: n.Address()}
		var at snapshot.Bucket
		switch kind {
		case proxy.AccessLog:
			to.Kind, at = logship.Access, b.Logs.Access
		case proxy.ConnectionLog:
			to.Kind, at = logship.Connection, b.Logs.Connections
		case proxy.HealthCheckLog:
			to.Kind, at = logship.HealthCheck, b.Logs.HealthChecks
		}
		to.Bucket, to.Prefix = at.Name, at.Prefix
		return s.Log(to)
	}
}
