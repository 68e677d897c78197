package arch_test

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/fairlead/fairlead"

// A source is one Go file as far as this package looks at it.
type source struct {
	file    string // slash-separated, from the module's root
	pkg     string // as in the table: "elb", "store/etcd", "cmd/fairlead"
	test    bool
	imports []string
	doc     bool // has a comment on its package clause that is not a build constraint
}

// read parses the imports of every Go file below internal/ and cmd/, whatever
// its build constraints. What the go command skips is skipped: testdata, and
// names that begin with a dot or an underscore.
func read(root fs.FS) ([]source, error) {
	var all []source
	for _, top := range []string{"cmd", "internal"} {
		err := fs.WalkDir(root, top, func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := d.Name()
			skip := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
			if d.IsDir() {
				if skip || name == "testdata" {
					return fs.SkipDir
				}
				return nil
			}
			if skip || path.Ext(name) != ".go" {
				return nil
			}
			s, err := readFile(root, file)
			if err != nil {
				return err
			}
			all = append(all, s)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the sources below %s: %w", top, err)
		}
	}
	return all, nil
}

func readFile(root fs.FS, file string) (source, error) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return source{}, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	s := source{
		file: file,
		pkg:  strings.TrimPrefix(path.Dir(file), "internal/"),
		test: strings.HasSuffix(file, "_test.go"),
		doc:  hasDoc(f),
	}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("%s: import %s: %w", file, i.Path.Value, err)
		}
		s.imports = append(s.imports, p)
	}
	return s, nil
}

// hasDoc tells whether go doc would show a text for the package from this file.
func hasDoc(f *ast.File) bool {
	if f.Doc == nil {
		return false
	}
	return slices.ContainsFunc(f.Doc.List, func(c *ast.Comment) bool {
		return !constraint.IsGoBuild(c.Text) && !constraint.IsPlusBuild(c.Text) && !strings.HasPrefix(c.Text, "//go:")
	})
}

// own returns the table's name for an import of this module, and whether it is one.
func own(importPath string) (pkg string, ok bool) {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	return strings.TrimPrefix(rest, "internal/"), ok
}

// below tells whether p is dir or in it.
func below(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}
