package elb

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// Options are what the operator decides about load balancers.
type Options struct {
	BaseDomain           string        // "elb.fairlead.test"
	DNSTTL               time.Duration // of addresses; a node serves on for as long after it has left DNS
	AllowLoopbackTargets bool          // 127.0.0.0/8 and ::1 as targets
	Quotas               Quotas
	Certificates         Certificates      // nil: there are none
	Instances            InstanceDirectory // nil: there are none
	// TrustStores are those of accounts, whose tags are set and shown with the
	// others'; nil: there are none.
	TrustStores TrustStores
	// Seal encrypts a client secret for the store; nil: none can be kept.
	Seal func(secret []byte, subject string) []byte
	// TryLog writes a test file to where a log is to go, and returns why it can't;
	// nil: no bucket is tried.
	TryLog  func(ctx context.Context, to LogDelivery) error
	Cognito Cognito    // where user pools are
	Events  *event.Log // what was decided, and why; nil: nobody asks
}

// Service changes and reads what load balancers there should be.
type Service struct {
	store   *store.Store
	tags    *tags.Service
	network Network
	pools   PoolDirectory
	health  *Observations
	opts    Options

	// turn is whose turn it is to create: creations of one account meet on one
	// record, and waiting costs less than losing.
	turn chan struct{}

	owners                 *store.Collection[census] // account/region
	balancers              *store.Collection[LoadBalancer]
	balancersByOwner       *store.Index[LoadBalancer] // account/region, those not deleted
	balancersIn            *store.Index[LoadBalancer] // subnets and security groups, those not deleted
	balancersWithIPv6In    *store.Index[LoadBalancer] // subnets, those not deleted whose nodes have IPv6 addresses
	names                  *store.Collection[string]  // account/region/kind/NAME → ARN
	listeners              *store.Collection[Listener]
	listenersByLB          *store.Index[Listener]    // those not deleted
	listenersLeaving       *store.Index[Listener]    // by LB ARN: those deleted
	listenersByCertificate *store.Index[Listener]    // by certificate ARN: those not deleted
	listenersByTrustStore  *store.Index[Listener]    // by trust store ARN: those not deleted
	ports                  *store.Collection[string] // LB ARN + "|" + port → listener ARN
	rules                  *store.Collection[Rule]
	rulesByListener        *store.Index[Rule]
	rulesByLB              *store.Index[Rule]
	rulesByGroup           *store.Index[Rule]
	groups                 *store.Collection[TargetGroup]
	groupsByOwner          *store.Index[TargetGroup]
	targets                *store.Collection[registrations] // by target group ARN
	targetsDraining        *store.Index[registrations]      // those with one that drains, under draining
	targetsByInstance      *store.Index[registrations]      // by instance id
	nodes                  *store.Collection[Node]
	nodesByLB              *store.Index[Node]
	closedByHost           *store.Index[Node] // those in NodeClosed, or whose IPv6 address is
}

// New declares the room's collections in st.
func New(st *store.Store, tg *tags.Service, network Network, pools PoolDirectory, opts Options) *Service {
	s := &Service{store: st, tags: tg, network: network, pools: pools, health: newObservations(), opts: opts, turn: make(chan struct{}, 1)}
	s.owners = store.NewCollection[census](st, "elb.owner", 1)
	s.balancers = store.NewCollection[LoadBalancer](st, "elb.loadbalancer", 1)
	s.balancersByOwner = s.balancers.Index(func(b LoadBalancer) []string {
		if b.Deleted {
			return nil
		}
		return []string{owner(b.Account, b.Region)}
	})
	s.balancersIn = s.balancers.Index(func(b LoadBalancer) []string {
		if b.Deleted {
			return nil
		}
		return append(b.subnets(), b.SecurityGroups...)
	})
	s.balancersWithIPv6In = s.balancers.Index(func(b LoadBalancer) []string {
		if b.Deleted || !b.ipv6() {
			return nil
		}
		return b.subnets()
	})
	s.names = store.NewCollection[string](st, "elb.name", 1)
	s.listeners = store.NewCollection[Listener](st, "elb.listener", 1)
	s.listenersByLB = s.listeners.Index(func(l Listener) []string {
		if l.Deleted {
			return nil
		}
		return []string{l.LoadBalancerARN}
	})
	s.listenersLeaving = s.listeners.Index(func(l Listener) []string {
		if !l.Deleted {
			return nil
		}
		return []string{l.LoadBalancerARN}
	})
	s.listenersByTrustStore = s.listeners.Index(func(l Listener) []string {
		if l.Deleted || l.TLS == nil || l.TLS.Mutual == nil || l.TLS.Mutual.TrustStore == "" {
			return nil
		}
		return []string{l.TLS.Mutual.TrustStore}
	})
	s.listenersByCertificate = s.listeners.Index(func(l Listener) []string {
		if l.Deleted {
			return nil
		}
		return l.TLS.all()
	})
	s.ports = store.NewCollection[string](st, "elb.port", 1)
	s.rules = store.NewCollection[Rule](st, "elb.rule", 1)
	s.rulesByListener = s.rules.Index(func(r Rule) []string { return []string{r.ListenerARN} })
	s.rulesByLB = s.rules.Index(func(r Rule) []string { return []string{r.LoadBalancerARN} })
	s.rulesByGroup = s.rules.Index(func(r Rule) []string { return groupsOf(r.Actions) })
	s.groups = store.NewCollection[TargetGroup](st, "elb.targetgroup", 1)
	s.groupsByOwner = s.groups.Index(func(g TargetGroup) []string { return []string{owner(g.Account, g.Region)} })
	s.targets = store.NewCollection[registrations](st, "elb.targets", 1)
	s.targetsDraining = s.targets.Index(func(r registrations) []string {
		if !slices.ContainsFunc(r.Targets, func(t Target) bool { return !t.DrainUntil.IsZero() }) {
			return nil
		}
		return []string{draining}
	})
	s.targetsByInstance = s.targets.Index(registrations.instances)
	s.nodes = store.NewCollection[Node](st, "elb.node", 1)
	s.nodesByLB = s.nodes.Index(func(n Node) []string { return []string{n.LoadBalancerARN} })
	s.closedByHost = s.nodes.Index(func(n Node) []string {
		if n.Phase != NodeClosed && n.IPv6.Phase != NodeClosed {
			return nil
		}
		return []string{n.Host}
	})
	return s
}

// census stands for the set of what an account has in a region: who adds to the
// set writes it, so that of two that count at once one counts again.
type census struct {
	Made uint64 // load balancers, target groups and increases of reserved capacity, ever
}

// create runs a transaction that adds to what the account has in the region.
func (s *Service) create(ctx context.Context, account, region string, f func(tx *store.Tx) (added bool, err error)) error {
	update := func(g func(tx *store.Tx) error) error { return s.store.Update(ctx, g) }
	return s.createWithin(ctx, account, region, update, f)
}

// createWithin is create in a transaction of somebody else's.
func (s *Service) createWithin(ctx context.Context, account, region string, update func(func(tx *store.Tx) error) error, f func(tx *store.Tx) (added bool, err error)) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return update(func(tx *store.Tx) error {
		added, err := f(tx)
		if err != nil || !added {
			return err
		}
		key := owner(account, region)
		c, _ := s.owners.Get(tx, key)
		c.Made++
		s.owners.Put(tx, key, c)
		return nil
	})
}

// draining is the one value of the index of target groups with targets that drain.
const draining = "draining"

func owner(account, region string) string { return account + "/" + region }

func nameKey(account, region, kind, name string) string {
	return account + "/" + region + "/" + kind + "/" + name
}

// ownedBy says whether an ARN of this room belongs to the account and region:
// what belongs to others doesn't exist for the caller (I8).
func ownedBy(arn, account, region string) bool {
	return strings.HasPrefix(arn, "arn:aws:elasticloadbalancing:"+region+":"+account+":")
}

// groupsOf returns the ARNs of the target groups that actions name, each once.
func groupsOf(actions []Action) []string {
	var arns []string
	seen := map[string]bool{}
	for _, a := range actions {
		if a.Forward == nil {
			continue
		}
		for _, g := range a.Forward.TargetGroups {
			if !seen[g.ARN] {
				seen[g.ARN] = true
				arns = append(arns, g.ARN)
			}
		}
	}
	return arns
}
