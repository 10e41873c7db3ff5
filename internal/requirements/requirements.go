// Package requirements keeps the account of what the RFCs ask of a TCP and which
// test shows that culvert does it.
//
// The tables rfc9293.tsv and extensions.tsv hold one requirement a line: its
// identifier, level, section, what it says in our words, and a note if no test can
// or need show it. A test names what it shows in its doc comment, by a line such as
//
//	Shows: MUST-10, SHLD-3, RFC7323-4.
//
// Every requirement needs a test or a note; the test of this package sees to it.
// docs/rfc9293.md and docs/rfc-extensions.md are written from the tables and the
// tests by go generate ./internal/requirements.
package requirements

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
)

//go:generate go run ./gen

// A Requirement is one line of a table.
type Requirement struct {
	ID      string // "MUST-10", or of an extension the RFC and a running number, "RFC7323-4"
	Level   string // MUST, SHOULD NOT, ...
	Section string
	Text    string
	// Note is why there need be no test: it begins with one of Reasons. Empty otherwise.
	Note string
}

// Reasons are the ways a note may begin.
var Reasons = []struct{ Prefix, Meaning string }{
	{"not over UDP: ", "has no meaning over UDP"},
	{"choice: ", "permitted or advised, and deliberately not taken up"},
	{"later: ", "not built yet"},
}

// A Table is one file of requirements and the document written from it.
type Table struct {
	Title, Intro string
	Document     string // slash-separated, relative to the module's root
	Rows         []Requirement
}

var (
	//go:embed rfc9293.tsv
	rfc9293 []byte
	//go:embed extensions.tsv
	extensions []byte
)

// Tables returns both tables.
func Tables() ([]Table, error) {
	ts := []Table{
		{
			Title:    "RFC 9293, requirement by requirement",
			Intro:    "The identifiers are those of RFC 9293; what they ask for is told in our words.",
			Document: "docs/rfc9293.md",
		},
		{
			Title:    "Extensions, requirement by requirement",
			Intro:    "What the RFCs beside RFC 9293 ask for, told in our words. They number nothing, so the\nnumbers are ours.",
			Document: "docs/rfc-extensions.md",
		},
	}
	seen := make(map[string]bool)
	for i, src := range [][]byte{rfc9293, extensions} {
		rows, err := parseTable(src, seen)
		if err != nil {
			return nil, fmt.Errorf("table of %s: %w", ts[i].Document, err)
		}
		ts[i].Rows = rows
	}
	return ts, nil
}

const header = "id\tlevel\tsection\ttext\tnote"

// parseTable reads a table; seen holds the identifiers that are taken.
func parseTable(src []byte, seen map[string]bool) ([]Requirement, error) {
	lines := strings.Split(strings.TrimSuffix(string(src), "\n"), "\n")
	if lines[0] != header {
		return nil, fmt.Errorf("line 1 is %q, want %q", lines[0], header)
	}
	var rows []Requirement
	for i, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 5 {
			return nil, fmt.Errorf("line %d has %d fields, want 5", i+2, len(f))
		}
		r := Requirement{f[0], f[1], f[2], f[3], f[4]}
		switch {
		case r.ID == "" || r.Level == "" || r.Section == "" || r.Text == "":
			return nil, fmt.Errorf("line %d has an empty field", i+2)
		case seen[r.ID]:
			return nil, fmt.Errorf("line %d: %s is there already", i+2, r.ID)
		case r.Note != "" && r.reason() < 0:
			return nil, fmt.Errorf("line %d: the note %q begins with no known reason", i+2, r.Note)
		}
		seen[r.ID] = true
		rows = append(rows, r)
	}
	return rows, nil
}

// reason returns the index of the note's reason, -1 if there is none.
func (r *Requirement) reason() int {
	for i, p := range Reasons {
		if strings.HasPrefix(r.Note, p.Prefix) && len(r.Note) > len(p.Prefix) {
			return i
		}
	}
	return -1
}

// Problems lists what is wrong with the account: requirements with neither test nor
// note, and tests that show what does not exist.
func Problems(ts []Table, shown Shown) []string {
	var bad []string
	known := make(map[string]bool)
	for _, t := range ts {
		for _, r := range t.Rows {
			known[r.ID] = true
			if r.Note == "" && len(shown[r.ID]) == 0 {
				bad = append(bad, fmt.Sprintf("%s (%s): no test shows it and no note says why: %s", r.ID, r.Section, r.Text))
			}
		}
	}
	for _, id := range shown.ids() {
		if !known[id] {
			bad = append(bad, fmt.Sprintf("%s, which %s shows, is no requirement", id, strings.Join(shown[id], " and ")))
		}
	}
	return bad
}

// Markdown writes the table's document.
func (t *Table) Markdown(shown Shown) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!-- Written by go generate ./internal/requirements. Do not edit. -->\n\n# %s\n\n%s\n", t.Title, t.Intro)
	b.WriteString("A test is named by its directory and name: `go test ./DIRECTORY -run '^NAME$'` runs it.\n\n")
	tested, noted := 0, make([]int, len(Reasons))
	for _, r := range t.Rows {
		switch i := r.reason(); {
		case len(shown[r.ID]) > 0:
			tested++
		case i >= 0:
			noted[i]++
		}
	}
	fmt.Fprintf(&b, "| | of %d |\n|---|---|\n| shown by a test | %d |\n", len(t.Rows), tested)
	for i, p := range Reasons {
		fmt.Fprintf(&b, "| %s | %d |\n", p.Meaning, noted[i])
	}
	b.WriteString("\n| requirement | level | section | what it asks for | shown by |\n|---|---|---|---|---|\n")
	for _, r := range t.Rows {
		var cells []string
		for _, name := range shown[r.ID] {
			cells = append(cells, "`"+name+"`")
		}
		if r.Note != "" {
			cells = append(cells, r.Note)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.ID, r.Level, r.Section, r.Text, strings.Join(cells, "<br>"))
	}
	return b.Bytes()
}
