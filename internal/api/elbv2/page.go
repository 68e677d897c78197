package elbv2

import (
	"iter"

	"github.com/fairlead/fairlead/internal/wire"
)

// maxPageSize is what a page has when its size isn't given; the model allows no
// larger one.
const maxPageSize = 400

// pageOf returns the page of a sequence that begins at any key with seek.
func pageOf[T any](marker *string, size *int32, seek func(from string) iter.Seq2[string, T]) ([]T, *string, error) {
	limit := maxPageSize
	if size != nil {
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
// of named things is all or nothing. What is named twice is there once: a page
// couldn't begin with the second, and a reply is no larger than what there is.
func named[T any](names []string, get func(string) (T, error)) ([]T, error) {
	items := make([]T, 0, len(names))
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		if seen[n] {
			continue
		}
		seen[n] = true
		item, err := get(n)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}
