package elbv2

import (
	"iter"

	"github.com/fairlead/fairlead/internal/wire"
)

// maxPageSize is also what a page has when its size isn't given.
const maxPageSize = 400

// pageOf returns the page of a sequence that begins at any key with seek.
func pageOf[T any](marker *string, size *int32, seek func(from string) iter.Seq2[string, T]) ([]T, *string, error) {
	limit := maxPageSize
	if size != nil {
		if *size < 1 || *size > maxPageSize {
			return nil, nil, invalid("1 validation error detected: Value '%d' at 'pageSize' failed to satisfy constraint: Member must have value between 1 and %d", *size, maxPageSize)
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

func atMost(n, limit int, path string) error {
	if n > limit {
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", path, limit)
	}
	return nil
}
