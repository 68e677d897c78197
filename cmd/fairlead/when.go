package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// when is a flag that names a time: as such, or by how long ago it was.
type when struct {
	at  time.Time
	ago time.Duration
}

// UnmarshalText reads RFC 3339, a duration, or a number of days such as 7d.
func (w *when) UnmarshalText(text []byte) error {
	s := string(text)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		w.at = t
		return nil
	}
	ago, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok && err != nil {
		var n int
		n, err = strconv.Atoi(days)
		ago = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || ago <= 0 {
		return fmt.Errorf("%q is neither a time, such as 2026-11-23T06:00:00Z, nor how long ago, such as 90m or 7d", s)
	}
	w.ago = ago
	return nil
}

// on returns the time as RFC 3339, "" if none was named.
func (w when) on(now time.Time) string {
	switch {
	case w.ago > 0:
		return now.Add(-w.ago).UTC().Format(time.RFC3339Nano)
	case w.at.IsZero():
		return ""
	}
	return w.at.UTC().Format(time.RFC3339Nano)
}
