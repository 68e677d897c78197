//go:build race

package proxy_test

func init() { raceDetector = true }
