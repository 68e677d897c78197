package balance

// Places returns in how many tournaments the target is.
func (t *Target) Places() int {
	if p := t.places.Load(); p != nil {
		return len(*p)
	}
	return 0
}
