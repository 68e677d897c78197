package http2

import "strconv"

// Code is an error code (RFC 9113 §7).
type Code uint32

// The codes.
const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

var codeNames = [...]string{
	NoError: "NO_ERROR", ProtocolError: "PROTOCOL_ERROR", InternalError: "INTERNAL_ERROR",
	FlowControlError: "FLOW_CONTROL_ERROR", SettingsTimeout: "SETTINGS_TIMEOUT", StreamClosed: "STREAM_CLOSED",
	FrameSizeError: "FRAME_SIZE_ERROR", RefusedStream: "REFUSED_STREAM", Cancel: "CANCEL",
	CompressionError: "COMPRESSION_ERROR", ConnectError: "CONNECT_ERROR", EnhanceYourCalm: "ENHANCE_YOUR_CALM",
	InadequateSecurity: "INADEQUATE_SECURITY", HTTP11Required: "HTTP_1_1_REQUIRED",
}

// String returns the RFC's name.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "0x" + strconv.FormatUint(uint64(c), 16)
}

// Fault is what a peer has done that its session can't go on after (RFC 9113
// §5.4.1).
type Fault struct {
	Code   Code
	Reason string
}

func (f *Fault) Error() string { return "http2: " + f.Reason + " (" + f.Code.String() + ")" }

func fault(code Code, reason string) *Fault { return &Fault{code, reason} }

// ResetError says that a stream has ended before it was done (RFC 9113 §5.4.2).
type ResetError struct {
	Code Code
	Peer bool // the peer has ended it, or has gone

	Lost bool // with the server's connection

	// Unprocessed says of a request that nobody has worked on it: it can be made again
	// (RFC 9113 §8.7).
	Unprocessed bool
}

func (e *ResetError) Error() string {
	if e.Peer {
		return "http2: the peer has reset the stream: " + e.Code.String()
	}
	return "http2: the stream was reset: " + e.Code.String()
}
