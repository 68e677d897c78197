package server

import (
	"log/slog"
	"strings"

	"github.com/fairlead/fairlead/internal/account"
	"github.com/fairlead/fairlead/internal/announce"
	"github.com/fairlead/fairlead/internal/api/acm"
	"github.com/fairlead/fairlead/internal/api/ec2"
	"github.com/fairlead/fairlead/internal/api/elbv2"
	"github.com/fairlead/fairlead/internal/api/fairlead"
	"github.com/fairlead/fairlead/internal/api/sts"
	"github.com/fairlead/fairlead/internal/audit"
	"github.com/fairlead/fairlead/internal/bucket"
	"github.com/fairlead/fairlead/internal/certs"
	"github.com/fairlead/fairlead/internal/certs/acme"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/discovery"
	"github.com/fairlead/fairlead/internal/elb"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/history"
	"github.com/fairlead/fairlead/internal/idempotency"
	"github.com/fairlead/fairlead/internal/instance"
	"github.com/fairlead/fairlead/internal/ipam"
	"github.com/fairlead/fairlead/internal/prefixlist"
	"github.com/fairlead/fairlead/internal/prefixlist/resolver"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/truststore"
	"github.com/fairlead/fairlead/internal/vpc"
	"github.com/fairlead/fairlead/internal/wire"
)

// rooms is the control plane, joined and not yet started.
type rooms struct {
	store       *store.Store
	regions     *regions
	tags        *tags.Service
	idempotency *idempotency.Service
	history     *history.Service
	events      *event.Log
	discovery   *discovery.Service
	ipam        *ipam.Service
	announcer   *announce.Recorder
	vpc         *vpc.Service
	prefixLists *prefixlist.Service
	certs       *certs.Service
	authority   *acme.Authority // nil: none is configured
	resolvers   *resolver.Service
	openKey     func(certificateARN string, sealed []byte) ([]byte, error) // for hosts in this process
	instances   *instance.Service
	trustStores *truststore.Service
	contents    *contents
	authKeys    *authKeys
	elb         *elb.Service
	projector   *elb.Projector
	controller  *elb.Controller
	audit       *audit.Log
	wire        *wire.Server
}

// hostName is the host that a server of all roles is to itself.
const hostName = "local"

func build(cfg config.Config, engine store.Engine, accounts *account.Directory, sealer *certs.Sealer, record *audit.Log, puts *bucket.Writer, log *slog.Logger) *rooms {
	r := &rooms{openKey: func(at string, sealed []byte) ([]byte, error) { return sealer.Open(sealed, at) }, store: store.New(engine, "/fairlead/v1", log), audit: record}
	r.regions = newRegions(cfg, r.store)
	r.tags = tags.New(r.store)
	r.idempotency = idempotency.New(r.store)
	r.history = history.New(r.store, history.Options{})
	r.events = event.New(r.store, event.Options{Log: log})
	r.ipam = ipam.New(r.store, r.tags, r.idempotency, ipam.Options{
		Quarantine:         cfg.QuarantineTime(),
		FreeTierQuarantine: cfg.IPAM.FreeTierQuarantine,
		VerifyBYOIP:        verifyBYOIP(cfg.BYOIP, log),
		IsRegion:           r.regions.Has,
		History:            r.history,
		Networks:           watched{r},
		Companions:         watched{r},
		VPCs:               planning{r},
		Quotas:             ipam.Quotas(cfg.IPAM.Quotas),
		Events:             r.events,
		Log:                log,
	})
	r.regions.ipam = r.ipam
	r.announcer = announce.NewRecorder(log)
	r.vpc = vpc.New(r.store, r.tags, r.idempotency, drawing{r.ipam}, vpc.Options{
		Zones:       r.regions.Zones,
		Quotas:      networking(cfg.Quotas.VPC),
		PrefixLists: lists{r},
		PolicyPools: func(rd store.Reader, account, region string) []string {
			return r.ipam.PolicyPools(rd, account, region, ipam.ForElasticIPs)
		},
		Ended:     r.ended,
		InUse:     func(rd store.Reader, id string) bool { return r.elb.Uses(rd, id) },
		IPv6InUse: func(rd store.Reader, subnet string) bool { return r.elb.UsesIPv6(rd, subnet) },
	})
	r.prefixLists = prefixlist.New(r.store, r.tags, r.idempotency, prefixlist.Options{Users: listUsers{r.vpc}})
	r.discovery = discovery.New(r.store, r.tags, r.idempotency, discovery.Options{
		Networks: networks{r.vpc}, Managers: managers{r.ipam}, Pools: managers{r.ipam},
		History: r.history, IsRegion: r.regions.Has,
	})
	r.resolvers = resolver.New(r.store, r.tags, r.idempotency, resolver.Options{
		Lists: r.prefixLists, Managers: resolving{r}, Networks: resolving{r}, Changes: resolving{r}, IsRegion: r.regions.Has, Log: log,
	})
	r.history.AddSource(r.ipam)
	r.history.AddSource(r.discovery)
	r.authority = authority(cfg.ACME, r.store, sealer)
	r.certs = certs.New(r.store, r.tags, certs.Options{
		Sealer:    sealer,
		InUseBy:   func(rd store.Reader, arn string) []string { return r.elb.CertificateUsers(rd, arn) },
		Tokens:    r.idempotency,
		Authority: orNone(r.authority),
		Zone:      cfg.DNS.BaseDomain,
		OwnsName:  func(rd store.Reader, account, name string) bool { return r.elb.OwnsName(rd, account, name) },
	})
	r.trustStores = truststore.New(r.store, r.tags, truststore.Options{Fetch: objects{bucket.Set(cfg.Buckets)}.fetch, Quota: cfg.Quotas.ELB.TrustStores,
		InUseBy: func(rd store.Reader, arn string) []string { return r.elb.TrustStoreUsers(rd, arn) }})
	r.contents = newContents(r)
	r.authKeys = newAuthKeys(r)
	r.instances = instance.New(r.store, r.tags, filing{r})
	r.elb = elb.New(r.store, r.tags, network{r.vpc}, pools{r.ipam}, elb.Options{
		BaseDomain:           cfg.DNS.BaseDomain,
		DNSTTL:               cfg.DNS.TTL,
		AllowLoopbackTargets: cfg.Attachment.Driver == config.DriverLoopback,
		Quotas:               balancing(cfg.Quotas),
		Certificates:         certificates{r.certs},
		Events:               r.events,
		Instances:            inventory{r.instances},
		TrustStores:          trusted{r.trustStores},
		Seal:                 sealer.Seal,
		TryLog:               tryLog(puts, log),
		Cognito:              elb.Cognito(cfg.Cognito),
	})
	r.projector = r.elb.NewProjector(hostName, log)
	r.controller = r.elb.NewController(interfaces{r.store, r.vpc}, r.projector, log)
	root := cfg.RootAccount
	if cfg.Dev {
		root = wire.DevAccount
	}
	r.wire = wire.NewServer(
		wire.Config{Keys: accounts, Regions: r.regions.Has, Dev: cfg.Dev, DevRegion: cfg.Regions[0].Name, Answered: r.answered, Log: log},
		ec2.New(ec2.Deps{Store: r.store, VPC: r.vpc, IPAM: r.ipam, Discovery: r.discovery, Instances: r.instances, PrefixLists: r.prefixLists, Resolvers: r.resolvers, Tags: r.tags, Regions: r.regions}).Service(),
		elbv2.New(r.store, r.elb, elbv2.Trust{TrustStores: r.trustStores, Location: r.contents.location}).Service(),
		acm.New(r.store, r.certs).Service(),
		sts.Service(),
		fairlead.New(fairlead.Deps{Store: r.store, Tags: r.tags, IPAM: r.ipam, ELB: r.elb, Instances: r.instances, Events: r.events, Root: root}),
	)
	return r
}

// endpoint is the URL that clients reach the API on.
func endpoint(addr string) string {
	return "http://" + strings.Replace(addr, "0.0.0.0", "127.0.0.1", 1)
}
