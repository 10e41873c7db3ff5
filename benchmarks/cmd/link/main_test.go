package main

import (
	"bytes"
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/culvert/benchmarks/link"
)

// TestParse: defaults, what -quick changes, and each bad value names its flag.
func TestParse(t *testing.T) {
	o, err := parse([]string{"-svg", "x"}, nil)
	if err != nil || o.rounds != 5 || !o.judge || o.time != 10*time.Second || !slices.Equal(o.paths, []string{bars}) {
		t.Errorf("defaults: %+v, %v", o, err)
	}
	o, err = parse([]string{"-docs", "x"}, nil)
	if err != nil || o.rounds != 5 || o.svg != filepath.Join("x", "plots") || !slices.Equal(o.paths, []string{bars}) {
		t.Errorf("-docs: %+v, %v", o, err)
	}
	o, err = parse([]string{"-quick", "-rounds", "2"}, nil)
	if err != nil || o.rounds != 2 || o.judge || o.time != 500*time.Millisecond || !slices.Equal(o.paths, []string{quick}) || o.svg != "" {
		t.Errorf("-quick: %+v, %v", o, err)
	}
	if o, err = parse([]string{"-quick", "-want"}, nil); err != nil || !o.judge {
		t.Errorf("-quick -want: %+v, %v", o, err)
	}
	for _, c := range []struct{ args, want string }{
		{"-rounds 0", "-rounds"}, {"-time 1ms", "-time"}, {"-fair-time 2h", "-fair-time"}, {"-again -1", "-again"},
		{"-buffer 1", "-buffer"}, {"-late-p99 0s", "-late-p99"}, {"-late-max 0s", "-late-max"}, {"extra", "extra"}, {"-nonsense", "-nonsense"},
	} {
		if _, err := parse(strings.Fields(c.args), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gave %v", c.args, err)
		}
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "go run ./cmd/link") {
		t.Errorf("-h gave %v and %q", err, help.String())
	}
}

// TestPlan: every name that -list prints can be run, alone and with others.
func TestPlan(t *testing.T) {
	plan := func(args ...string) (*plan, error) {
		o, err := parse(append([]string{"-svg", "x"}, args...), nil)
		if err != nil {
			t.Fatal(err)
		}
		return newPlan(o)
	}
	p, err := plan("-list")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	p.list(&b)
	names := 0
	for line := range strings.Lines(b.String()) {
		if f := strings.Fields(line); line[0] == ' ' && names < len(groups)+len(link.Presets()) {
			names++
			if p, err := plan("-path", f[0]); err != nil || len(p.entries) == 0 {
				t.Errorf("-path %s: %v", f[0], err)
			}
		}
	}
	if names != len(groups)+len(link.Presets()) {
		t.Errorf("-list names %d paths", names)
	}
	p, err = plan("-path", "loss1,clean", "-only", "culvert-reno,kcp-go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range p.entries {
		if err := e.path.Check(); err != nil {
			t.Error(err)
		}
		got = append(got, e.path.Name+" "+e.name())
	}
	if want := []string{"loss1 kcp-go", "loss1 culvert-reno", "clean kcp-go", "clean culvert-reno"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range []struct{ args, want string }{
		{"-path pigeon", "pigeon"}, {"-only pigeon", "pigeon"}, {"-path ,", "-path"},
	} {
		if _, err := plan(strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s gave %v", c.args, err)
		}
	}
	if all, missing := stacks(tuning{}); len(missing) < len(kernelControls) { // where there is any
		p, err = plan("-path", fair)
		pairs := 0
		for _, e := range p.entries {
			if len(e.flows) == 2 {
				pairs++
			}
		}
		if err != nil || pairs == 0 || pairs > len(all) {
			t.Errorf("fair: %d pairs of %d stacks, %v", pairs, len(all), err)
		}
	}
}

// TestBarPaths: without arguments each bar's path is there with culvert and what it is
// compared with, and five rounds take about half an hour.
func TestBarPaths(t *testing.T) {
	o, err := parse([]string{"-svg", "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	if took := p.takes(o.rounds); took > 38*time.Minute {
		t.Errorf("takes %v", took)
	}
	for _, b := range allBars {
		found := b.path == "*"
		for _, e := range p.entries {
			found = found || matches(b.path, e.path.Name) && matches(b.stack, e.name())
		}
		// Pairs with the kernel need a kernel that has the control.
		if !found && !strings.Contains(b.stack, "kernel-") {
			t.Errorf("%s, %s: not among what is run", b.path, b.what)
		}
	}
	for _, e := range p.entries {
		if name := e.name(); strings.Contains(name, "-loss") && e.path.Name != "loss1" && e.path.Name != "loss5" ||
			strings.Contains(name, "-rto1") && e.path.Name != "outage" {
			t.Errorf("%s on %s", name, e.path.Name)
		}
	}
}

// TestKCPWindow is a few times what the path and its queue hold, within bounds.
func TestKCPWindow(t *testing.T) {
	p, err := link.Find("clean")
	if err != nil {
		t.Fatal(err)
	}
	segments := int(p.Rate) / 10 / kcpMTU // in 50 ms and another 50 ms of queue
	if got := kcpWindow(p); got < 2*segments || got > 4*segments {
		t.Errorf("%d, but the path holds %d segments", got, segments)
	}
	if got := kcpWindow(link.Path{Rate: 1000}); got != 128 {
		t.Errorf("%d for a path without delay", got)
	}
}

// TestOfKernel: a bar is judged by the kernel's own of that control, or not at all.
func TestOfKernel(t *testing.T) {
	e := &entry{path: link.Path{Name: "x"}, flows: []string{"culvert-bbr-loss"}}
	m := measured{"x": {"culvert-bbr-loss": {goodput: 6}, "kernel-cubic": {goodput: 3}}}
	if v, ok := goodput(m, e); ok {
		t.Errorf("judged %v by the kernel's CUBIC", v)
	}
	m["x"]["kernel-bbr"] = figures{goodput: 12}
	if v, ok := goodput(m, e); !ok || v != 0.5 {
		t.Errorf("got %v, %v, want 0.5", v, ok)
	}
}
