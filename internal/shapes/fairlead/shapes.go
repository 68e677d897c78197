// Package fairlead has the shapes of the service "fairlead": what this program
// offers beyond AWS's APIs, in the dialect of EC2's. Unlike its neighbours it is
// written by hand; the tags are theirs, see package shapes.
package fairlead

import "time"

// Tag is a tag of a resource to be made.
type Tag struct {
	Key   *string `in:"Key" required:"true"`
	Value *string `in:"Value"`
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
