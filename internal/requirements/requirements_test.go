package requirements

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// load returns the module's tables and what its tests show.
func load(t *testing.T) ([]Table, Shown) {
	t.Helper()
	tables, err := Tables()
	if err != nil {
		t.Fatal(err)
	}
	shown, err := Find(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return tables, shown
}

// root is the module's root, seen from this package.
const root = "../.."

// TestAccount fails when a requirement has neither test nor note.
func TestAccount(t *testing.T) {
	tables, shown := load(t)
	for _, p := range Problems(tables, shown) {
		t.Error(p)
	}
	for i, want := range []int{119, 93} {
		if got := len(tables[i].Rows); got != want {
			t.Errorf("%s has %d rows, want %d", tables[i].Document, got, want)
		}
	}
}

// TestDocuments fails when a document is not what the tables and tests say now.
func TestDocuments(t *testing.T) {
	tables, shown := load(t)
	for _, table := range tables {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(table.Document)))
		if err != nil {
			t.Fatal(err)
		}
		// A checkout may have changed the line ends.
		got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
		if !bytes.Equal(got, table.Markdown(shown)) {
			t.Errorf("%s is out of date: run go generate ./internal/requirements", table.Document)
		}
	}
}

// file is a source file that declares one test with the given doc comment.
func file(doc, name string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("package p\n\n" + doc + "\nfunc " + name + "(t *testing.T) {}\n")}
}

// TestFind checks where the names of tests are looked for and how they are read.
func TestFind(t *testing.T) {
	got, err := Find(fstest.MapFS{
		"a_test.go":              file("// TestA is.\n//\n// Shows: MUST-1, SHLD-2,\n// MAY-3. And more.", "TestA"),
		"b/b_test.go":            file("// Shows: MUST-1.\n//\n// Shows: MUST-1, RFC1-1.", "FuzzB"),
		"c/c_test.go":            file("// TestC says nothing. Shows: off.", "TestC"),
		"b/b.go":                 file("// Shows: MUST-9.", "TestNot"),
		"testdata/d_test.go":     file("// Shows: MUST-9.", "TestNot"),
		".hidden/d_test.go":      file("// Shows: MUST-9.", "TestNot"),
		"nested/go.mod":          {Data: []byte("module nested\n")},
		"nested/sub/e_test.go":   file("// Shows: MUST-9.", "TestNot"),
		"broken/testdata/x.go":   {Data: []byte("nonsense")},
		"vendor/x/y/broken.go":   {Data: []byte("nonsense")},
		"vendor/x/y/b_test.go":   {Data: []byte("nonsense")},
		"deep/er/still_test.go":  file("// Shows: SHLD-2.", "TestDeep"),
		"deep/er/still2_test.go": file("", "TestNoDoc"),
	})
	want := Shown{
		"MUST-1": {"..TestA", "b.FuzzB"},
		"SHLD-2": {"..TestA", "deep/er.TestDeep"},
		"MAY-3":  {"..TestA"},
		"RFC1-1": {"b.FuzzB"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
}

// TestFindErrors checks that a slip of the pen is not taken for silence.
func TestFindErrors(t *testing.T) {
	for _, c := range []struct{ doc, name, want string }{
		{"// Shows: MUST-1", "TestA", "no full stop"},
		{"// Shows: MUST-1 MUST-2.", "TestA", "not one identifier"},
		{"// Shows: MUST-1,.", "TestA", "not one identifier"},
		{"// Shows: MUST-1.", "helper", "outside of a test's doc comment"},
		{"// Shows: MUST-1.\n", "TestA", "outside of a test's doc comment"},
		{"// Shows: MUST-1.", "(", "expected"},
	} {
		_, err := Find(fstest.MapFS{"x/a_test.go": file(c.doc, c.name)})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x/a_test.go:") {
			t.Errorf("%q on %s: error %v, want %q", c.doc, c.name, err, c.want)
		}
	}
}

// TestProblems checks both directions of the account.
func TestProblems(t *testing.T) {
	tables := []Table{{Rows: []Requirement{
		{ID: "MUST-1", Text: "untested"}, {ID: "MUST-2", Note: "later: x"}, {ID: "MUST-3"},
	}}}
	got := strings.Join(Problems(tables, Shown{"MUST-3": {"a.TestA"}, "MUST-4": {"a.TestA", "b.TestB"}}), "\n")
	want := "MUST-1 (): no test shows it and no note says why: untested\nMUST-4, which a.TestA and b.TestB shows, is no requirement"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestParseTable checks that a damaged table is refused.
func TestParseTable(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "line 1"},
		{header + "\nA\tB\tC\tD\n", "4 fields"},
		{header + "\nA\tB\t\tD\t\n", "empty field"},
		{header + "\nA\tB\tC\tD\t\nA\tB\tC\tD\t\n", "there already"},
		{header + "\nA\tB\tC\tD\tno time\n", "no known reason"},
		{header + "\nA\tB\tC\tD\tlater: \n", "no known reason"},
	} {
		if _, err := parseTable([]byte(c.src), map[string]bool{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %q", c.src, err, c.want)
		}
	}
}

// TestMarkdown checks the counts and the cells.
func TestMarkdown(t *testing.T) {
	table := Table{Title: "T", Intro: "I", Rows: []Requirement{
		{"MUST-1", "MUST", "3.1", "one", ""}, {"MUST-2", "MUST", "3.2", "two", "later: x"}, {"MAY-3", "MAY", "3.3", "three", "choice: y"},
	}}
	got := string(table.Markdown(Shown{"MUST-1": {"a.TestA", "b.TestB"}, "MAY-3": {"a.TestA"}}))
	for _, want := range []string{
		"# T\n\nI\n", "| | of 3 |", "| shown by a test | 2 |", "| not built yet | 1 |", "not taken up | 0 |",
		"| MUST-1 | MUST | 3.1 | one | `a.TestA`<br>`b.TestB` |\n", "| MUST-2 | MUST | 3.2 | two | later: x |\n",
		"| MAY-3 | MAY | 3.3 | three | `a.TestA`<br>choice: y |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
