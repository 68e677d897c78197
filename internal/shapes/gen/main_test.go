package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The shapes in the tree are those that the pinned modules and the list of
// operations give: nobody edited them, and nobody forgot to generate.
func TestTheGeneratedShapesAreCurrent(t *testing.T) {
	for _, s := range services {
		want, err := generate(s)
		if err != nil {
			t.Fatalf("%s: %v", s.pkg, err)
		}
		got, err := os.ReadFile(filepath.Join("..", s.pkg, "zz_shapes.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s/zz_shapes.go is not what gen writes: run go generate in internal/shapes", s.pkg)
		}
	}
}
