package etcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	dialTimeout = 5 * time.Second
	// A connection whose other end is gone without a word is given up after
	// their sum, and its watches resume at another member.
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 5 * time.Second
)

// Dial connects to a cluster at endpoints ("https://host:2379", …). tlsConfig
// is nil for plain text, log nil for slog.Default. It returns once a member
// has answered, or an error when none did within 5 s or ctx ended. How long
// history is kept is the cluster's own setting.
func Dial(ctx context.Context, endpoints []string, tlsConfig *tls.Config, log *slog.Logger) (*Engine, error) {
	if log == nil {
		log = slog.Default()
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		TLS:                  tlsConfig,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepAliveTime,
		DialKeepAliveTimeout: keepAliveTimeout,
		PermitWithoutStream:  true,
		// Its warnings are of calls that failed, which Engine returns.
		Logger: zap.New(newZapCore(log, zapcore.ErrorLevel)),
	})
	if err != nil {
		return nil, fmt.Errorf("dial etcd %q: %w", endpoints, err)
	}
	e := &Engine{client: client, txns: clientv3.RetryKVClient(client)}
	probe, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	// Any linearizable read will do: it says that there is a leader.
	if _, err := client.Get(probe, "\x00", clientv3.WithKeysOnly(), clientv3.WithLimit(1)); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("dial etcd %q: %w", endpoints, translate(err))
	}
	return e, nil
}
