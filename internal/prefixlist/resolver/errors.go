package resolver

import "fmt"

// Noun is a kind of thing that a call names by id.
type Noun string

// The nouns, resolvers and targets as they are tagged, too.
const (
	NounResolver Noun = "ipam-prefix-list-resolver"
	NounTarget   Noun = "ipam-prefix-list-resolver-target"
	NounIPAM     Noun = "ipam"
	NounScope    Noun = "ipam-scope"
	NounPool     Noun = "ipam-pool"
)

// NotFoundError says that the caller has no such thing.
type NotFoundError struct {
	Noun Noun
	ID   string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %s does not exist", e.Noun, e.ID) }

// Reason says in what way a call was wrong.
type Reason string

// The reasons, after the EC2 error codes that they become.
const (
	InvalidValue       Reason = "InvalidParameterValue"
	InvalidCombination Reason = "InvalidParameterCombination"
	MissingValue       Reason = "MissingParameter"
	Dependency         Reason = "DependencyViolation"
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
