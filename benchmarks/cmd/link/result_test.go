package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/culvert/benchmarks/link"
)

const ms = time.Millisecond

// TestBetween: only what was read within the window counts, and silence at its edges does.
func TestBetween(t *testing.T) {
	r := receiverResult{Read: []progress{{5 * ms, 10}, {20 * ms, 100}, {60 * ms, 150}, {70 * ms, 1000}}}
	for _, c := range []struct {
		from, to time.Duration
		n        uint64
		longest  time.Duration
	}{
		{0, 100 * ms, 1000, 40 * ms},
		{10 * ms, 65 * ms, 140, 40 * ms},
		{20 * ms, 60 * ms, 50, 40 * ms},
		{80 * ms, 90 * ms, 0, 10 * ms},
		{0, 4 * ms, 0, 4 * ms},
		{60 * ms, 170 * ms, 850, 100 * ms},
	} {
		if n, longest := r.between(c.from, c.to); n != c.n || longest != c.longest {
			t.Errorf("%v to %v: %d bytes, %v; want %d, %v", c.from, c.to, n, longest, c.n, c.longest)
		}
	}
}

// TestThin keeps the first, the last and one in a while, by the time since the start.
func TestThin(t *testing.T) {
	var notes []progress
	for i := range 24 {
		notes = append(notes, progress{time.Second + time.Duration(i)*5*ms, uint64(i)})
	}
	got, want := thin(notes, time.Second), []progress{{0, 0}, {50 * ms, 10}, {100 * ms, 20}, {115 * ms, 23}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := thin(nil, 0); got != nil {
		t.Errorf("got %v of nothing", got)
	}
}

// made is a result as a run would give it.
func made(e *entry, goodput ...float64) *result {
	r := &result{Path: e.path.Name, Link: &link.Report{Queueing: link.Summary{Mean: 0.005}}}
	for i, g := range goodput {
		r.Flows = append(r.Flows, flow{Stack: e.flows[i], Goodput: g, Bytes: uint64(g), Seconds: 1})
		r.Flows[i].Sender.Sent = counters{Known: true, Bytes: 1000, Segments: 100, BytesRetransmitted: 10, Spurious: 1}
		r.Flows[i].Sender.Trace = []point{{0.1, 0.05, 10000, 5000}}
		r.Flows[i].Receiver.Read = []progress{{300 * ms, uint64(g)}}
	}
	return r
}

// TestTable: medians of what counts, beside the kernel's like; void runs do not count.
func TestTable(t *testing.T) {
	path, err := link.Find("loss1")
	if err != nil {
		t.Fatal(err)
	}
	kernel, own := &entry{path: path, flows: []string{"kernel-reno"}, time: time.Second}, &entry{path: path, flows: []string{"culvert-reno"}, time: time.Second}
	late := made(own, 1e9)
	late.Void = "late"
	results := []*result{made(kernel, 2e6), made(kernel, 4e6), made(kernel, 3e6), made(own, 6e6), late}
	var b bytes.Buffer
	text := func(entries []*entry, results []*result) {
		for _, table := range tables(entries, results) {
			table.Text(&b)
		}
	}
	text([]*entry{kernel, own}, results)
	for _, want := range []string{"kernel-reno 3.00 (2.00-4.00) 1.00 5.0", "culvert-reno 6.00 (6.00-6.00) 2.00 5.0", " 55.0 "} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	pair := &entry{path: path, flows: []string{"culvert-reno", "kernel-reno"}, time: time.Second}
	b.Reset()
	text([]*entry{pair}, []*result{made(pair, 3e6, 1e6)})
	for _, want := range []string{"0.800 (0.800-0.800)", "1.50 (1.50-1.50)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	b.Reset()
	text([]*entry{own}, []*result{late})
	if !strings.Contains(b.String(), "culvert-reno  -") {
		t.Errorf("a stack of which no run counts:\n%s", b.String())
	}
}

// TestKernelLike: the same control, the one that it is a variant of, or the best.
func TestKernelLike(t *testing.T) {
	kernel := map[string]float64{"kernel-reno": 1, "kernel-bbr": 3, "kernel-cubic": 2, "culvert-bbr": 9}
	for name, want := range map[string]string{
		"culvert-reno": "kernel-reno", "culvert-bbr": "kernel-bbr", "culvert-bbr-deaf": "kernel-bbr", "quic-go": "kernel-bbr", "kernel-cubic": "kernel-cubic",
	} {
		if got := kernelLike(name, kernel); got != want {
			t.Errorf("%s is compared with %s, want %s", name, got, want)
		}
	}
	if got := kernelLike("quic-go", map[string]float64{"quic-go": 1}); got != "" {
		t.Errorf("without the kernel: %q", got)
	}
}

// TestBars: what is reached and what is missed, and the most particular bar of a kind.
func TestBars(t *testing.T) {
	path, err := link.Find("loss1")
	if err != nil {
		t.Fatal(err)
	}
	entries := []*entry{{path: path, flows: []string{"kernel-bbr"}}, {path: path, flows: []string{"culvert-bbr"}}, {path: path, flows: []string{"culvert-bbr-deaf"}}}
	m := make(measured)
	for i, g := range []float64{100, 96, 96} {
		m.add(entries[i], []*result{made(entries[i], g)})
	}
	var b bytes.Buffer
	vs := judge(entries, m)
	if n := missed(vs); n != 1 {
		t.Errorf("%d were missed, want 1", n)
	}
	printVerdicts(&b, vs)
	for _, want := range []string{
		"bar reached: culvert-bbr goodput, of the kernel's: 0.960, wanted at least 0.95\n",
		"bar MISSED: culvert-bbr-deaf goodput, of the kernel's: 0.960, wanted at least 1\n",
		"bar reached: culvert-bbr share of bytes sent again, of the kernel's: 1.000, wanted at most 1.1\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	if n := strings.Count(b.String(), "culvert-bbr-deaf goodput"); n != 1 {
		t.Errorf("the goodput of one stack is judged %d times:\n%s", n, b.String())
	}
	path.Name = fair
	two := []*entry{{path: path, flows: []string{"culvert-bbr", "culvert-bbr"}}, {path: path, flows: []string{"culvert-bbr", "kernel-bbr"}}}
	m.add(two[0], []*result{made(two[0], 1, 9)})
	m.add(two[1], []*result{made(two[1], 9, 1)})
	b.Reset()
	if vs := judge(two, m); missed(vs) != 2 {
		t.Errorf("want 2 missed: %+v", vs)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"a*", "ba", false}, {"*", "", true},
		{"a-* + a-*", "a-x + a-y", true}, {"a-* + a-*", "a-x + b-y", false}, {"a-*", "a-x + b-y", true}, {"a*b", "axc", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.name, got)
		}
	}
}

// TestPlots: a plot per path and one of the sweep are written.
func TestPlots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o, err := parse([]string{"-path", "sweep", "-only", "culvert-reno", "-svg", dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(o)
	if err != nil {
		t.Fatal(err)
	}
	var results []*result
	for i, e := range p.entries {
		results = append(results, made(e, float64(i)*1e6))
	}
	if err := writeSweep(dir, p, results); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "sweep.svg")); err != nil || bytes.Count(b, []byte("<circle")) != len(sweepLosses) {
		t.Errorf("%v, or not a point per loss:\n%s", err, b)
	}
	path, err := link.Find("clean")
	if err != nil {
		t.Fatal(err)
	}
	e := &entry{path: path, flows: []string{"culvert-reno"}, time: time.Second}
	if err := writePlots(dir, path, []*entry{e}, []*result{made(e, 1e6)}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "clean.svg")); err != nil || !bytes.Contains(b, []byte("congestion window")) {
		t.Errorf("%v in\n%s", err, b)
	}
}

// TestOverTime: bytes stand in the step in which they were read.
func TestOverTime(t *testing.T) {
	var f flow
	f.Receiver.Read = []progress{{100 * ms, 1e6}, {150 * ms, 2e6}, {450 * ms, 3e6}, {610 * ms, 4e6}}
	l := f.overTime("x")
	want := []float64{10, 0, 5}
	for i := range want {
		if len(l.Y) != len(want) || math.Abs(l.Y[i]-want[i]) > 1e-9 {
			t.Fatalf("got %v, want %v", l.Y, want)
		}
	}
}
