package acm

import (
	"context"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/wire"
)

// Spec tells the service from others on the wire.
var Spec = wire.ServiceSpec{Name: "acm", Version: "2015-12-08", Protocol: wire.JSON, Target: "CertificateManager"}

// API answers ACM calls.
type API struct {
	store *store.Store
	certs *certs.Service
}

// New returns an API.
func New(st *store.Store, s *certs.Service) *API { return &API{store: st, certs: s} }

// Service returns the operations that are served.
func (a *API) Service() *wire.Service {
	svc := wire.NewService(Spec)
	handle(svc, "ImportCertificate", a.importCertificate)
	handle(svc, "RequestCertificate", a.requestCertificate)
	handle(svc, "RenewCertificate", a.renewCertificate)
	handle(svc, "DescribeCertificate", a.describeCertificate)
	handle(svc, "GetCertificate", a.getCertificate)
	handle(svc, "ListCertificates", a.listCertificates)
	handle(svc, "DeleteCertificate", a.deleteCertificate)
	handle(svc, "AddTagsToCertificate", a.addTags)
	handle(svc, "RemoveTagsFromCertificate", a.removeTags)
	handle(svc, "ListTagsForCertificate", a.listTags)
	for action, why := range unserved {
		wire.Refuse(svc, action, apierr.New("ValidationException", "%s is not served by this installation: %s", action, why))
	}
	return svc
}

// unserved are actions of the service with the reason why they are refused.
var unserved = map[string]string{
	"ResendValidationEmail":    "domains are validated by DNS alone.",
	"RevokeCertificate":        "ask the authority that issued the certificate.",
	"ExportCertificate":        "a private key is not given out again.",
	"UpdateCertificateOptions": "the authority decides what is logged.",
	"GetAccountConfiguration":  "no events are sent before a certificate expires.",
	"PutAccountConfiguration":  "no events are sent before a certificate expires.",
	"SearchCertificates":       "use ListCertificates.",
	"ListTagsForResource":      "use ListTagsForCertificate.",
	"TagResource":              "use AddTagsToCertificate.",
	"UntagResource":            "use RemoveTagsFromCertificate.",
}

// handle registers a handler, which may return the room's errors as they are.
func handle[In, Out any](svc *wire.Service, action string, h func(context.Context, *wire.Call, *In) (*Out, error)) {
	wire.Handle(svc, action, func(ctx context.Context, c *wire.Call, in *In) (*Out, error) {
		out, err := h(ctx, c, in)
		if err != nil {
			return nil, refusal(err)
		}
		return out, nil
	})
}
