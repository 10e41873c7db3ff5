package main

import (
	"fmt"
	"strings"

	"example.com/culvert/benchmarks/report"
	"example.com/culvert/benchmarks/work"
)

// A table is of one task in one place, or of the bars.
type table struct {
	report.Table
	cells []*cell // that the rows are of, nil for the bars
}

// reference is the stack that others are compared with.
const reference = "kernel-cubic"

// tables makes one for each task in each place, and first the one of the bars.
func (s *summary) tables(cells []*cell) []*table {
	var all []*table
	if len(s.Bars) > 0 {
		all = append(all, s.barTable())
	}
	for i := 0; i < len(cells); {
		same := cells[i:]
		for n, c := range same {
			if c.place != cells[i].place || c.task.name != cells[i].task.name {
				same = same[:n]
				break
			}
		}
		i += len(same)
		all = append(all, s.taskTable(same))
	}
	if len(s.Engine) > 0 {
		all = append(all, s.engineTable())
	}
	return all
}

// A column of a table is a figure of each stack.
type column struct {
	head string
	cell func(figures) string
}

// taskTable has a row for each stack.
func (s *summary) taskTable(cells []*cell) *table {
	first := cells[0]
	t := &table{cells: cells}
	t.Title = fmt.Sprintf("%s, %s (%s/%s)", first.task.about, placeAbout[first.place], first.place, first.task.name)
	cols := s.columns(first)
	t.Head = []string{"stack"}
	for _, c := range cols {
		t.Head = append(t.Head, c.head)
	}
	for _, c := range cells {
		fs := s.of(c.place, c.task.name, c.stack.Name)
		row := []string{c.stack.Name}
		for _, col := range cols {
			text := "-"
			if len(fs.valid()) > 0 {
				text = col.cell(fs)
			}
			row = append(row, text)
		}
		t.Rows = append(t.Rows, row)
		if void := len(fs) - len(fs.valid()); void > 0 {
			for _, r := range fs {
				if r.Void != "" {
					t.Notes = append(t.Notes, fmt.Sprintf("%s: %d of %d do not count, one since: %s", c.stack.Name, void, len(fs), r.Void))
					break
				}
			}
		}
	}
	if w := first.task.work; w.Kind == work.Idle {
		t.Notes = append(t.Notes, fmt.Sprintf("one more: by what %d connections add to %d", w.Conns, w.Conns))
	}
	return t
}

// columns are those that the kind of work has.
func (s *summary) columns(c *cell) []column {
	per := func(head string, format string, of func(*result) float64) column {
		return column{head, func(fs figures) string { return fmt.Sprintf(format, fs.median(of)) }}
	}
	spread := func(head, format string, of func(*result) float64) column {
		return column{head, func(fs figures) string {
			lo, hi := extremes(fs.each(of))
			return fmt.Sprintf(format+" - "+format, lo, hi)
		}}
	}
	ratio := func(of func(*result) float64) column {
		ref := s.of(c.place, c.task.name, reference).median(of)
		return column{"of " + reference, func(fs figures) string {
			if ref == 0 {
				return "-"
			}
			return fmt.Sprintf("%.2f", fs.median(of)/ref)
		}}
	}
	switch c.task.work.Kind {
	case work.Bulk:
		cols := []column{
			per("MB/s", "%.0f", megabytes), spread("slowest - fastest", "%.0f", megabytes), ratio(megabytes),
			per("CPU s/GB", "%.2f", (*result).cpuPerGB),
		}
		if c.task.work.Conns > 1 {
			cols = append(cols, per("Jain index", "%.2f", (*result).jain))
		}
		return append(cols, column{"sent again", func(fs figures) string {
			if !strings.HasPrefix(fs[0].Stack, "culvert") {
				return "-" // nobody else tells
			}
			return fmt.Sprintf("%.0f", fs.median(func(r *result) float64 { return float64(r.Client.Retransmits) }))
		}})
	case work.Ping:
		return []column{
			per("p50 us", "%.1f", p50), per("p99 us", "%.1f", p99), per("p99.9 us", "%.1f", p999),
			spread("p50, fastest - slowest", "%.1f", p50), ratio(p50), per("CPU us", "%.1f", cpuMicros),
		}
	case work.Idle:
		return []column{
			per("bytes for one more, client", "%.0f", clientMemory), per("server", "%.0f", serverMemory),
			per("goroutines, client", "%.2f", clientGoroutines),
			per("goroutines, server", "%.2f", serverGoroutines),
		}
	default:
		return []column{
			per("per second", "%.0f", (*result).rate), spread("slowest - fastest", "%.0f", (*result).rate), ratio((*result).rate),
			per("p50 us", "%.0f", p50), per("p99 us", "%.0f", p99), per("CPU us", "%.1f", cpuMicros),
			per("failed", "%.0f", func(r *result) float64 { return float64(r.Client.Errors) }),
		}
	}
}

// The figures of a result, in the tables' units.
func megabytes(r *result) float64    { return r.goodput() / 1e6 }
func p50(r *result) float64          { return r.Client.Latency.P50 * 1e6 }
func p99(r *result) float64          { return r.Client.Latency.P99 * 1e6 }
func p999(r *result) float64         { return r.Client.Latency.P999 * 1e6 }
func cpuMicros(r *result) float64    { return r.cpuPerOp() * 1e6 }
func clientMemory(r *result) float64 { return r.Client.Memory }
func serverMemory(r *result) float64 { return r.Server.Memory }

func clientGoroutines(r *result) float64 { return r.Client.Goroutines }
func serverGoroutines(r *result) float64 { return r.Server.Goroutines }

// extremes are the smallest and the largest of xs, 0 if there is none.
func extremes(xs []float64) (lo, hi float64) {
	for i, x := range xs {
		if i == 0 {
			lo, hi = x, x
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}
