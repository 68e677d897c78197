package http1

import "errors"

// ErrIncomplete says that the buffer ends before the head does: read more.
var ErrIncomplete = errors.New("http1: incomplete")

// Error is a message that isn't served, with the status that says so to a client.
// After it the connection must be closed: where the next message begins is not
// known.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return "http1: " + e.Reason }

// The errors are values, so that refusing costs no allocation.
var (
	errRequestLine    = &Error{400, "malformed request line"}
	errMethod         = &Error{400, "malformed method"}
	errConnect        = &Error{400, "CONNECT is not served"}
	errTrace          = &Error{405, "TRACE is not served"}
	errTarget         = &Error{400, "malformed request target"}
	errVersion        = &Error{505, "not HTTP/1.0 or HTTP/1.1"}
	errBareLF         = &Error{400, "a line ends without CR"}
	errFold           = &Error{400, "a header is folded over lines"}
	errFieldName      = &Error{400, "malformed header name"}
	errFieldValue     = &Error{400, "malformed header value"}
	errLongLine       = &Error{414, "the request line is longer than 16 KiB"}
	errLongField      = &Error{400, "a header is longer than 16 KiB"}
	errLongHead       = &Error{400, "the headers are longer than 64 KiB"}
	errManyFields     = &Error{400, "more headers than are served"}
	errContentLength  = &Error{400, "malformed or repeated Content-Length"}
	errTransferCoding = &Error{501, "a transfer coding other than chunked"}
	errTEAndCL        = &Error{400, "both Transfer-Encoding and Content-Length"}
	errTEVersion      = &Error{400, "Transfer-Encoding in HTTP/1.0"}
	errNoHost         = &Error{400, "no Host header"}
	errHost           = &Error{400, "malformed or repeated Host header"}
	errStatusLine     = &Error{502, "malformed status line"}
	errResponseHead   = &Error{502, "malformed response headers"}
	errLongResponse   = &Error{502, "the response's headers are longer than 32 KiB"}
	errChunk          = &Error{400, "malformed chunk"}
	errTrailer        = &Error{400, "malformed or too long trailer"}
	errForwardedFor   = &Error{463, "X-Forwarded-For names more than 30 addresses"}
)
