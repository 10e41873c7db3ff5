package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/culvert/benchmarks/report"
)

const docsHead = `# Benchmarks

This page is written by

%s

and holds what one run found, on one machine. Figures drift from run to run by 20 %% and
more, and between machines by more than that: compare within this page only, and run the
command yourself. The first table is of what the project wants to reach; MISSED is what it does not
yet. What culvert and others carry is in the tables behind it.

| | |
|---|---|
`

const docsMethod = `
## How it is measured

Each measurement has a server and a client process of its own, one kind of work and one
stack; where it hangs or fails, it does not count, and a note below its table says so. The
rounds are interleaved, every other one backwards, so that whatever else the machine does
meets all alike. The tables show medians, and the slowest and the fastest round beside them.

A work runs for %g s before the window that counts, of %g s or more. Goodput is what the
server's Read returned within that window, in 10^6 bytes per second. Processor time is that
of both processes, user and system, within the same window; what the kernel does for them
on other accounts is not in it. Writes and reads are of 256 KiB with one or two connections
and of 64 KiB with more. In a ping-pong one side waits for the other; times are those of
the round trip, from before Write until after Read, and processor time is per round trip.
Where each process has a CPU of its own, culvert polls for the answer (Config.BusyPoll); the others
sleep, and waking up is most of their time.
wrk speaks kernel TCP only: it shows how far our own client is from another.
Jain's index tells how alike the goodputs of the connections are: 1 where all have the same,
1/n where one of n has all.
"Sent again" is in segments, of all connections and warm-up included; only culvert tells it.
Bytes of an idle connection are what one more costs: by how much the process grows in RAM (RSS)
when as many connections again are added to those that it has, each time after seconds of silence and
a garbage collection. What the process takes once is not in them, nor what the kernel has.

The kernel's TCP has its congestion control set by TCP_CONGESTION, as the stack's name
says. Raw UDP is no contender but a limit: datagrams of 1452 bytes, as an Ethernet takes
them, one copy from and to the user's buffer at each end, no header, nothing sent
again, and no more under way than the receiver has room for.
`

// writeDocs writes the page and its plots below dir.
func (s *summary) writeDocs(dir string, cells []*cell, tables []*table) error {
	plots := filepath.Join(dir, "benchmarks")
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, docsHead, "```sh\ncd benchmarks && go run ./cmd/bench "+s.Command+"-docs ../docs\n```")
	fact := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	fact("date", s.Date.Format("2006-01-02 15:04 UTC"))
	for _, f := range s.Machine.Facts() {
		fact(f[0], f[1])
	}
	fact("rounds", fmt.Sprintf("%d, in %.0f s altogether", s.Rounds, s.Seconds))
	if s.Machine.Busy() {
		fmt.Fprintf(&b, "\n**%s**\n", report.BusyWarning)
	}
	for _, m := range s.Missing {
		fmt.Fprintf(&b, "\nMissing: %s.\n", m)
	}
	if len(s.Bars) > 0 {
		b.WriteString("\n## What is asked for, and what is reached\n\n")
		tables[0].Markdown(&b)
		tables = tables[1:]
	}
	b.WriteString("\n## What is compared\n\n| stack | what it is |\n|---|---|\n")
	seen := make(map[string]bool)
	for _, c := range cells {
		if !seen[c.stack.Name] {
			seen[c.stack.Name] = true
			fmt.Fprintf(&b, "| %s | %s |\n", c.stack.Name, c.stack.About)
		}
	}
	b.WriteString("\n## Results\n")
	for _, t := range tables {
		fmt.Fprintf(&b, "\n### %s\n\n", upperFirst(t.Title))
		for _, p := range s.plotsOf(t) {
			if err := os.WriteFile(filepath.Join(plots, p.file), p.svg, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&b, "![%s](benchmarks/%s)\n\n", p.title, p.file)
		}
		t.Markdown(&b)
	}
	if p := s.scaling(); p != nil {
		if err := os.WriteFile(filepath.Join(plots, p.file), p.svg, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n### %s\n\n![%s](benchmarks/%s)\n", p.title, p.title, p.file)
	}
	fmt.Fprintf(&b, docsMethod, s.Warm, s.Time)
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), b.Bytes(), 0o644)
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
