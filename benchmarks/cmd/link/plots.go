package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/culvert/benchmarks/link"
	"example.com/culvert/benchmarks/link/plot"
	"example.com/culvert/benchmarks/stat"
)

// typical is the result of an entry whose goodput is nearest to the median.
func (e *entry) typical(results []*result) *result {
	own := e.of(results)
	if len(own) == 0 {
		return nil
	}
	slices.SortStableFunc(own, func(a, b *result) int {
		switch x, y := a.Flows[0].Goodput, b.Flows[0].Goodput; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return own[len(own)/2]
}

// writePlots draws what happened over time in a typical run of each entry: window,
// round-trip time, queue and goodput.
func writePlots(dir string, path link.Path, entries []*entry, results []*result) error {
	if strings.HasPrefix(path.Name, sweep) {
		return nil // they make one plot together
	}
	var cwnd, rtt, queue, rate []plot.Line
	for _, e := range entries {
		r := e.typical(results)
		if r == nil {
			continue
		}
		for i, f := range r.Flows {
			name := f.Stack
			if len(r.Flows) > 1 {
				name = e.name() + ": " + []string{"first", "second"}[i]
			}
			var w, t plot.Line
			for _, p := range f.Sender.Trace {
				if p.Cwnd > 0 {
					w.X, w.Y = append(w.X, p.At), append(w.Y, float64(p.Cwnd)/1e3)
				}
				if p.RTT > 0 {
					t.X, t.Y = append(t.X, p.At), append(t.Y, p.RTT*1e3)
				}
			}
			w.Name, t.Name = name, name
			cwnd, rtt, rate = append(cwnd, w), append(rtt, t), append(rate, f.overTime(name))
		}
		q := plot.Line{Name: e.flows[0]}
		if len(r.Flows) > 1 {
			q.Name = e.name()
		}
		for _, s := range r.Link.Trace {
			q.X, q.Y = append(q.X, s.At), append(q.Y, s.Queue*1e3)
		}
		queue = append(queue, q)
	}
	c := plot.Chart{
		Title: path.Name + ": " + path.About, X: "seconds",
		Frames: []plot.Frame{
			{Y: "goodput, MB/s", Lines: rate}, {Y: "congestion window, kB", Lines: cwnd},
			{Y: "smoothed RTT, ms", Lines: rtt}, {Y: "queue, ms", Lines: queue},
		},
	}
	return writeChart(dir, path.Name, &c)
}

// overTime is the goodput in steps of 200 ms.
func (f *flow) overTime(name string) plot.Line {
	const step = 0.2
	l := plot.Line{Name: name}
	var then, now uint64 // read when the step began, and so far
	at := step
	for _, p := range f.Receiver.Read {
		for p.At.Seconds() > at {
			l.X, l.Y = append(l.X, at), append(l.Y, float64(now-then)/step/1e6)
			then, at = now, at+step
		}
		now = p.Bytes
	}
	return l
}

func writeChart(dir, name string, c *plot.Chart) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".svg"), c.SVG(), 0o644)
}

// writeSweep draws goodput against loss, if the plan has a sweep.
func writeSweep(dir string, p *plan, results []*result) error {
	lines := make(map[string]*plot.Line)
	var order []string
	for _, e := range p.entries {
		if !strings.HasPrefix(e.path.Name, sweep) {
			continue
		}
		own := e.of(results)
		if len(own) == 0 {
			continue
		}
		l := lines[e.name()]
		if l == nil {
			l = &plot.Line{Name: e.name(), Dots: true}
			lines[e.name()] = l
			order = append(order, e.name())
		}
		l.X = append(l.X, e.path.Loss*100)
		l.Y = append(l.Y, stat.Median(each(own, func(r *result) float64 { return r.Flows[0].Goodput / 1e6 })))
	}
	if len(order) == 0 {
		return nil
	}
	f := plot.Frame{Y: "goodput, MB/s"}
	for _, name := range order {
		f.Lines = append(f.Lines, *lines[name])
	}
	return writeChart(dir, sweep, &plot.Chart{
		Title: "Goodput against loss: 100 Mbit/s, 50 ms", X: "loss, %", LogX: true, Frames: []plot.Frame{f},
	})
}
