package ipam

import (
	"errors"
	"fmt"
)

var (
	// ErrPoolExhausted says that a pool has no free block of the length.
	ErrPoolExhausted = errors.New("the allocation size is too big for the pool")

	// ErrNotAllowed says that a pool's netmask rules allow no block of the length.
	ErrNotAllowed = errors.New("the pool's rules allow no allocation of the size")

	// ErrPoolNotFound says that the account sees no such pool, or that it can't be
	// drawn from in the region.
	ErrPoolNotFound = errors.New("no such pool")

	// ErrNotHad says that the address is in no pool of the account's, and that the
	// account hasn't released it a moment ago.
	ErrNotHad = errors.New("not an address of the account's pools, nor one that it just released")

	// ErrStale says that the block belongs to a later allocation than the one
	// that was to be released.
	ErrStale = errors.New("the block has a later holder")

	// ErrClosed says that the service is ending.
	ErrClosed = errors.New("ipam: closed")

	// errBehind says that the index shows a release that the transaction doesn't
	// see yet: the same again, a moment later, will.
	errBehind = errors.New("ipam: the transaction is behind the index")
)

// Noun is a kind of thing that a call names by id.
type Noun string

// The nouns.
const (
	NounIPAM       Noun = "ipam"
	NounScope      Noun = "ipam-scope"
	NounPool       Noun = "ipam-pool"
	NounAllocation Noun = "ipam-pool-alloc"
	NounToken      Noun = "ipam-external-resource-verification-token"
	NounPublicPool Noun = "ipv4pool-ec2"
	NounImport     Noun = "ipam-import"
	NounVPC        Noun = "vpc"
	NounPolicy     Noun = "ipam-policy"
)

// NotFoundError says that the caller sees no such thing.
type NotFoundError struct {
	Noun Noun
	ID   string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %s does not exist", e.Noun, e.ID) }

// Is makes a pool's absence ErrPoolNotFound.
func (e *NotFoundError) Is(target error) bool {
	return target == ErrPoolNotFound && e.Noun == NounPool
}

func poolNotFound(id string) error { return &NotFoundError{NounPool, id} }

// Reason says in what way a call was wrong.
type Reason string

// The reasons, after the EC2 error codes that they become.
const (
	InvalidValue       Reason = "InvalidParameterValue"
	InvalidCombination Reason = "InvalidParameterCombination"
	MissingValue       Reason = "MissingParameter"
	Dependency         Reason = "DependencyViolation"
	WrongState         Reason = "IncorrectState"
	OverLimit          Reason = "ResourceLimitExceeded"
	Unsupported        Reason = "UnsupportedOperation"
)

// CallError is a mistake of the caller's, with the text to answer.
type CallError struct {
	Reason Reason
	Text   string
}

func (e *CallError) Error() string { return e.Text }

func refuse(r Reason, format string, args ...any) error {
	return &CallError{r, fmt.Sprintf(format, args...)}
}
