package main

import (
	"fmt"
	"slices"
	"strings"

	"example.com/culvert/benchmarks/report"
	"example.com/culvert/benchmarks/stat"
)

// of returns the results of an entry that count.
func (e *entry) of(results []*result) []*result {
	var own []*result
	for _, r := range results {
		if r.Void != "" || r.Path != e.path.Name || len(r.Flows) != len(e.flows) {
			continue
		}
		same := true
		for i, f := range r.Flows {
			same = same && f.Stack == e.flows[i]
		}
		if same {
			own = append(own, r)
		}
	}
	return own
}

// each applies f to results.
func each(results []*result, f func(*result) float64) []float64 {
	var xs []float64
	for _, r := range results {
		xs = append(xs, f(r))
	}
	return xs
}

// spread is the median with the smallest and the largest.
func spread(format string, xs []float64) string {
	if len(xs) == 0 {
		return "-"
	}
	f := func(x float64) string { return fmt.Sprintf(format, x) }
	return fmt.Sprintf("%s (%s-%s)", f(stat.Median(xs)), f(slices.Min(xs)), f(slices.Max(xs)))
}

// tables are the results of one path: of those that had it for themselves, and of pairs.
func tables(entries []*entry, results []*result) []*report.Table {
	var alone, together []*entry
	for _, e := range entries {
		if len(e.flows) == 1 {
			alone = append(alone, e)
		} else {
			together = append(together, e)
		}
	}
	var ts []*report.Table
	if len(alone) > 0 {
		ts = append(ts, single(alone, results))
	}
	if len(together) > 0 {
		ts = append(ts, pairs(together, results))
	}
	others := each(results, func(r *result) float64 { return r.Others * 100 })
	last := ts[len(ts)-1]
	last.Notes = append(last.Notes, fmt.Sprintf("CPUs busy with other things: %s %%", spread("%.0f", others)))
	return ts
}

// single is the table of stacks that had the path for themselves.
func single(entries []*entry, results []*result) *report.Table {
	goodput := make(map[string]float64)
	for _, e := range entries {
		goodput[e.name()] = stat.Median(each(e.of(results), func(r *result) float64 { return r.Flows[0].Goodput }))
	}
	t := &report.Table{Title: "alone", Head: []string{"stack", "MB/s median (min-max)", "of kernel's", "queue ms mean", "p95", "RTT ms under load",
		"sent/delivered", "resent %", "spurious %", "CPU s/GB", "longest gap s", "resumed s", "runs"}}
	for _, e := range entries {
		own := e.of(results)
		col := func(format string, f func(*result) float64) string {
			if len(own) == 0 {
				return "-"
			}
			return fmt.Sprintf(format, stat.Median(each(own, f)))
		}
		share := func(format string, f func(counters) (part, whole uint64)) string {
			if len(own) == 0 || !own[0].Flows[0].Sender.Sent.Known {
				return "-"
			}
			return col(format, func(r *result) float64 {
				part, whole := f(r.Flows[0].Sender.Sent)
				return 100 * float64(part) / float64(max(1, whole))
			})
		}
		ratio := "-"
		if g := goodput[kernelLike(e.name(), goodput)]; g > 0 && len(own) > 0 {
			ratio = fmt.Sprintf("%.2f", goodput[e.name()]/g)
		}
		resumed := "-"
		if len(e.path.Outages) > 0 {
			resumed = col("%.2f", (*result).resumed)
		}
		t.Rows = append(t.Rows, []string{e.name(),
			spread("%.2f", each(own, func(r *result) float64 { return r.Flows[0].Goodput / 1e6 })),
			ratio,
			col("%.1f", func(r *result) float64 { return r.Link.Queueing.Mean * 1e3 }),
			col("%.1f", func(r *result) float64 { return r.Link.Queueing.P95 * 1e3 }),
			col("%.1f", func(r *result) float64 {
				return e.path.RTT().Seconds()*1e3 + (r.Link.Queueing.Mean+r.Link.QueueingBack.Mean)*1e3
			}),
			col("%.3f", func(r *result) float64 { return float64(r.Link.AToB.OfferedBytes) / float64(max(1, r.Flows[0].Bytes)) }),
			share("%.2f", func(c counters) (uint64, uint64) { return c.BytesRetransmitted, c.Bytes }),
			share("%.3f", func(c counters) (uint64, uint64) { return c.Spurious, c.Segments }),
			col("%.2f", func(r *result) float64 {
				return (r.Flows[0].CPU + r.Link.Work) / (float64(max(1, r.Flows[0].Bytes)) / 1e9)
			}),
			col("%.2f", func(r *result) float64 { return r.Flows[0].Longest }),
			resumed, fmt.Sprint(len(own))})
	}
	return t
}

// resumed is the longest time between the end of an outage and what was sent after it;
// to the end of the transfer, if nothing was.
func (r *result) resumed() float64 {
	longest := r.Flows[0].Seconds
	if len(r.Link.Resumed) > 0 {
		longest = slices.Max(r.Link.Resumed)
	}
	return longest
}

// kernelLike names the kernel's stack to compare with: that of the same congestion
// control, or of its first word, or the best.
func kernelLike(name string, goodput map[string]float64) string {
	control := name[strings.Index(name, "-")+1:]
	for control != "" {
		if _, ok := goodput["kernel-"+control]; ok {
			return "kernel-" + control
		}
		i := strings.LastIndex(control, "-")
		if i < 0 {
			break
		}
		control = control[:i]
	}
	best := ""
	for other, g := range goodput {
		if strings.HasPrefix(other, "kernel-") && g > goodput[best] {
			best = other
		}
	}
	return best
}

// pairs is the table of stacks that shared the path.
func pairs(entries []*entry, results []*result) *report.Table {
	t := &report.Table{Title: "two at once", Head: []string{"flows", "first MB/s median (min-max)", "second MB/s", "Jain index (min-max)",
		"first, of an equal share", "queue ms mean", "runs"}}
	for _, e := range entries {
		own := e.of(results)
		flow := func(i int) []float64 {
			return each(own, func(r *result) float64 { return r.Flows[i].Goodput / 1e6 })
		}
		t.Rows = append(t.Rows, []string{e.name(), spread("%.2f", flow(0)), spread("%.2f", flow(1)),
			spread("%.3f", each(own, (*result).jain)), spread("%.2f", each(own, (*result).ofEqualShare)),
			spread("%.1f", each(own, func(r *result) float64 { return r.Link.Queueing.Mean * 1e3 })),
			fmt.Sprint(len(own))})
	}
	return t
}
