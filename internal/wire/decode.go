package wire

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
)

// Bounds on what a form may hold. The largest honest requests name a thousand
// resources with a few members each.
const (
	maxParameters = 10_000 // net/url reads no more
	maxDepth      = 12
)

// node is a form as a tree: "Filter.1.Name=x" is Filter → 1 → Name = x.
type node struct {
	value    string
	given    bool // value was sent
	read     bool // a member took it
	children map[string]*node
}

// tree takes a form apart. Every name makes at most maxDepth nodes, however
// large its list indexes are.
func tree(p Protocol, form url.Values) (*node, error) {
	root := &node{}
	for name, values := range form {
		if len(values) > 1 {
			return nil, p.malformed("The parameter %s is given %d times", clip(name), len(values))
		}
		n, depth := root, 0
		for part := range strings.SplitSeq(name, ".") {
			if depth++; depth > maxDepth {
				return nil, p.malformed("The parameter name %.80s has more than %d parts", name, maxDepth)
			}
			if n.children == nil {
				n.children = map[string]*node{}
			}
			child := n.children[part]
			if child == nil {
				child = &node{}
				n.children[part] = child
			}
			n = child
		}
		n.value, n.given = values[0], true
	}
	return root, nil
}

// decoder reads a tree into a shape and collects what is wrong with it.
type decoder struct {
	protocol Protocol
	problems []string      // query: all are counted, maxTold told at once
	first    *apierr.Error // EC2: the first is told
}

// maxTold bounds a message that a short form of many mistakes can ask for.
const maxTold = 10

// decodeForm reads a request's parameters into in, a pointer to a generated
// shape. Action and Version must have been removed.
func decodeForm(p Protocol, form url.Values, in any) error {
	root, err := tree(p, form)
	if err != nil {
		return err
	}
	d := &decoder{protocol: p}
	d.structure(root, reflect.ValueOf(in).Elem(), "", "")
	if d.first == nil && len(d.problems) == 0 {
		d.unknown(root, "")
	}
	switch {
	case d.first != nil:
		return d.first
	case len(d.problems) == 1:
		return apierr.New("ValidationError", "1 validation error detected: %s", d.problems[0])
	case len(d.problems) > 1:
		return apierr.New("ValidationError", "%d validation errors detected: %s", len(d.problems), strings.Join(d.problems[:min(len(d.problems), maxTold)], "; "))
	}
	return nil
}

// refuse notes a problem: code and message are what EC2 says; the query protocol
// says that value, quoted or null, at path breaks a constraint.
func (d *decoder) refuse(code, message, path, value, constraint string) {
	if d.protocol == EC2Query {
		if d.first == nil {
			d.first = apierr.New(code, "%s", message)
		}
		return
	}
	d.problems = append(d.problems, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

func (d *decoder) structure(n *node, v reflect.Value, name, path string) {
	for _, m := range planOf(v.Type()).in {
		full, fullPath := join(name, m.name), join(path, m.path)
		child := n.children[m.name]
		if child == nil {
			if m.required {
				d.refuse("MissingParameter", "The request must contain the parameter "+full, fullPath, "null", "Member must not be null")
			}
			continue
		}
		before := len(d.problems)
		d.value(child, v.Field(m.index), full, fullPath)
		if m.limits != nil && d.first == nil && len(d.problems) == before {
			d.limit(m.limits, child, v.Field(m.index), full, fullPath)
		}
	}
}

// limit checks a member that was given against its limits, and tells each one
// that it breaks, as the services do.
func (d *decoder) limit(l *limits, n *node, v reflect.Value, name, path string) {
	switch {
	case v.Kind() == reflect.Slice && v.IsNil(), v.Kind() != reflect.Slice && !n.given:
		return // a structure where something else belongs: unknown() tells
	case v.Kind() == reflect.Pointer:
		v = v.Elem()
	}
	var size int64
	noun, text := "length", ""
	switch v.Kind() {
	case reflect.String:
		size, text = int64(utf8.RuneCountInString(v.String())), v.String()
	case reflect.Slice:
		size, text = int64(v.Len()), listText(v)
	default: // int32, int64
		size, noun, text = v.Int(), "value", strconv.FormatInt(v.Int(), 10)
	}
	text = clip(text)
	refuse := func(constraint string) {
		d.refuse("InvalidParameterValue", fmt.Sprintf("Value (%s) for parameter %s is invalid. %s", text, name, constraint), path, "'"+text+"'", constraint)
	}
	if l.min != nil && size < *l.min {
		refuse(fmt.Sprintf("Member must have %s greater than or equal to %d", noun, *l.min))
	}
	if l.max != nil && size > *l.max {
		refuse(fmt.Sprintf("Member must have %s less than or equal to %d", noun, *l.max))
	}
	if l.pattern != nil && !l.pattern.MatchString(v.String()) {
		refuse("Member must satisfy regular expression pattern: " + l.pattern.String())
	}
}

// listText shows a list of strings whole, and of any other the number of its items.
func listText(v reflect.Value) string {
	if items, ok := v.Interface().([]string); ok {
		return "[" + strings.Join(items, ", ") + "]"
	}
	if v.Len() == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%d items]", v.Len())
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "." + b
}

func (d *decoder) value(n *node, v reflect.Value, name, path string) {
	switch {
	case v.Kind() == reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem() != timeType && n.children == nil {
			return // a scalar where a structure belongs: unknown() tells
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), name, path)
	case v.Type() == timeType, v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		d.scalar(n, v, name, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, name, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, name, path)
	case v.Kind() == reflect.Map:
		d.mapping(n, v)
	default:
		d.scalar(n, v, name, path)
	}
}

// list reads Name.1, Name.2 (EC2) or Name.member.1 (query). Gaps close, as the
// services have it.
func (d *decoder) list(n *node, v reflect.Value, name, path string) {
	items := n
	if d.protocol == Query {
		if n.given && n.value == "" {
			n.read = true
			v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // "Field=": an empty list
		}
		items = n.children["member"]
		if items == nil {
			return
		}
		name += ".member"
	}
	indexes := items.indexes()
	list := reflect.MakeSlice(v.Type(), len(indexes), len(indexes))
	for at, i := range indexes {
		d.value(items.children[strconv.Itoa(i)], list.Index(at), join(name, strconv.Itoa(i)), fmt.Sprintf("%s.%d.member", path, i))
	}
	if len(indexes) > 0 {
		v.Set(list)
	}
}

// indexes returns the children that are a list's items, in order. What else is
// there, a leading zero included, is left for unknown() to tell.
func (n *node) indexes() []int {
	indexes := make([]int, 0, len(n.children))
	for key := range n.children {
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && strconv.Itoa(i) == key {
			indexes = append(indexes, i)
		}
	}
	slices.Sort(indexes)
	return indexes
}

// mapping reads Name.entry.1.key and Name.entry.1.value. Of two entries with one
// key the later counts.
func (d *decoder) mapping(n *node, v reflect.Value) {
	entries := n.children["entry"]
	if entries == nil {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, i := range entries.indexes() {
		e := entries.children[strconv.Itoa(i)]
		key, value := e.children["key"], e.children["value"]
		if key == nil || value == nil {
			continue
		}
		key.read, value.read = true, true
		v.SetMapIndex(reflect.ValueOf(key.value), reflect.ValueOf(value.value))
	}
}

func (d *decoder) scalar(n *node, v reflect.Value, name, path string) {
	if !n.given {
		return // a structure where a scalar belongs: unknown() tells
	}
	n.read = true
	text := clip(n.value)
	if constraint := set(v, n.value); constraint != "" {
		d.refuse("InvalidParameterValue", fmt.Sprintf("Value (%s) for parameter %s is invalid. %s", text, name, constraint), path, "'"+text+"'", constraint)
		return
	}
	if allowed := enumValues(v.Type()); allowed != nil && !slices.Contains(allowed, n.value) {
		d.refuse("InvalidParameterValue",
			fmt.Sprintf("Value (%s) for parameter %s is invalid. The value must be one of: %s", text, name, strings.Join(allowed, ", ")),
			path, "'"+text+"'", "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
}

// set reads text into a scalar. It returns "", or the constraint that the text
// breaks, worded as the query protocol has it.
func set(v reflect.Value, text string) (constraint string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return "Member must be true or false"
		}
	case reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return "Member must be an integer"
		}
		v.SetInt(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return "Member must be a number"
		}
		v.SetFloat(f)
	case reflect.Slice:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "Member must be base64"
		}
		v.SetBytes(b)
	default: // time.Time, by construction of the shapes
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return "Member must be a date like 2006-01-02T15:04:05Z"
		}
		v.Set(reflect.ValueOf(t))
	}
	return ""
}

// unknown refuses the first parameter that no member took, in order of name: a
// misspelt or unserved parameter that is ignored would make another resource
// than the caller meant.
func (d *decoder) unknown(n *node, name string) {
	keys := make([]string, 0, len(n.children))
	for k := range n.children {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		child, full := n.children[k], join(name, k)
		if child.given && !child.read && d.first == nil && len(d.problems) == 0 {
			d.first = apierr.New("UnknownParameter", "The parameter %s is not recognized", clip(full))
			if d.protocol == Query {
				d.first.Code = "ValidationError"
			}
		}
		d.unknown(child, full)
	}
}
