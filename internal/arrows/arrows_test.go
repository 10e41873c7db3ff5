package arrows

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "example.com/culvert"

// allowed is the table of rooms: what their programs (tests aside) may import beyond
// the standard library. A room of this module stands for itself alone, other
// modules for all that is below them. "std" and "pure" are sets of the standard library.
var allowed = map[string][]string{
	"tcpcore/segment":     {"pure"},
	"tcpcore/congestion":  {"pure"},
	"tcpcore":             {"pure", "tcpcore/segment", "tcpcore/congestion"},
	"carrier":             {"std"},
	"carrier/carriertest": {"std", "carrier"},
	"internal/cmsg":       {"std", "golang.org/x/sys"},
	"internal/interfaces": {"std"},
	"internal/mmsg":       {"std", "carrier", "golang.org/x/sys"},
	"udpcarrier":          {"std", "carrier", "internal/cmsg", "internal/interfaces", "internal/mmsg", "golang.org/x/net", "golang.org/x/sys", "github.com/pion/transport/v3"},
	"rawcarrier":          {"std", "carrier", "internal/cmsg", "internal/interfaces", "internal/mmsg", "tcpcore/segment", "golang.org/x/net/ipv4", "golang.org/x/sys"},
	"conn":                {"std", "tcpcore", "tcpcore/segment"},
	"listener":            {"std", "tcpcore", "tcpcore/segment"},
	"transport": {"std", "conn", "listener", "udpcarrier", "rawcarrier", "carrier", "tcpcore", "tcpcore/segment", "tcpcore/congestion",
		"golang.org/x/net", "golang.org/x/sys", "github.com/pion/transport/v3"},
}

// Rooms that are programs or tests: they may import anything, unless the table has them.
var free = []string{"examples", "cmd", "internal"}

// impure is the part of the standard library that a deterministic engine does not
// name: clocks and timers aside (those are single functions of package time, see
// clock), whatever blocks, remembers between calls or talks to the world.
var impure = []string{
	"sync", "context", "math/rand", "crypto/rand", "net", "os", "io/fs", "io/ioutil", "syscall", "runtime", "unsafe", "log",
	"testing", "plugin", "embed", "expvar", "flag", "database",
}

// clock are the names of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep", "Timer", "Ticker", "Local", "LoadLocation"}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func anyBelow(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return below(path, d) })
}

// mayImport reports whether a room may import path.
func mayImport(room, path string) bool {
	for _, a := range allowed[room] {
		switch {
		case a == "std" || a == "pure":
			std := !strings.Contains(strings.Split(path, "/")[0], ".")
			if std && (a == "std" || path == "net/netip" || !anyBelow(path, impure)) {
				return true
			}
		case strings.Contains(strings.Split(a, "/")[0], "."):
			if below(path, a) {
				return true
			}
		case path == module+"/"+a:
			return true
		}
	}
	return false
}

// impurities lists what a file of the engine must not name besides imports.
func impurities(fset *token.FileSet, f *ast.File) []string {
	var bad []string
	report := func(n ast.Node, what string) {
		bad = append(bad, fmt.Sprintf("%s: %s", fset.Position(n.Pos()), what))
	}
	timeName, fmtName := "", ""
	for _, im := range f.Imports {
		path, _ := strconv.Unquote(im.Path.Value)
		name := path
		if im.Name != nil {
			name = im.Name.Name
		}
		if name == "." {
			report(im, "a dot import hides what it names")
		}
		switch path {
		case "time":
			timeName = name
		case "fmt":
			fmtName = name
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "starts a goroutine")
		case *ast.SelectStmt, *ast.SendStmt, *ast.ChanType:
			report(n, "uses a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				report(n, "uses a channel")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok || x.Obj != nil {
				break
			}
			if x.Name == timeName && slices.Contains(clock, n.Sel.Name) {
				report(n, "names time."+n.Sel.Name)
			}
			if x.Name == fmtName && (strings.HasPrefix(n.Sel.Name, "Print") || strings.HasPrefix(n.Sel.Name, "Scan")) {
				report(n, "names fmt."+n.Sel.Name)
			}
		case *ast.CallExpr:
			if x, ok := n.Fun.(*ast.Ident); ok && x.Obj == nil && (x.Name == "print" || x.Name == "println") {
				report(n, "prints")
			}
		}
		return true
	})
	return bad
}

// sources calls visit for every Go file of the module, generated ones and those of
// other systems included, with the slash-separated directory below the module's root.
func sources(t *testing.T, visit func(dir, file string, src []byte)) {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal("the module's root is not two directories up:", err)
	}
	seen := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			name := d.Name()
			if rel != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && rel != "." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		seen++
		dir := "."
		if i := strings.LastIndexByte(rel, '/'); i >= 0 {
			dir = rel[:i]
		}
		visit(dir, rel, src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Fatalf("only %d Go files were found", seen)
	}
}

// TestArrows fails when a room imports what the table does not let it, or is not in the table.
func TestArrows(t *testing.T) {
	sources(t, func(dir, file string, src []byte) {
		_, ok := allowed[dir]
		if strings.HasSuffix(file, "_test.go") || !ok && anyBelow(dir, free) {
			return
		}
		if !ok {
			t.Errorf("%s: the room %q is not in the table of rooms", file, dir)
			return
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, src, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		for _, im := range f.Imports {
			path, err := strconv.Unquote(im.Path.Value)
			if err != nil || !mayImport(dir, path) {
				t.Errorf("%s: %s may not import %q", fset.Position(im.Pos()), dir, path)
			}
		}
	})
}

// TestEngineIsSansIO fails when the engine or one of its sub-rooms names a clock, a
// goroutine, a channel or the terminal. Locks, random sources and sockets are
// packages, which TestArrows refuses.
func TestEngineIsSansIO(t *testing.T) {
	seen := 0
	sources(t, func(dir, file string, src []byte) {
		if strings.HasSuffix(file, "_test.go") || !below(dir, "tcpcore") {
			return
		}
		seen++
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, src, 0)
		if err != nil {
			t.Error(err)
			return
		}
		for _, bad := range impurities(fset, f) {
			t.Error(bad)
		}
	})
	if seen == 0 {
		t.Error("no file of the engine was found")
	}
}

// TestFormatted fails when gofmt would change a file.
func TestFormatted(t *testing.T) {
	sources(t, func(_, file string, src []byte) {
		want, err := format.Source(src)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		} else if !bytes.Equal(src, want) {
			t.Errorf("%s: gofmt would change it", file)
		}
	})
}

// TestRules shows that the rules catch what they are for.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		room, path string
		want       bool
	}{
		{"tcpcore", "time", true},
		{"tcpcore", "net/netip", true},
		{"tcpcore", "crypto/sha256", true},
		{"tcpcore", module + "/tcpcore/segment", true},
		{"tcpcore", "net", false},
		{"tcpcore", "os", false},
		{"tcpcore", "os/signal", false},
		{"tcpcore", "sync", false},
		{"tcpcore", "sync/atomic", false},
		{"tcpcore", "math/rand/v2", false},
		{"tcpcore", "crypto/rand", false},
		{"tcpcore", module + "/carrier", false},
		{"tcpcore", "golang.org/x/net/ipv4", false},
		{"tcpcore/segment", module + "/tcpcore", false},
		{"tcpcore/congestion", module + "/tcpcore/segment", false},
		{"carrier", module + "/tcpcore/segment", false},
		{"conn", "sync", true},
		{"conn", module + "/listener", false},
		{"conn", module + "/carrier", false},
		{"listener", module + "/conn", false},
		{"conn", module + "/transport", false},
		{"udpcarrier", "golang.org/x/net/ipv6", true},
		{"udpcarrier", "github.com/pion/transport/v3/vnet", true},
		{"udpcarrier", module + "/tcpcore", false},
		{"rawcarrier", "golang.org/x/net/ipv6", false},
		{"transport", module + "/conn", true},
		{"transport", "github.com/hashicorp/yamux", false},
	} {
		if got := mayImport(c.room, c.path); got != c.want {
			t.Errorf("%s imports %s: %v, want %v", c.room, c.path, got, c.want)
		}
	}
	const hint = "package p\nimport (\n\"time\"\n\"fmt\"\n)\n"
	for body, want := range map[string]int{
		"func f(d time.Duration) time.Duration { return d + time.Second }":  0,
		"func f() string { return fmt.Sprint(1) }":                          0,
		"type T struct{}\nfunc (T) Now() {}\nfunc f(time T) { time.Now() }": 0,
		"func f() { _ = time.Now() }":                                       1,
		"var now = time.Now":                                                1,
		"var tick *time.Timer":                                              1,
		"func f() { go f() }":                                               1,
		"var c chan int":                                                    1,
		"func f() { select {} }":                                            1,
		"func f() { fmt.Println() }":                                        1,
		"func f() { println() }":                                            1,
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "p.go", hint+body, 0)
		if err != nil {
			t.Fatal(err)
		}
		if bad := impurities(fset, f); len(bad) != want {
			t.Errorf("%s: %q, want %d complaints", body, bad, want)
		}
	}
}
