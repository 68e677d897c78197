package route

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead/internal/proxy/http1"
	"github.com/fairlead/fairlead/internal/snapshot"
)

// match is one request while it is compared with rules.
type match struct {
	buf     []byte
	request *http1.Request
	client  netip.Addr
	scratch *Scratch
	path    []byte // normalized, and visible alone; nil until it is needed
	query   []byte // visible alone, likewise
}

// condition is a snapshot.Condition, compiled (ELBv2 RuleCondition). Of what it is
// compared with, only visible characters and spaces count (ELB user guide, condition
// basics): others are left out. Hosts and methods have no others.
type condition struct {
	field    snapshot.ConditionField
	header   string // lower case
	patterns []pattern
	regexps  []*regexp.Regexp
	keys     []pattern // FieldQueryString: beside patterns; matches all if any key does
	methods  []string
	prefixes []netip.Prefix
}

func compileCondition(c snapshot.Condition) (condition, error) {
	out := condition{field: c.Field}
	for _, text := range c.Regex {
		if c.Field != snapshot.FieldPathPattern {
			text = "(?i)" + text // hosts and headers match in any case
		}
		r, err := regexp.Compile(text)
		if err != nil {
			return condition{}, fmt.Errorf("condition %s: %w", c.Field, err)
		}
		out.regexps = append(out.regexps, r)
	}
	switch c.Field {
	case snapshot.FieldHostHeader:
		out.patterns = compilePatterns(c.Values, fold)
	case snapshot.FieldPathPattern:
		out.patterns = compilePatterns(c.Values, 0)
	case snapshot.FieldHTTPHeader:
		if c.Header == "" {
			return condition{}, fmt.Errorf("condition %s has no header name", c.Field)
		}
		out.header = strings.ToLower(c.Header)
		out.patterns = compilePatterns(c.Values, fold)
	case snapshot.FieldQueryString:
		if len(c.Keys) != 0 && len(c.Keys) != len(c.Values) {
			return condition{}, fmt.Errorf("condition %s has %d keys for %d values", c.Field, len(c.Keys), len(c.Values))
		}
		out.patterns = compilePatterns(c.Values, fold|escapes)
		for i := range c.Values {
			key := "*"
			if len(c.Keys) != 0 && c.Keys[i] != "" {
				key = c.Keys[i]
			}
			out.keys = append(out.keys, compilePattern(key, fold|escapes))
		}
	case snapshot.FieldMethod:
		out.methods = c.Values
	case snapshot.FieldSourceIP:
		for _, v := range c.Values {
			p, err := netip.ParsePrefix(v)
			if err != nil {
				return condition{}, fmt.Errorf("condition %s: %w", c.Field, err)
			}
			out.prefixes = append(out.prefixes, p.Masked())
		}
	default:
		return condition{}, fmt.Errorf("condition %q is unknown", c.Field)
	}
	return out, nil
}

// holds says whether any value matches.
func (c *condition) holds(m *match) bool {
	switch c.field {
	case snapshot.FieldHostHeader:
		return c.any(m.request.HostName(m.buf))
	case snapshot.FieldPathPattern:
		return c.any(m.normalPath())
	case snapshot.FieldHTTPHeader:
		for v := range m.request.Header(m.buf, c.header) {
			if c.any(m.visible(v)) {
				return true
			}
		}
	case snapshot.FieldQueryString:
		return c.holdsForQuery(m.visibleQuery())
	case snapshot.FieldMethod:
		method := m.request.Method.Of(m.buf)
		for _, v := range c.methods {
			if string(method) == v {
				return true
			}
		}
	case snapshot.FieldSourceIP:
		for _, p := range c.prefixes {
			if p.Contains(m.client) {
				return true
			}
		}
	}
	return false
}

func (c *condition) any(b []byte) bool {
	for i := range c.patterns {
		if c.patterns[i].match(b) {
			return true
		}
	}
	for _, r := range c.regexps {
		if r.Match(b) {
			return true
		}
	}
	return false
}

// holdsForQuery looks at the query's pairs as they were sent, not decoded.
func (c *condition) holdsForQuery(query []byte) bool {
	for key, value := range pairs(query) {
		for i := range c.patterns {
			if c.keys[i].match(key) && c.patterns[i].match(value) {
				return true
			}
		}
	}
	return false
}

// normalPath returns the path as rules see it: escapes of unreserved characters
// decoded and dot segments resolved (RFC 3986 §6.2.2), so that /public/../admin
// and /%61dmin don't pass by a rule for /admin. The target gets what was sent.
func (m *match) normalPath() []byte {
	if m.path != nil {
		return m.path
	}
	path := m.request.Path.Of(m.buf)
	switch {
	case len(path) == 0:
		m.path = slash
	case bytes.IndexByte(path, '%') < 0 && !bytes.Contains(path, slashDot):
		m.path = path
	default:
		m.scratch.path = appendNormal(m.scratch.path[:0], path)
		m.path = m.scratch.path
	}
	if !allVisible(m.path) {
		m.scratch.path = appendVisible(m.scratch.path[:0], m.path)
		m.path = m.scratch.path
	}
	return m.path
}

// visibleQuery returns the query as rules see it.
func (m *match) visibleQuery() []byte {
	if m.query == nil {
		if m.query = m.request.Query.Of(m.buf); !allVisible(m.query) {
			m.scratch.query = appendVisible(m.scratch.query[:0], m.query)
			m.query = m.scratch.query
		}
	}
	return m.query
}

// visible returns a value as rules see it, until the next call.
func (m *match) visible(value []byte) []byte {
	if allVisible(value) {
		return value
	}
	m.scratch.value = appendVisible(m.scratch.value[:0], value)
	return m.scratch.value
}

func allVisible(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// appendVisible appends what is visible of b, which may be where dst ends.
func appendVisible(dst, b []byte) []byte {
	for _, c := range b {
		if ' ' <= c && c <= '~' {
			dst = append(dst, c)
		}
	}
	return dst
}

var slash, slashDot = []byte("/"), []byte("/.")

func appendNormal(dst, path []byte) []byte {
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c, ok := unhex(path[i+1], path[i+2]); ok && unreserved(c) {
				dst = append(dst, c)
				i += 2
				continue
			}
		}
		dst = append(dst, path[i])
	}
	return removeDots(dst)
}

// removeDots resolves the segments "." and ".." in place (RFC 3986 §5.2.4).
func removeDots(path []byte) []byte {
	out := path[:0]
	for rest := path; len(rest) > 0; {
		segment := rest // with its leading slash
		if i := bytes.IndexByte(rest[1:], '/'); i >= 0 {
			segment, rest = rest[:i+1], rest[i+1:]
		} else {
			rest = nil
		}
		switch string(segment) {
		case "/.", "/..":
			if len(segment) == 3 {
				out = out[:max(bytes.LastIndexByte(out, '/'), 0)]
			}
			if rest == nil {
				out = append(out, '/')
			}
		default:
			out = append(out, segment...)
		}
	}
	return out
}

func unhex(a, b byte) (byte, bool) {
	hi, lo := hexValue(a), hexValue(b)
	return hi<<4 | lo, hi < 16 && lo < 16
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}

func unreserved(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '.' || c == '_' || c == '~'
}
