package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/ipam/proof"
)

// verifyBYOIP is the proof room as the ipam room needs it, nil where no proof is
// asked for.
func verifyBYOIP(cfg config.BYOIP, log *slog.Logger) func(context.Context, ipam.Claim) error {
	if cfg.Verification.Has(config.VerificationNone) {
		return nil
	}
	methods := proof.Methods{}
	if cfg.Verification.Has(config.VerificationDNS) {
		methods[proof.DNSToken] = proof.NewDNS(cfg.Resolver, 0)
	}
	if cfg.Verification.Has(config.VerificationX509) {
		methods[proof.RemarksX509] = proof.X509{Certificates: proof.Directory(cfg.Certificates)}
	}
	return func(ctx context.Context, c ipam.Claim) error {
		err := methods.Verify(ctx, proof.Claim{
			Account: c.Account, CIDR: c.CIDR, Method: proof.Method(c.Method), Time: c.Time,
			Message: c.Message, Signature: c.Signature, TokenName: c.TokenName, TokenValue: c.TokenValue,
		})
		if e, ok := errors.AsType[*proof.ClaimError](err); ok {
			return &ipam.ClaimError{Reason: e.Reason}
		}
		if e, ok := errors.AsType[*proof.UnprovenError](err); ok {
			if e.Cause != nil { // which the account isn't told
				log.Warn("a proof of control couldn't be looked for", "cidr", c.CIDR, "account", c.Account, "error", e.Cause)
			}
			return &ipam.UnprovenError{Reason: e.Reason}
		}
		return err
	}
}

// serveAnnouncements answers which prefixes routers should announce, and for
// which regions.
func (s *Server) serveAnnouncements(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, s.rooms.announcer.Routes())
}
