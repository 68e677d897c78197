package elb

import (
	"regexp"
	"strconv"
	"strings"
)

// Redirect is a redirect action's configuration, every part of which is a
// template: "#{host}" and its like stand for the parts of the request.
type Redirect struct {
	StatusCode int // 301, 302
	Protocol   string
	Host       string
	Port       string
	Path       string // begins with "/"
	Query      string
}

// NoRedirect leaves every part of the request as it is: what a redirect says
// where it says nothing (ELBv2 RedirectActionConfig).
var NoRedirect = Redirect{Protocol: "#{protocol}", Host: "#{host}", Port: "#{port}", Path: "/#{path}", Query: "#{query}"}

// Lengths of a redirect's templates (ELBv2 RedirectActionConfig).
const maxRedirectPart = 128

var (
	redirectProtocol = regexp.MustCompile(`^(HTTPS?|#\{protocol\})$`)
	keyword          = regexp.MustCompile(`#\{[^}]*\}`)
)

// redirectKeywords are the keywords that each part may have.
var redirectKeywords = map[string][]string{
	"Host":  {"#{host}"},
	"Path":  {"#{host}", "#{port}", "#{path}", "#{query}"},
	"Query": {"#{protocol}", "#{host}", "#{port}", "#{path}", "#{query}"},
}

func checkRedirect(listenerProtocol string, r *Redirect) error {
	if r == nil || r.StatusCode != 301 && r.StatusCode != 302 {
		return fail(Invalid, "A 'RedirectConfig' with the status code HTTP_301 or HTTP_302 must be specified for an action of type 'redirect'")
	}
	port, err := strconv.Atoi(r.Port)
	switch {
	case !redirectProtocol.MatchString(r.Protocol):
		return fail(Invalid, "The redirect protocol '%s' must be one of 'HTTP, HTTPS, #{protocol}'", r.Protocol)
	case listenerProtocol == "HTTPS" && r.Protocol == "HTTP":
		return fail(InvalidAction, "A redirect from HTTPS to HTTP is not allowed")
	case r.Port != "#{port}" && (err != nil || port < 1 || port > 65535):
		return fail(Invalid, "The redirect port '%s' must be between '1-65535' inclusive, or '#{port}'", r.Port)
	case !strings.HasPrefix(r.Path, "/"):
		return fail(Invalid, "The redirect path '%s' must begin with '/'", r.Path)
	case r.Host == "":
		return fail(Invalid, "The redirect host must not be empty")
	case strings.HasPrefix(r.Query, "?"):
		return fail(Invalid, "The redirect query must not begin with '?'")
	}
	for part, template := range map[string]string{"Host": r.Host, "Path": r.Path, "Query": r.Query} {
		if len(template) > maxRedirectPart || !visible.MatchString(template) {
			return fail(Invalid, "The redirect %s must have at most %d visible ASCII characters", strings.ToLower(part), maxRedirectPart)
		}
		if strings.Contains(keyword.ReplaceAllString(template, ""), "#{") {
			return fail(Invalid, "The redirect %s '%s' has a keyword without an end", strings.ToLower(part), template)
		}
		for _, k := range keyword.FindAllString(template, -1) {
			if oneOf(redirectKeywords[part]...)(k) != "" {
				return fail(Invalid, "The keyword '%s' is not valid in the redirect %s", k, strings.ToLower(part))
			}
		}
	}
	same := *r
	same.StatusCode, same.Query = 0, NoRedirect.Query
	if same == NoRedirect {
		return fail(InvalidAction, "The redirect must change at least one of protocol, host, port and path, or it leads back to itself")
	}
	return nil
}
