package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// An attribute is a named setting of a load balancer, listener or target group.
// A record keeps those that differ from their defaults; what there are, and what
// each may be, stands in the tables of attribute_table.go.

// attribute is one row of such a table.
type attribute struct {
	key   string
	deflt string
	// check returns what the value must be, "" if it is that.
	check func(value string) string
}

// attributes is a table.
type attributes []attribute

// all returns every attribute: what is set, and the defaults of the others.
func (as attributes) all(set map[string]string) map[string]string {
	out := make(map[string]string, len(as))
	for _, a := range as {
		out[a.key] = a.deflt
	}
	maps.Copy(out, set)
	return out
}

// merge returns what is set once the changes are made. A key that isn't in the
// table, or a value that it can't have, is the caller's fault, of the kind; noun
// is what the attributes are of.
func (as attributes) merge(noun string, kind Kind, set, changes map[string]string) (map[string]string, error) {
	out := maps.Clone(set)
	if out == nil {
		out = map[string]string{}
	}
	known := 0
	for _, a := range as {
		value, ok := changes[a.key]
		if !ok {
			continue
		}
		known++
		if must := a.check(value); must != "" {
			return nil, fail(kind, "'%s' value '%s' must be %s", a.key, value, must)
		}
		if out[a.key] = value; value == a.deflt {
			delete(out, a.key)
		}
	}
	if known == len(changes) {
		return out, nil
	}
	all := as.all(nil)
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if _, ok := all[key]; !ok {
			return nil, fail(kind, "%s attribute key '%s' is not recognized", noun, key)
		}
	}
	return out, nil
}

// What values there are.

func isBool(v string) string { return oneOf("true", "false")(v) }

func oneOf(values ...string) func(string) string {
	return func(v string) string {
		for _, w := range values {
			if v == w {
				return ""
			}
		}
		return "one of '" + strings.Join(values, "', '") + "'"
	}
}

func number(low, high int) func(string) string {
	return func(v string) string {
		if n, err := strconv.Atoi(v); err != nil || n < low || n > high {
			return fmt.Sprintf("between '%d-%d' inclusive", low, high)
		}
		return ""
	}
}

// or accepts the words, and what check accepts.
func or(check func(string) string, words ...string) func(string) string {
	return func(v string) string {
		if oneOf(words...)(v) == "" {
			return ""
		}
		if must := check(v); must != "" {
			return "'" + strings.Join(words, "', '") + "', or " + must
		}
		return ""
	}
}

// empty accepts "", which stands for nothing set, and what check accepts.
func empty(check func(string) string) func(string) string {
	return func(v string) string {
		if v == "" {
			return ""
		}
		return check(v)
	}
}

// maxAttribute is the longest value, in characters (ELBv2 LoadBalancerAttributeValue).
const maxAttribute = 1024

// headerValue accepts what can stand in a header's line (RFC 9110 §5.5).
func headerValue(v string) string {
	bad := func(r rune) bool { return (r < ' ' && r != '\t') || r > '~' }
	if len(v) > maxAttribute || strings.ContainsFunc(v, bad) {
		return fmt.Sprintf("at most %d printable ASCII characters", maxAttribute)
	}
	return ""
}

// headerName accepts a header's name (RFC 9110 §5.1).
func headerName(v string) string {
	ok := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	if v == "" || len(v) > 256 || strings.ContainsFunc(v, func(r rune) bool { return !ok(r) }) {
		return "the name of a header"
	}
	return ""
}

// addedHeaderName accepts the name of a header that may be added to requests.
func addedHeaderName(v string) string {
	if reservedHeaders[strings.ToLower(v)] {
		return "the name of a header without a meaning of its own"
	}
	return headerName(v)
}

// reservedHeaders are headers that say where a request ends or goes, or that the
// load balancer says anyway: one of these with another meaning would mislead targets.
var reservedHeaders = map[string]bool{
	"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "upgrade": true, "te": true, "trailer": true,
	"keep-alive": true, "proxy-connection": true, "expect": true, "date": true,
	"x-forwarded-for": true, "x-forwarded-proto": true, "x-forwarded-port": true, "x-amzn-trace-id": true,
}

// checkHeaderNames refuses one name for two headers.
func checkHeaderNames(all map[string]string) error {
	keys := map[string]string{} // by name
	for _, h := range requestHeaders {
		key := "routing.http.request." + h.name + ".header_name"
		name := strings.ToLower(all[key])
		if other, taken := keys[name]; taken && name != "" {
			return fail(InvalidConfiguration, "The attributes '%s' and '%s' must name different headers", other, key)
		}
		keys[name] = key
	}
	return nil
}

// ModifyLoadBalancerAttributes sets attributes, all or none, and returns every
// attribute there is.
func (s *Service) ModifyLoadBalancerAttributes(ctx context.Context, account, region, arn string, changes map[string]string, now time.Time) (map[string]string, error) {
	var b LoadBalancer
	var untried []LogDelivery
	tried := map[LogDelivery]bool{}
	modify := func(tx *store.Tx, reserved *Block) (err error) {
		if b, err = s.LoadBalancer(tx, account, region, arn); err != nil {
			return err
		}
		before := b.Attributes
		if b.Attributes, err = loadBalancerAttributes(b.Scheme).merge("Load balancer", InvalidConfiguration, before, changes); err != nil {
			return err
		}
		if err := checkLogs(b.Attributes); err != nil {
			return err
		}
		untried = slices.DeleteFunc(b.newDeliveries(before), func(d LogDelivery) bool { return tried[d] })
		if len(untried) > 0 && s.opts.TryLog != nil {
			return errUntried
		}
		asked, given := changes[attrBlock]
		switch {
		case !given:
		case b.Block != nil && asked != "" && b.Block.is(asked):
			b.Attributes[attrBlock] = before[attrBlock] // a length is told as the CIDR that it became
		case reserved != nil && (reserved.PoolID != b.PoolID || !reserved.is(asked)):
			return store.ErrConflict
		case asked != "" && reserved == nil:
			return errReserve
		case b.Block != nil || reserved != nil:
			s.setBlock(tx, &b, reserved, now)
		}
		s.balancers.Put(tx, arn, b)
		return nil
	}
	for {
		err := s.store.Update(ctx, func(tx *store.Tx) error { return modify(tx, nil) })
		if errors.Is(err, errReserve) {
			if b.PoolID == "" {
				return nil, fail(InvalidConfiguration, "The attribute '%s' requires an IPAM pool", attrBlock)
			}
			err = s.reserve(ctx, b, changes[attrBlock], now, func(tx *store.Tx, k Block) error { return modify(tx, &k) })
		}
		if errors.Is(err, errUntried) {
			if err = s.tryLogs(ctx, untried, tried); err == nil {
				continue // with what is stored by now
			}
		}
		if err != nil {
			return nil, err
		}
		return b.AllAttributes(), nil
	}
}

// errReserve says that a change needs a block, which only a pool's turn can take.
var errReserve = errors.New("elb: a block is to be reserved")

// AllAttributes returns the load balancer's attributes, those with defaults, too.
func (b LoadBalancer) AllAttributes() map[string]string {
	return loadBalancerAttributes(b.Scheme).all(b.Attributes)
}

// ModifyListenerAttributes sets attributes, all or none, and returns every
// attribute there is.
func (s *Service) ModifyListenerAttributes(ctx context.Context, account, region, arn string, changes map[string]string) (map[string]string, error) {
	var l Listener
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if l, err = s.Listener(tx, account, region, arn); err != nil {
			return err
		}
		if l.Attributes, err = listenerAttributes(l.Protocol).merge("Listener", InvalidConfiguration, l.Attributes, changes); err != nil {
			return err
		}
		if err := checkHeaderNames(l.AllAttributes()); err != nil {
			return err
		}
		s.listeners.Put(tx, arn, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l.AllAttributes(), nil
}

// AllAttributes returns the listener's attributes, those with defaults, too.
func (l Listener) AllAttributes() map[string]string {
	return listenerAttributes(l.Protocol).all(l.Attributes)
}

// ModifyTargetGroupAttributes sets attributes, all or none, and returns every
// attribute there is.
func (s *Service) ModifyTargetGroupAttributes(ctx context.Context, account, region, arn string, changes map[string]string) (map[string]string, error) {
	var g TargetGroup
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if g, err = s.TargetGroup(tx, account, region, arn); err != nil {
			return err
		}
		if changes["stickiness.type"] == "source_ip" { // of network load balancers
			return fail(InvalidConfiguration, "Stickiness type 'source_ip' is not supported for target groups with the %s protocol", g.Protocol)
		}
		if err := g.checkTargetTLS(changes); err != nil {
			return err
		}
		if g.Attributes, err = g.table().merge("Target group", Invalid, g.Attributes, changes); err != nil {
			return err
		}
		if err := checkTargetGroup(g.AllAttributes()); err != nil {
			return err
		}
		if regs, _ := s.targets.Get(tx, arn); g.zoneOnly() && slices.ContainsFunc(regs.Targets, func(t Target) bool { return t.Zone == anyZone }) {
			return fail(InvalidConfiguration, "Cross-zone load balancing can't be turned off while targets with the Availability Zone 'all' are registered")
		}
		if err := s.checkStickyGroup(tx, g); err != nil {
			return err
		}
		if err := s.giveCookieKeys(tx, g); err != nil {
			return err
		}
		s.groups.Put(tx, arn, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return g.AllAttributes(), nil
}

// AllAttributes returns the target group's attributes, those with defaults, too.
func (g TargetGroup) AllAttributes() map[string]string {
	return g.table().all(g.Attributes)
}

// table returns the attributes that the target group has.
func (g TargetGroup) table() attributes {
	if g.Protocol == "HTTPS" {
		return httpsTargetGroupAttributes
	}
	return targetGroupAttributes
}

// checkTargetGroup refuses attributes that exclude each other.
func checkTargetGroup(all map[string]string) error {
	slow := all["slow_start.duration_seconds"] != "0"
	algorithm := all["load_balancing.algorithm.type"]
	sticky := all["stickiness.enabled"] == "true"
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{slow && algorithm != roundRobin, "Slow start requires the algorithm 'round_robin'"},
		{all["load_balancing.algorithm.anomaly_mitigation"] == "on" && algorithm != weightedRandom, "Anomaly mitigation requires the algorithm 'weighted_random'"},
		{sticky && algorithm == weightedRandom, "Stickiness is not supported with the algorithm 'weighted_random'"},
		{sticky && all[crossZone] == "false", "Stickiness is not supported when cross-zone load balancing is off"},
		{sticky && all["stickiness.type"] == "app_cookie" && all["stickiness.app_cookie.cookie_name"] == "", "You must set an application cookie name to enable stickiness of type 'app_cookie'"},
		{below(all, "count"), "The count of minimum healthy targets for DNS failover must not be less than that for unhealthy state routing"},
		{below(all, "percentage"), "The percentage of minimum healthy targets for DNS failover must not be less than that for unhealthy state routing"},
	} {
		if rule.broken {
			return fail(InvalidConfiguration, "%s", rule.text)
		}
	}
	return nil
}

// below says whether DNS would keep a zone that routing has given up, by one of
// the two measures. "off" measures nothing.
func below(all map[string]string, measure string) bool {
	dns, err1 := strconv.Atoi(all["target_group_health.dns_failover.minimum_healthy_targets."+measure])
	routing, err2 := strconv.Atoi(all["target_group_health.unhealthy_state_routing.minimum_healthy_targets."+measure])
	return err1 == nil && err2 == nil && dns < routing
}
