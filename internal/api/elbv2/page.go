package elbv2

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/wire"
)

// maxPageSize is also what a page has when its size isn't given.
const maxPageSize = 400

// pageOf returns the page of a sequence that begins at any key with seek.
func pageOf[T any](marker *string, size *int32, seek func(from string) iter.Seq2[string, T]) ([]T, *string, error) {
	limit := maxPageSize
	if size != nil {
		if *size < 1 || *size > maxPageSize {
			return nil, nil, constraint(strconv.Itoa(int(*size)), "pageSize", "Member must have value between 1 and %d", maxPageSize)
		}
		limit = int(*size)
	}
	from, err := wire.From(marker, "ValidationError")
	if err != nil {
		return nil, nil, err
	}
	items, next := wire.Page(seek(from), limit)
	return items, next, nil
}

// named looks each name up, and fails with the first that isn't there: a describe
// of named things is all or nothing.
func named[T any](names []string, get func(string) (T, error)) ([]T, error) {
	items := make([]T, 0, len(names))
	for _, n := range names {
		item, err := get(n)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// maxNames is how many ARNs a describe of load balancers or tags may name.
const maxNames = 20

// atMost refuses a list that is longer than the model allows.
func atMost(list []string, limit int, path string) error {
	if len(list) > limit {
		return constraint("["+strings.Join(list, ", ")+"]", path, "Member must have length less than or equal to %d", limit)
	}
	return nil
}

// constraint is what the service says of a value that breaks a rule of the model.
func constraint(value, path, rule string, args ...any) error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, path, fmt.Sprintf(rule, args...))
}

// checkARN refuses what is no ARN of the noun at all. One that is may name
// nothing, or another account's: that is not found.
func checkARN(arn, kind, noun string) error {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "elasticloadbalancing" || !strings.HasPrefix(parts[5], kind+"/") {
		return invalid("'%s' is not a valid %s ARN", arn, noun)
	}
	return nil
}
