package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A Table is printed as text or as Markdown.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
	Notes []string
}

// Text writes the table with its title, for a terminal.
func (t *Table) Text(w io.Writer) {
	fmt.Fprintln(w, t.Title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		fmt.Fprintf(tw, "  %s\n", strings.Join(row, "\t"))
	}
	tw.Flush()
	for _, n := range t.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
}

// Markdown writes the table without its title.
func (t *Table) Markdown(w io.Writer) {
	row := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	row(t.Head)
	row(strings.Split(strings.Repeat("---,", len(t.Head)-1)+"---", ","))
	for _, r := range t.Rows {
		row(r)
	}
	for _, n := range t.Notes {
		fmt.Fprintf(w, "\n%s\n", n)
	}
}
