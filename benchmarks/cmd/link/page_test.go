package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/culvert/benchmarks/link"
)

// TestPage: the page has the command, the bars and the tables, but no table of the sweep.
func TestPage(t *testing.T) {
	o, err := parse([]string{"-docs", "x", "-rounds", "2", "-json", "y"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pg := newPage(o)
	path, err := link.Find("loss1")
	if err != nil {
		t.Fatal(err)
	}
	e := &entry{path: path, flows: []string{"culvert-reno"}, time: time.Second}
	pg.add(path, tables([]*entry{e}, []*result{made(e, 6e6)}))
	path.Name = sweep + "-1%"
	pg.add(path, tables([]*entry{e}, []*result{made(e, 6e6)}))
	dir := t.TempDir()
	if err := pg.write(dir, []verdict{{path: "loss1", stack: "culvert-reno", what: "goodput", want: "at least 1", value: 0.9}}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "link.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"go run ./cmd/link -rounds 2 -docs ../docs\n", "| MISSED | loss1 | culvert-reno | goodput | 0.900 | at least 1 |",
		"1 of 1 bars are missed", "### loss1: ", "| culvert-reno | 6.00 (6.00-6.00) |",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is not in\n%s", want, b)
		}
	}
	if strings.Contains(string(b), "### "+sweep) {
		t.Errorf("there is a table of the sweep:\n%s", b)
	}
}

// TestShown: -docs adds one round of the sweep to the bars' own.
func TestShown(t *testing.T) {
	o, err := parse([]string{"-docs", "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	swept := 0
	for _, e := range p.entries {
		if strings.HasPrefix(e.path.Name, sweep) {
			swept++
			if e.repeats(o.rounds) != 1 || e.time != 5*time.Second {
				t.Errorf("%s on %s: %d rounds of %v", e.name(), e.path.Name, e.repeats(o.rounds), e.time)
			}
		} else if e.repeats(o.rounds) != 5 {
			t.Errorf("%s on %s: %d rounds", e.name(), e.path.Name, e.repeats(o.rounds))
		}
	}
	if swept == 0 {
		t.Error("there is no sweep")
	}
}

// TestShownOnce: whoever asks for the sweep besides has it as asked for, and once.
func TestShownOnce(t *testing.T) {
	o, err := parse([]string{"-docs", "x", "-path", "clean,sweep", "-only", "culvert-cubic"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.entries) != 1+len(sweepLosses) {
		t.Errorf("%d rows", len(p.entries))
	}
}

// TestPageOfQuickRun: the page does not take a quick run for a full one.
func TestPageOfQuickRun(t *testing.T) {
	o, err := parse([]string{"-docs", "x", "-quick", "-path", "clean"}, nil)
	if err != nil || o.args != "-path clean -quick " {
		t.Errorf("the page says %q, %v", o.args, err)
	}
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range p.entries {
		if e.time != 500*time.Millisecond {
			t.Errorf("%s on %s takes %v", e.name(), e.path.Name, e.time)
		}
	}
}
