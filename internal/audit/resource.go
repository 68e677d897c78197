package audit

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
)

// identifier is how ARNs and the ids of resources look: "vpc-0a1b2c3d",
// "ipam-pool-0a1b2c3d4e5f60718", "arn:aws:…".
var identifier = regexp.MustCompile(`^(arn:[^\s]{1,512}|[a-z]+(-[a-z0-9]+)*-[0-9a-f]{8,40})$`)

// resourcesOf returns the identifiers in the parameters that aren't secret, and
// in the reply: of what the call is about, and of what it made.
func resourcesOf(parameters, secrets map[string]string, reply any) []string {
	var found []string
	add := func(text string) {
		if len(found) < maxResources && identifier.MatchString(text) && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if _, secret := secrets[name]; !secret {
			add(parameters[name])
		}
	}
	if reply != nil {
		strings := texts{add}
		strings.walk(reflect.ValueOf(reply), "")
	}
	return found
}

// texts visits every text of a shape that isn't under a secret name.
type texts struct{ visit func(string) }

func (t texts) walk(v reflect.Value, name string) {
	if secretName(name) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			t.walk(v.Elem(), name)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				t.walk(v.Field(i), f.Name)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			t.walk(v.Index(i), name)
		}
	case reflect.String:
		t.visit(v.String())
	}
}
