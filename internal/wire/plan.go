package wire

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// plan is how the members of one generated shape are read and written, worked
// out once per type.
type plan struct {
	in, out []member
}

type member struct {
	index    int
	name     string // on the wire
	path     string // in messages: lower camel case
	required bool
	limits   *limits // nil: none
}

// limits are what the service's model says of a member's value. For strings min
// and max are of characters, for lists of items.
type limits struct {
	min, max *int64
	pattern  *regexp.Regexp
}

// limitsOf reads the tags min, max and pattern. What is no number or expression
// there is a mistake in a shape, which any test of its operation meets.
func limitsOf(tag reflect.StructTag) *limits {
	var l limits
	number := func(name string) *int64 {
		text, ok := tag.Lookup(name)
		if !ok {
			return nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("wire: tag %s:%q: %v", name, text, err))
		}
		return &n
	}
	l.min, l.max = number("min"), number("max")
	if text, ok := tag.Lookup("pattern"); ok {
		l.pattern = regexp.MustCompile(text)
	}
	if l == (limits{}) {
		return nil
	}
	return &l
}

var plans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := new(plan)
	var limited map[string]reflect.StructTag
	if s, ok := reflect.Zero(t).Interface().(interface {
		Limits() map[string]reflect.StructTag
	}); ok {
		limited = s.Limits()
	}
	for name := range limited {
		if _, ok := t.FieldByName(name); !ok {
			panic(fmt.Sprintf("wire: %s has a limit for %s, which is no member of it", t, name))
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		m := member{index: i, path: strings.ToLower(f.Name[:1]) + f.Name[1:], required: f.Tag.Get("required") == "true", limits: limitsOf(limited[f.Name])}
		if m.name = f.Tag.Get("in"); m.name != "" {
			p.in = append(p.in, m)
		}
		if m.name = f.Tag.Get("out"); m.name != "" {
			p.out = append(p.out, m)
		}
	}
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	stringType = reflect.TypeFor[string]()
)

// isEnum says whether t is a generated enum: the only named strings in a shape.
// Enums aren't behind pointers: "" is absent.
func isEnum(t reflect.Type) bool { return t.Kind() == reflect.String && t != stringType }

// enumValues returns the values that a generated enum may have; nil for any
// other type.
func enumValues(t reflect.Type) []string {
	if !isEnum(t) {
		return nil
	}
	if e, ok := reflect.Zero(t).Interface().(interface{ Values() []string }); ok {
		return e.Values()
	}
	return nil
}

// The forms of times: UTC, in replies always with milliseconds, in requests with
// as many as there are, as the SDKs send them.
const (
	timestamp     = "2006-01-02T15:04:05.000Z"
	sentTimestamp = "2006-01-02T15:04:05.999Z"
)

// itemName is the element that a reply's lists repeat.
func (p Protocol) itemName() string {
	if p == EC2Query {
		return "item"
	}
	return "member"
}
