package ec2

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode"

	"github.com/fairlead/fairlead/internal/shapes/ec2"
	"github.com/fairlead/fairlead/internal/tags"
)

// replyAttribute returns what an item has under a filter's name. AWS publishes
// no names for IPAM's filters: each scalar of the reply is served under its own
// name in kebab case, and the tags under theirs.
func replyAttribute[Shape any](item Shape, name string) (values []string, known bool) {
	v := reflect.ValueOf(item)
	fields := replyFields(v.Type())
	if n, ok := fields[name]; ok {
		f := v.Field(n)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				return nil, true
			}
			f = f.Elem()
		}
		return some(fmt.Sprint(f.Interface())), true
	}
	n, ok := fields["tag-set"]
	if !ok {
		return nil, false
	}
	var tg []tags.Tag
	for _, t := range v.Field(n).Interface().([]ec2.Tag) {
		tg = append(tg, tags.Tag{Key: value(t.Key), Value: value(t.Value)})
	}
	return tagAttribute(tg, name)
}

var replyFieldsByType sync.Map // reflect.Type → map[string]int

// replyFields returns the number of each field that replyAttribute serves, by
// its element's name in kebab case.
func replyFields(t reflect.Type) map[string]int {
	if m, ok := replyFieldsByType.Load(t); ok {
		return m.(map[string]int)
	}
	m := map[string]int{}
	for n := range t.NumField() {
		f := t.Field(n)
		kind := f.Type.Kind()
		if kind == reflect.Pointer {
			kind = f.Type.Elem().Kind()
		}
		switch kind {
		case reflect.String, reflect.Int32, reflect.Int64, reflect.Bool:
			m[kebab(f.Tag.Get("out"))] = n
		default:
			if f.Type == reflect.TypeFor[[]ec2.Tag]() {
				m["tag-set"] = n
			}
		}
	}
	replyFieldsByType.Store(t, m)
	return m
}

// kebab returns a camelCase name in kebab-case.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
