package ec2_test

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

	ec2api "github.com/fairlead/fairlead/internal/api/ec2"
)

var update = flag.Bool("update", false, "rewrite the responses in testdata")

// A fixture is a request and its response, ids and white space between elements
// aside. Each file of testdata/wire/NOUN is one; for another noun it takes a
// folder, and no code:
//
//	mark: confirmed | known | inferred
//	What it shows, where that is from.
//	-- given --
//	CreateIpamPool IpamScopeId=$private AddressFamily=ipv4
//	  pool = ipamPoolId
//	-- request --
//	Action=ModifyIpamPool
//	IpamPoolId=$pool
//	-- response 400 --
//	<?xml …
//
// The mark says how sure it is that AWS answers so: confirmed by its
// documentation or by what it was seen to answer, known to clients that depend
// on it, or inferred from the like.
//
// The given calls are made first, those of the file testdata/wire/NOUN/given
// before them; a line that is indented keeps an element of the reply under a name,
// which stands for it from then on, in the response too. A refused request may
// change nothing (I10).
type fixture struct {
	mark, comment   string
	given, request  []string
	status, respond string
}

var (
	section  = regexp.MustCompile(`(?m)^-- (given|request|response)(?: (\d+))? --\n`)
	uuidText = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	madeID   = regexp.MustCompile(`([a-z][a-z0-9]*(?:-[a-z]+)*)-[0-9a-f]{17,33}`)
	between  = regexp.MustCompile(`>\s*<`)
)

func readFixture(text string) (f fixture, err error) {
	head, _, found := strings.Cut(text, "\n-- ")
	f.mark, f.comment, _ = strings.Cut(head, "\n")
	f.mark = strings.TrimPrefix(f.mark, "mark: ")
	if !found || !slices.Contains([]string{"confirmed", "known", "inferred"}, f.mark) || strings.TrimSpace(f.comment) == "" {
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

// script makes calls, and knows what their replies' elements are called.
type script struct {
	*world
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
	return s.send(s.t, account, action, form...)
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

// render writes a reply to a request as a fixture has it: an id that has no name
// and wasn't asked for is a new one.
func (s *script) render(body string, request []string) string {
	body = uuidText.ReplaceAllString(body, "REQUEST-ID")
	byLength := slices.SortedFunc(maps.Keys(s.names), func(a, b string) int { return len(s.names[b]) - len(s.names[a]) })
	for _, name := range byLength {
		body = strings.ReplaceAll(body, s.names[name], "$"+name)
	}
	body = madeID.ReplaceAllStringFunc(body, func(id string) string {
		if strings.Contains(strings.Join(request, "\n"), id) {
			return id
		}
		return madeID.ReplaceAllString(id, "$1-NEW")
	})
	return between.ReplaceAllString(strings.TrimSpace(body), ">\n<") + "\n"
}

func TestRequestsAreAnsweredAsWritten(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/wire/"), ".txtar"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f, err := readFixture(string(raw))
			if err != nil {
				t.Fatal(err)
			}
			s := &script{newWorld(t), t, map[string]string{"account": account, "stranger": stranger}}
			if shared, err := os.ReadFile(filepath.Join(filepath.Dir(file), "given")); err == nil {
				s.run(lines(string(shared)))
			}
			s.run(f.given)
			before := s.store.Snapshot().Revision()
			action, _ := strings.CutPrefix(f.request[0], "Action=")
			code, body := s.call(action, f.request[1:])
			status, got := fmt.Sprint(code), s.render(body, f.request)
			if code >= 400 && s.store.Snapshot().Revision() != before {
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
		})
	}
}

// Each code for an id that names nothing, or that could name nothing, has a fixture.
func TestEveryCodeForAnIDHasAFixture(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	for _, code := range ec2api.IPAMIDCodes() {
		if !strings.Contains(all.String(), "<Code>"+code+"</Code>") {
			t.Errorf("no fixture shows %s", code)
		}
	}
}
