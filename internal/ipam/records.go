package ipam

import (
	"net/netip"
	"time"
)

// State is where an IPAM or a pool is in its life. Everything is done in the
// transaction that a call makes, so that only two of AWS's twelve states rest.
type State string

// The states that are stored.
const (
	CreateComplete   State = "create-complete"
	DeleteInProgress State = "delete-in-progress" // a cascade that the sweep carries on
)

// ModifyComplete is told of what has been modified since it was made. It is
// stored as CreateComplete: what may be done with a thing doesn't depend on it.
const ModifyComplete State = "modify-complete"

func told(s State, modified bool) State {
	if modified && s == CreateComplete {
		return ModifyComplete
	}
	return s
}

// Tier says which features an IPAM has.
type Tier string

// The tiers (EC2 IpamTier).
const (
	Free     Tier = "free"
	Advanced Tier = "advanced" // CreateIpam's default
)

// IPAM is an account's address manager in its home region.
type IPAM struct {
	ID                     string
	Account                string
	Region                 string   // home
	Description            string   `json:",omitempty"`
	OperatingRegions       []string // sorted; the home region is one
	Tier                   Tier
	PrivateGUA             bool   `json:",omitempty"` // global IPv6 addresses in a private scope
	MeteredAccount         string `json:",omitempty"`
	PublicScopeID          string
	PrivateScopeID         string
	DiscoveryID            string
	DiscoveryAssociationID string
	ExtraScopes            int `json:",omitempty"` // beside the two default ones
	Tokens                 int `json:",omitempty"` // verification tokens
	Policies               int `json:",omitempty"`
	State                  State
	Modified               bool `json:",omitempty"`
	Created                time.Time
}

// ToldState is the state that a describe tells.
func (i IPAM) ToldState() State { return told(i.State, i.Modified) }

// ScopeType tells public addresses from private ones.
type ScopeType string

// The scope types (EC2 IpamScopeType).
const (
	Public  ScopeType = "public"
	Private ScopeType = "private"
)

// Scope is an address space of an IPAM: CIDRs in it don't overlap between pools.
type Scope struct {
	ID           string
	IPAMID       string
	Account      string
	Region       string // the IPAM's home
	Type         ScopeType
	Default      bool
	Description  string `json:",omitempty"`
	PoolCount    int
	AmazonBlocks int // contiguous IPv4 blocks of the provider's in its pools

	Authority *ExternalAuthority `json:",omitempty"`
	Modified  bool               `json:",omitempty"`
}

// ToldState is the state that a describe tells. A scope has no other: it is
// deleted by the call that asks for it.
func (c Scope) ToldState() State { return told(CreateComplete, c.Modified) }

// ExternalAuthority names another system that gives CIDRs to a private scope's
// top-level pools (EC2 IpamScopeExternalAuthorityConfiguration). It is kept and
// told; nobody asks that system.
type ExternalAuthority struct {
	Type       string // Infoblox
	Identifier string // VERSION.identity.account.REALM.ID
}

// Family is the kind of addresses in a pool.
type Family string

// The families (EC2 AddressFamily).
const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
)

// Bits returns the length of an address of the family.
func (f Family) Bits() int {
	if f == IPv6 {
		return 128
	}
	return 32
}

func familyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// PublicSource says whose the addresses of a public pool are.
type PublicSource string

// The sources (EC2 IpamPoolPublicIpSource).
const (
	BYOIP  PublicSource = "byoip"
	Amazon PublicSource = "amazon" // the provider's
)

// Locales that aren't a region.
const (
	NoLocale     = "None"   // children only: nothing can be allocated for a region
	GlobalLocale = "Global" // public pools of GlobalServices
)

// What a public pool's addresses may be used for (EC2 IpamPoolAwsService).
const (
	ServiceEC2     = "ec2"
	GlobalServices = "global-services"
)

// AllocationTag is a tag that a resource must have to draw from a pool.
type AllocationTag struct{ Key, Value string }

// Pool is a set of CIDRs that allocations and child pools are made from.
type Pool struct {
	ID             string
	ScopeID        string
	ScopeType      ScopeType
	IPAMID         string
	Account        string
	Region         string // the IPAM's home
	SourcePoolID   string `json:",omitempty"` // parent; "" at the top
	Depth          int    // 1 at the top
	Locale         string // region, NoLocale or GlobalLocale
	Family         Family
	Description    string          `json:",omitempty"`
	AutoImport     bool            `json:",omitempty"`
	Advertisable   *bool           `json:",omitempty"` // set for public IPv6 BYOIP pools only
	MinNetmask     *int            `json:",omitempty"` // the largest block a resource may have
	MaxNetmask     *int            `json:",omitempty"` // the smallest
	DefaultNetmask *int            `json:",omitempty"`
	AllocationTags []AllocationTag `json:",omitempty"`
	AWSService     string          `json:",omitempty"`
	PublicSource   PublicSource    `json:",omitempty"` // "" in a private scope
	Source         *SourceResource `json:",omitempty"` // what the pool's space is planned for; nil: nothing of the kind
	State          State
	Modified       bool `json:",omitempty"`
	Created        time.Time
	Hidden         bool `json:",omitempty"` // the provider's own; in no describe
	PublicIPv4     bool `json:",omitempty"` // EC2's, and none of IPAM's: see publicpool.go

	// ReservedFor is the ARN of who alone draws from a reserved block, "" of any
	// other pool: see reserved.go.
	ReservedFor string `json:",omitempty"`
}

// ToldState is the state that a describe tells.
func (p Pool) ToldState() State { return told(p.State, p.Modified) }

// SourceResource is the VPC whose CIDRs a resource planning pool divides among
// subnets (EC2 IpamPoolSourceResource).
type SourceResource struct {
	ID, Type, Region, Owner string
	Inherited               bool `json:",omitempty"` // from the source pool, which has the CIDRs
}

// plansVPC says whether p's CIDRs are a VPC's own.
func (p Pool) plansVPC() bool { return p.Source != nil && !p.Source.Inherited }

// blockSource returns the pool that blocks provisioned to p come out of, "" if
// they come from outside, or are a VPC's own already.
func (p Pool) blockSource() string {
	switch {
	case p.plansVPC():
	case p.SourcePoolID != "":
		return p.SourcePoolID
	case p.PublicSource == Amazon && !p.Hidden:
		return providerPoolID(p.Locale, blocks, p.Family)
	}
	return ""
}

// managed says whether p is one of IPAM's: only its operations know it.
func (p Pool) managed() bool { return !p.Hidden && !p.PublicIPv4 && p.ReservedFor == "" }

// fromProvider says whether p's blocks are carved from the provider's.
func (p Pool) fromProvider() bool {
	return p.SourcePoolID == "" && p.PublicSource == Amazon && !p.Hidden && !p.plansVPC()
}

// routingDomain names the set of CIDRs that p's mustn't overlap: all that is
// public is one domain, whoever brought it. What is planned of a VPC is one of
// its own: the VPC has those CIDRs already, and each is planned once.
func (p Pool) routingDomain() string {
	if p.plansVPC() {
		return p.Source.ID
	}
	if p.ScopeType == Public {
		return publicDomain
	}
	return p.ScopeID
}

const publicDomain = "public"

// CIDRState is where a pool CIDR is in its life (EC2 IpamPoolCidrState).
type CIDRState string

// The states. A CIDR that is deprovisioned is gone: only the call that did it
// tells of it.
const (
	Provisioned        CIDRState = "provisioned"
	FailedProvision    CIDRState = "failed-provision"
	PendingDeprovision CIDRState = "pending-deprovision" // released blocks in it are still cooling
	FailedDeprovision  CIDRState = "failed-deprovision"  // still usable
	Deprovisioned      CIDRState = "deprovisioned"
)

// Codes of a failed provision (EC2 IpamPoolCidrFailureCode).
const (
	CIDRNotAvailable = "cidr-not-available"
	LimitExceeded    = "limit-exceeded"
)

// PoolCIDR is a CIDR provisioned to a pool, or that was asked for in vain.
type PoolCIDR struct {
	ID             string
	PoolID         string
	CIDR           netip.Prefix // zero if none was found for the netmask length
	NetmaskLength  int
	State          CIDRState
	FailureCode    string `json:",omitempty"`
	FailureMessage string `json:",omitempty"`
	Created        time.Time
	UsableFrom     time.Time `json:",omitzero"`  // the end of the notice period; zero for none
	Waiting        bool      `json:",omitempty"` // for UsableFrom; nothing is allocated in it yet
	Source         string    `json:",omitempty"` // of a public IPv4 pool's: the pool that it is a block of; "" if it was brought
	Brought        *Brought  `json:",omitempty"` // nil unless the CIDR can be announced
}

// active says whether the CIDR's addresses may be allocated.
func (c PoolCIDR) active() bool {
	switch c.State {
	case Provisioned, FailedDeprovision:
		return !c.Waiting
	case FailedProvision, PendingDeprovision, Deprovisioned:
	}
	return false
}

// Ledger guards a pool: every allocation in it and every change of its CIDRs
// reads and writes this record, so that two of them never commit on the same
// past. It exists as long as its pool.
type Ledger struct {
	Seq     uint64 // the newest allocation's or change's number
	CIDRSeq uint64 // Seq at the last change of the pool's CIDRs
	Lengths []int  // prefix lengths that allocations here have or had, ascending
}

// ResourceType says what kind of thing holds an allocation (EC2
// IpamPoolAllocationResourceType).
type ResourceType string

// The resource types that this room makes or is drawn from for.
const (
	Custom    ResourceType = "custom"
	EIP       ResourceType = "eip"
	ChildPool ResourceType = "ipam-pool"
	VPC       ResourceType = "vpc"
	Subnet    ResourceType = "subnet"

	PublicIPv4Pool ResourceType = "ec2-public-ipv4-pool"
)

// Holder is what an allocation is made for.
type Holder struct {
	Type       ResourceType `json:"t"`
	ResourceID string       `json:"r,omitempty"` // "" for Custom
	Account    string       `json:"a"`
	Region     string       `json:"g"`
}

// AllocationState says whether an allocation is in use.
type AllocationState string

// The allocation states.
const (
	Held    AllocationState = ""        // the zero value
	Cooling AllocationState = "cooling" // released; free again at Until
	Staged  AllocationState = "staged"  // of an import that isn't decided: taken, and not shown
)

// Allocation is one block of a pool in one holder's hands. It is stored packed
// (pack.go), which a new field needs to be added to; the JSON is what earlier
// programs stored.
type Allocation struct {
	ID          string          `json:"i"` // "ipam-pool-alloc-" and 33 hex digits
	PoolID      string          `json:"p"`
	CIDR        netip.Prefix    `json:"c"` // masked; inside one of the pool's CIDRs; overlaps no other
	Seq         uint64          `json:"s"` // fences release, see Service.Return
	Holder      Holder          `json:"h"`
	Description string          `json:"d,omitempty"`
	State       AllocationState `json:"x,omitempty"`
	Created     time.Time       `json:"n"`
	Until       time.Time       `json:"u,omitzero"` // Cooling: when it is free
}

// ref returns what names a and no later allocation of the same block.
func (a Allocation) ref() AllocationRef {
	return AllocationRef{PoolID: a.PoolID, ID: a.ID, CIDR: a.CIDR, Seq: a.Seq}
}

// Key returns what a is told under by Service.Allocations; "" of the zero value.
func (a Allocation) Key() string {
	if !a.CIDR.IsValid() {
		return ""
	}
	return blockKey(a.PoolID, a.CIDR.Addr())
}

func (a Allocation) block() netip.Prefix { return a.CIDR }

// AllocationRef names an allocation for its release.
type AllocationRef struct {
	PoolID, ID string
	CIDR       netip.Prefix
	Seq        uint64
}

// span is a top-level pool's CIDR in its routing domain.
type span struct {
	PoolID string
	CIDR   netip.Prefix
}

func (s span) block() netip.Prefix { return s.CIDR }

// domain guards a routing domain as a Ledger guards a pool.
type domain struct{ Seq uint64 }
