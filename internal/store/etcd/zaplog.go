package etcd

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"go.uber.org/zap/zapcore"
)

// moot are parts of messages of etcd that a healthy embedded member brings and
// that tell an operator nothing.
var moot = []string{
	// It listens on no port at all.
	"Running http and grpc server on single port",
	// On a first start, before anything was snapshotted. The storage version
	// matters to a downgrade of etcd, and is looked at again every few seconds.
	"Failed to detect schema version",
	"Failed to detect storage schema version",
	"failed to update storage version",
	// On a start, when its first election comes before it has applied its log.
	// The next follows; if none did, Open would not return.
	"cannot campaign at term",
	// Again and again while it applies a long log; this is what Open waits for.
	"failed to publish local member to cluster through raft",
}

func isMoot(message string) bool {
	return slices.ContainsFunc(moot, func(part string) bool { return strings.Contains(message, part) })
}

// zapCore passes etcd's log on to slog. It is worth reading from warnings up:
// what etcd calls information is a commentary of its inner workings.
type zapCore struct {
	zapcore.LevelEnabler
	handler slog.Handler
}

func newZapCore(log *slog.Logger, from zapcore.LevelEnabler) zapcore.Core {
	return &zapCore{LevelEnabler: from, handler: log.Handler().WithAttrs([]slog.Attr{slog.String("from", "etcd")})}
}

// With implements zapcore.Core.
func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{LevelEnabler: c.LevelEnabler, handler: c.handler.WithAttrs(attrs(fields))}
}

// Check implements zapcore.Core.
func (c *zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) && !isMoot(e.Message) && c.handler.Enabled(context.Background(), level(e.Level)) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements zapcore.Core.
func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, level(e.Level), e.Message, 0)
	r.AddAttrs(attrs(fields)...)
	return c.handler.Handle(context.Background(), r)
}

// Sync implements zapcore.Core; slog has nothing to flush.
func (c *zapCore) Sync() error { return nil }

func level(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func attrs(fields []zapcore.Field) []slog.Attr {
	enc := zapcore.NewMapObjectEncoder()
	out := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(enc)
		if v, ok := enc.Fields[f.Key]; ok {
			out = append(out, slog.Any(f.Key, v))
		}
	}
	return out
}
