//go:build unix && !linux

package proxy

// finished can't be told here without reading up to the end.
func finished(int) bool { return false }
