package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// ReadFile lays the settings of a YAML file over cfg. An error names the file,
// the line and, for an unknown key, the nearest known one.
func ReadFile(path string, cfg *Config) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return decodeStrict(path, b, cfg)
}

func decodeStrict(path string, b []byte, into any) error {
	err := yaml.UnmarshalWithOptions(b, into, yaml.Strict())
	var unknown *yaml.UnknownFieldError
	var syntax yaml.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		tok := unknown.GetToken()
		msg := fmt.Sprintf("%s:%d: unknown key %q", path, tok.Position.Line, tok.Value)
		if near := nearest(tok.Value, keysOf(reflect.TypeOf(into).Elem())); near != "" {
			msg += fmt.Sprintf("; did you mean %q?", near)
		} else if parent, known := parentOf(tok, reflect.TypeOf(into).Elem()); parent != "" {
			msg += fmt.Sprintf("; known below %s: %s", parent, strings.Join(known, ", "))
		}
		return errors.New(msg)
	case errors.As(err, &syntax) && syntax.GetToken() != nil:
		return fmt.Errorf("%s:%d: %s", path, syntax.GetToken().Position.Line, syntax.GetMessage())
	}
	return fmt.Errorf("%s: %w", path, err)
}

// parentOf returns the key that a token's key stands below, with those that may
// stand there; "" if it stands at the top.
func parentOf(tok *token.Token, t reflect.Type) (parent string, known []string) {
	var path []string
	column := tok.Position.Column
	for at := tok.Prev; at != nil && at.Prev != nil; at = at.Prev {
		// What is before a colon and further left is a key around it.
		if key := at.Prev; at.Type == token.MappingValueType && key.Position.Column < column {
			path, column = append(path, key.Value), key.Position.Column
		}
	}
	slices.Reverse(path)
	for _, key := range path {
		inner, ok := fieldOf(t, key)
		if !ok {
			continue // one beside it, on its line
		}
		parent, t = strings.TrimPrefix(parent+"."+key, "."), inner
	}
	if parent == "" {
		return "", nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		known = append(known, name)
	}
	return parent, known
}

// fieldOf returns the type of a struct's member that is a struct itself, or a list
// of structs.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != key {
			continue
		}
		inner := f.Type
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		return inner, inner.Kind() == reflect.Struct
	}
	return nil, false
}

// keysOf returns every key that t and the structs within it have.
func keysOf(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		return keysOf(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			continue // not one of ours: a netip type, say
		}
		keys = append(keys, name)
		keys = append(keys, keysOf(f.Type)...)
	}
	return keys
}

// nearest returns the key that the fewest edits lead to, if they are few for
// its length.
func nearest(word string, keys []string) string {
	best, at := "", 1+max(2, len(word)/3)
	for _, k := range keys {
		if d := distance(word, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
