package ec2

// The tables of errors.go, for the test that they are whole.
var (
	FaultCodes = faultCodes
	LimitCodes = limitCodes
	Absences   = absences

	DiscoveryAbsences = discoveryAbsences
)
