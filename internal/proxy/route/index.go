package route

import (
	"bytes"
	"math/bits"
	"net/netip"
	"regexp/syntax"

	"github.com/fairlead/fairlead/internal/snapshot"
)

// index finds the few rules of a table that a request can meet, so that what a
// request costs doesn't grow with the rules. It has a trie for each field of
// ELBv2's RuleCondition: of what a value must begin with (a host's: end with) for
// the rule to hold. What it finds are candidates: their conditions are still to be
// compared.
//
// A rule whose condition says nothing about how values begin, as "*.png" or most
// regular expressions, is a candidate as far as that field goes.
type index struct {
	words                                     int // of a set of rules: one bit each, the first rule's lowest
	host, path, method, source, header, query *trie
}

func newIndex(rules []Rule) index {
	x := index{words: (len(rules) + 63) / 64}
	x.host = x.trieOf(rules, snapshot.FieldHostHeader)
	x.path = x.trieOf(rules, snapshot.FieldPathPattern)
	x.method = x.trieOf(rules, snapshot.FieldMethod)
	x.source = x.trieOf(rules, snapshot.FieldSourceIP)
	x.header = x.trieOf(rules, snapshot.FieldHTTPHeader)
	x.query = x.trieOf(rules, snapshot.FieldQueryString)
	return x
}

// trieOf returns nil if no rule can be left out by the field.
func (x *index) trieOf(rules []Rule, field snapshot.ConditionField) *trie {
	b := trieBuilder{always: make([]uint64, x.words)}
	for i := range rules {
		if !b.add(i, rules[i].conditions, field) {
			b.always[i/64] |= 1 << (i % 64)
		}
	}
	if len(b.entries) == 0 {
		return nil
	}
	return b.build()
}

// add enters the rule by the first of its conditions that can be; false if none
// can.
func (b *trieBuilder) add(rule int, conditions []condition, field snapshot.ConditionField) bool {
	for i := range conditions {
		if c := &conditions[i]; c.field == field {
			if keys, ok := c.keysOf(); ok {
				for _, k := range keys {
					b.entries = append(b.entries, entry{k, rule})
				}
				return true
			}
		}
	}
	return false
}

// key is what the bytes of a value begin with, or all of them.
type key struct {
	text  string
	whole bool
}

// keysOf returns the keys of the values that the condition holds for; false if it
// may hold for any.
func (c *condition) keysOf() (keys []key, ok bool) {
	switch c.field {
	case snapshot.FieldMethod:
		for _, m := range c.methods {
			keys = append(keys, key{m, true})
		}
		return keys, true
	case snapshot.FieldSourceIP:
		for _, p := range c.prefixes {
			keys = append(keys, key{string(appendSource(nil, p.Addr())[:1+p.Bits()/8]), false})
		}
		return keys, true
	case snapshot.FieldHostHeader, snapshot.FieldPathPattern, snapshot.FieldHTTPHeader, snapshot.FieldQueryString:
	}
	back := c.field == snapshot.FieldHostHeader
	for i := range c.patterns {
		k := c.patterns[i].key(back)
		switch c.field {
		case snapshot.FieldHTTPHeader:
			k.text = c.header + ":" + k.text
		case snapshot.FieldQueryString:
			name := c.keys[i].key(false)
			if !name.whole {
				k = name
			} else {
				k.text = name.text + "=" + k.text
			}
		}
		keys = append(keys, k)
	}
	for _, r := range c.regexps {
		k := key{text: anchored(r.String(), back, c.field != snapshot.FieldPathPattern)}
		if c.field == snapshot.FieldHTTPHeader {
			k.text = c.header + ":" + k.text
		}
		keys = append(keys, k)
	}
	for _, k := range keys {
		if k.text == "" && !k.whole {
			return nil, false
		}
	}
	return keys, true
}

// key returns the literal bytes before the first wildcard; with back those behind
// the last one, from the end.
func (p *pattern) key(back bool) key {
	k := key{whole: true}
	var text []byte
	for i := range p.bytes {
		if back {
			i = len(p.bytes) - 1 - i
		}
		if p.marks[i] != itself {
			k.whole = false
			break
		}
		text = append(text, p.bytes[i])
	}
	k.text = string(text)
	return k
}

// anchored returns the literal bytes that an expression asks for at the start of a
// value; with back those at its end, from there. folds says that values are
// compared in lower case.
func anchored(expression string, back, folds bool) string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat {
		return ""
	}
	at, anchor := 0, syntax.OpBeginText
	if back {
		at, anchor = len(re.Sub)-1, syntax.OpEndText
	}
	if re.Sub[at].Op != anchor {
		return ""
	}
	re.Sub[at] = &syntax.Regexp{Op: syntax.OpEmptyMatch}
	text, _ := literalOf(re, back, folds)
	return string(text)
}

// literalOf returns the literal that matches of re begin with, with back: that they
// end with, backwards; whole says that it is all of the match.
func literalOf(re *syntax.Regexp, back, folds bool) (text []byte, whole bool) {
	n := len(re.Sub)
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for i := range n {
		if back {
			i = n - 1 - i
		}
		switch re.Op {
		case syntax.OpLiteral:
			c := re.Rune[i]
			if c < ' ' || c > '~' || re.Flags&syntax.FoldCase != 0 && !folds {
				return text, false
			}
			if folds {
				c = rune(lower(byte(c)))
			}
			text = append(text, byte(c))
		case syntax.OpConcat, syntax.OpCapture:
			part, whole := literalOf(re.Sub[i], back, folds)
			if text = append(text, part...); !whole {
				return text, false
			}
		default:
			return text, false
		}
	}
	return text, re.Op == syntax.OpLiteral || re.Op == syntax.OpConcat || re.Op == syntax.OpCapture || re.Op == syntax.OpEmptyMatch
}

// appendSource appends an address so that those of a prefix begin alike, and
// families differ.
func appendSource(dst []byte, a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return append(append(dst, 4), b[:]...)
	}
	b := a.As16()
	return append(append(dst, 6), b[:]...)
}

// candidates returns the rules that m can meet, as a set. It is m's scratch's.
func (x *index) candidates(m *match) []uint64 {
	s := m.scratch
	if len(s.sets) < 2*x.words {
		s.sets = make([]uint64, 2*x.words)
	}
	set, met := s.sets[:x.words], s.sets[x.words:2*x.words]
	for i := range set {
		set[i] = ^uint64(0)
	}
	if t := x.host; t != nil {
		t.narrow(set, t.feedBack(cursor{}, m.request.HostName(m.buf)))
	}
	if t := x.path; t != nil {
		t.narrow(set, t.feed(cursor{}, m.normalPath(), &exact))
	}
	if t := x.method; t != nil {
		t.narrow(set, t.feed(cursor{}, m.request.Method.Of(m.buf), &exact))
	}
	if t := x.source; t != nil {
		var b [17]byte
		t.narrow(set, t.feed(cursor{}, appendSource(b[:0], m.client), &exact))
	}
	if t := x.header; t != nil {
		copy(met, t.set(0))
		for i := range m.request.Fields {
			f := &m.request.Fields[i]
			c := t.feed(cursor{}, f.Name.Of(m.buf), &folded)
			if c = t.step(c, ':'); !c.lost {
				t.widen(met, t.feed(c, m.visible(f.Value.Of(m.buf)), &folded))
			}
		}
		intersect(set, met)
	}
	if t := x.query; t != nil {
		copy(met, t.set(0))
		for key, value := range pairs(m.visibleQuery()) {
			c := t.step(t.feed(cursor{}, key, &folded), '=')
			t.widen(met, t.feed(c, value, &folded))
		}
		intersect(set, met)
	}
	return set
}

func intersect(set, with []uint64) {
	for i := range set {
		set[i] &= with[i]
	}
}

// first returns the number of the lowest rule in the set that is at least from, -1
// if there is none.
func first(set []uint64, from int) int {
	for w := from / 64; w < len(set); w++ {
		word := set[w]
		if w == from/64 {
			word &= ^uint64(0) << (from % 64)
		}
		if word != 0 {
			return w*64 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// pairs yields the keys and values of a query as they were sent. Nothing between
// two ampersands is no pair.
func pairs(query []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		for len(query) > 0 {
			pair := query
			if i := bytes.IndexByte(query, '&'); i >= 0 {
				pair, query = query[:i], query[i+1:]
			} else {
				query = nil
			}
			if key, value, _ := bytes.Cut(pair, equals); len(pair) > 0 && !yield(key, value) {
				return
			}
		}
	}
}

var equals = []byte{'='}
