package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// netBoxObject is what a prefix or an IP address is in the replies of NetBox's
// REST API (ipam/prefixes, ipam/ip-addresses), as far as it matters here.
type netBoxObject struct {
	Prefix      string       `json:"prefix"`
	Address     string       `json:"address"`
	Description string       `json:"description"`
	DNSName     string       `json:"dns_name"`
	Status      netBoxChoice `json:"status"`
	VRF         *netBoxRef   `json:"vrf"`
	Role        *netBoxRef   `json:"role"`
	Site        *netBoxRef   `json:"site"`
	Tenant      *netBoxRef   `json:"tenant"`
}

// netBoxChoice is a choice with a label, or the value alone, as brief exports
// and old versions have it.
type netBoxChoice struct{ Value string }

func (c *netBoxChoice) UnmarshalJSON(b []byte) error {
	var labelled struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(b, &labelled) == nil {
		c.Value = labelled.Value
		return nil
	}
	return json.Unmarshal(b, &c.Value)
}

// netBoxRef is a reference to another object, or its name alone. An IP address's
// role is a choice, which has a label instead.
type netBoxRef struct{ Name string }

func (n *netBoxRef) UnmarshalJSON(b []byte) error {
	var object struct {
		Name  string `json:"name"`
		Label string `json:"label"`
	}
	if json.Unmarshal(b, &object) == nil {
		if n.Name = object.Name; n.Name == "" {
			n.Name = object.Label
		}
		return nil
	}
	return json.Unmarshal(b, &n.Name)
}

// readNetBox reads a list of objects, or a page of them under "results".
func (r *Reading) readNetBox(content []byte) error {
	in := json.NewDecoder(bytes.NewReader(content))
	if err := enterList(in); err != nil {
		return err
	}
	for in.More() {
		var raw json.RawMessage
		if err := in.Decode(&raw); err != nil {
			offset := in.InputOffset()
			if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
				offset = min(syntax.Offset, int64(len(content)))
			}
			return fmt.Errorf("line %d: %w", lineAt(content, offset), err)
		}
		line := lineAt(content, in.InputOffset()-int64(len(raw)))
		var o netBoxObject
		if err := json.Unmarshal(raw, &o); err != nil {
			r.wrong(line, "not an object of NetBox's: %s", err)
			continue
		}
		r.readObject(line, o)
	}
	return nil
}

var errNoList = errors.New(`the file has no list of objects: a JSON file must be a list, or have one under "results", as NetBox's API answers`)

// enterList reads on until the next thing is an object of the list.
func enterList(in *json.Decoder) error {
	depth, key, isKey := 0, "", false
	for {
		tok, err := in.Token()
		if err != nil {
			return errNoList
		}
		switch tok {
		case json.Delim('['):
			if depth == 0 || depth == 1 && key == "results" {
				return nil
			}
			depth++
		case json.Delim('{'):
			depth++
			isKey = true
			continue
		case json.Delim(']'), json.Delim('}'):
			if depth--; depth == 0 {
				return errNoList
			}
		default:
			if name, ok := tok.(string); ok && isKey && depth == 1 {
				key, isKey = name, false
				continue
			}
		}
		isKey = depth == 1
	}
}

func lineAt(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:offset], []byte("\n"))
}

func (r *Reading) readObject(line int, o netBoxObject) {
	text, address := o.Prefix, false
	if text == "" {
		text, address = o.Address, true
	}
	if text == "" {
		r.wrong(line, "the object has neither a prefix nor an address")
		return
	}
	cidr, err := parseBlock(text, address)
	if err != nil {
		r.wrong(line, "%s", err)
		return
	}
	if isContainer(o.Status.Value) {
		r.skip(line, "%s is a container: what is in it is allocated, not the whole", cidr)
		return
	}
	e := Entry{Line: line, CIDR: cidr, Description: o.Description}
	if e.Description == "" {
		e.Description = o.DNSName
	}
	if o.VRF != nil {
		e.routing = o.VRF.Name
	}
	for _, t := range []struct {
		key string
		ref *netBoxRef
	}{{"netbox:role", o.Role}, {"netbox:site", o.Site}, {"netbox:tenant", o.Tenant}} {
		if t.ref != nil && t.ref.Name != "" {
			e.Tags = append(e.Tags, Tag{t.key, t.ref.Name})
		}
	}
	if o.Status.Value != "" {
		e.Tags = append(e.Tags, Tag{"netbox:status", o.Status.Value})
	}
	r.Entries = append(r.Entries, e)
}
