package route

// pattern is a value of a condition: "*" stands for any bytes, also none, "?"
// for exactly one.
type pattern struct {
	bytes []byte // literals; in lower case when folds
	marks []mark // beside bytes
	folds bool

	literal bool // no wildcard
}

type mark uint8

const (
	itself mark = iota
	one         // "?"
	run         // "*"
)

// flags say how a field's values are read.
type flags uint8

const (
	fold    flags = 1 << iota // case doesn't matter
	escapes                   // "\*" and "\?" are the characters
)

func compilePatterns(values []string, f flags) []pattern {
	out := make([]pattern, len(values))
	for i, v := range values {
		out[i] = compilePattern(v, f)
	}
	return out
}

func compilePattern(v string, f flags) pattern {
	p := pattern{folds: f&fold != 0, literal: true}
	for i := 0; i < len(v); i++ {
		c, m := v[i], itself
		switch {
		case c == '\\' && f&escapes != 0 && i+1 < len(v) && (v[i+1] == '*' || v[i+1] == '?' || v[i+1] == '\\'):
			i++
			c = v[i]
		case c == '*':
			m = run
		case c == '?':
			m = one
		}
		if m != itself {
			p.literal = false
		}
		if p.folds {
			c = lower(c)
		}
		p.bytes, p.marks = append(p.bytes, c), append(p.marks, m)
	}
	return p
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// match says whether the whole of b matches. It costs at most len(b) times the
// pattern's length: after a mismatch only the last "*" is extended.
func (p *pattern) match(b []byte) bool {
	if p.literal && len(b) != len(p.bytes) {
		return false
	}
	i, j := 0, 0           // in b, in the pattern
	star, resume := -1, -1 // the last "*", and where b went on behind it
	for i < len(b) {
		switch {
		case j < len(p.bytes) && p.marks[j] == run:
			star, resume = j, i
			j++
		case j < len(p.bytes) && (p.marks[j] == one || p.equal(p.bytes[j], b[i])):
			i, j = i+1, j+1
		case star >= 0:
			resume++
			i, j = resume, star+1
		default:
			return false
		}
	}
	for j < len(p.bytes) && p.marks[j] == run {
		j++
	}
	return j == len(p.bytes)
}

func (p *pattern) equal(want, got byte) bool {
	return want == got || p.folds && want == lower(got)
}
