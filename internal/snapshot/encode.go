package snapshot

import (
	"encoding/json"
	"fmt"
)

// Encode returns the assignment as JSON.
func (a *Assignment) Encode() ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode assignment: %w", err)
	}
	return b, nil
}

// DecodeAssignment reads what Encode wrote. It refuses a format newer than Version.
func DecodeAssignment(b []byte) (*Assignment, error) {
	a := new(Assignment)
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("decode assignment: %w", err)
	}
	if a.Version > Version {
		return nil, fmt.Errorf("decode assignment: format %d is newer than this program's %d", a.Version, Version)
	}
	return a, nil
}
