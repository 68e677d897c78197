package main

import (
	"fmt"
	"go/ast"
	"path/filepath"
)

// readSchemas takes the names on the wire from a module whose shapes write
// themselves by schemas: schemas/schemas.go gives each schema its member's name,
// and a shape's SerializeMembers says which schema each member goes by. A name is
// the same in requests and replies.
func (src *source) readSchemas(dir string) error {
	path := filepath.Join(dir, "schemas/schemas.go")
	file, err := parse(path)
	if err != nil {
		return err
	}
	names := map[string]string{} // Shape_Member → name
	ast.Inspect(file, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Lhs) != 1 || len(a.Rhs) != 1 {
			return true
		}
		schema, ok := a.Lhs[0].(*ast.Ident)
		if !ok {
			return true
		}
		if call, ok := a.Rhs[0].(*ast.CallExpr); ok && len(call.Args) > 0 {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "AddMember" {
				names[schema.Name] = literal(call.Args[0])
			}
		}
		return true
	})
	if len(names) == 0 {
		return fmt.Errorf("%s adds no members: the SDK's layout has changed", path)
	}
	files, err := filepath.Glob(filepath.Join(dir, "api_op_*.go"))
	if err != nil {
		return err
	}
	for _, f := range append(files, filepath.Join(dir, "types/types.go")) {
		if err := src.readMembers(f, names); err != nil {
			return err
		}
	}
	return nil
}

// readMembers reads the SerializeMembers methods of a file.
func (src *source) readMembers(path string, names map[string]string) error {
	file, err := parse(path)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "SerializeMembers" {
			continue
		}
		for _, stmt := range fn.Body.List {
			var member, name string
			ast.Inspect(stmt, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				switch x, ok := sel.X.(*ast.Ident); {
				case !ok:
				case x.Name == "v" && member == "":
					member = sel.Sel.Name
				case x.Name == "schemas" && name == "":
					name = names[sel.Sel.Name]
				}
				return true
			})
			if f := src.field(pointee(fn.Recv.List[0].Type), member); f != nil {
				f.in, f.out = name, name
			}
		}
	}
	return nil
}

// direct takes the names in requests from what no operation's input reaches, and
// those in replies from what no output does.
func (src *source) direct(operations []string) {
	inputs, outputs := map[string]bool{}, map[string]bool{}
	for _, op := range operations {
		src.mark(op+"Input", inputs)
		src.mark(op+"Output", outputs)
	}
	for name, st := range src.structs {
		for i := range st.fields {
			if !inputs[name] {
				st.fields[i].in = ""
			}
			if !outputs[name] {
				st.fields[i].out = ""
			}
		}
	}
}

func (src *source) mark(name string, reached map[string]bool) {
	if st := src.structs[name]; st != nil && !reached[name] {
		reached[name] = true
		for _, f := range st.fields {
			src.mark(f.shape, reached)
		}
	}
}
