package elb

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/tags"
)

// CreateLoadBalancer is ELBv2 CreateLoadBalancer, defaults filled in.
type CreateLoadBalancer struct {
	Account, Region string
	Name            string
	Subnets         []string
	SecurityGroups  []string // none: the VPC's default group
	Scheme          Scheme
	AddressType     string
	PoolID          string
	Tags            []tags.Tag
	Time            time.Time
	Hex             string // 16 hex digits, for the ARN, random
	Digits          string // up to 10 digits, for the DNS name, random
}

// FreeAddressesNeeded is how many free private addresses each subnet must have.
const FreeAddressesNeeded = 8

// CreateLoadBalancer makes a load balancer, or returns the one of that name if
// it has the same settings (DuplicateLoadBalancerName otherwise).
func (s *Service) CreateLoadBalancer(ctx context.Context, c CreateLoadBalancer) (LoadBalancer, error) {
	if err := checkBalancerName(c.Name); err != nil {
		return LoadBalancer{}, err
	}
	c.SecurityGroups = unique(c.SecurityGroups)
	attributes, block, err := c.initial()
	if err != nil {
		return LoadBalancer{}, err
	}
	id := "app/" + c.Name + "/" + c.Hex
	arn := "arn:aws:elasticloadbalancing:" + c.Region + ":" + c.Account + ":loadbalancer/" + id
	var made LoadBalancer
	var reserved *Block
	update := func(f func(tx *store.Tx) error) error { return s.store.Update(ctx, f) }
	if _, taken := s.names.Get(s.store.Snapshot(), nameKey(c.Account, c.Region, "loadbalancer", c.Name)); block != "" && !taken {
		update = func(f func(tx *store.Tx) error) error {
			return s.reserve(ctx, LoadBalancer{ARN: arn, Account: c.Account, Region: c.Region, PoolID: c.PoolID}, block, c.Time, func(tx *store.Tx, k Block) error {
				reserved = &k
				return f(tx)
			})
		}
	}
	err = s.createWithin(ctx, c.Account, c.Region, update, func(tx *store.Tx) (added bool, err error) {
		key := nameKey(c.Account, c.Region, "loadbalancer", c.Name)
		if arn, taken := s.names.Get(tx, key); taken {
			made, _ = s.balancers.Get(tx, arn)
			if !s.sameSettings(tx, made, c) {
				return false, fail(DuplicateLoadBalancerName, "A load balancer with the same name '%s' exists, but with different settings", c.Name)
			}
			if reserved != nil {
				return false, errMade // it has its block
			}
			return false, nil
		}
		if block != "" && reserved == nil {
			return false, store.ErrConflict // the name was taken, and isn't any more
		}
		vpc, zones, err := s.checkSubnets(tx, c.Account, c.Region, c.Scheme, c.Subnets)
		if err != nil {
			return false, err
		}
		if err := s.checkAddressType(tx, c.Account, c.Region, c.AddressType, c.Scheme, c.PoolID, c.Subnets); err != nil {
			return false, err
		}
		groups, err := s.initialSecurityGroups(tx, c, vpc)
		if err != nil {
			return false, err
		}
		if err := s.checkPool(tx, c.Account, c.Region, c.PoolID, c.Scheme); err != nil {
			return false, err
		}
		if s.balancersByOwner.Count(tx, owner(c.Account, c.Region)) >= s.opts.Quotas.LoadBalancers {
			return false, fail(TooManyLoadBalancers, "You have reached the maximum number of load balancers: %d", s.opts.Quotas.LoadBalancers)
		}
		made = LoadBalancer{
			ARN:            arn,
			ID:             id,
			Name:           c.Name,
			Account:        c.Account,
			Region:         c.Region,
			Scheme:         c.Scheme,
			AddressType:    c.AddressType,
			VPCID:          vpc,
			Zones:          zones,
			SecurityGroups: groups,
			PoolID:         c.PoolID,
			DNSName:        c.Name + "-" + c.Digits + "." + c.Region + "." + s.opts.BaseDomain,
			Created:        c.Time,
			State:          Provisioning,
			Attributes:     attributes,
		}
		if reserved != nil {
			s.setBlock(tx, &made, reserved, c.Time)
		}
		if c.Scheme == Internal {
			made.DNSName = "internal-" + made.DNSName
		}
		s.balancers.Put(tx, made.ARN, made)
		s.names.Put(tx, key, made.ARN)
		s.network.Use(tx, made.subnets(), groups)
		return true, s.putTags(tx, c.Account, c.Region, made.ARN, "loadbalancer", c.Tags)
	})
	if errors.Is(err, errMade) {
		return made, nil
	}
	return made, err
}

// errMade ends a transaction that would make what there is.
var errMade = errors.New("elb: it is there already")

// initial returns the attributes that tags ask for, CreateLoadBalancer having no
// member for any, and the block that is to be reserved, "" for none.
func (c CreateLoadBalancer) initial() (set map[string]string, block string, err error) {
	changes := map[string]string{}
	for _, t := range c.Tags {
		switch {
		case t.Key == tagFallback:
			changes[attrFallback] = t.Value
		case t.Key == tagBlock:
			changes[attrBlock] = t.Value
		case strings.HasPrefix(t.Key, tags.Reserved):
			return nil, "", fail(Invalid, "The tag key '%s' is not known. Keys that begin with '%s' are: %s, %s", t.Key, tags.Reserved, tagFallback, tagBlock)
		}
	}
	if len(changes) == 0 {
		return nil, "", nil
	}
	if set, err = loadBalancerAttributes(c.Scheme).merge("Load balancer", InvalidConfiguration, nil, changes); err != nil {
		return nil, "", err
	}
	if block = set[attrBlock]; block != "" && c.PoolID == "" {
		return nil, "", fail(InvalidConfiguration, "The tag '%s' requires an IPAM pool", tagBlock)
	}
	delete(set, attrBlock)
	return set, block, nil
}

var nameChars = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func checkBalancerName(n string) error {
	const kind = "Load balancer name"
	if strings.HasPrefix(n, "internal-") {
		return fail(Invalid, "%s '%s' cannot begin with 'internal-'", kind, n)
	}
	return checkName(kind, n)
}

func checkName(kind, n string) error {
	switch {
	case n == "":
		return fail(Invalid, "%s cannot be empty", kind)
	case len(n) > 32:
		return fail(Invalid, "%s '%s' cannot be longer than '32' characters", kind, n)
	case !nameChars.MatchString(n):
		return fail(Invalid, "%s '%s' can only contain characters that are alphanumeric characters or hyphens(-)", kind, n)
	case n[0] == '-' || n[len(n)-1] == '-':
		return fail(Invalid, "%s '%s' cannot begin or end with '-'", kind, n)
	}
	return nil
}

// checkSubnets holds the rules of which subnets a load balancer may be in. Those
// that it is in already needn't have room for more nodes.
func (s *Service) checkSubnets(tx *store.Tx, account, region string, scheme Scheme, subnets []string, present ...string) (vpc string, zones []ZoneSubnet, err error) {
	for _, id := range subnets {
		sub, ok := s.network.Subnet(tx, account, region, id)
		switch {
		case !ok:
			return "", nil, fail(SubnetNotFound, "The subnet ID '%s' does not exist", id)
		case vpc != "" && sub.VPCID != vpc:
			return "", nil, fail(InvalidConfiguration, "All subnets must belong to the same VPC: '%s'", vpc)
		case slices.ContainsFunc(zones, func(z ZoneSubnet) bool { return z.Zone == sub.Zone }):
			return "", nil, fail(InvalidConfiguration, "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		case scheme == InternetFacing && !sub.InternetGateway:
			return "", nil, fail(InvalidSubnet, "VPC %s has no internet gateway", sub.VPCID)
		case sub.FreeAddresses < FreeAddressesNeeded && !slices.Contains(present, id):
			return "", nil, fail(InvalidSubnet, "Not enough IP space available in %s. ELB requires at least %d free IP addresses in each subnet.", id, FreeAddressesNeeded)
		}
		vpc = sub.VPCID
		zones = append(zones, ZoneSubnet{sub.Zone, id})
	}
	if len(zones) < 2 {
		return "", nil, fail(Invalid, "At least two subnets in two different Availability Zones must be specified")
	}
	return vpc, zones, nil
}

// checkPool holds the rules of which load balancer may draw from which pool.
func (s *Service) checkPool(r store.Reader, account, region, id string, scheme Scheme) error {
	if id == "" {
		return nil
	}
	p, ok := s.pools.Pool(r, account, id)
	switch {
	case scheme != InternetFacing:
		return fail(InvalidConfiguration, "An IPAM pool can be specified only for internet-facing load balancers")
	case !ok:
		return fail(InvalidConfiguration, "The IPAM pool '%s' does not exist", id)
	case !p.Public:
		return fail(InvalidConfiguration, "The IPAM pool '%s' must be in a public scope", id)
	case !p.IPv4:
		return fail(InvalidConfiguration, "The IPAM pool '%s' must have the address family ipv4", id)
	case p.Locale != region:
		return fail(InvalidConfiguration, "The IPAM pool '%s' has the locale '%s'; it must be '%s'", id, p.Locale, region)
	case !p.EC2:
		return fail(InvalidConfiguration, "The IPAM pool '%s' must have the AWS service ec2", id)
	}
	return nil
}

func (s *Service) sameSettings(r store.Reader, b LoadBalancer, c CreateLoadBalancer) bool {
	groups := c.SecurityGroups
	if len(groups) == 0 {
		if g := s.network.DefaultSecurityGroup(r, b.VPCID); g != "" {
			groups = []string{g}
		}
	}
	return b.Scheme == c.Scheme && b.AddressType == c.AddressType && b.PoolID == c.PoolID &&
		sameSet(b.subnets(), c.Subnets) && sameSet(b.SecurityGroups, groups) && sameTags(s.tags.Of(r, b.ARN), c.Tags)
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// unique returns the strings in their order, each once.
func unique(in []string) []string {
	var out []string
	for _, s := range in {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func sameTags(a, b []tags.Tag) bool {
	byKey := func(x, y tags.Tag) int { return strings.Compare(x.Key, y.Key) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byKey), slices.SortedFunc(slices.Values(b), byKey))
}

// LoadBalancer returns a load balancer of the account by ARN.
func (s *Service) LoadBalancer(r store.Reader, account, region, arn string) (LoadBalancer, error) {
	b, ok := s.balancers.Get(r, arn)
	if !ok || b.Deleted || !ownedBy(arn, account, region) {
		return LoadBalancer{}, fail(LoadBalancerNotFound, "One or more load balancers not found")
	}
	return b, nil
}

// LoadBalancerByName returns a load balancer of the account by name.
func (s *Service) LoadBalancerByName(r store.Reader, account, region, name string) (LoadBalancer, error) {
	arn, ok := s.names.Get(r, nameKey(account, region, "loadbalancer", name))
	if !ok {
		return LoadBalancer{}, fail(LoadBalancerNotFound, "Load balancers '[%s]' not found", name)
	}
	return s.LoadBalancer(r, account, region, arn)
}

// LoadBalancers yields the account's load balancers in the region by ARN, from
// the given ARN on.
func (s *Service) LoadBalancers(r store.Reader, account, region, from string) iter.Seq2[string, LoadBalancer] {
	return s.balancersByOwner.From(r, owner(account, region), from)
}

// DeleteLoadBalancer makes a load balancer vanish from the API; its nodes leave
// DNS at once, drain, and give their addresses back. An unknown one is success.
func (s *Service) DeleteLoadBalancer(ctx context.Context, account, region, arn string) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		b, ok := s.balancers.Get(tx, arn)
		if !ok || b.Deleted || !ownedBy(arn, account, region) {
			return nil
		}
		if b.Attributes["deletion_protection.enabled"] == "true" {
			return fail(OperationNotPermitted, "Load balancer '%s' cannot be deleted because deletion protection is enabled", arn)
		}
		b.Deleted = true
		if b.Block != nil {
			b.Leaving, b.Block = append(slices.Clone(b.Leaving), *b.Block), nil
		}
		s.balancers.Put(tx, arn, b)
		s.names.Delete(tx, nameKey(account, region, "loadbalancer", b.Name))
		s.tags.Clear(tx, arn)
		return nil
	})
}

// Uses says whether a load balancer that isn't deleted is in a subnet or
// security group; one that is, is where its nodes have interfaces.
func (s *Service) Uses(r store.Reader, id string) bool { return s.balancersIn.Has(r, id) }

// Nodes yields a load balancer's nodes by ID.
func (s *Service) Nodes(r store.Reader, arn string) iter.Seq2[string, Node] {
	return s.nodesByLB.Each(r, arn)
}

// All yields every load balancer, deleted ones that still drain included, by ARN.
func (s *Service) All(r store.Reader) iter.Seq2[string, LoadBalancer] { return s.balancers.All(r) }
