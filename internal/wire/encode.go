package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/apierr"
)

// encodeReply writes a reply in its protocol's envelope.
func encodeReply(s ServiceSpec, action, requestID string, out any) []byte {
	if s.Protocol == JSON {
		return encodeJSON(out)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString("<" + action + `Response xmlns="` + s.Namespace + `">`)
	v := reflect.ValueOf(out).Elem()
	switch s.Protocol {
	case EC2Query:
		element(&b, "requestId", requestID)
		if len(planOf(v.Type()).out) == 0 {
			element(&b, "return", "true") // what operations without a reply answer
		}
		encodeMembers(&b, s.Protocol, v)
	case Query:
		b.WriteString("<" + action + "Result>")
		encodeMembers(&b, s.Protocol, v)
		b.WriteString("</" + action + "Result><ResponseMetadata>")
		element(&b, "RequestId", requestID)
		b.WriteString("</ResponseMetadata>")
	}
	b.WriteString("</" + action + "Response>")
	return b.Bytes()
}

// encodeError writes an error in its protocol's envelope.
func encodeError(s ServiceSpec, requestID string, e *apierr.Error) []byte {
	if s.Protocol == JSON {
		return jsonErrorBody(e)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	switch s.Protocol {
	case EC2Query:
		b.WriteString("<Response><Errors><Error>")
		element(&b, "Code", e.Code)
		element(&b, "Message", e.Message)
		b.WriteString("</Error></Errors>")
		element(&b, "RequestID", requestID)
		b.WriteString("</Response>")
	case Query:
		kind := "Sender"
		if e.Status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		b.WriteString("<ErrorResponse")
		if s.Namespace != "" {
			b.WriteString(` xmlns="` + s.Namespace + `"`)
		}
		b.WriteString("><Error>")
		element(&b, "Type", kind)
		element(&b, "Code", e.Code)
		element(&b, "Message", e.Message)
		b.WriteString("</Error>")
		element(&b, "RequestId", requestID)
		b.WriteString("</ErrorResponse>")
	}
	return b.Bytes()
}

func element(b *bytes.Buffer, name, text string) {
	open(b, name)
	if plain(text) {
		b.WriteString(text)
	} else {
		_ = xml.EscapeText(b, []byte(text)) // a Buffer doesn't fail; what XML can't hold becomes U+FFFD
	}
	end(b, name)
}

// open and end write an element's tags, piece by piece: a page of a thousand
// items has thirty thousand of them.
func open(b *bytes.Buffer, name string) {
	b.WriteByte('<')
	b.WriteString(name)
	b.WriteByte('>')
}

func end(b *bytes.Buffer, name string) {
	b.WriteString("</")
	b.WriteString(name)
	b.WriteByte('>')
}

// plain says whether XML takes the text as it is. Nearly all is.
func plain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= 0x7f, c == '&', c == '<', c == '>', c == '"', c == '\'':
			return false
		}
	}
	return true
}

func encodeMembers(b *bytes.Buffer, p Protocol, v reflect.Value) {
	for _, m := range planOf(v.Type()).out {
		encodeValue(b, p, m.name, v.Field(m.index))
	}
}

// encodeValue writes one member. What is absent leaves no element: an empty
// number or boolean makes clients fail to decode the whole reply.
func encodeValue(b *bytes.Buffer, p Protocol, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			encodeValue(b, p, name, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == timeType {
			element(b, name, v.Interface().(time.Time).UTC().Format(timestamp))
			return
		}
		open(b, name)
		encodeMembers(b, p, v)
		end(b, name)
	case reflect.Slice:
		switch {
		case v.IsNil():
		case v.Type().Elem().Kind() == reflect.Uint8:
			element(b, name, base64.StdEncoding.EncodeToString(v.Bytes()))
		default:
			open(b, name)
			for i := range v.Len() {
				encodeItem(b, p, v.Index(i))
			}
			end(b, name)
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		open(b, name)
		for _, k := range sortedKeys(v) {
			b.WriteString("<entry>")
			element(b, "key", k.String())
			element(b, "value", v.MapIndex(k).String())
			b.WriteString("</entry>")
		}
		end(b, name)
	case reflect.String:
		if v.Len() > 0 || !isEnum(v.Type()) {
			element(b, name, v.String())
		}
	default:
		element(b, name, scalarText(v))
	}
}

// encodeItem writes a list's item, which is there even when it is empty.
func encodeItem(b *bytes.Buffer, p Protocol, v reflect.Value) {
	if v.Kind() == reflect.String {
		element(b, p.itemName(), v.String())
		return
	}
	encodeValue(b, p, p.itemName(), v)
}

func scalarText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
	return keys
}

// encodeForm writes a shape as a request's parameters, the inverse of decodeForm.
func encodeForm(p Protocol, in any) url.Values {
	form := url.Values{}
	formMembers(form, p, "", reflect.ValueOf(in).Elem())
	return form
}

func formMembers(form url.Values, p Protocol, prefix string, v reflect.Value) {
	for _, m := range planOf(v.Type()).in {
		formValue(form, p, join(prefix, m.name), v.Field(m.index))
	}
}

func formValue(form url.Values, p Protocol, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			formValue(form, p, name, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == timeType {
			form.Set(name, v.Interface().(time.Time).UTC().Format(sentTimestamp))
			return
		}
		formMembers(form, p, name, v)
	case reflect.Slice:
		switch {
		case v.IsNil():
			return
		case v.Type().Elem().Kind() == reflect.Uint8:
			form.Set(name, base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		case p == Query && v.Len() == 0:
			form.Set(name, "")
			return
		case p == Query:
			name += ".member"
		}
		for i := range v.Len() {
			item, full := v.Index(i), join(name, strconv.Itoa(i+1))
			if item.Kind() == reflect.String {
				form.Set(full, item.String())
			} else {
				formValue(form, p, full, item)
			}
		}
	case reflect.Map:
		for i, k := range sortedKeys(v) {
			entry := join(name, "entry."+strconv.Itoa(i+1))
			form.Set(entry+".key", k.String())
			form.Set(entry+".value", v.MapIndex(k).String())
		}
	case reflect.String:
		if v.Len() > 0 || !isEnum(v.Type()) {
			form.Set(name, v.String())
		}
	default:
		form.Set(name, scalarText(v))
	}
}
