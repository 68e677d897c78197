package wirefixture

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// fixture is a file, taken apart.
type fixture struct {
	mark, comment   string
	given, request  []string
	status, respond string
}

var (
	section = regexp.MustCompile(`(?m)^-- (given|request|response)(?: (\d+))? --\n`)
	marks   = []string{"confirmed", "known", "inferred"}
)

func read(text string) (f fixture, err error) {
	head, _, found := strings.Cut(text, "\n-- ")
	f.mark, f.comment, _ = strings.Cut(head, "\n")
	f.mark = strings.TrimPrefix(f.mark, "mark: ")
	if !found || !slices.Contains(marks, f.mark) || strings.TrimSpace(f.comment) == "" {
		return f, fmt.Errorf("a fixture begins with its mark and a comment, not with %q", head)
	}
	at := section.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		body := text[m[1]:end]
		switch text[m[2]:m[3]] {
		case "given":
			f.given = lines(body)
		case "request":
			f.request = lines(body)
		case "response":
			if m[4] < 0 {
				return f, fmt.Errorf("the response has no status")
			}
			f.status, f.respond = text[m[4]:m[5]], body
		}
	}
	if f.request == nil {
		return f, fmt.Errorf("it has no request")
	}
	return f, nil
}

func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
}
