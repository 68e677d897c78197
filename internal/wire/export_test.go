package wire

import "net/url"

// DecodeForm and EncodeForm let the tests hold the codec against the SDK's own
// recorded requests.
func DecodeForm(p Protocol, form url.Values, in any) error { return decodeForm(p, form, in) }

// EncodeForm is the inverse of DecodeForm.
func EncodeForm(p Protocol, in any) url.Values { return encodeForm(p, in) }

// Wildcard exposes the pattern matcher to its table.
func Wildcard(pattern, s string) bool { return wildcard(pattern, s) }

// EncodeReply lets other readers judge what is written for each shape.
func EncodeReply(s ServiceSpec, action, requestID string, out any) []byte {
	return encodeReply(s, action, requestID, out)
}

// DecodeJSON reads a body of the JSON protocol.
func DecodeJSON(body []byte, in any) error { return decodeJSON(body, in) }
