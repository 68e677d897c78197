package wire

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
)

// xmlNode is an element with what is in it.
type xmlNode struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []xmlNode `xml:",any"`
}

func (n *xmlNode) child(name string) *xmlNode {
	for i := range n.Children {
		if strings.EqualFold(n.Children[i].XMLName.Local, name) {
			return &n.Children[i]
		}
	}
	return nil
}

// decodeReply reads a reply into a shape, the inverse of encodeReply. Elements
// that the shape doesn't have are passed over, as SDKs do.
func decodeReply(p Protocol, action string, body []byte, v reflect.Value) error {
	var root xmlNode
	if err := xml.Unmarshal(body, &root); err != nil {
		return fmt.Errorf("read reply: %w", err)
	}
	n := &root
	if p == Query {
		if n = root.child(action + "Result"); n == nil {
			return fmt.Errorf("reply has no %sResult", action)
		}
	}
	return replyMembers(p, n, v)
}

func replyMembers(p Protocol, n *xmlNode, v reflect.Value) error {
	for _, m := range planOf(v.Type()).out {
		c := n.child(m.name)
		if c == nil {
			continue
		}
		if err := replyValue(p, c, v.Field(m.index)); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func replyValue(p Protocol, n *xmlNode, v reflect.Value) error {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return replyValue(p, n, v.Elem())
	case v.Kind() == reflect.Struct && v.Type() != timeType:
		return replyMembers(p, n, v)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		v.Set(reflect.MakeSlice(v.Type(), len(n.Children), len(n.Children)))
		for i := range n.Children {
			if err := replyValue(p, &n.Children[i], v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range n.Children {
			if key, value := n.Children[i].child("key"), n.Children[i].child("value"); key != nil && value != nil {
				v.SetMapIndex(reflect.ValueOf(key.Text), reflect.ValueOf(value.Text))
			}
		}
		return nil
	}
	if constraint := set(v, n.Text); constraint != "" {
		return fmt.Errorf("value %q: %s", clip(n.Text), constraint)
	}
	return nil
}

// decodeError reads an error's envelope, either protocol's.
func decodeError(body []byte) (code, message string) {
	var root xmlNode
	if err := xml.Unmarshal(body, &root); err != nil {
		return "Unreadable", "the server's error can't be read"
	}
	n := &root
	if errs := n.child("Errors"); errs != nil {
		n = errs
	}
	if e := n.child("Error"); e != nil {
		if c := e.child("Code"); c != nil {
			code = c.Text
		}
		if m := e.child("Message"); m != nil {
			message = m.Text
		}
	}
	return code, message
}
