package elb

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"github.com/fairlead/fairlead/internal/store"
)

// Network is the vpc room, as load balancers see it.
type Network interface {
	Subnet(r store.Reader, account, region, id string) (Subnet, bool)
	SecurityGroup(r store.Reader, account, region, id string) (vpcID string, ok bool)
	DefaultSecurityGroup(r store.Reader, vpcID string) string
	VPC(r store.Reader, account, region, id string) bool
	// Use has subnets and security groups stay from tx on, as long as Service.Uses
	// says that a load balancer is in them.
	Use(tx *store.Tx, subnets, groups []string)
}

// Subnet is where a load balancer may have nodes.
type Subnet struct {
	ID, VPCID, Zone string
	FreeAddresses   int
	InternetGateway bool // the VPC has one attached
	IPv6            bool // it has an IPv6 CIDR block
}

// Interfaces makes and removes nodes' network interfaces and public addresses.
// Every method may be repeated: it finds what an earlier call made.
type Interfaces interface {
	// Create makes the node's interface, with the lowest free address of its
	// subnet (ErrSubnetFull).
	Create(ctx context.Context, s InterfaceSpec) (Interface, error)
	// AssignAddress draws a public address for the interface (ErrPoolExhausted,
	// ErrPoolUnavailable).
	AssignAddress(ctx context.Context, interfaceID string, from Source, now time.Time) (Interface, error)
	// AssignIPv6 gives the interface an IPv6 address of its subnet.
	AssignIPv6(ctx context.Context, interfaceID string, now time.Time) error
	// ReleaseIPv6 gives it back, and succeeds if it is gone.
	ReleaseIPv6(ctx context.Context, interfaceID string) error
	// SetSecurityGroups replaces the groups that the interface is in.
	SetSecurityGroups(ctx context.Context, interfaceID string, groups []string) error
	// Release gives back the interface with its addresses, and succeeds if it is gone.
	Release(ctx context.Context, interfaceID string) error
	// Of finds the node's interface.
	Of(r store.Reader, nodeID string) (Interface, bool)
	// Owned yields every interface that was made for a node, and the node's ID,
	// whether or not there is such a node (any more).
	Owned(r store.Reader) iter.Seq2[string, string]
}

// InterfaceSpec is a node's interface to be made.
type InterfaceSpec struct {
	NodeID, Account, Region, SubnetID string
	Description                       string // "ELB app/NAME/HEX", as clients look for it
	SecurityGroups                    []string
	Time                              time.Time
}

// Interface is a node's network interface.
type Interface struct {
	ID      string
	Private netip.Addr
	Public  netip.Addr // zero: none yet
	PoolID  string     // that Public came from; "": the provider's

	IPv6           netip.Addr // zero: none
	SecurityGroups []string
}

// PoolDirectory is the ipam room: which pools an account may draw from.
type PoolDirectory interface {
	Pool(r store.Reader, account, id string) (Pool, bool)

	// PolicyPools returns the pools that an account's policy has a load balancer
	// without a pool of its own draw from in a region, to be tried in order
	// before the provider's; none if there is no such policy.
	PolicyPools(r store.Reader, account, region string) []string

	// HasRoom says whether a pool, or a reserved block, has an address left.
	HasRoom(r store.Reader, id string) bool

	// Reserve takes a block of a pool, and has record write what depends on it in
	// the same transaction (ErrPoolExhausted, ErrPoolUnavailable).
	Reserve(ctx context.Context, spec BlockSpec, record func(tx *store.Tx, k Block) error) error
	// Unreserve gives a block back, and succeeds if it is gone; with an error
	// while an address of it is in use.
	Unreserve(ctx context.Context, id string, record func(tx *store.Tx) error) error
}

// BlockSpec is a block to be reserved.
type BlockSpec struct {
	ID, Account, Region string
	PoolID              string
	ARN                 string       // of the load balancer
	CIDR                netip.Prefix // zero: the lowest free one of the length
	NetmaskLength       int
	Time                time.Time
}

// Pool is an IPAM pool, as far as a load balancer must know it.
type Pool struct {
	Locale string // region; "": none
	IPv4   bool
	Public bool // in a public scope
	EC2    bool // for addresses of EC2 resources (AwsService ec2)
}

// InstanceDirectory is the inventory of instances, which target groups of the
// type instance have targets from.
type InstanceDirectory interface {
	Instance(r store.Reader, account, region, id string) (Instance, bool)
	// Collection names the records of instances, and ID tells whose is at a key.
	Collection() string
	ID(key string) string
}

// Instance is a machine, as far as a target group must know it.
type Instance struct {
	VPCID   string     // "": reached from all of the account's
	Zone    string     // "": any
	Private netip.Addr // IPv4
	IPv6    netip.Addr // zero: none
}
