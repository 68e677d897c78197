package wire

import (
	"reflect"
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
}

var plans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := new(plan)
	for i := range t.NumField() {
		f := t.Field(i)
		m := member{index: i, path: strings.ToLower(f.Name[:1]) + f.Name[1:], required: f.Tag.Get("required") == "true"}
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
