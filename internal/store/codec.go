package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// A record is stored as its format's version, a space, and JSON. JSON because a
// field that an older record lacks decodes to its zero value, and because an
// operator can read it; the version because a newer program's record must not
// be half understood.

// encoder is a buffer and what writes into it, kept because making them costs
// as much as encoding a small record.
type encoder struct {
	buf  bytes.Buffer
	json *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buf)
	e.json.SetEscapeHTML(false)
	return e
}}

func encode(version int, v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.buf.Reset()
	e.buf.Write(strconv.AppendInt(e.buf.AvailableBuffer(), int64(version), 10))
	e.buf.WriteByte(' ')
	if err := e.json.Encode(v); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimSuffix(e.buf.Bytes(), []byte{'\n'})), nil
}

func decode[T any](newest int, b []byte) (*T, error) {
	_, body, err := formatOf(newest, b)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(body, v); err != nil {
		return nil, err
	}
	return v, nil
}

// formatOf takes the format's version off a record.
func formatOf(newest int, b []byte) (version int, body []byte, err error) {
	head, body, ok := bytes.Cut(b, []byte{' '})
	version, err = strconv.Atoi(string(head))
	if !ok || err != nil {
		return 0, nil, fmt.Errorf("record has no version")
	}
	if version > newest {
		return 0, nil, fmt.Errorf("record has format %d, newer than this program's %d", version, newest)
	}
	return version, body, nil
}
