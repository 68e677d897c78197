//go:build race

package conformance_test

func init() { inTest /= 10 }
