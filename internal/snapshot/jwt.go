package snapshot

// JWTValidation lets requests pass that have a token of the issuer's, signed by one of
// the keys at the endpoint (ELBv2 JwtValidationActionConfig).
type JWTValidation struct {
	JWKSEndpoint string
	Issuer       string
	Claims       []JWTClaim `json:",omitempty"` // that it has beside those that all have
}

// JWTClaim is a claim that has one of the values, in the form that ELBv2
// JwtValidationActionAdditionalClaim.Format names.
type JWTClaim struct {
	Name   string
	Format string
	Values []string
}
