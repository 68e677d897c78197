package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead/fairlead/internal/account"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/fsck"
	"github.com/fairlead/fairlead/internal/status"
	"github.com/fairlead/fairlead/internal/store/etcd"
)

const (
	// fsckFirst is when a running server sweeps its records first: not while it
	// has a start to finish.
	fsckFirst = time.Minute
	fsckEvery = time.Hour

	// fsckGrace is how long an allocation without a holder must have stood as such
	// before a repair of a running server releases it. A holder and its
	// allocation come and go in one transaction, so that nothing should ever
	// stand; the time is for what a newer program does otherwise.
	fsckGrace = 10 * time.Minute

	// fsckLogged is how many findings of a sweep are logged.
	fsckLogged = 50
)

// sweeper proves from time to time that all records fit together. It is safe for
// concurrent use.
type sweeper struct {
	checker *fsck.Checker
	log     *slog.Logger
	latest  atomic.Pointer[fsck.Report] // of run; nil before its first sweep
}

// run sweeps until ctx ends. It repairs nothing.
func (s *sweeper) run(ctx context.Context) {
	timer := time.NewTimer(fsckFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		out := s.checker.Check(time.Now().UTC().Round(0))
		s.logFindings(ctx, out)
		s.latest.Store(&out)
		timer.Reset(fsckEvery)
	}
}

func (s *sweeper) logFindings(ctx context.Context, out fsck.Report) {
	for i, f := range out.Findings {
		if i == fsckLogged {
			s.log.WarnContext(ctx, "fsck: more findings than are logged: see fairlead fsck", "findings", out.Left)
			break
		}
		s.log.WarnContext(ctx, "fsck: finding", "kind", f.Kind, "where", f.Where, "what", f.What, "invariant", f.Invariant, "since", f.Since, "repair", f.Repair)
	}
	s.log.LogAttrs(ctx, slog.LevelDebug, "fsck: swept", slog.Int("findings", out.Left), slog.Int64("revision", out.Revision), slog.Duration("took", out.Took))
}

var (
	findingsDesc = prometheus.NewDesc("fairlead_fsck_findings", "What the latest sweep found that doesn't fit together, by kind.", []string{"kind"}, nil)
	sweptDesc    = prometheus.NewDesc("fairlead_fsck_timestamp_seconds", "When the latest sweep was.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *sweeper) Describe(ch chan<- *prometheus.Desc) {
	ch <- findingsDesc
	ch <- sweptDesc
}

// Collect implements prometheus.Collector: the latest sweep, with its zeros, so
// that an alert sees a kind rise.
func (s *sweeper) Collect(ch chan<- prometheus.Metric) {
	latest := s.latest.Load()
	if latest == nil {
		return
	}
	kinds := map[fsck.Kind]int{}
	for _, f := range latest.Findings {
		kinds[f.Kind]++
	}
	for _, k := range fsck.Kinds() {
		ch <- prometheus.MustNewConstMetric(findingsDesc, prometheus.GaugeValue, float64(kinds[k]), string(k))
	}
	ch <- prometheus.MustNewConstMetric(sweptDesc, prometheus.GaugeValue, float64(latest.At.Unix()))
}

// serveFsck answers what `fairlead fsck` shows: GET /fsck.
func (s *Server) serveFsck(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, fsckReport(s.sweeper.checker.Check(time.Now().UTC().Round(0))))
}

// serveRepair repairs what is provably right: POST /fsck. The ops address is for
// operators, and what they can lose by it is nothing, unlike with /reset; so it is
// there without --dev, too. A browser that is led here by a page of others is
// turned away (see opsHandler).
func (s *Server) serveRepair(w http.ResponseWriter, r *http.Request) {
	out := s.sweeper.checker.Repair(r.Context(), time.Now().UTC().Round(0))
	for _, f := range out.Findings {
		s.log.Warn("fsck: repair", "kind", f.Kind, "where", f.Where, "what", f.What, "invariant", f.Invariant, "outcome", f.Outcome)
	}
	s.answer(w, fsckReport(out))
}

func fsckReport(r fsck.Report) status.Fsck {
	out := status.Fsck{
		At: r.At, Revision: r.Revision, Took: r.Took.Round(time.Microsecond).String(),
		Pools: r.Pools, CIDRs: r.CIDRs, Held: r.Held, Cooling: r.Cooling, Staged: r.Staged,
		Interfaces: r.Interfaces, Addresses: r.Addresses, Nodes: r.Nodes, Counters: r.Counters,
		NotChecked: r.NotChecked, Findings: []status.Finding{}, More: r.More, Repaired: r.Repaired, Left: r.Left,
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, status.Finding{
			Kind: string(f.Kind), Invariant: f.Invariant, Where: f.Where, What: f.What, Repair: f.Repair, Since: f.Since, Outcome: f.Outcome,
		})
	}
	return out
}

// Fsck sweeps the store of a server that doesn't run, and repairs it if asked to.
// Nobody else has it open, so that what is found needn't stand for a while first.
func Fsck(ctx context.Context, cfg config.Config, repair bool, log *slog.Logger) (out status.Fsck, err error) {
	dir := filepath.Join(cfg.DataDir, "store")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return out, fmt.Errorf("no server has kept anything in data directory %s", cfg.DataDir)
	}
	engine, err := etcd.Open(ctx, etcd.Options{Dir: dir, Log: log})
	if errors.Is(err, etcd.ErrLocked) {
		return out, fmt.Errorf("a server runs on data directory %s: leave --data-dir out to ask it", cfg.DataDir)
	}
	if err != nil {
		return out, fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	r := build(cfg, engine, new(account.Directory), nil, nil, nil, log)
	if err := r.store.Start(ctx); err != nil {
		return out, err
	}
	defer r.store.Close()
	checker, now := r.newChecker(0), time.Now().UTC().Round(0)
	if repair {
		return fsckReport(checker.Repair(ctx, now)), nil
	}
	return fsckReport(checker.Check(now)), nil
}
