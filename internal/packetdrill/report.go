package packetdrill

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Report is what a run of many scripts came to.
type Report struct {
	Scripts []*ScriptReport
}

// ScriptReport is one script at both levels.
type ScriptReport struct {
	File   string
	Folder string
	// Outcome is the one at the strict level, unless only the lenient one passes.
	Outcome Outcome
	Level   Level // at which it passed, or failed
	Strict  *Result
	Lenient *Result // nil if the strict level passed, or the script is unsupported
}

// Collect lists the scripts of a file or a folder, below it too, in order.
func Collect(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && (filepath.Ext(p) == ".pkt" || p == path) {
			files = append(files, p)
		}
		return nil
	})
	sort.Strings(files)
	return files, err
}

// RunBoth runs a script at the strict level and, if it fails there, at the lenient one.
func RunBoth(t *testing.T, root, file string, set Settings) *ScriptReport {
	s := &ScriptReport{File: file, Folder: folder(root, file)}
	set.Level = Strict
	s.Strict = RunFile(t, file, set)
	s.Outcome, s.Level = s.Strict.Outcome, Strict
	if s.Outcome == Fail {
		set.Level = Lenient
		s.Lenient = RunFile(t, file, set)
		if s.Lenient.Outcome == Pass {
			s.Outcome, s.Level = Pass, Lenient
		}
	}
	return s
}

func folder(root, file string) string {
	rel, err := filepath.Rel(root, filepath.Dir(file))
	if err != nil {
		return filepath.Dir(file)
	}
	return filepath.ToSlash(rel)
}

// worst is the result to show of a script that did not pass.
func (s *ScriptReport) worst() *Result {
	if s.Lenient != nil {
		return s.Lenient
	}
	return s.Strict
}

// Line is a line of text about the script, and what differs if it failed. A strict reader
// hears of the strict level only.
func (s *ScriptReport) Line(strict bool) string {
	switch {
	case s.Outcome == Pass && s.Level == Strict:
		return "pass        " + s.File
	case s.Outcome == Pass && strict:
		return "fail        " + s.File + " (passes at the lenient level)\n" + indent(s.Strict.String())
	case s.Outcome == Pass:
		return "pass        " + s.File + " (lenient)"
	case s.Outcome == Unsupported:
		return "unsupported " + s.File + ": " + s.Strict.Reason
	case s.Outcome == Unreadable:
		return "unreadable  " + s.File + "\n" + indent(s.Strict.String())
	}
	r := s.worst()
	if strict {
		r = s.Strict
	}
	return "fail        " + s.File + "\n" + indent(r.String())
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// Passed reports whether the script passed at the level that counts.
func (s *ScriptReport) Passed(strict bool) bool {
	return s.Outcome == Pass && (!strict || s.Level == Strict)
}

// counts are one folder's.
type counts struct{ strict, lenient, fail, unsupported, unreadable int }

func (c *counts) add(s *ScriptReport) {
	switch {
	case s.Outcome == Pass && s.Level == Strict:
		c.strict++
	case s.Outcome == Pass:
		c.lenient++
	case s.Outcome == Unsupported:
		c.unsupported++
	case s.Outcome == Unreadable:
		c.unreadable++
	default:
		c.fail++
	}
}

// Summary writes a table of the folders.
func (r *Report) Summary(w io.Writer) {
	by := map[string]*counts{}
	var all counts
	var names []string
	for _, s := range r.Scripts {
		if by[s.Folder] == nil {
			by[s.Folder] = &counts{}
			names = append(names, s.Folder)
		}
		by[s.Folder].add(s)
		all.add(s)
	}
	sort.Strings(names)
	row := func(name string, c *counts) {
		fmt.Fprintf(w, "%-36s %7d %8d %6d %12d %11d\n", name, c.strict, c.lenient, c.fail, c.unsupported, c.unreadable)
	}
	fmt.Fprintf(w, "%-36s %7s %8s %6s %12s %11s\n", "folder", "strict", "lenient", "fail", "unsupported", "unreadable")
	for _, n := range names {
		row(n, by[n])
	}
	row("all", &all)
}

// jsonScript is a script's line of JSON.
type jsonScript struct {
	File    string   `json:"file"`
	Folder  string   `json:"folder"`
	Outcome Outcome  `json:"outcome"`
	Level   Level    `json:"level,omitempty"` // at which it passed
	Line    int      `json:"line,omitempty"`
	Column  int      `json:"column,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Script  string   `json:"script,omitempty"`
	Actual  string   `json:"actual,omitempty"`
	Strict  string   `json:"strict,omitempty"` // why the strict level failed
	Notes   []string `json:"notes,omitempty"`
	Seconds float64  `json:"seconds"`
}

// JSON writes one object per script.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	for _, s := range r.Scripts {
		if err := enc.Encode(s.json()); err != nil {
			return err
		}
	}
	return nil
}

func (s *ScriptReport) json() jsonScript {
	res := s.worst()
	j := jsonScript{File: s.File, Folder: s.Folder, Outcome: s.Outcome, Notes: res.Notes, Seconds: s.Strict.Elapsed.Seconds()}
	if s.Outcome == Pass {
		j.Level = s.Level
	} else {
		j.Line, j.Column, j.Reason, j.Script, j.Actual = res.Pos.Line, res.Pos.Col, res.Reason, res.Script, res.Actual
	}
	if s.Lenient != nil {
		j.Strict = s.Strict.String()
	}
	return j
}
