package wirefixture

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the responses in testdata")

// World is a service with nothing in it yet.
type World struct {
	// Send makes a call and returns its reply. Parameters alternate between name
	// and value; one that is given stands in place of what Send sets by itself.
	Send func(t *testing.T, action string, params ...string) (status int, body string)

	// Revision changes with every change of what the service keeps.
	Revision func() int64

	// Names are those that every fixture may use: of accounts, for example.
	Names map[string]string

	// New are what differs each time: ids, times.
	New []New
}

// New says how what is new each time is written in a fixture, unless it has a
// name or is in the request.
type New struct {
	Pattern *regexp.Regexp
	As      string // with $1 for what Pattern captures
}

// Run runs a test for each fixture below dir, in a world of its own.
func Run(t *testing.T, dir string, newWorld func(t *testing.T, noun string) World) {
	for _, file := range files(t, dir) {
		name, err := filepath.Rel(dir, strings.TrimSuffix(file, extension))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			t.Parallel()
			run(t, file, newWorld)
		})
	}
}

const extension = ".txtar"

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"+extension))
	if err != nil || len(found) == 0 {
		t.Fatalf("no fixtures in %s: %v", dir, err)
	}
	return found
}

func run(t *testing.T, file string, newWorld func(t *testing.T, noun string) World) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := read(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, filepath.Base(filepath.Dir(file)))
	s := &script{World: w, t: t, names: maps.Clone(w.Names)}
	if shared, err := os.ReadFile(filepath.Join(filepath.Dir(file), "given")); err == nil {
		s.run(lines(string(shared)))
	}
	s.run(f.given)
	before := s.Revision()
	action, _ := strings.CutPrefix(f.request[0], "Action=")
	code, body := s.call(action, f.request[1:])
	status, got := fmt.Sprint(code), s.render(body, f.request)
	if code >= 400 && s.Revision() != before {
		t.Error("I10: the request was refused and changed something")
	}
	if *update {
		head, _, _ := bytes.Cut(raw, []byte("-- response "))
		if err := os.WriteFile(file, fmt.Appendf(head, "-- response %s --\n%s", status, got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(f.status+"\n"+f.respond, status+"\n"+got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Codes returns the actions that the fixtures below dir show to be refused, by the
// code of the refusal.
func Codes(t *testing.T, dir string) map[string][]string {
	t.Helper()
	codes := map[string][]string{}
	for _, file := range files(t, dir) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := read(string(raw))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if m := errorCode.FindStringSubmatch(f.respond); m != nil && f.status != "200" {
			codes[m[1]] = append(codes[m[1]], strings.TrimPrefix(f.request[0], "Action="))
		}
	}
	return codes
}

// script makes calls, and knows what their replies' elements are called.
type script struct {
	World
	t     *testing.T
	names map[string]string
}

func (s *script) call(action string, params []string) (status int, body string) {
	s.t.Helper()
	var form []string
	for _, p := range params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			s.t.Fatalf("%s: %q isn't name=value", action, p)
		}
		form = append(form, name, os.Expand(value, func(name string) string {
			v, ok := s.names[name]
			if !ok {
				s.t.Fatalf("%s: nothing is called %s", action, name)
			}
			return v
		}))
	}
	return s.Send(s.t, action, form...)
}

func (s *script) run(given []string) {
	s.t.Helper()
	var reply string
	for _, line := range given {
		if name, element, ok := strings.Cut(strings.TrimSpace(line), " = "); ok && strings.HasPrefix(line, "  ") {
			_, after, found := strings.Cut(reply, "<"+element+">")
			value, _, _ := strings.Cut(after, "</")
			if !found {
				s.t.Fatalf("no %s in %s", element, reply)
			}
			s.names[name] = value
			continue
		}
		parts := strings.Fields(line)
		var status int
		if status, reply = s.call(parts[0], parts[1:]); status != 200 {
			s.t.Fatalf("given %s: %s", line, reply)
		}
	}
}

var (
	uuidText  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	between   = regexp.MustCompile(`>\s*<`)
	errorCode = regexp.MustCompile(`<Code>([^<]*)</Code>`)
)

// render writes a reply to a request as a fixture has it.
func (s *script) render(body string, request []string) string {
	body = uuidText.ReplaceAllString(body, "REQUEST-ID")
	byLength := slices.SortedFunc(maps.Keys(s.names), func(a, b string) int { return len(s.names[b]) - len(s.names[a]) })
	for _, name := range byLength {
		body = strings.ReplaceAll(body, s.names[name], "$"+name)
	}
	asked := strings.Join(request, "\n")
	for _, n := range s.New {
		body = n.Pattern.ReplaceAllStringFunc(body, func(made string) string {
			if strings.Contains(asked, made) {
				return made
			}
			return n.Pattern.ReplaceAllString(made, n.As)
		})
	}
	return between.ReplaceAllString(strings.TrimSpace(body), ">\n<") + "\n"
}
