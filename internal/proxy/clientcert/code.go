package clientcert

import "strings"

// Code says why a client was refused, in the words of connection logs (ELB user
// guide, "Error reason codes").
type Code string

// The codes. ClientCertIncompatible, which AWS has too, isn't given: what crypto/tls
// doesn't speak it doesn't offer.
const (
	Accepted            Code = ""
	MaxChainDepth       Code = "ClientCertMaxChainDepthExceeded"
	MaxSize             Code = "ClientCertMaxSizeExceeded"
	Revoked             Code = "ClientCertCrlHit"
	RevocationsUnusable Code = "ClientCertCrlProcessingError"
	Untrusted           Code = "ClientCertUntrusted"
	NotYetValid         Code = "ClientCertNotYetValid"
	Expired             Code = "ClientCertExpired"
	TypeUnsupported     Code = "ClientCertTypeUnsupported"
	Invalid             Code = "ClientCertInvalid"
	PurposeInvalid      Code = "ClientCertPurposeInvalid"
	Rejected            Code = "ClientCertRejected"
	Unmapped            Code = "UnmappedConnectionError"
)

// What errors of crypto/tls begin with.
const (
	handshakeTooLong   = "tls: handshake message of length"
	unparsable         = "tls: failed to parse client certificate"
	keyTooLarge        = "tls: client sent certificate containing RSA key"
	keyUnknown         = "tls: client certificate contains an unsupported public key"
	signatureByAnother = "tls: invalid signature by the client certificate"
)

// Refusal is the error of a handshake that Verify has refused.
type Refusal struct{ Code Code }

func (r *Refusal) Error() string { return "client certificate refused: " + string(r.Code) }

// CodeOf returns the code for what crypto/tls itself has found wrong, once a client
// was asked for a certificate. It only says so in words, which
// TestClientsAreRefused of package proxy fails over if a Go release changes them.
func CodeOf(err error) Code {
	text := err.Error()
	for _, t := range []struct {
		prefix string
		code   Code
	}{
		{handshakeTooLong, MaxSize}, // no other message after the first may be as long
		{unparsable, Invalid},
		{keyTooLarge, TypeUnsupported},
		{keyUnknown, TypeUnsupported},
		{signatureByAnother, Invalid},
	} {
		if strings.HasPrefix(text, t.prefix) {
			return t.code
		}
	}
	return Unmapped
}
