package mutation

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var all = flag.Bool("all", false, "try every mutant; otherwise those that are marked more are left out")

// seeds is how many seeds of the simulation each mutant is given.
const seeds = "-seeds=100"

// engine is the engine's directory.
var engine = filepath.Join("..", "..", "tcpcore")

// goTool is the go command on the path, which go test puts there.
func goTool(t *testing.T) string {
	t.Helper()
	p, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// runEngineTests runs the engine's tests that match run, with file replaced by text, and
// returns what was printed and whether they passed.
func runEngineTests(t *testing.T, run, file, text string) (out string, ok bool) {
	t.Helper()
	args := []string{"test", "-vet=off", "-short", "-timeout=60s", "-ldflags=-s -w", "-run=" + run}
	if file != "" {
		dir := t.TempDir()
		path, err := filepath.Abs(filepath.Join(engine, file))
		if err != nil {
			t.Fatal(err)
		}
		broken := filepath.Join(dir, file)
		overlay := filepath.Join(dir, "overlay.json")
		b, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{broken: []byte(text), overlay: b} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, "-overlay="+overlay)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, goTool(t), append(args, ".", seeds)...)
	cmd.Dir = engine
	b, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the engine's tests did not end: %v\n%s", ctx.Err(), b)
	}
	return string(b), err == nil
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

// caught lists the tests that failed.
func caught(out string) []string {
	var names []string
	for _, m := range failedTest.FindAllStringSubmatch(out, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// TestMutants breaks the engine in each of the ways of the table.
func TestMutants(t *testing.T) {
	if out, ok := runEngineTests(t, ".", "", ""); !ok {
		t.Fatalf("the unbroken engine fails, so nothing can be said of broken ones:\n%s", out)
	}
	slots := make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	for _, m := range mutants {
		if m.more && !*all {
			continue
		}
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			src, err := os.ReadFile(filepath.Join(engine, m.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("the mutation is stale: tcpcore/%s has its text %d times, not once: %q", m.file, n, m.old)
			}
			broken := strings.Replace(string(src), m.old, m.new, 1)
			out, ok := runEngineTests(t, "^"+m.caughtBy+"$", m.file, broken)
			switch {
			case strings.Contains(out, "[build failed]"):
				t.Fatalf("the mutation is stale, the engine does not compile with it:\n%s", out)
			case !ok && slices.Contains(caught(out), m.caughtBy):
				t.Logf("caught by %s", m.caughtBy)
			case !ok:
				t.Errorf("%s did not fail as a test fails when %s:\n%s", m.caughtBy, m.name, tail(out))
			default:
				out, _ = runEngineTests(t, ".", m.file, broken)
				t.Errorf("%s does not notice that %s; these tests do: %v", m.caughtBy, m.name, caught(out))
			}
		})
	}
}

// tail is the end of a long output.
func tail(out string) string {
	if len(out) > 2000 {
		return "..." + out[len(out)-2000:]
	}
	return out
}
