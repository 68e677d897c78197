package jwks

// Sources returns how many sources are remembered.
func (f *Fetcher) Sources() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sources)
}
