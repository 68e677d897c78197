package certs

import "fmt"

// Kind says what was wrong with a call; the API maps it to the service's code.
type Kind string

// The kinds, after the ACM errors that they become.
const (
	Invalid     Kind = "Invalid"
	InProgress  Kind = "InProgress"
	NotFound    Kind = "NotFound"
	InUse       Kind = "InUse"
	TooMany     Kind = "TooMany"
	TooManyTags Kind = "TooManyTags"
)

// Error is a call's fault, with the message for the caller.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

func fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}
