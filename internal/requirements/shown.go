package requirements

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
)

// Shown tells which tests show a requirement: by its identifier, sorted names of the
// form "tcpcore/segment.TestParse".
type Shown map[string][]string

// ids returns the identifiers in order.
func (s Shown) ids() []string {
	ids := make([]string, 0, len(s))
	for id := range s {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

const keyword = "Shows:"

// Find reads the doc comments of all tests of the module whose root is fsys. Nested
// modules, testdata and hidden directories are left out, as the go command does. A line that names requirements
// anywhere but in the doc comment of a test or fuzz target is an error.
func Find(fsys fs.FS) (Shown, error) {
	shown := make(Shown)
	var errs []error
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case !d.IsDir():
			if strings.HasSuffix(base, "_test.go") {
				errs = append(errs, shown.file(fsys, name)...)
			}
		case name == ".":
		case base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"):
			return fs.SkipDir
		default:
			if _, err := fs.Stat(fsys, path.Join(name, "go.mod")); err == nil {
				return fs.SkipDir
			}
		}
		return nil
	})
	for _, names := range shown {
		sort.Strings(names)
	}
	return shown, errors.Join(append(errs, err)...)
}

// file adds what the tests of one file show.
func (s Shown) file(fsys fs.FS, name string) []error {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return []error{err}
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []error{err}
	}
	var errs []error
	docs := make(map[*ast.CommentGroup]bool)
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Doc == nil || fn.Recv != nil || !isTest(fn.Name.Name) {
			continue
		}
		docs[fn.Doc] = true
		ids, err := parseDoc(fn.Doc.Text())
		if err != nil {
			errs = append(errs, fmt.Errorf("%v: %s: %w", fset.Position(fn.Pos()), fn.Name, err))
		}
		test := path.Dir(name) + "." + fn.Name.Name
		for _, id := range ids {
			if !slices.Contains(s[id], test) {
				s[id] = append(s[id], test)
			}
		}
	}
	for _, c := range f.Comments {
		if !docs[c] && indexKeyword(c.Text()) >= 0 {
			errs = append(errs, fmt.Errorf("%v: %q outside of a test's doc comment", fset.Position(c.Pos()), keyword))
		}
	}
	return errs
}

// isTest reports whether the go command runs a function of that name on every test run.
func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")
}

// indexKeyword returns where a line of text begins with the keyword, or -1.
func indexKeyword(text string) int {
	if strings.HasPrefix(text, keyword) {
		return 0
	}
	if i := strings.Index(text, "\n"+keyword); i >= 0 {
		return i + 1
	}
	return -1
}

// parseDoc returns the identifiers of a doc comment: between the keyword and the next
// full stop, with commas between them, over as many lines as it takes.
func parseDoc(text string) ([]string, error) {
	var ids []string
	for {
		i := indexKeyword(text)
		if i < 0 {
			return ids, nil
		}
		list, rest, ok := strings.Cut(text[i+len(keyword):], ".")
		if !ok {
			return nil, fmt.Errorf("%q and no full stop behind it", keyword)
		}
		for id := range strings.SplitSeq(list, ",") {
			id = strings.TrimSpace(id)
			if id == "" || strings.ContainsAny(id, " \t\n") {
				return nil, fmt.Errorf("%q lists %q, which is not one identifier", keyword, id)
			}
			ids = append(ids, id)
		}
		text = rest
	}
}
