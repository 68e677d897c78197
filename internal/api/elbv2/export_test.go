package elbv2

import "github.com/fairlead/fairlead/internal/elb"

// CodeOf returns the service's code for a kind of the room's errors.
func CodeOf(k elb.Kind) string { return codes[k] }
