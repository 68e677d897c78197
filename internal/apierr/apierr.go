// Package apierr is an error as an AWS client sees it: a code that it may branch
// on, a message for people, and an HTTP status.
package apierr

import (
	"fmt"
	"net/http"
)

// Error is a refusal for the caller. Its message must not hold the text of an
// internal cause.
type Error struct {
	Code    string // "InvalidParameterValue"
	Message string
	Status  int // HTTP
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// New returns an error with status 400, which nearly all client errors have.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

// WithStatus returns the error with another HTTP status.
func (e *Error) WithStatus(status int) *Error {
	return &Error{Code: e.Code, Message: e.Message, Status: status}
}
