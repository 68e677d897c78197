package ec2

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/apierr"
	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/tags"
	"github.com/fairlead/fairlead/internal/wire"
)

// query is what every Describe call asks.
type query struct {
	IDs        []string // none: all
	Filters    []ec2.Filter
	MaxResults *int32
	NextToken  *string
	Min, Max   int32 // of MaxResults; both 0: the call isn't paginated
	Default    int   // page size without MaxResults; 0: all
}

// source is where a Describe finds its items.
type source[T any] struct {
	from   func(key string) iter.Seq2[string, T] // by id, from a key on
	get    func(id string) (T, bool)
	absent func(id string) error

	// attribute returns the values that an item has under a filter's name; known
	// is false for a name that no item has. It must bear the zero item.
	attribute func(item T, name string) (values []string, known bool)

	// narrow returns items, by id, among which are all that have the value under
	// the filter's name; nil where they can't be found but by looking at all. It
	// may be nil itself.
	narrow func(name, value string) iter.Seq2[string, T]
}

// maxMissed is how many items that don't pass its filters one page looks at. A
// page then ends short, or even empty, with a token, as the API allows: what
// a page costs is bounded, whatever the filter. 5,000 take some 10 ms.
const maxMissed = 5000

// maxFilterValues is how many values a call's filters may have (EC2 quota).
const maxFilterValues = 200

// list answers a Describe: the items that q asks for, and the token of the next
// page, if there is one.
func list[T any](c *wire.Call, q query, src source[T]) (items []T, next *string, err error) {
	filters, err := checkFilters(q.Filters, src.attribute)
	if err != nil {
		return nil, nil, err
	}
	limit, err := pageSize(q)
	if err != nil {
		return nil, nil, err
	}
	from, err := wire.From(q.NextToken, "InvalidNextToken")
	if err != nil {
		return nil, nil, err
	}
	if err := c.CheckDryRun(); err != nil {
		return nil, nil, err
	}
	passes := func(item T) bool {
		ok, _ := wire.Match(filters, func(name string) ([]string, bool) { return src.attribute(item, name) })
		return ok
	}
	if len(q.IDs) > 0 {
		items = []T{}
		for _, id := range unique(q.IDs) {
			item, ok := src.get(id)
			if !ok {
				return nil, nil, src.absent(id)
			}
			if passes(item) {
				items = append(items, item)
			}
		}
		return items, nil, nil
	}
	items = []T{}
	missed := 0
	for id, item := range src.candidates(filters, from) {
		pass := passes(item)
		if limit > 0 && (missed == maxMissed || pass && len(items) == limit) {
			return items, new(wire.Token(id)), nil
		}
		if pass {
			items = append(items, item)
		} else {
			missed++
		}
	}
	return items, nil, nil
}

// candidates yields the items, by id, from a key on, among which are all that
// pass the filters.
func (src source[T]) candidates(filters []wire.Filter, from string) iter.Seq2[string, T] {
	for _, f := range filters {
		if src.narrow == nil || len(f.Values) != 1 || strings.ContainsAny(f.Values[0], `*?\`) {
			continue
		}
		if few := src.narrow(f.Name, f.Values[0]); few != nil {
			return func(yield func(string, T) bool) {
				for id, item := range few {
					if id >= from && !yield(id, item) {
						return
					}
				}
			}
		}
	}
	return src.from(from)
}

// one yields the item, if there is one.
func one[T any](id string, item T, ok bool) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		if ok {
			yield(id, item)
		}
	}
}

// unique returns ss without repetitions, in its order.
func unique(ss []string) []string {
	var out []string
	for _, s := range ss {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// checkFilters refuses filters that no item could pass or fail.
func checkFilters[T any](in []ec2.Filter, attribute func(T, string) ([]string, bool)) ([]wire.Filter, error) {
	var zero T
	var out []wire.Filter
	values := 0
	for _, f := range in {
		if f.Name == nil || len(f.Values) == 0 {
			return nil, apierr.New("InvalidParameterValue", "The filter '%s' is invalid: it needs a name and a value", value(f.Name))
		}
		if values += len(f.Values); values > maxFilterValues {
			return nil, apierr.New("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxFilterValues)
		}
		w := wire.Filter{Name: *f.Name, Values: f.Values}
		if _, err := wire.Match([]wire.Filter{w}, func(name string) ([]string, bool) { return attribute(zero, name) }); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// pageSize returns how many items a page may have, 0 for all.
func pageSize(q query) (int, error) {
	if q.MaxResults == nil {
		return q.Default, nil
	}
	n := *q.MaxResults
	switch {
	case len(q.IDs) > 0:
		return 0, apierr.New("InvalidParameterCombination", "The parameter maxResults cannot be used with a list of ids")
	case n < q.Min:
		return 0, apierr.New("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than or equal to %d.", n, q.Min)
	case n > q.Max:
		return 0, apierr.New("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value less than or equal to %d.", n, q.Max)
	}
	return int(n), nil
}

// tagAttribute returns an item's values for the filters that every taggable
// resource has: tag:KEY and tag-key.
func tagAttribute(tg []tags.Tag, name string) (values []string, known bool) {
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		for _, t := range tg {
			if t.Key == key {
				return []string{t.Value}, true
			}
		}
		return nil, true
	}
	if name != "tag-key" {
		return nil, false
	}
	for _, t := range tg {
		values = append(values, t.Key)
	}
	return values, true
}

// some returns v as a filter's values, none if it is empty.
func some(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

func yesNo(b bool) []string { return []string{strconv.FormatBool(b)} }
