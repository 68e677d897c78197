package jwt

import "unicode/utf8"

// maxMembers is how many members an object may have that is read here, and maxDepth
// how deep its values may be nested. Tokens have some ten, and some two.
const (
	maxMembers = 128
	maxDepth   = 32
)

// kind is what a JSON value is: its first byte, but for numbers.
type kind byte

const (
	text    kind = '"'
	array   kind = '['
	number  kind = '0'
	another kind = 0 // what no claim that is looked at can be
)

// member is a member of an object.
type member struct {
	name  []byte // unescaped
	kind  kind
	value []byte // of a text what it says, of others what is written
}

// scanner reads JSON (RFC 8259) as it is written, without a second opinion: names may be
// there once (RFC 7519 §4), texts are UTF-8 and have whole surrogate pairs, and nothing comes
// after. It doesn't change what it reads. The zero value is ready.
type scanner struct {
	rest    []byte
	members []member
	texts   []byte // texts that had escapes
}

// object reads a whole document that is an object, and returns its members. They are
// gone with the next one.
func (s *scanner) object(b []byte) ([]member, bool) {
	s.rest, s.members, s.texts = b, s.members[:0], s.texts[:0]
	if !utf8.Valid(b) || !s.next('{') {
		return nil, false
	}
	for first := true; !s.next('}'); first = false {
		if !first && !s.next(',') || len(s.members) == maxMembers {
			return nil, false
		}
		m, ok := s.member()
		if !ok || find(s.members, m.name) != nil {
			return nil, false
		}
		s.members = append(s.members, m)
	}
	s.space()
	return s.members, len(s.rest) == 0
}

func find[T string | []byte](members []member, name T) *member {
	for i := range members {
		if string(members[i].name) == string(name) {
			return &members[i]
		}
	}
	return nil
}

func (s *scanner) member() (m member, ok bool) {
	s.space()
	if m.name, ok = s.text(); !ok || !s.next(':') {
		return m, false
	}
	s.space()
	if len(s.rest) > 0 && s.rest[0] == '"' {
		m.kind = text
		m.value, ok = s.text()
		return m, ok
	}
	before := s.rest
	m.kind, ok = s.skip(0)
	m.value = before[:len(before)-len(s.rest)]
	return m, ok
}

// elements yields the elements of an array that has been read, another kind's with a nil text.
func (s *scanner) elements(value []byte, yield func(k kind, text []byte) bool) {
	s.rest = value[1:]
	for !s.next(']') {
		s.next(',')
		s.space()
		var t []byte
		k := text
		if s.rest[0] == '"' {
			t, _ = s.text()
		} else {
			k, _ = s.skip(0)
		}
		if !yield(k, t) {
			return
		}
	}
}

// skip reads a value of any kind.
func (s *scanner) skip(depth int) (kind, bool) {
	s.space()
	if len(s.rest) == 0 || depth == maxDepth {
		return another, false
	}
	switch c := s.rest[0]; c {
	case '"':
		_, _, ok := s.quoted()
		return text, ok
	case '[':
		return array, s.all('[', ']', depth, false)
	case '{':
		return another, s.all('{', '}', depth, true)
	case 't':
		return another, s.word("true")
	case 'f':
		return another, s.word("false")
	case 'n':
		return another, s.word("null")
	}
	return number, s.number()
}

// all reads an array's elements, or an object's members.
func (s *scanner) all(open, end byte, depth int, named bool) bool {
	s.next(open)
	for first := true; !s.next(end); first = false {
		if !first && !s.next(',') {
			return false
		}
		if named {
			s.space()
			if _, _, ok := s.quoted(); !ok || !s.next(':') {
				return false
			}
		}
		if _, ok := s.skip(depth + 1); !ok {
			return false
		}
	}
	return true
}

func (s *scanner) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\t' || s.rest[0] == '\n' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}

// next takes a byte, after space, if it comes.
func (s *scanner) next(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) word(w string) bool {
	if len(s.rest) < len(w) || string(s.rest[:len(w)]) != w {
		return false
	}
	s.rest = s.rest[len(w):]
	return true
}

func (s *scanner) digits() bool {
	n := 0
	for n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9' {
		n++
	}
	s.rest = s.rest[n:]
	return n > 0
}

func (s *scanner) number() bool {
	s.word("-")
	if !s.word("0") && !s.digits() {
		return false
	}
	if s.word(".") && !s.digits() {
		return false
	}
	if s.word("e") || s.word("E") {
		if !s.word("+") {
			s.word("-")
		}
		return s.digits()
	}
	return true
}

// quoted reads a text, and returns what is between its quotes as it is written.
func (s *scanner) quoted() (raw []byte, escaped, ok bool) {
	if len(s.rest) == 0 || s.rest[0] != '"' {
		return nil, false, false
	}
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			raw, s.rest = s.rest[1:i], s.rest[i+1:]
			return raw, escaped, !escaped || validEscapes(raw)
		case c == '\\':
			escaped = true
			i++ // what it escapes is looked at later
		case c < ' ':
			return nil, false, false
		}
	}
	return nil, false, false
}

// text reads a text, and returns what it says.
func (s *scanner) text() ([]byte, bool) {
	raw, escaped, ok := s.quoted()
	if !escaped || !ok {
		return raw, ok
	}
	n := len(s.texts)
	for len(raw) > 0 {
		r, size, _ := unescape(raw)
		s.texts = utf8.AppendRune(s.texts, r)
		raw = raw[size:]
	}
	return s.texts[n:len(s.texts):len(s.texts)], true
}

func validEscapes(raw []byte) bool {
	for len(raw) > 0 {
		_, size, ok := unescape(raw)
		if !ok {
			return false
		}
		raw = raw[size:]
	}
	return true
}

// unescape reads one character within a text.
func unescape(raw []byte) (r rune, size int, ok bool) {
	if raw[0] != '\\' {
		r, size = utf8.DecodeRune(raw)
		return r, size, true
	}
	if len(raw) < 2 {
		return 0, 0, false
	}
	switch raw[1] {
	case '"', '\\', '/':
		return rune(raw[1]), 2, true
	case 'b':
		return '\b', 2, true
	case 'f':
		return '\f', 2, true
	case 'n':
		return '\n', 2, true
	case 'r':
		return '\r', 2, true
	case 't':
		return '\t', 2, true
	case 'u':
	default:
		return 0, 0, false
	}
	r, ok = hex4(raw)
	if !ok || r < 0xd800 || r > 0xdfff {
		return r, 6, ok
	}
	low, ok := hex4(raw[6:])
	if !ok || r > 0xdbff || low < 0xdc00 || low > 0xdfff {
		return 0, 0, false // half of a pair
	}
	return (r-0xd800)<<10 | (low - 0xdc00) + 0x10000, 12, true
}

// hex4 reads \uXXXX.
func hex4(raw []byte) (r rune, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	for _, c := range raw[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
