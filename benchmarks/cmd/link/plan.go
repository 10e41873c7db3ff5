package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"example.com/culvert/benchmarks"
	"example.com/culvert/benchmarks/link"
)

// A plan is what to run.
type plan struct {
	entries []*entry
	stacks  []benchmarks.Stack
	only    bool     // these stacks were asked for by name
	missing []string // congestion controls that the kernel does not have
}

// An entry is one row of results: what sends over which path.
type entry struct {
	path  link.Path
	flows []string // the stacks that send at once, one or two
	time  time.Duration
	// rounds, if not 0, is how many there are whatever the options say.
	rounds int
}

// repeats is how many rounds there are.
func (e *entry) repeats(rounds int) int {
	if e.rounds > 0 {
		return e.rounds
	}
	return rounds
}

// name is what the entry's row is called.
func (e *entry) name() string { return strings.Join(e.flows, " + ") }

// sweepLosses are the losses of "sweep".
var sweepLosses = []float64{0, 0.0001, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1}

// Names of what is not a single preset.
const (
	all   = "all"
	bars  = "bars"
	fair  = "fair"
	sweep = "sweep"
	quick = "quick"
)

// groups are the names that stand for more than one preset.
var groups = []struct{ name, about string }{
	{bars, "each path that culvert has a bar on, with the stacks that are compared there"},
	{all, "every path below, fair and sweep too"},
	{fair, "two culverts, and a culvert beside the kernel with the same control, on clean"},
	{sweep, "100 Mbit/s, 50 ms, with losses from 0 to 10 %"},
	{quick, "100 Mbit/s, 20 ms, 0.1 % loss: to see that it works"},
}

// newPlan works out what the options ask for.
func newPlan(o options) (*plan, error) {
	p := &plan{}
	p.stacks, p.missing = stacks(tuning{Buffer: o.buffer})
	for _, name := range o.only {
		if _, err := findStack(name, tuning{}); err != nil {
			return nil, fmt.Errorf("-only: %w", err)
		}
	}
	if len(o.only) > 0 {
		p.only = true
		p.stacks = slices.DeleteFunc(p.stacks, func(s benchmarks.Stack) bool { return !slices.Contains(o.only, s.Name) })
	}
	if len(o.paths) == 0 {
		return nil, fmt.Errorf("-path: names no path")
	}
	for _, name := range o.paths {
		if err := p.add(name, o); err != nil {
			return nil, fmt.Errorf("-path: %w", err)
		}
	}
	if o.docs != "" && !slices.Contains(o.paths, sweep) && !slices.Contains(o.paths, all) {
		p.shown(o)
	}
	return p, nil
}

// What the documents show beside the bars' tables: plots of these paths over time, and one
// of the sweep by these stacks, for which a short round is enough.
var (
	shownPaths  = []string{"clean", "loss1", "outage"}
	shownStacks = []string{"kernel-cubic", "kernel-bbr", "quic-go", "kcp-go", "culvert-cubic", "culvert-bbr", "culvert-bbr-loss"}
)

// shown adds the sweep of the documents.
func (p *plan) shown(o options) {
	if !o.timeGiven {
		o.time = 5 * time.Second
	}
	q := plan{stacks: slices.Clone(p.stacks), only: true}
	q.stacks = slices.DeleteFunc(q.stacks, func(s benchmarks.Stack) bool { return !slices.Contains(shownStacks, s.Name) })
	q.sweep(o)
	for _, e := range q.entries {
		e.rounds = 1
	}
	p.entries = append(p.entries, q.entries...)
}

func (p *plan) add(name string, o options) error {
	switch name {
	case all:
		for _, preset := range link.Presets() {
			p.single(preset, o.time)
		}
		p.sweep(o)
		return p.fair(o)
	case bars:
		return p.bars(o)
	case fair:
		return p.fair(o)
	case sweep:
		p.sweep(o)
		return nil
	case quick:
		const rate = 100e6 / 8
		p.single(link.Path{Name: quick, About: "100 Mbit/s, 20 ms, 0.1 % loss", Rate: rate, Delay: 10 * time.Millisecond, Queue: rate / 50, Loss: 0.001}, o.time)
		return nil
	}
	preset, err := link.Find(name)
	if err != nil {
		return fmt.Errorf("%w, %s, %s, %s, %s, %s", err, bars, all, fair, sweep, quick)
	}
	p.single(preset, o.time)
	return nil
}

// single adds each stack alone on a path.
func (p *plan) single(path link.Path, d time.Duration) {
	for _, s := range p.stacks {
		if p.only || runsOn(s.Name, path.Name) {
			p.entries = append(p.entries, &entry{path: path, flows: []string{s.Name}, time: d})
		}
	}
}

// barPaths are what the bars need: the shortest times at which BBR has probed for
// bandwidth more than once, and the outage is over for a while.
var barPaths = []struct {
	path   string
	time   time.Duration
	leaves []string // stacks, or what they end in
}{
	{"clean", 5 * time.Second, nil},
	{"loss1", 7 * time.Second, nil},
	{"loss5", 8 * time.Second, []string{"-cubic", "-reno", "quic-go", "kcp-go"}},
	{"gigabit", 5 * time.Second, []string{"quic-go", "kcp-go"}},
	{"reorder", 5 * time.Second, []string{"quic-go", "kcp-go"}},
	{"burst", 6 * time.Second, []string{"quic-go", "kcp-go"}},
	{"ackloss", 5 * time.Second, []string{"quic-go", "kcp-go"}},
	{"outage", 8 * time.Second, []string{"quic-go", "kcp-go"}},
}

// bars adds them, and the pairs.
func (p *plan) bars(o options) error {
	for _, b := range barPaths {
		path, err := link.Find(b.path)
		if err != nil {
			return err
		}
		if o.timeGiven {
			b.time = o.time
		}
		before := len(p.entries)
		p.single(path, b.time)
		added := slices.DeleteFunc(p.entries[before:], func(e *entry) bool {
			return !p.only && slices.ContainsFunc(b.leaves, func(s string) bool { return strings.HasSuffix(e.name(), s) })
		})
		p.entries = p.entries[:before+len(added)]
	}
	if !o.timeGiven {
		o.fairTime = min(o.fairTime, 20*time.Second)
	}
	return p.fair(o)
}

func (p *plan) sweep(o options) {
	for _, loss := range sweepLosses {
		path, _ := link.Find("clean")
		path.Name = fmt.Sprintf("%s-%g%%", sweep, loss*100)
		path.About = fmt.Sprintf("100 Mbit/s, 50 ms, %g %% loss", loss*100)
		path.Loss = loss
		p.single(path, o.time)
	}
}

// fair adds the pairs: culvert beside itself, and beside the kernel's like.
func (p *plan) fair(o options) error {
	path, err := link.Find("clean")
	if err != nil {
		return err
	}
	path.Name = fair
	path.About += ", two flows"
	for _, s := range p.stacks {
		control, ok := strings.CutPrefix(s.Name, "culvert-")
		if !ok || !p.only && !runsOn(s.Name, fair) {
			continue
		}
		p.entries = append(p.entries, &entry{path: path, flows: []string{s.Name, s.Name}, time: o.fairTime})
		kernel := "kernel-" + control
		if slices.ContainsFunc(p.stacks, func(s benchmarks.Stack) bool { return s.Name == kernel }) {
			p.entries = append(p.entries, &entry{path: path, flows: []string{s.Name, kernel}, time: o.fairTime})
		}
	}
	return nil
}

// takes is about how long the plan takes.
func (p *plan) takes(rounds int) time.Duration {
	const setUp = 100 * time.Millisecond
	var sum time.Duration
	for _, e := range p.entries {
		sum += (e.time + setUp) * time.Duration(e.repeats(rounds))
	}
	return sum
}

// list prints what there is.
func (p *plan) list(w io.Writer) {
	fmt.Fprintln(w, "Paths:")
	for _, g := range groups {
		fmt.Fprintf(w, "  %-12s %s\n", g.name, g.about)
	}
	for _, preset := range link.Presets() {
		fmt.Fprintf(w, "  %-12s %s\n", preset.Name, preset.About)
	}
	fmt.Fprintln(w, "Stacks:")
	for _, s := range p.stacks {
		fmt.Fprintf(w, "  %-16s %s\n", s.Name, s.About)
	}
	p.explain(w)
}

// explain says which of the kernel's congestion controls are missing.
func (p *plan) explain(w io.Writer) {
	if len(p.missing) > 0 {
		fmt.Fprintf(w, "This kernel has no %s; it has %s.\n", strings.Join(p.missing, ", "), strings.Join(kernelAvailable(), ", "))
	}
}
