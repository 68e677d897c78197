package server

import (
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// opsHandler answers what an operator asks of the process: whether it lives, is
// ready, what it counts and where its time goes.
func (s *Server) opsHandler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), s.metrics(), s.sweeper, traffic{s})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", s.serveStatus)
	mux.HandleFunc("GET /fsck", s.serveFsck)
	mux.Handle("POST /fsck", http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.serveRepair)))
	mux.HandleFunc("GET /history", s.serveHistory)
	mux.HandleFunc("GET /audit", s.serveAudit)
	mux.HandleFunc("GET /pools/{pool}/forecast", s.serveForecast)
	mux.HandleFunc("GET /announcements", s.serveAnnouncements)
	mux.HandleFunc("GET /pools", s.servePools)
	mux.HandleFunc("GET /pools/{pool}/map", s.serveMap)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	if s.cfg.Dev {
		mux.HandleFunc("POST /reset", s.reset)
	}
	return mux
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// reset empties everything, so that the next test begins on a new installation.
func (s *Server) reset(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	if err := s.empty(r.Context()); err != nil {
		s.log.Error("reset failed", "error", err)
		http.Error(w, "reset failed; the log says why", http.StatusInternalServerError)
		return
	}
	s.log.Info("reset", "took", time.Since(begin))
	w.WriteHeader(http.StatusNoContent)
}
