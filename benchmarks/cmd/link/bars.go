package main

import (
	"fmt"
	"io"
	"strings"

	"example.com/culvert/benchmarks/stat"
)

// A bar is what culvert has to reach on a path, with stacks compared by the medians of
// the same run.
type bar struct {
	path, stack string // a stack that ends in "*" means all that begin so
	what        string
	get         func(measured, *entry) (float64, bool)
	min, max    float64 // max 0 is none
}

// measured are the results by path and entry.
type measured map[string]map[string]figures

// figures are the medians of an entry.
type figures struct {
	goodput, queue     float64
	resent, spurious   float64 // shares of bytes and of segments
	resumed            float64
	jain, ofEqualShare float64
}

func (m measured) add(e *entry, results []*result) {
	own := e.of(results)
	if len(own) == 0 {
		return
	}
	sent := func(f func(counters) (part, whole uint64)) float64 {
		return stat.Median(each(own, func(r *result) float64 {
			part, whole := f(r.Flows[0].Sender.Sent)
			return float64(part) / float64(max(1, whole))
		}))
	}
	f := figures{
		goodput:  stat.Median(each(own, func(r *result) float64 { return r.Flows[0].Goodput })),
		queue:    stat.Median(each(own, func(r *result) float64 { return r.Link.Queueing.Mean })),
		resent:   sent(func(c counters) (uint64, uint64) { return c.BytesRetransmitted, c.Bytes }),
		spurious: sent(func(c counters) (uint64, uint64) { return c.Spurious, c.Segments }),
		resumed:  stat.Median(each(own, (*result).resumed)),
	}
	if len(e.flows) == 2 {
		f.jain = stat.Median(each(own, (*result).jain))
		f.ofEqualShare = stat.Median(each(own, (*result).ofEqualShare))
	}
	if m[e.path.Name] == nil {
		m[e.path.Name] = make(map[string]figures)
	}
	m[e.path.Name][e.name()] = f
}

// jain is the fairness of the flows.
func (r *result) jain() float64 {
	var xs []float64
	for _, f := range r.Flows {
		xs = append(xs, f.Goodput)
	}
	return stat.Jain(xs)
}

// ofEqualShare is what the first of two flows has of what would be fair.
func (r *result) ofEqualShare() float64 {
	a, b := r.Flows[0].Goodput, r.Flows[1].Goodput
	return 2 * a / max(1, a+b)
}

// ofKernel divides by the figure of the kernel with the same congestion control.
func ofKernel(get func(figures) float64) func(measured, *entry) (float64, bool) {
	return func(m measured, e *entry) (float64, bool) {
		goodput := make(map[string]float64)
		for name, f := range m[e.path.Name] {
			goodput[name] = f.goodput
		}
		own, ok := m[e.path.Name][e.name()]
		like := kernelLike(e.name(), goodput)
		kernel, known := m[e.path.Name][like]
		// Where no transfer of that one counted, another of the kernel's is no measure.
		if !ok || !known || !strings.HasPrefix(e.name(), "culvert-"+strings.TrimPrefix(like, "kernel-")) {
			return 0, false
		}
		a, b := get(own), get(kernel)
		if b == 0 {
			if a == 0 {
				return 1, true
			}
			return 0, false
		}
		return a / b, true
	}
}

func plain(get func(figures) float64) func(measured, *entry) (float64, bool) {
	return func(m measured, e *entry) (float64, bool) {
		f, ok := m[e.path.Name][e.name()]
		return get(f), ok
	}
}

// ofClean divides by the same stack's goodput on the clean path.
func ofClean(m measured, e *entry) (float64, bool) {
	f, ok := m[e.path.Name][e.name()]
	clean, known := m["clean"][e.name()]
	if !ok || !known || clean.goodput == 0 {
		return 0, false
	}
	return f.goodput / clean.goodput, true
}

var (
	goodput  = ofKernel(func(f figures) float64 { return f.goodput })
	queueing = ofKernel(func(f figures) float64 { return f.queue })
	resent   = ofKernel(func(f figures) float64 { return f.resent })
)

// The bars. The most particular one for a stack comes first, and hides what follows of
// the same kind.
var allBars = []bar{
	{path: "clean", stack: "culvert-*", what: "goodput, of the kernel's", get: goodput, min: 0.98},
	{path: "clean", stack: "culvert-bbr*", what: "mean queueing delay, of the kernel's", get: queueing, max: 1},
	{path: "loss1", stack: "culvert-bbr-*", what: "goodput, of the kernel's", get: goodput, min: 1},
	{path: "loss1", stack: "culvert-*", what: "goodput, of the kernel's", get: goodput, min: 0.95},
	{path: "loss5", stack: "culvert-bbr-*", what: "goodput, of the kernel's", get: goodput, min: 1},
	{path: "gigabit", stack: "culvert-bbr*", what: "goodput, of the kernel's", get: goodput, min: 0.95},
	{path: "gigabit", stack: "culvert-cubic", what: "goodput, of the kernel's", get: goodput, min: 1},
	{path: "reorder", stack: "culvert-cubic", what: "goodput, of the clean path's", get: ofClean, min: 0.95},
	{path: "reorder", stack: "culvert-*", what: "spurious retransmissions, of segments", get: plain(func(f figures) float64 { return f.spurious }), max: 0.005},
	{path: "burst", stack: "culvert-*", what: "goodput, of the kernel's", get: goodput, min: 1},
	{path: "ackloss", stack: "culvert-*", what: "goodput, of the kernel's", get: goodput, min: 1},
	{path: "outage", stack: "culvert-*", what: "goodput, of the kernel's", get: goodput, min: 1},
	{path: "outage", stack: "culvert-*", what: "seconds after the outage", get: plain(func(f figures) float64 { return f.resumed }), max: 1},
	{path: fair, stack: "culvert-* + culvert-*", what: "Jain index", get: plain(func(f figures) float64 { return f.jain }), min: 0.9},
	{path: fair, stack: "culvert-* + kernel-*", what: "of an equal share", get: plain(func(f figures) float64 { return f.ofEqualShare }), min: 0.67, max: 1.5},
	{path: "*", stack: "culvert-*", what: "share of bytes sent again, of the kernel's", get: resent, max: 1.1},
}

// matches tells whether a name fits a pattern in which each "*" stands for anything.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) || len(parts) == 1 && name != parts[0] {
		return false
	}
	name = name[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return true
}

// A verdict is what became of a bar.
type verdict struct {
	path, stack, what, want string
	value                   float64
	reached                 bool
}

func (v verdict) is() string {
	if v.reached {
		return "reached"
	}
	return "MISSED"
}

// judge tells what became of the bars of some entries.
func judge(entries []*entry, m measured) []verdict {
	var vs []verdict
	for _, e := range entries {
		done := make(map[string]bool)
		for _, b := range allBars {
			if done[b.what] || !matches(b.path, e.path.Name) || !matches(b.stack, e.name()) {
				continue
			}
			v, ok := b.get(m, e)
			if !ok {
				continue
			}
			done[b.what] = true
			want := fmt.Sprintf("at least %g", b.min)
			switch {
			case b.min > 0 && b.max > 0:
				want = fmt.Sprintf("%g to %g", b.min, b.max)
			case b.max > 0:
				want = fmt.Sprintf("at most %g", b.max)
			}
			vs = append(vs, verdict{e.path.Name, e.name(), b.what, want, v, v >= b.min && (b.max == 0 || v <= b.max)})
		}
	}
	return vs
}

// printVerdicts prints a line for each.
func printVerdicts(w io.Writer, vs []verdict) {
	for _, v := range vs {
		fmt.Fprintf(w, "  bar %s: %s %s: %.3f, wanted %s\n", v.is(), v.stack, v.what, v.value, v.want)
	}
}

// missed counts the bars that were not reached.
func missed(vs []verdict) int {
	n := 0
	for _, v := range vs {
		if !v.reached {
			n++
		}
	}
	return n
}
