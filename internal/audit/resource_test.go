package audit_test

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/audit"
)

// What identifiers look like, in fewer words and more steps.
var identifier = regexp.MustCompile(`^(arn:[^\s]{1,512}|[a-z]+(-[a-z0-9]+)*-[0-9a-f]{8,40})$`)

func TestIdentifiersAreKnownByTheirLooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[a-c0-2-]{0,4}-?[0-9a-g]{6,42}`), rapid.StringMatching(`([a-z]{0,3}[0-9]?-){1,3}[0-9a-f]{7,9}`),
			rapid.StringMatching(`arn:?[a-z :\n/]{0,6}`), rapid.String(),
		).Draw(t, "text")
		if got, want := audit.IsIdentifier(s), identifier.MatchString(s); got != want {
			t.Errorf("%q: got %t, want %t", s, got, want)
		}
	})
}
