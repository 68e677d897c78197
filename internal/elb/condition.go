package elb

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// The fields that a condition can look at (ELBv2 RuleCondition.Field).
const (
	FieldHost   = "host-header"
	FieldPath   = "path-pattern"
	FieldHeader = "http-header"
	FieldMethod = "http-request-method"
	FieldQuery  = "query-string"
	FieldSource = "source-ip"
)

// conditionFields are all fields, in the order that the service names them.
var conditionFields = []string{FieldPath, FieldHost, FieldHeader, FieldMethod, FieldQuery, FieldSource}

// Limits of a rule's conditions (ELBv2 quotas).
const (
	maxMatchesPerField = 3 // values of one condition
	maxConditionValue  = 128
	maxShortValue      = 40 // a method, a header's name
)

// checkConditions holds the conditions of a rule to ELBv2's rules.
func (s *Service) checkConditions(conditions []Condition) error {
	if len(conditions) == 0 {
		return fail(Invalid, "A condition must be specified")
	}
	values, wildcards := 0, 0
	for n, c := range conditions {
		if !slices.Contains(conditionFields, c.Field) {
			return fail(Invalid, "Condition field '%s' must be one of '[%s]'", c.Field, strings.Join(conditionFields, ","))
		}
		repeatable := c.Field == FieldHeader || c.Field == FieldQuery
		if !repeatable && slices.ContainsFunc(conditions[:n], func(o Condition) bool { return o.Field == c.Field }) {
			return fail(Invalid, "A rule can only have one '%s' condition", c.Field)
		}
		if err := checkCondition(c); err != nil {
			return err
		}
		values += len(c.Values) + len(c.Regex)
		wildcards += c.wildcards()
	}
	if most := s.opts.Quotas.ConditionValuesPerRule; values > most {
		return fail(Invalid, "A rule can only have '%d' condition values", most)
	}
	if most := s.opts.Quotas.WildcardsPerRule; wildcards > most {
		return fail(Invalid, "A rule can only have '%d' wildcards", most)
	}
	return nil
}

// wildcards counts the condition's "*" and "?", those that stand for themselves left out.
func (c Condition) wildcards() int {
	n := 0
	count := func(v string, escapes bool) {
		for i := 0; i < len(v); i++ {
			switch v[i] {
			case '\\':
				if escapes {
					i++
				}
			case '*', '?':
				n++
			}
		}
	}
	switch c.Field {
	case FieldHost, FieldPath, FieldHeader:
		for _, v := range c.Values {
			count(v, false)
		}
	case FieldQuery:
		for _, v := range slices.Concat(c.Values, c.Keys) {
			count(v, true)
		}
	}
	return n
}

func checkCondition(c Condition) error {
	switch {
	case len(c.Values) > 0 && len(c.Regex) > 0:
		return fail(Invalid, "A '%s' condition cannot have both values and regular expressions", c.Field)
	case len(c.Values)+len(c.Regex) == 0 && c.Field == FieldSource:
		return fail(Invalid, "A 'source-ip' value must be specified")
	case len(c.Values)+len(c.Regex) == 0:
		return fail(Invalid, "A condition value must be specified")
	case len(c.Values)+len(c.Regex) > maxMatchesPerField && c.Field != FieldSource:
		return fail(Invalid, "The '%s' field contains too many values; the limit is '%d'", c.Field, maxMatchesPerField)
	case c.Field == FieldHeader && c.Header == "":
		return fail(Invalid, "A 'HttpHeaderName' must be specified with 'http-header'")
	case c.Field == FieldHeader && len(c.Header) > maxShortValue:
		return fail(Invalid, "The 'HttpHeaderName' value is too long; the limit is '%d'", maxShortValue)
	case c.Field == FieldHeader && headerName(c.Header) != "":
		return fail(Invalid, "The 'HttpHeaderName' value is invalid")
	case c.Field == FieldHeader && strings.EqualFold(c.Header, "host"):
		return fail(Invalid, "The 'HttpHeaderName' value cannot be 'Host'; use a 'host-header' condition")
	}
	for _, r := range c.Regex {
		if err := checkRegex(c.Field, r); err != nil {
			return err
		}
	}
	limit := maxConditionValue
	if c.Field == FieldMethod {
		limit = maxShortValue
	}
	for _, v := range slices.Concat(c.Values, c.Keys) {
		if len(v) > limit {
			return fail(Invalid, "The '%s' value is too long; the limit is '%d'", c.Field, limit)
		}
	}
	for _, v := range c.Values {
		if must := conditionValue(c.Field, v); must != "" {
			return fail(Invalid, "The '%s' value is invalid; %s", c.Field, must)
		}
	}
	return nil
}

// Alphabets of values (ELBv2 RuleCondition).
var (
	hostAlphabet   = regexp.MustCompile(`^[A-Za-z0-9.*?-]+$`)
	hostEnd        = regexp.MustCompile(`\.[A-Za-z]+$|[*?][A-Za-z*?]*$`)
	pathAlphabet   = regexp.MustCompile(`^[/*?][A-Za-z0-9_\-.$/~"'@:+&*?]*$`)
	methodAlphabet = regexp.MustCompile(`^[A-Z_-]+$`)
	visible        = regexp.MustCompile(`^[\x20-\x7e]*$`)
)

// conditionValue returns what a value of the field must be, "" if it is that.
func conditionValue(field, v string) string {
	switch field {
	case FieldHost:
		if !hostAlphabet.MatchString(v) {
			return "the allowed characters are A-Z, a-z, 0-9, hyphen, period, * and ?"
		}
		if !strings.Contains(v, ".") || !hostEnd.MatchString(v) {
			return "it must have a period, and only letters after the last one"
		}
	case FieldPath:
		if !pathAlphabet.MatchString(v) {
			return "it must begin with / and the allowed characters are A-Z, a-z, 0-9 and _-.$/~\"'@:+&*?"
		}
	case FieldMethod:
		if !methodAlphabet.MatchString(v) {
			return "the allowed characters are A-Z, hyphen and underscore"
		}
	case FieldHeader, FieldQuery:
		if v == "" || !visible.MatchString(v) {
			return "the allowed characters are the visible ones of ASCII"
		}
	case FieldSource:
		p, err := netip.ParsePrefix(v)
		if err != nil || p.Addr().Is4In6() {
			return "it must be an IP address range in CIDR notation"
		}
		if v == "255.255.255.255/32" {
			return "this range is not allowed"
		}
	}
	return ""
}

// checkRegex takes what Go's regexp takes, whose time grows with the input's
// length alone, but for Unicode classes, which the service doesn't know.
func checkRegex(field, r string) error {
	switch field {
	case FieldHost, FieldPath, FieldHeader:
	default:
		return fail(Invalid, "The 'RegexValues' field is not compatible with '%s'", field)
	}
	return checkExpression(r, maxConditionValue)
}

func checkExpression(r string, limit int) error {
	if r == "" || len(r) > limit {
		return fail(Invalid, "A regular expression must have 1 to %d characters", limit)
	}
	size, err := steps(r)
	switch {
	case err != nil || strings.Contains(r, `\p`) || strings.Contains(r, `\P`):
		return fail(Invalid, "The regular expression '%s' is not valid or not supported", r)
	case size > maxSteps:
		return fail(Invalid, "The regular expression '%s' is too large; repeat less, or less often", r)
	}
	return nil
}

// maxSteps bounds what an expression costs. A node takes each of its steps for
// each character of a request at worst: a path of 16 KB and this many take some
// 0.2 s. "[ab]{999}" has as many, and few that are meant have a tenth of it.
const maxSteps = 1000

// steps returns how many steps an expression has when it is compiled.
func steps(r string) (int, error) {
	parsed, err := syntax.Parse(r, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	return len(program.Inst), nil
}
