package audit

import "os"

// File is what tests put in the place of a segment's.
type File = file

// SetOpen replaces how segments are opened for appending.
func SetOpen(f func(name string) (File, error)) (restore func()) {
	before := open
	open = f
	return func() { open = before }
}

// OpenFile opens a segment as the package does.
func OpenFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// IsIdentifier says whether a text is taken for the id or ARN of a resource.
var IsIdentifier = isIdentifier
