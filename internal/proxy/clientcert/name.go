package clientcert

import (
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// attribute is an AttributeTypeAndValue of RFC 5280 §4.1.2.4. The names of the types
// that hold it tell encoding/asn1 what is a SET.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type relativeNameSET []attribute

// keywords are those of RFC 2253 §2.3, and what OpenSSL calls other attributes that
// certificates often have.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.9": "street",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
	"2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.12": "title", "2.5.4.17": "postalCode", "2.5.4.42": "GN", "2.5.4.43": "initials",
	"2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier", "2.5.4.65": "pseudonym", "1.2.840.113549.1.9.1": "emailAddress",
}

// nameOf writes a name in DER as RFC 2253 has it, the last part first. It has
// printable ASCII alone: control characters, and what is beyond ASCII as UTF-8, are
// escaped as hexadecimal pairs. "" is an empty name, or one that can't be read.
func nameOf(der []byte) string {
	var name []relativeNameSET
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var out []byte
	for i, set := range slices.Backward(name) {
		if i < len(name)-1 {
			out = append(out, ',')
		}
		for j, a := range set {
			if j > 0 {
				out = append(out, '+')
			}
			out = a.appendTo(out)
		}
	}
	return string(out)
}

func (a attribute) appendTo(dst []byte) []byte {
	oid := a.Type.String()
	keyword, known := keywords[oid]
	text, ok := a.text()
	if !known || !ok {
		if !known {
			keyword = oid
		}
		dst = append(dst, keyword...)
		dst = append(dst, "=#"...)
		return append(dst, strings.ToUpper(hex.EncodeToString(a.Value.FullBytes))...)
	}
	dst = append(dst, keyword...)
	dst = append(dst, '=')
	for i := range len(text) {
		c := text[i]
		switch {
		case c < ' ' || c > '~':
			dst = append(dst, '\\', digits[c>>4], digits[c&15])
			continue
		case strings.IndexByte(`,+"\<>;`, c) >= 0, i == 0 && (c == '#' || c == ' '), i == len(text)-1 && c == ' ':
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return dst
}

const digits = "0123456789ABCDEF"

// text returns a string's value in UTF-8; false for what isn't a string.
func (a attribute) text() (string, bool) {
	v := a.Value
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	switch b := v.Bytes; v.Tag {
	case asn1.TagUTF8String:
		return string(b), utf8.Valid(b)
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, tagVisibleString:
		return string(b), true
	case asn1.TagT61String: // as OpenSSL: taken for Latin-1
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), true
	case asn1.TagBMPString:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units)), len(b)%2 == 0
	}
	return "", false
}

const tagVisibleString = 26
