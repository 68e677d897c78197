package wire

import (
	"slices"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
)

// Filter narrows a describe: an item passes if any of its attribute's values
// matches any of Values. `*` matches any run of characters, `?` one, and `\`
// takes the next as it is (EC2 Filter).
type Filter struct {
	Name   string
	Values []string
}

// Match says whether an item passes all filters. attribute returns the item's
// values of a filter name; known is false for a name that no item has, which is
// refused whether or not the other filters pass.
func Match(filters []Filter, attribute func(name string) (values []string, known bool)) (bool, error) {
	pass := true
	for _, f := range filters {
		values, known := attribute(f.Name)
		if !known {
			return false, apierr.New("InvalidParameterValue", "The filter '%s' is invalid", clip(f.Name))
		}
		pass = pass && slices.ContainsFunc(values, func(v string) bool {
			return slices.ContainsFunc(f.Values, func(pattern string) bool { return wildcard(pattern, v) })
		})
	}
	return pass, nil
}

func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// wildcard matches in time proportional to the product of the lengths at worst,
// by going back to the last star only.
func wildcard(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += runeLen(s[i:])
		case p+1 < len(pattern) && pattern[p] == '\\' && pattern[p+1] == s[i]:
			p += 2
			i++
		case p < len(pattern) && pattern[p] != '\\' && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark += runeLen(s[mark:])
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
