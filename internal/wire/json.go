package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/apierr"
)

// The JSON protocol: the action is in a header, "X-Amz-Target: PREFIX.ACTION", the
// request's members are a JSON object, and so are the reply's. Blobs are base64,
// times are seconds since 1970 with a fraction (AWS JSON 1.1).
const (
	targetHeader = "X-Amz-Target"
	jsonContent  = "application/x-amz-json-1.1"
)

// jsonAction returns the action that a request names, "" for none of the service.
func (s ServiceSpec) jsonAction(r *http.Request) string {
	prefix, action, _ := strings.Cut(r.Header.Get(targetHeader), ".")
	if prefix != s.Target {
		return ""
	}
	return action
}

// jsonDecoder reads a JSON value into a shape and collects what is wrong with it.
type jsonDecoder struct {
	problems []string // constraints that are broken: all are counted, maxTold told at once
	err      error    // the first value that is no value of its member's type
}

// decodeJSON reads a request's body into in, a pointer to a generated shape. An
// empty body is one without members.
func decodeJSON(body []byte, in any) error {
	if !utf8.Valid(body) {
		return JSON.malformed("The request body is not valid UTF-8")
	}
	var members any = map[string]any{}
	if len(bytes.TrimSpace(body)) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&members); err != nil {
			return JSON.malformed("The request body is not JSON")
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return JSON.malformed("The request body has something behind its JSON object")
		}
	}
	d := new(jsonDecoder)
	d.value(members, reflect.ValueOf(in).Elem(), "")
	switch {
	case d.err != nil:
		return d.err
	case len(d.problems) == 1:
		return apierr.New("ValidationException", "1 validation error detected: %s", d.problems[0])
	case len(d.problems) > 1:
		return apierr.New("ValidationException", "%d validation errors detected: %s", len(d.problems), strings.Join(d.problems[:min(len(d.problems), maxTold)], "; "))
	}
	return nil
}

func (d *jsonDecoder) refuse(path, value, constraint string) {
	d.problems = append(d.problems, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// mismatch notes a value of another JSON type than its member has.
func (d *jsonDecoder) mismatch(path, want string) {
	if d.err == nil {
		d.err = JSON.malformed("The value of '%s' must be %s", clip(path), want)
	}
}

func (d *jsonDecoder) structure(from any, v reflect.Value, path string) {
	members, ok := from.(map[string]any)
	if !ok {
		d.mismatch(path, "an object")
		return
	}
	known := map[string]bool{}
	for _, m := range planOf(v.Type()).in {
		known[m.name] = true
		full := join(path, m.path)
		value := members[m.name]
		if value == nil { // absent, or null, which is the same
			if m.required {
				d.refuse(full, "null", "Member must not be null")
			}
			continue
		}
		d.value(value, v.Field(m.index), full)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] { // as with forms: what is ignored makes another resource than was meant
			d.refuse(join(path, clip(name)), "given", "Member is not recognized")
			return
		}
	}
}

func (d *jsonDecoder) value(from any, v reflect.Value, path string) {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(from, v.Elem(), path)
	case v.Type() == timeType:
		d.time(from, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(from, v, path)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		items, ok := from.([]any)
		if !ok {
			d.mismatch(path, "a list")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			at := fmt.Sprintf("%s.%d.member", path, i+1)
			if item == nil {
				d.refuse(at, "null", "Member must not be null")
				continue
			}
			d.value(item, v.Index(i), at)
		}
	case v.Kind() == reflect.Map:
		entries, ok := from.(map[string]any)
		if !ok {
			d.mismatch(path, "an object")
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for key, value := range entries {
			text, ok := value.(string)
			if !ok {
				d.mismatch(join(path, key), "a string")
				return
			}
			v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(text))
		}
	default:
		d.scalar(from, v, path)
	}
}

func (d *jsonDecoder) time(from any, v reflect.Value, path string) {
	n, ok := from.(json.Number)
	seconds, err := n.Float64()
	if !ok || err != nil || math.Abs(seconds) > 1<<40 {
		d.mismatch(path, "seconds since 1970")
		return
	}
	v.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()))
}

func (d *jsonDecoder) scalar(from any, v reflect.Value, path string) {
	var text string
	switch from := from.(type) {
	case string:
		if v.Kind() != reflect.String && v.Kind() != reflect.Slice {
			d.mismatch(path, "a number or boolean, not a string")
			return
		}
		text = from
	case json.Number:
		if v.Kind() == reflect.String || v.Kind() == reflect.Slice || v.Kind() == reflect.Bool {
			d.mismatch(path, "no number")
			return
		}
		text = from.String()
	case bool:
		if v.Kind() != reflect.Bool {
			d.mismatch(path, "no boolean")
			return
		}
		text = strconv.FormatBool(from)
	default:
		d.mismatch(path, "no object or list")
		return
	}
	if constraint := set(v, text); constraint != "" {
		// The text isn't quoted: of a blob it may be a secret.
		d.mismatch(path, strings.TrimPrefix(constraint, "Member must be "))
		return
	}
	if allowed := enumValues(v.Type()); allowed != nil && !slices.Contains(allowed, text) {
		d.refuse(path, "'"+clip(text)+"'", "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
}

// encodeJSON writes a shape as a reply's body.
func encodeJSON(out any) []byte {
	var b bytes.Buffer
	jsonValue(&b, reflect.ValueOf(out).Elem())
	return b.Bytes()
}

// jsonErrorBody writes an error as the JSON protocol has it.
func jsonErrorBody(e *apierr.Error) []byte {
	var b bytes.Buffer
	b.WriteString(`{"__type":`)
	jsonString(&b, e.Code)
	b.WriteString(`,"message":`)
	jsonString(&b, e.Message)
	b.WriteByte('}')
	return b.Bytes()
}

func jsonValue(b *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		jsonValue(b, v.Elem())
	case reflect.Struct:
		if v.Type() == timeType {
			b.WriteString(strconv.FormatFloat(float64(v.Interface().(time.Time).UnixMilli())/1000, 'f', -1, 64))
			return
		}
		b.WriteByte('{')
		first := true
		for _, m := range planOf(v.Type()).out {
			field := v.Field(m.index)
			if absent(field) {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			jsonString(b, m.name)
			b.WriteByte(':')
			jsonValue(b, field)
		}
		b.WriteByte('}')
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			jsonString(b, base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			jsonValue(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.Map:
		b.WriteByte('{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b.WriteByte(',')
			}
			jsonString(b, k.String())
			b.WriteByte(':')
			jsonString(b, v.MapIndex(k).String())
		}
		b.WriteByte('}')
	case reflect.String:
		jsonString(b, v.String())
	default:
		b.WriteString(scalarText(v))
	}
}

// absent says whether a member is left out of a reply.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0 && isEnum(v.Type())
	}
	return false
}

func jsonString(b *bytes.Buffer, s string) {
	text, _ := json.Marshal(s) // a string doesn't fail
	b.Write(text)
}
