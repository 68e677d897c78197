package main

import (
	"io"
	"log/slog"

	"github.com/fairlead/fairlead/internal/config"
)

// settings are the flags of commands that run a server. One that isn't given is
// nil: then the configuration file decides, and else the default.
type settings struct {
	Config    string  `help:"Read settings from the YAML file; flags go before them." placeholder:"FILE"`
	DataDir   *string `help:"Keep all state in the directory (default ${data_dir})." placeholder:"DIR"`
	APIAddr   *string `name:"api-addr" help:"Serve the AWS APIs on the address (default ${api_addr})." placeholder:"HOST:PORT"`
	DNSAddr   *string `name:"dns-addr" help:"Answer DNS on the address, UDP and TCP (default ${dns_addr})." placeholder:"HOST:PORT"`
	OpsAddr   *string `name:"ops-addr" help:"Serve health, metrics and profiles on the address (default ${ops_addr})." placeholder:"HOST:PORT"`
	LogLevel  *string `help:"Log from the level on: debug, info, warn or error (default ${log_level})." placeholder:"LEVEL"`
	LogFormat *string `help:"Log as text or json (default ${log_format})." placeholder:"FORMAT"`

	Verification *config.Verification `name:"byoip-verification" help:"Ask for a proof of control of prefixes that accounts bring: none, dns, x509 or dns+x509 (default none)." placeholder:"PROOFS"`
	Resolver     *string              `name:"byoip-resolver" help:"Look up verification tokens through the resolver." placeholder:"HOST:PORT"`
	Certificates *string              `name:"byoip-certificates" help:"Find the certificates of signed prefixes in the directory." placeholder:"DIR"`
}

// over lays the file over the base, and the flags over both. The result isn't
// checked yet.
func (s settings) over(base config.Config) (config.Config, error) {
	cfg := base
	if s.Config != "" {
		if err := config.ReadFile(s.Config, &cfg); err != nil {
			return cfg, err
		}
	}
	lay(&cfg.DataDir, s.DataDir)
	lay(&cfg.APIAddr, s.APIAddr)
	lay(&cfg.DNSAddr, s.DNSAddr)
	lay(&cfg.OpsAddr, s.OpsAddr)
	lay(&cfg.LogLevel, s.LogLevel)
	lay(&cfg.LogFormat, s.LogFormat)
	lay(&cfg.BYOIP.Verification, s.Verification)
	lay(&cfg.BYOIP.Resolver, s.Resolver)
	lay(&cfg.BYOIP.Certificates, s.Certificates)
	return cfg, nil
}

// lay sets what a flag says, if it was given.
func lay[T any](setting, flag *T) {
	if flag != nil {
		*setting = *flag
	}
}

// logger returns a logger as the checked settings have it.
func logger(cfg config.Config, w io.Writer) *slog.Logger {
	level := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[cfg.LogLevel]
	opts := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
