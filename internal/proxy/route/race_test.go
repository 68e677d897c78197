//go:build race

package route_test

func init() { raceDetector = true }
