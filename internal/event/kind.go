package event

// Kind is what an event tells of: a noun, and what happened to it.
type Kind string

// The kinds. Details have the keys in brackets, beside those in braces that many
// have: {node} {zone} {address} {pool}.
const (
	AddressDrawn     Kind = "address.drawn"     // a node got a public address {…} [private]
	AddressFallback  Kind = "address.fallback"  // a pool gave none, so that another one is asked {node zone pool} [next]
	AddressDenied    Kind = "address.denied"    // a pool gave none, and the load balancer may ask no other {node zone pool}
	AddressReturning Kind = "address.returning" // a pool has room again for what fell back {…}
	AddressReturned  Kind = "address.returned"  // a node's addresses went back {…} [private]
	BlockReserved    Kind = "block.reserved"    // a load balancer's block was taken {pool} [block]
	BlockReleased    Kind = "block.released"    // and given back {pool} [block]

	NodeInService Kind = "node.in-service" // DNS names it {…}
	NodeSuspended Kind = "node.suspended"  // its host says that it doesn't serve: DNS names it no more {…}
	NodeWithdrawn Kind = "node.withdrawn"  // too few of its zone's targets are healthy: DNS names it no more {…}
	NodeRestored  Kind = "node.restored"   // DNS names it again {…}
	NodeRetiring  Kind = "node.retiring"   // DNS names it no more, and it serves on {…}
	NodeDraining  Kind = "node.draining"   // its connections end {…}
	NodeClosed    Kind = "node.closed"     // its host is to close it {…}

	BalancerActive  Kind = "load-balancer.active"
	BalancerFailed  Kind = "load-balancer.failed"  // it can't come up as it is [reason]
	BalancerWaiting Kind = "load-balancer.waiting" // it will, once there is what it waits for [reason]
	BalancerRemoved Kind = "load-balancer.removed" // the last of a deleted one is gone
	ZonesChanged    Kind = "load-balancer.zones"   // [from] [to]

	AddressTypeChanged    Kind = "load-balancer.ip-address-type" // [from] [to]
	SecurityGroupsChanged Kind = "load-balancer.security-groups" // [from] [to]

	MigrationBegun     Kind = "migration.begun"     // [from] [to]: pools [from-type] [to-type]
	MigrationMoved     Kind = "migration.moved"     // DNS names the new addresses alone [addresses]
	MigrationCancelled Kind = "migration.cancelled" // [from] [to]
	MigrationEnded     Kind = "migration.ended"     // the last of the other addresses went back [outcome]

	ListenerBound  Kind = "listener.bound"  // {…} [listener port]
	ListenerFailed Kind = "listener.failed" // {…} [listener port]
	TargetHealth   Kind = "target.health"   // [state reason targets]

	PoolProvisioned Kind = "pool.provisioned" // a CIDR came to a pool [cidr usable-from]
	PoolRefilled    Kind = "pool.refilled"    // by itself [cidr]
	PoolNoticeOver  Kind = "pool.notice-over" // a CIDR's notice period [cidr]
	ImportFinished  Kind = "import.finished"  // {pool} [blocks]
	ImportAbandoned Kind = "import.abandoned" // {pool} [blocks]

	InterfaceSwept Kind = "interface.swept" // one whose node was gone {…} [private]
	Dropped        Kind = "events.dropped"  // there were more than could be kept [count]
)
