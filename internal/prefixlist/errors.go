package prefixlist

import "fmt"

// NotFoundError says that the account has no such list in the region.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("prefix list %s does not exist", e.ID) }

// Reason says in what way a call was wrong.
type Reason string

// The reasons, after the EC2 error codes that they become.
const (
	InvalidValue        Reason = "InvalidParameterValue"
	InvalidCombination  Reason = "InvalidParameterCombination"
	MissingValue        Reason = "MissingParameter"
	InvalidModification Reason = "InvalidPrefixListModification" // of entries
	VersionMismatch     Reason = "PrefixListVersionMismatch"
	TooManyEntries      Reason = "PrefixListMaxEntriesExceeded"
	Dependency          Reason = "DependencyViolation"
	OverLimit           Reason = "ResourceLimitExceeded"
	NotPermitted        Reason = "OperationNotPermitted" // the list is a resolver target's
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
