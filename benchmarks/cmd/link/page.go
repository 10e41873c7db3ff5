package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/culvert/benchmarks/link"
	"example.com/culvert/benchmarks/report"
)

const pageHead = `# Paths that lose, reorder and fall silent

This page is written by

%s

and holds what one run found, on one machine: two network namespaces with a TUN device each,
and a program between them that forwards at the path's rate, delays, queues and drops. Each
stack has the path for itself, in turn, round by round; the tables show medians, with the
smallest and the largest. A transfer during which the emulator was late does not count.
Payload is 1448 of 1500 octets in the kernel's segments and 1440 in culvert's, which UDP's
header makes smaller: where the kernel fills the link, 0.9945 is the most that culvert can have.
[congestion.md](congestion.md) says which controller is for which path.

| | |
|---|---|
`

// A page is what -docs writes.
type page struct {
	machine  report.Machine
	started  time.Time
	args     string
	rounds   int
	sections bytes.Buffer
}

func newPage(o options) *page {
	machine := report.ThisMachine("github.com/quic-go/quic-go", "github.com/xtaci/kcp-go/v5")
	return &page{machine: machine, started: time.Now(), args: o.args, rounds: o.rounds}
}

// add appends the tables of a path. The sweep has a plot instead.
func (p *page) add(path link.Path, ts []*report.Table) {
	if strings.HasPrefix(path.Name, sweep) {
		return
	}
	fmt.Fprintf(&p.sections, "\n### %s: %s\n", path.Name, path.About)
	for _, t := range ts {
		p.sections.WriteByte('\n')
		t.Markdown(&p.sections)
	}
}

// write writes the page below dir.
func (p *page) write(dir string, vs []verdict) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, pageHead, "```sh\ncd benchmarks && go run ./cmd/link "+p.args+"-docs ../docs\n```")
	fact := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	fact("date", p.started.UTC().Format("2006-01-02 15:04 UTC"))
	for _, f := range p.machine.Facts() {
		fact(f[0], f[1])
	}
	fact("rounds", fmt.Sprintf("%d, in %.0f s altogether", p.rounds, time.Since(p.started).Seconds()))
	if p.machine.Busy() {
		fmt.Fprintf(&b, "\n**%s**\n", report.BusyWarning)
	}
	if len(vs) > 0 {
		t := report.Table{Head: []string{"", "path", "stack", "figure", "is", "wanted"}}
		for _, v := range vs {
			t.Rows = append(t.Rows, []string{v.is(), v.path, v.stack, v.what, fmt.Sprintf("%.3f", v.value), v.want})
		}
		b.WriteString("\n## What is asked for, and what is reached\n\n")
		t.Markdown(&b)
		fmt.Fprintf(&b, "\n%d of %d bars are missed.\n", missed(vs), len(vs))
	}
	b.WriteString("\n## Results\n")
	b.Write(p.sections.Bytes())
	return os.WriteFile(filepath.Join(dir, "link.md"), b.Bytes(), 0o644)
}
