package tags

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The longest tag, in characters (EC2 CreateTags).
const (
	MaxKey   = 128
	MaxValue = 256
)

// RuleError says which rule a tag breaks, for the caller.
type RuleError struct {
	Reserved bool // the key is AWS's own, which has a code of its own
	Text     string
}

func (e *RuleError) Error() string { return e.Text }

// Check holds the tags that a call gives to EC2's rules: a *RuleError, or ErrTooMany.
func Check(tg []Tag) error {
	seen := map[string]bool{}
	for _, t := range tg {
		switch {
		case t.Key == "":
			return broken("Tag key cannot be empty")
		case utf8.RuneCountInString(t.Key) > MaxKey:
			return broken("Tag key exceeds the maximum length of %d characters", MaxKey)
		case utf8.RuneCountInString(t.Value) > MaxValue:
			return broken("Tag value exceeds the maximum length of %d characters", MaxValue)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return &RuleError{Reserved: true, Text: "Tag keys starting with 'aws:' are reserved for internal use"}
		case seen[t.Key]:
			return broken("Duplicate tag key '%s' specified.", t.Key)
		}
		seen[t.Key] = true
	}
	if len(tg) > Max {
		return ErrTooMany
	}
	return nil
}

func broken(format string, args ...any) error { return &RuleError{Text: fmt.Sprintf(format, args...)} }
