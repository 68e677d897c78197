package arch_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestTheSourcesKeepToTheTable(t *testing.T) {
	sources, err := read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		t.Fatal("got no sources, want those of the module")
	}
	for _, complaint := range check(sources) {
		t.Error(complaint)
	}
}

// I7 rests on this: what carries traffic cannot need what decides.
func TestTheHalvesMeetOnlyInSnapshot(t *testing.T) {
	control := reach("api/ec2", "api/elbv2", "api/sts", "dns", "elb", "ipam", "vpc")
	data := reach("dnsserver", "node")
	delete(control, "failpoint") // no part of either: a name where a test may crash it
	var shared []string
	for pkg := range data {
		if control[pkg] {
			shared = append(shared, pkg)
		}
	}
	slices.Sort(shared)
	if diff := cmp.Diff([]string{"snapshot"}, shared); diff != "" {
		t.Errorf("packages that both halves reach, by the table (-want +got):\n%s", diff)
	}
}

func TestTheTableNamesOnlyItsOwnRows(t *testing.T) {
	lists := slices.Collect(maps.Values(allowed))
	lists = append(lists, testAids, pure)
	for importer, imported := range allowedInTests {
		lists = append(lists, append(slices.Clone(imported), importer))
	}
	for _, pkg := range slices.Concat(lists...) {
		if _, ok := allowed[pkg]; !ok {
			t.Errorf("the tables mention %s, which has no row", pkg)
		}
	}
}

// The oracle of this package, seen to fire.
func TestAChangeThatBendsTheShapeIsReported(t *testing.T) {
	const doc = "// Package p is documented.\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"nothing is said of allowed edges": {
			files: map[string]string{
				"internal/elb/doc.go":      doc + "package elb\nimport _ \"" + module + "/internal/store\"\n",
				"internal/elb/elb_test.go": "package elb_test\nimport _ \"" + module + "/internal/elb\"\n",
			},
		},
		"a room imports another": {
			files: map[string]string{"internal/elb/doc.go": doc + "package elb\nimport _ \"" + module + "/internal/ipam\"\n"},
			want:  []string{"internal/elb/doc.go: elb may not import ipam; a new edge is a new entry in allowed (internal/arch/table_test.go)"},
		},
		"a test imports another room": {
			files: map[string]string{
				"internal/elb/doc.go":      doc + "package elb\n",
				"internal/elb/elb_test.go": "package elb\nimport _ \"" + module + "/internal/ipam\"\n",
			},
			want: []string{"internal/elb/elb_test.go: the tests of elb may not import ipam; a new edge is a new entry in allowedInTests (internal/arch/table_test.go)"},
		},
		"a test imports what its package reaches through another, and a test aid": {
			files: map[string]string{
				"internal/node/doc.go":       doc + "package node\n",
				"internal/node/node_test.go": "package node_test\nimport (\n_ \"" + module + "/internal/proxy/route\"\n_ \"" + module + "/internal/testkit\"\n)\n",
			},
		},
		"code imports a test aid": {
			files: map[string]string{"internal/elb/doc.go": doc + "package elb\nimport _ \"" + module + "/internal/store/memstore\"\n"},
			want:  []string{"internal/elb/doc.go: elb may not import store/memstore; a new edge is a new entry in allowed (internal/arch/table_test.go)"},
		},
		"a package is not in the table": {
			files: map[string]string{"internal/helpers/h.go": doc + "package helpers\nimport _ \"" + module + "/internal/elb\"\n"},
			want:  []string{"internal/helpers has no row in allowed (internal/arch/table_test.go)"},
		},
		"a package outside internal and cmd is imported": {
			files: map[string]string{"cmd/fairlead/main.go": doc + "package main\nimport _ \"" + module + "/e2e\"\n"},
			want:  []string{"cmd/fairlead/main.go: cmd/fairlead may not import e2e; a new edge is a new entry in allowed (internal/arch/table_test.go)"},
		},
		"a file that is not built here counts": {
			files: map[string]string{
				"internal/attach/doc.go":          doc + "package attach\n",
				"internal/attach/attach_plan9.go": "//go:build plan9\n\npackage attach\nimport _ \"" + module + "/internal/elb\"\n",
			},
			want: []string{"internal/attach/attach_plan9.go: attach may not import elb; a new edge is a new entry in allowed (internal/arch/table_test.go)"},
		},
		"etcd's types leave the store": {
			files: map[string]string{"internal/elb/doc.go": doc + "package elb\nimport _ \"go.etcd.io/etcd/client/v3\"\n"},
			want:  []string{"internal/elb/doc.go: elb may not import go.etcd.io/etcd/client/v3: etcd's types stop at the store"},
		},
		"code imports the SDK": {
			files: map[string]string{
				"internal/wire/doc.go":       doc + "package wire\nimport _ \"github.com/aws/aws-sdk-go-v2/aws\"\n",
				"internal/wire/wire_test.go": "package wire\nimport _ \"github.com/aws/aws-sdk-go-v2/aws\"\n",
			},
			want: []string{"internal/wire/doc.go: wire may not import github.com/aws/aws-sdk-go-v2/aws: " +
				"the SDK's clients are our tests; the binary speaks the protocols by itself"},
		},
		"the testkit imports the SDK's EC2 client": {
			files: map[string]string{"internal/testkit/kit.go": doc + "package testkit\nimport (\n" +
				"_ \"github.com/aws/aws-sdk-go-v2/aws\"\n_ \"github.com/aws/aws-sdk-go-v2/service/ec2\"\n)\n"},
			want: []string{"internal/testkit/kit.go: testkit may not import github.com/aws/aws-sdk-go-v2/service/ec2: " +
				"compiling it takes minutes and gigabytes, so only the tests that need it import it themselves"},
		},
		"a package below one that may is one that may": {
			files: map[string]string{"internal/proxy/doc.go": doc + "package proxy\nimport _ \"golang.org/x/sys/unix\"\n"},
		},
		"a pure package opens a socket": {
			files: map[string]string{"internal/proxy/http1/doc.go": doc + "package http1\nimport (\n_ \"net\"\n_ \"net/netip\"\n)\n"},
			want:  []string{"internal/proxy/http1/doc.go: proxy/http1 is pure and may not import net"},
		},
		"a package says nothing of itself": {
			files: map[string]string{"internal/elb/elb.go": "//go:build linux\npackage elb\n"},
			want:  []string{"internal/elb has no package comment; write one in internal/elb/doc.go"},
		},
		"a package says twice what it is": {
			files: map[string]string{
				"internal/elb/a.go": doc + "package elb\n",
				"internal/elb/b.go": doc + "package elb\n",
			},
			want: []string{"internal/elb has 2 package comments (internal/elb/a.go, internal/elb/b.go); keep one"},
		},
		"tests without code need no comment": {
			files: map[string]string{"internal/elb/elb_test.go": "package elb\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{
				"cmd/testdata/x.go":        {Data: []byte("not Go, and not looked at")},
				"internal/_attic/other.go": {Data: []byte("nor this")},
			}
			for file, text := range c.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			sources, err := read(root)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, check(sources)); diff != "" {
				t.Errorf("complaints about %v (-want +got):\n%s", c.files, diff)
			}
		})
	}
}

// check returns, sorted, what is wrong with the sources.
func check(sources []source) []string {
	var out []string
	complain := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }

	dirs := map[string]string{}       // package → its directory
	comments := map[string][]string{} // package with code → its files that have a package comment
	for _, s := range sources {
		dirs[s.pkg] = s.file[:strings.LastIndexByte(s.file, '/')]
		if files := comments[s.pkg]; !s.test {
			if s.doc {
				files = append(files, s.file)
			}
			comments[s.pkg] = files
		}
		for _, path := range s.imports {
			if pkg, ok := own(path); ok {
				if allowed[s.pkg] != nil && !mayImport(s, pkg) {
					who, where := s.pkg, "allowed"
					if s.test {
						who, where = "the tests of "+s.pkg, "allowedInTests"
					}
					complain("%s: %s may not import %s; a new edge is a new entry in %s (internal/arch/table_test.go)", s.file, who, pkg, where)
				}
				continue
			}
			if r, ok := restricted(s, path); ok {
				complain("%s: %s may not import %s: %s", s.file, s.pkg, path, r.why)
			}
			if !s.test && slices.Contains(pure, s.pkg) && slices.Contains(impure, path) {
				complain("%s: %s is pure and may not import %s", s.file, s.pkg, path)
			}
		}
	}
	for pkg, dir := range dirs {
		if _, ok := allowed[pkg]; !ok {
			complain("%s has no row in allowed (internal/arch/table_test.go)", dir)
		}
		files, code := comments[pkg]
		switch {
		case code && len(files) == 0:
			complain("%s has no package comment; write one in %s/doc.go", dir, dir)
		case len(files) > 1:
			complain("%s has %d package comments (%s); keep one", dir, len(files), strings.Join(files, ", "))
		}
	}
	slices.Sort(out)
	return out
}

func mayImport(s source, pkg string) bool {
	if slices.Contains(allowed[s.pkg], pkg) {
		return true
	}
	return s.test && (pkg == s.pkg || slices.Contains(testAids, pkg) ||
		slices.Contains(allowedInTests[s.pkg], pkg) || reach(s.pkg)[pkg])
}

// restricted returns the restriction that forbids s the import, if one does.
func restricted(s source, path string) (restriction, bool) {
	var r restriction
	for _, c := range restrictions {
		if below(path, c.path) && len(c.path) > len(r.path) {
			r = c
		}
	}
	if r.path == "" || s.test && r.tests {
		return restriction{}, false
	}
	return r, !slices.ContainsFunc(r.only, func(dir string) bool { return below(s.pkg, dir) })
}

// reach returns the packages and all that they may import, directly or not.
func reach(pkgs ...string) map[string]bool {
	seen := map[string]bool{}
	for len(pkgs) > 0 {
		p := pkgs[0]
		pkgs = pkgs[1:]
		if !seen[p] {
			seen[p] = true
			pkgs = append(pkgs, allowed[p]...)
		}
	}
	return seen
}
