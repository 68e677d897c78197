// Package fairlead has the shapes of the service "fairlead": what this program
// offers beyond AWS's APIs, in the dialect of EC2's. Unlike its neighbours it is
// written by hand; the tags are theirs, see package shapes.
package fairlead

import "time"

// Tag is a tag of a resource.
type Tag struct {
	Key   *string `in:"Key" out:"key" required:"true"`
	Value *string `in:"Value" out:"value"`
}

// ImportBlock is a block to be allocated.
type ImportBlock struct {
	Cidr        *string `in:"Cidr" required:"true"`
	Description *string `in:"Description"`
	Tags        []Tag   `in:"Tag"`
}

// ImportConflict says why a block of a request can't be allocated.
type ImportConflict struct {
	Block  *int32  `out:"block"` // its place in the request, from 1 as in the form
	Reason *string `out:"reason"`
}

// CheckImportInput asks which of the blocks could not be allocated in a pool.
type CheckImportInput struct {
	IpamPoolId *string       `in:"IpamPoolId" required:"true"`
	Blocks     []ImportBlock `in:"Block" required:"true"`
}

// CheckImportOutput names them.
type CheckImportOutput struct {
	Conflicts []ImportConflict `out:"conflictSet"`
}

// BeginImportInput opens an import into a pool.
type BeginImportInput struct {
	IpamPoolId *string `in:"IpamPoolId" required:"true"`
}

// BeginImportOutput names the import.
type BeginImportOutput struct {
	ImportId *string `out:"importId"`
}

// AddToImportInput stages blocks: nobody else gets them, and they don't show.
type AddToImportInput struct {
	ImportId *string       `in:"ImportId" required:"true"`
	Blocks   []ImportBlock `in:"Block" required:"true"`
}

// AddToImportOutput names those that could not be staged.
type AddToImportOutput struct {
	Conflicts []ImportConflict `out:"conflictSet"`
}

// FinishImportInput allocates all that has been staged.
type FinishImportInput struct {
	ImportId *string `in:"ImportId" required:"true"`
}

// FinishImportOutput tells how many blocks that is.
type FinishImportOutput struct {
	Blocks *int32 `out:"blocks"`
}

// AbandonImportInput frees all that has been staged.
type AbandonImportInput struct {
	ImportId *string `in:"ImportId" required:"true"`
}

// AbandonImportOutput is empty but for EC2's word that it was done.
type AbandonImportOutput struct {
	Return *bool `out:"return"`
}

// StreamEventsInput asks for events as a stream of server-sent events. Last-Event-ID,
// a header, resumes after an event; else After does, else Latest says with how many
// of those that there are it begins.
type StreamEventsInput struct {
	Kind        *string    `in:"Kind"`     // may have * and ?
	Resource    *string    `in:"Resource"` // ARN, id, name of a load balancer, address
	Since       *time.Time `in:"Since"`
	After       *int64     `in:"After"` // a sequence number
	Latest      *int32     `in:"Latest"`
	Follow      *bool      `in:"Follow"`      // go on with what is to come
	AllAccounts *bool      `in:"AllAccounts"` // the root account's alone
}

// DescribeMigrationInput asks for a load balancer's last migration.
type DescribeMigrationInput struct {
	LoadBalancer *string `in:"LoadBalancer" required:"true"` // ARN or name
}

// DescribeMigrationOutput has none if the load balancer never had one.
type DescribeMigrationOutput struct {
	Migration *Migration `out:"migration"`
}

// CancelMigrationInput has a load balancer go back to its old addresses.
type CancelMigrationInput struct {
	LoadBalancer *string `in:"LoadBalancer" required:"true"` // ARN or name
}

// CancelMigrationOutput is the migration as it is then.
type CancelMigrationOutput struct {
	Migration *Migration `out:"migration"`
}

// Migration is a load balancer's move to another set of addresses.
type Migration struct {
	LoadBalancerArn  *string         `out:"loadBalancerArn"`
	LoadBalancerName *string         `out:"loadBalancerName"`
	DnsName          *string         `out:"dnsName"`
	State            *string         `out:"state"`    // preparing, draining, returning, completed, cancelled
	FromPool         *string         `out:"fromPool"` // absent: the provider's
	ToPool           *string         `out:"toPool"`
	FromType         *string         `out:"fromIpAddressType"` // absent, as the next: it stays
	ToType           *string         `out:"toIpAddressType"`
	Began            *time.Time      `out:"began"`
	Moved            *time.Time      `out:"moved"` // DNS named the new addresses
	Cancelled        *time.Time      `out:"cancelled"`
	Ended            *time.Time      `out:"ended"`
	EndsBy           *time.Time      `out:"endsBy"` // at the latest
	Cancellable      *bool           `out:"cancellable"`
	Obstacle         *string         `out:"obstacle"` // to that
	OldNodes         []MigratingNode `out:"oldNodeSet"`
	NewNodes         []MigratingNode `out:"newNodeSet"`
}

// MigratingNode is a node of one of the two sets.
type MigratingNode struct {
	NodeId          *string    `out:"nodeId"`
	Zone            *string    `out:"zone"`
	PublicIp        *string    `out:"publicIp"`
	Ipv6Address     *string    `out:"ipv6Address"`
	PrivateIp       *string    `out:"privateIp"`
	IpamPoolId      *string    `out:"ipamPoolId"` // absent: the provider's
	OffPool         *bool      `out:"offPool"`
	InDns           *bool      `out:"inDns"`
	Phase           *string    `out:"phase"`
	OpenConnections *int32     `out:"openConnections"` // absent: the host hasn't said
	EndsBy          *time.Time `out:"endsBy"`
}

// AddInstanceInput puts an instance into the inventory.
type AddInstanceInput struct {
	InstanceId       *string `in:"InstanceId"` // nil: a new one
	PrivateIpAddress *string `in:"PrivateIpAddress" required:"true"`
	Ipv6Address      *string `in:"Ipv6Address"`
	VpcId            *string `in:"VpcId"`
	SubnetId         *string `in:"SubnetId"`
	AvailabilityZone *string `in:"AvailabilityZone"`
	Tags             []Tag   `in:"Tag"`
}

// AddInstanceOutput names it.
type AddInstanceOutput struct {
	InstanceId *string `out:"instanceId"`
}

// RemoveInstanceInput takes an instance out of the inventory.
type RemoveInstanceInput struct {
	InstanceId *string `in:"InstanceId" required:"true"`
}

// RemoveInstanceOutput is empty but for EC2's word that it was done.
type RemoveInstanceOutput struct {
	Return *bool `out:"return"`
}

// ListInstancesInput asks for a page of the inventory.
type ListInstancesInput struct {
	NextToken *string `in:"NextToken"`
}

// ListInstancesOutput is the page, by id.
type ListInstancesOutput struct {
	Instances []Instance `out:"instanceSet"`
	NextToken *string    `out:"nextToken"`
}

// Instance is an instance of the inventory.
type Instance struct {
	InstanceId       *string `out:"instanceId"`
	PrivateIpAddress *string `out:"privateIpAddress"`
	Ipv6Address      *string `out:"ipv6Address"`
	VpcId            *string `out:"vpcId"`
	SubnetId         *string `out:"subnetId"`
	AvailabilityZone *string `out:"availabilityZone"`
	Configured       *bool   `out:"configured"` // by the server's configuration file
	Tags             []Tag   `out:"tagSet"`
}
