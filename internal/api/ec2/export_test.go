package ec2

// The tables of errors.go, for the test that they are whole.
var (
	FaultCodes = faultCodes
	LimitCodes = limitCodes
	Absences   = absences

	DiscoveryAbsences = discoveryAbsences
)

// IPAMIDCodes returns the codes for ids of IPAM's that name nothing, or could
// name nothing.
func IPAMIDCodes() []string {
	var codes []string
	for _, a := range ipamAbsences {
		codes = append(codes, a.code)
	}
	for _, a := range resolverAbsences {
		codes = append(codes, a.code)
	}
	for _, p := range idParameters {
		codes = append(codes, p.malformed)
	}
	return codes
}

// UnservedActions returns the actions that are refused by name.
func UnservedActions() []string {
	var actions []string
	for _, family := range unserved {
		actions = append(actions, family.actions...)
	}
	return actions
}
