package packetdrill

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCorpus plays the project's own scripts: each passes at the strict level, and the
// stack sends nothing that the script does not expect.
func TestCorpus(t *testing.T) {
	files, err := Collect("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.ToSlash(file), func(t *testing.T) {
			r := RunFile(t, file, Settings{Level: Strict, Complete: true})
			if r.Outcome != Pass {
				t.Errorf("%s: %v", r.Outcome, r)
			}
			lenient := RunFile(t, file, Settings{Level: Lenient, Complete: true})
			if lenient.Outcome != Pass {
				t.Errorf("lenient: %s: %v", lenient.Outcome, lenient)
			}
		})
	}
}

// TestCorpusCites: each script says which sentence of which RFC it shows.
func TestCorpusCites(t *testing.T) {
	files, err := Collect("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "socket(")
		if !strings.HasPrefix(head, "//") || !strings.Contains(head, "RFC ") {
			t.Errorf("%s: the comment at its head names no RFC", file)
		}
	}
}

// TestMustFail: scripts that ask for what a right stack does not do fail, each for the
// reason that its head names, at each level that its head names (both if none).
func TestMustFail(t *testing.T) {
	files, err := Collect("mustfail")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Errorf("there are only %d scripts", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, level := range []Level{Strict, Lenient} {
				want := directive(string(text), string(level))
				r := Run(t, file, string(text), Settings{Level: level, Complete: true})
				switch {
				case want == "pass":
					if r.Outcome != Pass {
						t.Errorf("%s: %s: %v", level, r.Outcome, r)
					}
				case r.Outcome != Fail || !strings.Contains(r.String(), want):
					t.Errorf("%s: %s: %v\nwant a failure with %q", level, r.Outcome, r, want)
				}
			}
		})
	}
}

// directive finds "// fails: reason", or for a level "// fails (level): reason", and
// "// passes (level)".
func directive(text, level string) string {
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "// passes ("+level+")" {
			return "pass"
		}
		if r, ok := strings.CutPrefix(line, "// fails ("+level+"): "); ok {
			return r
		}
		if r, ok := strings.CutPrefix(line, "// fails: "); ok {
			return r
		}
	}
	return "a directive: // fails: reason"
}

// TestDocumentation: the example of docs/testing.md is a script that passes, and fails as
// the page says when it is changed as the page says.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "testing.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```pkt\n")
	if !ok {
		t.Fatal("the page has no example")
	}
	script, rest, _ := strings.Cut(rest, "```\n")
	play(t, script, Settings{Level: Strict, Complete: true}, Pass, "")
	_, rest, _ = strings.Cut(rest, "see it fail:\n\n```\n")
	reason, _, _ := strings.Cut(rest, "\n```")
	changed := strings.Replace(script, "+0  > . 1:1461", "+.2 > . 1:1461", 1)
	if changed == script || reason == "" {
		t.Fatal("the change is not there")
	}
	play(t, changed, Settings{Level: Strict}, Fail, reason)
}
