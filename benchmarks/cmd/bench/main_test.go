package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/culvert/benchmarks/work"
)

// TestMain lets the test binary be a server or a client.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-role") {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestQuickest measures culvert and the kernel once, with processes of their own, and
// looks for the tables.
func TestQuickest(t *testing.T) {
	var out, progress bytes.Buffer
	args := []string{"-quick", "-rounds", "2", "-time", "200ms", "-warm", "20ms",
		"-only", "^loopback/(bulk-1|bulk-16|ping-64|rate|http)/(culvert|kernel-cubic)$"}
	if err := run(t.Context(), args, nil, &out, &progress); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"bulk, one connection, over the loopback interface (loopback/bulk-1)", "bulk, 16 connections", "ping-pong of 64 bytes",
		"HTTP requests", "culvert", "kernel-cubic", "Jain index", "p99.9 us",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "bars are missed") {
		t.Errorf("judged after so short a time:\n%s", &out)
	}
	for line := range strings.Lines(progress.String()) {
		if strings.HasPrefix(line, "void") && !strings.Contains(line, "too busy") {
			t.Errorf("something did not work: %s", line)
		}
	}
}

// TestProcessFails: a process that cannot work voids a measurement, with its own words.
func TestProcessFails(t *testing.T) {
	o, err := parse([]string{"-time", "50ms"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := plan(o)
	if err != nil {
		t.Fatal(err)
	}
	c := cells[0]
	c.stack.Name = "pigeon"
	r := measure(t.Context(), o, c, openLoopback(), 0)
	if !strings.Contains(r.Void, `stack "pigeon" is not one of`) {
		t.Errorf("void because of %q", r.Void)
	}
}

// TestBadInvocations has each mistake answered with an error that names it.
func TestBadInvocations(t *testing.T) {
	for want, args := range map[string][]string{
		"-rounds":  {"-rounds", "0"},
		"-time":    {"-time", "1ms"},
		"-warm":    {"-warm", "-1s"},
		"-timeout": {"-timeout", "0s"},
		"-only":    {"-only", "pigeon"},
		"missing":  {"-only", "("},
		"stray":    {"stray"},
		"job":      {"-role", "pigeon"},
		"defined":  {"-nonsense"},
	} {
		if err := run(t.Context(), args, &bytes.Buffer{}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error about %s", args, err, want)
		}
	}
	job := strings.NewReader(`{"Stack":"culvert"}`)
	if err := run(t.Context(), []string{"-role", "pigeon"}, job, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("an unknown role gave %v", err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, nil, &out, io.Discard); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-quick") {
		t.Errorf("-h gave %v and\n%s", err, &out)
	}
}

// TestQuickGivesWay: what is given beside -quick counts.
func TestQuickGivesWay(t *testing.T) {
	o, err := parse([]string{"-quick", "-time", "5s"}, io.Discard)
	if err != nil || o.rounds != 1 || o.time != 5*time.Second {
		t.Errorf("rounds %d, time %v, %v", o.rounds, o.time, err)
	}
}

// TestQuickJudges: a quick run says nothing of bars, unless that is asked for.
func TestQuickJudges(t *testing.T) {
	for args, want := range map[string]bool{"": true, "-want": true, "-quick": false, "-quick -want": true} {
		o, err := parse(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		s := newSummary(o)
		s.Results = []*result{bulkResult("culvert", 0, 100), bulkResult("kernel-cubic", 0, 500)}
		var out bytes.Buffer
		err = s.report(o, nil, &out)
		if judged := strings.Contains(out.String(), "1 of 2 bars are missed"); judged != want || (err != nil) != o.want {
			t.Errorf("%q: %v and\n%s", args, err, &out)
		}
	}
}

// TestPlanFits: each task knows its work, and -list names each cell once.
func TestPlanFits(t *testing.T) {
	for _, task := range tasks {
		if err := task.work.Check(); err != nil {
			t.Errorf("%s: %v", task.name, err)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-list"}, nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(out.String())
	if n := len(slices.Compact(slices.Sorted(slices.Values(names)))); n != len(names) || n < 20 {
		t.Errorf("%d names, %d different", len(names), n)
	}
}

// bulkResult is a transfer of so many MB in a second.
func bulkResult(stack string, round int, each ...uint64) *result {
	for i := range each {
		each[i] *= 1e6
	}
	return &result{Place: loopback, Work: "bulk-256", Stack: stack, Round: round,
		Client: work.Report{Seconds: 1, CPU: 0.5}, Server: work.Report{Seconds: 1, CPU: 0.5, Bytes: each}}
}

// TestSummary: medians without what is void, the ratio's direction, a bar that is met and
// one that is missed.
func TestSummary(t *testing.T) {
	void := bulkResult("culvert", 2, 90000)
	void.Void = "it hung"
	s := &summary{Results: []*result{
		bulkResult("culvert", 0, 50, 350), bulkResult("culvert", 1, 150, 150), void,
		bulkResult("kernel-cubic", 0, 500), bulkResult("kernel-cubic", 1, 700), bulkResult("kernel-cubic", 2, 1000),
	}}
	s.Bars = s.judge()
	if len(s.Bars) != 2 {
		t.Fatalf("%d bars: %+v", len(s.Bars), s.Bars)
	}
	if b := s.Bars[0]; b.Value != 0.5 || !b.Met {
		t.Errorf("goodput: %+v", b)
	}
	if b := s.Bars[1]; b.Value < 0.81 || b.Value > 0.83 || b.Met {
		t.Errorf("fairness: %+v", b)
	}
	o, err := parse([]string{"-only", "loopback/bulk-256/(culvert|kernel-cubic)$"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := plan(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, table := range s.tables(cells) {
		table.Text(&out)
		table.Markdown(&out)
	}
	for _, want := range []string{" 350 ", " 300 - 400 ", " 0.50 ", "| 700 |", "1 of 3 do not count", "it hung", " 2.92 ", "1 of 2 bars are missed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, &out)
		}
	}
}

// TestDocs: the page has all tables, and each plot that it shows is there.
func TestDocs(t *testing.T) {
	dir := t.TempDir()
	o, err := parse([]string{"-docs", dir, "-json", filepath.Join(dir, "all.json"), "-only", "loopback/bulk-(2|256)/(culvert|kernel-cubic)$"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := plan(o)
	if err != nil {
		t.Fatal(err)
	}
	s := newSummary(o)
	s.Machine.Load = "9.00 9.00 9.00"
	s.Missing = []string{"veth: no root"}
	s.Engine = []engineLine{{Name: "Receive", Ns: 50}}
	for _, stack := range []string{"culvert", "kernel-cubic"} {
		r := bulkResult(stack, 0, 100, 300)
		r.Work = "bulk-2"
		s.Results = append(s.Results, r, bulkResult(stack, 0, 300, 300))
	}
	if err := s.report(o, cells, io.Discard); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"go run ./cmd/bench -only 'loopback/bulk-(2|256)/(culvert|kernel-cubic)$' -docs ../docs", "| pass | loopback/bulk-256 | goodput |", "Missing: veth: no root.", "do not trust",
		"| culvert | 600 |", "| Receive | 50.00 |", "| culvert | CUBIC, its default |", s.Machine.Go,
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if legend, results := strings.Index(string(page), "## What is compared"), strings.Index(string(page), "## Results"); legend < 0 || legend > results {
		t.Error("the tables name stacks that are explained behind them")
	}
	if row := regexp.MustCompile(`(?m)^\| kernel-cubic \| 400 .*\| (\S+) \|$`).FindStringSubmatch(string(page)); row == nil || row[1] != "-" {
		t.Errorf("the kernel's row of bulk-2 is %q: it does not tell what it sends again", row)
	}
	plots := regexp.MustCompile(`\]\((benchmarks/[^)]*)\)`).FindAllStringSubmatch(string(page), -1)
	if len(plots) != 3 {
		t.Errorf("%d plots, want 3", len(plots))
	}
	for _, m := range append(plots, []string{"", "all.json"}) {
		if info, err := os.Stat(filepath.Join(dir, m[1])); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
