package requirements

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretSource reads where the key of the ISNs comes from, which no behaviour could
// show: transport's variable secret is filled by crypto/rand, and the file that declares it
// has no other source at hand.
//
// Shows: RFC6528-2.
func TestSecretSource(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "transport", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		init := secretInit(f)
		if init == nil {
			continue
		}
		found = true
		secure := false
		for _, i := range f.Imports {
			switch i.Path.Value {
			case `"crypto/rand"`:
				secure = true
			case `"math/rand"`, `"math/rand/v2"`:
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
		read := false
		ast.Inspect(init, func(n ast.Node) bool {
			if c, ok := n.(*ast.SelectorExpr); ok {
				x, ok := c.X.(*ast.Ident)
				read = read || ok && x.Name == "rand" && c.Sel.Name == "Read"
			}
			return true
		})
		if !secure || !read {
			t.Errorf("%s does not fill the secret from crypto/rand", name)
		}
	}
	if !found {
		t.Error("transport declares no variable secret: tell this test where it went")
	}
}

// secretInit returns the initial value of a file's variable secret, nil if there is none.
func secretInit(f *ast.File) ast.Expr {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			if v := s.(*ast.ValueSpec); v.Names[0].Name == "secret" && len(v.Values) == 1 {
				return v.Values[0]
			}
		}
	}
	return nil
}
