package main

import (
	"slices"
	"strings"

	"example.com/culvert/benchmarks/link/plot"
	"example.com/culvert/benchmarks/work"
)

// A drawing is a plot with its place in the page.
type drawing struct {
	file, title string
	svg         []byte
}

// plotsOf draws a table's task: a bar for each stack.
func (s *summary) plotsOf(t *table) []drawing {
	if len(t.cells) < 2 {
		return nil
	}
	first := t.cells[0]
	what, of := "MB/s", megabytes
	switch first.task.work.Kind {
	case work.Ping:
		what, of = "round trip, us (p50)", p50
	case work.Rate, work.HTTP, work.Wrk:
		what, of = "per second", (*result).rate
	case work.Idle:
		what, of = "bytes for one more connection, both ends together", func(r *result) float64 { return clientMemory(r) + serverMemory(r) }
	}
	b := plot.Bars{Title: upperFirst(first.task.about), X: what}
	for _, c := range t.cells {
		fs := s.of(c.place, c.task.name, c.stack.Name)
		if len(fs.valid()) == 0 {
			continue
		}
		lo, hi := extremes(fs.each(of))
		b.Rows = append(b.Rows, plot.Bar{Name: c.stack.Name, Value: fs.median(of), Low: lo, High: hi, Strong: strings.HasPrefix(c.stack.Name, "culvert")})
	}
	if len(b.Rows) < 2 {
		return nil
	}
	return []drawing{{file: first.place + "-" + first.task.name + ".svg", title: t.Title, svg: b.SVG()}}
}

// scaling draws goodput and fairness by the number of connections, nil if fewer than two
// numbers were measured.
func (s *summary) scaling() *drawing {
	c := plot.Chart{Title: "Bulk over loopback by number of connections", X: "connections", LogX: true,
		Frames: []plot.Frame{{Y: "MB/s, all together"}, {Y: "Jain index"}}}
	var names []string
	for _, r := range s.Results {
		if r.Place == loopback && r.Work == "bulk-2" && !slices.Contains(names, r.Stack) {
			names = append(names, r.Stack)
		}
	}
	points := 0
	for _, name := range names {
		goodput, jain := plot.Line{Name: name, Dots: true}, plot.Line{Name: name, Dots: true}
		for _, t := range tasks {
			fs := s.of(loopback, t.name, name).valid()
			if t.work.Kind != work.Bulk || len(fs) == 0 {
				continue
			}
			n := float64(t.work.Conns)
			goodput.X, goodput.Y = append(goodput.X, n), append(goodput.Y, fs.median(megabytes))
			jain.X, jain.Y = append(jain.X, n), append(jain.Y, fs.median((*result).jain))
		}
		points = max(points, len(goodput.X))
		c.Frames[0].Lines = append(c.Frames[0].Lines, goodput)
		c.Frames[1].Lines = append(c.Frames[1].Lines, jain)
	}
	if points < 2 {
		return nil
	}
	return &drawing{file: "connections.svg", title: "Bulk by number of connections", svg: c.SVG()}
}
