package audit

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// maxARN is how long the part of an ARN after "arn:" may be.
const maxARN = 512

// isIdentifier says whether a text looks like an ARN or the id of a resource:
// "vpc-0a1b2c3d", "ipam-pool-0a1b2c3d4e5f60718", "arn:aws:…". Ids are words of lower
// case and digits, the first without digits, the last of 8 to 40 hexadecimal ones.
func isIdentifier(s string) bool {
	if rest, ok := strings.CutPrefix(s, "arn:"); ok {
		return rest != "" && len([]rune(rest)) <= maxARN && !strings.ContainsAny(rest, "\t\n\f\r ")
	}
	last := strings.LastIndexByte(s, '-')
	if digits := s[last+1:]; last < 1 || len(digits) < 8 || len(digits) > 40 || strings.Trim(digits, "0123456789abcdef") != "" {
		return false
	}
	word := 0 // letters and digits since the last hyphen
	first := true
	for _, c := range []byte(s[:last]) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9' && !first:
			word++
		case c == '-' && word > 0:
			word, first = 0, false
		default:
			return false
		}
	}
	return word > 0
}

// resourcesOf returns the identifiers in the parameters that aren't secret, and
// in the reply: of what the call is about, and of what it made.
func resourcesOf(parameters, secrets map[string]string, reply any) []string {
	var found []string
	add := func(text string) {
		if len(found) < maxResources && isIdentifier(text) && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if _, secret := secrets[name]; !secret {
			add(parameters[name])
		}
	}
	if reply != nil {
		texts{add}.walk(reflect.ValueOf(reply))
	}
	return found
}

// texts visits every text of a shape that isn't under a secret name.
type texts struct{ visit func(string) }

func (t texts) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			t.walk(v.Elem())
		}
	case reflect.Struct:
		for _, i := range openFields(v.Type()) {
			t.walk(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			t.walk(v.Index(i))
		}
	case reflect.String:
		t.visit(v.String())
	}
}

var openFieldsOf sync.Map // reflect.Type → []int

// openFields returns the indexes of a shape's members that may have a text and
// aren't secret by their names.
func openFields(shape reflect.Type) []int {
	if known, ok := openFieldsOf.Load(shape); ok {
		return known.([]int)
	}
	var open []int
	for i := range shape.NumField() {
		f := shape.Field(i)
		kind := f.Type.Kind()
		if kind == reflect.Pointer {
			kind = f.Type.Elem().Kind()
		}
		text := kind == reflect.String || kind == reflect.Struct || kind == reflect.Slice
		if text && f.IsExported() && !secretName(f.Name) {
			open = append(open, i)
		}
	}
	openFieldsOf.Store(shape, open)
	return open
}
