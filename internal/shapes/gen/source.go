package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is what the generator knows of one SDK module.
type source struct {
	structs    map[string]*structure
	enums      map[string]*enum
	errorCodes []string
}

type structure struct{ fields []field }

type field struct {
	name     string
	goType   string // as it stands in the generated code
	shape    string // the named type within goType that must be generated too; "" for none
	in, out  string // names on the wire
	required bool
}

type enum struct{ values []enumValue }

type enumValue struct{ name, value string }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// read parses a module's source. prefix begins the names of the functions that
// write requests and read replies; "" for a module with schemas.
func read(dir, prefix string) (*source, error) {
	src := &source{structs: map[string]*structure{}, enums: map[string]*enum{}}
	files, err := filepath.Glob(filepath.Join(dir, "api_op_*.go"))
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, filepath.Join(dir, "types/types.go"), filepath.Join(dir, "types/enums.go")) {
		if _, err := os.Stat(f); os.IsNotExist(err) {
			continue // a module without enums has no file for them
		}
		if err := src.readTypes(f); err != nil {
			return nil, err
		}
	}
	src.dropUnknownShapes()
	if prefix == "" {
		if err := src.readSchemas(dir); err != nil {
			return nil, err
		}
		return src, src.readErrors(filepath.Join(dir, "types/errors.go"))
	}
	if err := src.readNames(filepath.Join(dir, "serializers.go"), prefix+"serialize", (*source).readRequestNames); err != nil {
		return nil, err
	}
	if err := src.readNames(filepath.Join(dir, "deserializers.go"), prefix+"deserialize", (*source).readReplyNames); err != nil {
		return nil, err
	}
	return src, src.readErrors(filepath.Join(dir, "types/errors.go"))
}

func parse(path string) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
}

func (src *source) readTypes(path string) error {
	file, err := parse(path)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				switch t := s.Type.(type) {
				case *ast.StructType:
					src.structs[s.Name.Name] = readStruct(t)
				case *ast.Ident:
					if t.Name == "string" {
						src.enums[s.Name.Name] = &enum{}
					}
				}
			case *ast.ValueSpec:
				src.readEnumValue(s)
			}
		}
	}
	return nil
}

func (src *source) readEnumValue(s *ast.ValueSpec) {
	t, ok := s.Type.(*ast.Ident)
	if !ok || len(s.Values) != 1 || src.enums[t.Name] == nil {
		return
	}
	if lit, ok := s.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
		v, err := strconv.Unquote(lit.Value)
		if err == nil {
			e := src.enums[t.Name]
			e.values = append(e.values, enumValue{s.Names[0].Name, v})
		}
	}
}

func readStruct(t *ast.StructType) *structure {
	st := &structure{}
	for _, f := range t.Fields.List {
		if len(f.Names) != 1 || !f.Names[0].IsExported() || f.Names[0].Name == "ResultMetadata" {
			continue
		}
		goType, shape := typeOf(f.Type)
		if goType == "" {
			continue
		}
		st.fields = append(st.fields, field{
			name: f.Names[0].Name, goType: goType, shape: shape,
			required: f.Doc != nil && strings.Contains(f.Doc.Text(), "This member is required."),
		})
	}
	return st
}

// typeOf returns a field's type as it is generated, and the shape it names; ""
// for types that these protocols don't carry.
func typeOf(e ast.Expr) (goType, shape string) {
	switch t := e.(type) {
	case *ast.Ident:
		switch t.Name {
		case "string", "bool", "int32", "int64", "float32", "float64", "byte":
			return t.Name, ""
		}
		return t.Name, t.Name
	case *ast.SelectorExpr:
		if pkg, ok := t.X.(*ast.Ident); ok {
			switch pkg.Name {
			case "types":
				return t.Sel.Name, t.Sel.Name
			case "time":
				return "time.Time", ""
			}
		}
	case *ast.StarExpr:
		if inner, shape := typeOf(t.X); inner != "" {
			return "*" + inner, shape
		}
	case *ast.ArrayType:
		if inner, shape := typeOf(t.Elt); inner != "" {
			return "[]" + inner, shape
		}
	case *ast.MapType:
		if inner, shape := typeOf(t.Value); inner == "string" {
			return "map[string]string", shape
		}
	}
	return "", ""
}

// dropUnknownShapes removes fields whose type is neither structure nor enum.
func (src *source) dropUnknownShapes() {
	for _, st := range src.structs {
		st.fields = slices.DeleteFunc(st.fields, func(f field) bool {
			return f.shape != "" && src.structs[f.shape] == nil && src.enums[f.shape] == nil
		})
	}
}

func (src *source) field(structName, name string) *field {
	st := src.structs[structName]
	if st == nil {
		return nil
	}
	for i := range st.fields {
		if st.fields[i].name == name {
			return &st.fields[i]
		}
	}
	return nil
}

// readNames calls each for every function of the file whose name begins with
// prefix and whose first parameter is a (pointer to a) pointer to a structure.
func (src *source) readNames(path, prefix string, each func(*source, string, *ast.BlockStmt) error) error {
	file, err := parse(path)
	if err != nil {
		return err
	}
	found := false
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, prefix) || len(fn.Type.Params.List) == 0 {
			continue
		}
		name := pointee(fn.Type.Params.List[0].Type)
		if src.structs[name] == nil {
			continue
		}
		found = true
		if err := each(src, name, fn.Body); err != nil {
			return fmt.Errorf("%s: %w", fn.Name.Name, err)
		}
	}
	if !found {
		return fmt.Errorf("%s has no function that begins with %s: the SDK's layout has changed", path, prefix)
	}
	return nil
}

func pointee(e ast.Expr) string {
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.SelectorExpr:
			return t.Sel.Name
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// readRequestNames finds, statement by statement, the member v.X and the name in
// object.Key("…") or object.FlatKey("…") that it is written under.
func (src *source) readRequestNames(structName string, body *ast.BlockStmt) error {
	for _, stmt := range body.List {
		var member, wire string
		ast.Inspect(stmt, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "v" && member == "" {
					member = n.Sel.Name
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || wire != "" || (sel.Sel.Name != "Key" && sel.Sel.Name != "FlatKey") {
					return true
				}
				wire = literal(n.Args[0])
			}
			return true
		})
		if wire == "" {
			continue
		}
		f := src.field(structName, member)
		if f == nil {
			continue
		}
		f.in = wire
	}
	return nil
}

// readReplyNames finds the cases strings.EqualFold("…", t.Name.Local) and the
// member sv.X that each sets.
func (src *source) readReplyNames(structName string, body *ast.BlockStmt) error {
	var err error
	ast.Inspect(body, func(n ast.Node) bool {
		c, ok := n.(*ast.CaseClause)
		if !ok || len(c.List) != 1 {
			return true
		}
		call, ok := c.List[0].(*ast.CallExpr)
		if !ok {
			return true
		}
		wire := literal(call.Args[0])
		for _, stmt := range c.Body {
			ast.Inspect(stmt, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "sv" {
						if f := src.field(structName, n.Sel.Name); f != nil {
							f.out = wire
						}
					}
				case *ast.Ident:
					if strings.HasSuffix(n.Name, "Unwrapped") {
						err = fmt.Errorf("member %s is a flattened list, which the codec doesn't write", wire)
					}
				}
				return true
			})
		}
		return true
	})
	return err
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

// readErrors collects what the ErrorCode methods return.
func (src *source) readErrors(path string) error {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return nil // EC2 models no errors
	}
	file, err := parse(path)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "ErrorCode" {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
				if code := literal(r.Results[0]); code != "" {
					src.errorCodes = append(src.errorCodes, code)
				}
			}
			return true
		})
	}
	slices.Sort(src.errorCodes)
	src.errorCodes = slices.Compact(src.errorCodes)
	return nil
}
