package packetdrill

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var (
	flagScripts = flag.String("scripts", "", "run this script, or all below this folder, and report")
	flagStrict  = flag.Bool("strict", false, "count a script as passed only at the strict level")
	flagJSON    = flag.Bool("json", false, "report in JSON, an object for each script")
	flagWorker  = flag.String("worker", "", "used by -scripts: run the scripts that standard input names, below this folder")
	flagShow    = flag.Bool("show", false, "print each packet and call as it happens")
)

// TestMain runs nothing but the scripts of the command line, if it names some.
func TestMain(m *testing.M) {
	flag.Parse()
	if run := flag.Lookup("test.run"); (*flagScripts != "" || *flagWorker != "") && run.Value.String() == "" {
		if err := run.Value.Set("^TestScripts$"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// asJSON reports whether machines read the report: go test keeps -json for itself, and
// hands it to the test as a value of -test.v.
func asJSON() bool {
	v := flag.Lookup("test.v")
	return *flagJSON || v != nil && v.Value.String() == "test2json"
}

// TestScripts runs the scripts of the command line. Any that fails or cannot be read
// fails the test; one that is unsupported does not, and is not counted as passed.
func TestScripts(t *testing.T) {
	if *flagWorker != "" {
		work(t, *flagWorker)
		return
	}
	if *flagScripts == "" {
		return
	}
	report := runAll(t, *flagScripts)
	if asJSON() {
		if err := report.JSON(os.Stdout); err != nil {
			t.Fatal(err)
		}
	} else {
		report.Summary(os.Stdout)
	}
	for _, s := range report.Scripts {
		if s.Outcome != Unsupported && !s.Passed(*flagStrict) {
			t.Fail()
		}
	}
}

// runAll runs the scripts below path, and prints a line about each unless JSON follows.
// (The go command shows what a test prints if it fails, or with -v.)
func runAll(t *testing.T, path string) *Report {
	if _, err := os.Stat(path); err != nil && !filepath.IsAbs(path) {
		// The test runs in its package's folder; people type paths in the module's.
		path = filepath.Join("..", "..", path)
	}
	files, err := Collect(path)
	if err != nil {
		t.Fatalf("-scripts: %v", err)
	}
	if len(files) == 0 {
		t.Fatalf("-scripts: there is no script in %s", path)
	}
	root := path
	if len(files) == 1 && files[0] == path {
		root = filepath.Dir(path)
	}
	report := &Report{}
	for len(files) > 0 {
		// A worker may die of one script; the next one goes on behind it.
		done := runWorker(t, root, files, func(s *ScriptReport) {
			report.Scripts = append(report.Scripts, s)
			if asJSON() {
				return
			}
			fmt.Println(s.Line(*flagStrict))
			if testing.Verbose() {
				for _, n := range s.worst().Notes {
					fmt.Println("    note: " + n)
				}
			}
		})
		files = files[done:]
	}
	return report
}
