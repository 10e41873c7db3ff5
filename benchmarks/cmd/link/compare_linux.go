package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// compare runs the plan, round by round, each entry of a path in its turn, and prints
// a table per path.
func compare(ctx context.Context, o options, p *plan, w io.Writer) error {
	l, err := newLab(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	p.explain(w)
	fmt.Fprintf(w, "About %v, if nothing has to be repeated.\n", p.takes(o.rounds).Round(time.Second))
	var all []*result
	var verdicts []verdict
	figures := make(measured)
	pg := newPage(o)
	p.explain(&pg.sections)
	for begin := 0; begin < len(p.entries); {
		path := p.entries[begin].path
		end := begin
		for end < len(p.entries) && p.entries[end].path.Name == path.Name {
			end++
		}
		entries := p.entries[begin:end]
		begin = end
		fmt.Fprintf(w, "\n%s: %s (after %v, %d of %d rows)\n", path.Name, path.About,
			time.Since(pg.started).Round(time.Second), end, len(p.entries))
		results, err := l.rounds(ctx, o, entries, w)
		all = append(all, results...)
		if err != nil {
			return errors.Join(err, writeJSON(o.json, all)) // what there is
		}
		ts := tables(entries, results)
		for _, t := range ts {
			t.Text(w)
		}
		pg.add(path, ts)
		for _, e := range entries {
			figures.add(e, results)
		}
		if o.judge && entries[0].rounds == 0 { // one round is none to judge by
			vs := judge(entries, figures)
			printVerdicts(w, vs)
			verdicts = append(verdicts, vs...)
		}
		if o.svg != "" && (o.docs == "" || slices.Contains(shownPaths, path.Name)) {
			if err := writePlots(o.svg, path, entries, results); err != nil {
				return err
			}
		}
	}
	if o.svg != "" {
		if err := writeSweep(o.svg, p, all); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nplots: %s\n", filepath.Join(o.svg, "*.svg"))
	}
	if err := writeJSON(o.json, all); err != nil {
		return err
	}
	if err := counted(all); err != nil {
		return err
	}
	if o.docs != "" {
		if err := pg.write(o.docs, verdicts); err != nil {
			return fmt.Errorf("-docs: %w", err)
		}
	}
	n := missed(verdicts)
	if n > 0 {
		fmt.Fprintf(w, "\nbars missed: %d\n", n)
	}
	if o.want && n > 0 {
		return fmt.Errorf("%d bars were missed", n)
	}
	return nil
}

// writeJSON writes the results to a file, if it has a name.
func writeJSON(file string, all []*result) error {
	if file == "" {
		return nil
	}
	b, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(file, b, 0o644)
	}
	if err != nil {
		return fmt.Errorf("-json: %w", err)
	}
	return nil
}

// rounds runs the entries of one path.
func (l *lab) rounds(ctx context.Context, o options, entries []*entry, w io.Writer) ([]*result, error) {
	var results []*result
	for round := range entries[0].repeats(o.rounds) {
		for _, e := range entries {
			for attempt := 0; ; attempt++ {
				r, err := l.transfer(ctx, e, o.buffer, o.seed+uint64(round))
				if ctx.Err() != nil {
					return results, context.Cause(ctx)
				}
				if r == nil {
					return results, err
				}
				r.Round = round
				if err != nil {
					r.Failed = err.Error()
				}
				r.Void = o.tolerance.Exceeded(r.Link)
				results = append(results, r)
				fmt.Fprintf(w, "  round %d  %-32s %s\n", round+1, e.name(), r.line())
				if r.Void == "" || attempt >= o.again {
					break
				}
			}
		}
	}
	return results, nil
}

// line is what the log says of a transfer.
func (r *result) line() string {
	var s []string
	for _, f := range r.Flows {
		s = append(s, fmt.Sprintf("%.2f MB/s", f.Goodput/1e6))
	}
	late := func(v float64) time.Duration {
		return time.Duration(v * float64(time.Second)).Round(time.Microsecond)
	}
	s = append(s, fmt.Sprintf("late p99 %v, max %v", late(r.Link.Late.P99), late(r.Link.Late.Max)))
	if r.Failed != "" {
		s = append(s, "failed: "+r.Failed)
	}
	if r.Void != "" {
		s = append(s, "void: "+r.Void)
	}
	return strings.Join(s, "  ")
}

// counted is an error if something is wrong with the results as a whole.
func counted(all []*result) error {
	failed, void := 0, 0
	for _, r := range all {
		for _, f := range r.Flows {
			if f.Receiver.Corrupt {
				return fmt.Errorf("%s on %s: what arrived is not what was sent", f.Stack, r.Path)
			}
		}
		if r.Failed != "" {
			failed++
		}
		if r.Void != "" {
			void++
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d of %d transfers failed", failed, len(all))
	case len(all) > 0 && void == len(all):
		return fmt.Errorf("no transfer counts: this machine is too busy to emulate a link")
	}
	return nil
}
