package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/culvert/benchmarks/work"
)

// patience is how long a measurement may take beyond its own time: to start, to connect
// and to report. Idle connections need longer, since there are many and each is greeted.
const patience = 10 * time.Second

// compare measures every cell in rounds, and reports.
func compare(ctx context.Context, o options, cells []*cell, w, progress io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return fmt.Errorf("-cpuprofile: %w", err)
		}
	}
	s := newSummary(o)
	places := make(map[string]*place)
	for _, c := range cells {
		if _, ok := places[c.place]; ok {
			continue
		}
		p, err := openPlace(c.place)
		if err != nil {
			fmt.Fprintf(progress, "without %s: %v\n", c.place, err)
			s.Missing = append(s.Missing, fmt.Sprintf("%s: %v", c.place, err))
		} else {
			defer p.close()
		}
		places[c.place] = p
	}
	cells = slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool { return places[c.place] == nil })
	bar := newTicker(progress, o.rounds*len(cells))
	for round := range o.rounds {
		for i := range cells {
			c := cells[i]
			if round%2 == 1 {
				c = cells[len(cells)-1-i] // so that no stack always follows the same one
			}
			if ctx.Err() != nil {
				break
			}
			bar.now(round, c)
			r := measure(ctx, o, c, places[c.place], round)
			if ctx.Err() == nil {
				s.Results = append(s.Results, r)
				bar.done(r)
			}
		}
	}
	bar.end()
	if o.only.MatchString(engineName) && ctx.Err() == nil {
		var err error
		if s.Engine, err = engine(ctx, o); err != nil {
			s.Missing = append(s.Missing, engineName+": "+err.Error())
		}
	}
	if ctx.Err() != nil {
		s.Missing = append(s.Missing, "the run ended early: "+ctx.Err().Error())
	}
	s.Seconds = time.Since(s.Date).Seconds()
	return s.report(o, cells, w)
}

// measure is one measurement.
func measure(ctx context.Context, o options, c *cell, p *place, round int) *result {
	r := &result{Place: c.place, Work: c.task.name, Stack: c.stack.Name, Round: round}
	length := max(o.time, c.task.least)
	limit := patience + o.warm + length
	if c.task.work.Kind == work.Idle {
		limit += patience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := r.between(ctx, o, c, p, length); err != nil {
		r.Void = err.Error()
	}
	return r
}

// between has the two processes work, and fills in what they report.
func (r *result) between(ctx context.Context, o options, c *cell, p *place, length time.Duration) error {
	j := job{Stack: c.stack.Name, Work: c.task.work, Addr: p.listen}
	file := func(role string) string {
		if o.profile == "" {
			return ""
		}
		name := strings.ReplaceAll(fmt.Sprintf("%s-%s-%d.pprof", c.name(), role, r.Round), "/", "-")
		path, err := filepath.Abs(filepath.Join(o.profile, name))
		if err != nil {
			return name
		}
		return path
	}
	j.CPU, j.Profile = c.task.cpus.cpu(roleServer), file(roleServer)
	server, err := begin(ctx, roleServer, j, c.stack.Env, p.server)
	defer server.end()
	if err != nil {
		return err
	}
	var ready hello
	if err := server.read(ctx, &ready); err != nil {
		return err
	}
	j.Addr, j.CPU, j.Profile = ready.Addr, c.task.cpus.cpu(roleClient), file(roleClient)
	client, err := begin(ctx, roleClient, j, c.stack.Env, p.client)
	defer client.end()
	if err != nil {
		return err
	}
	if err := client.read(ctx, &ready); err != nil {
		return err
	}
	from := time.Now().Add(o.warm)
	window := work.Window{From: from, To: from.Add(length)}
	for _, half := range []*process{server, client} {
		if err := half.out.Encode(window); err != nil {
			return fmt.Errorf("%s: %w", half.role, err)
		}
	}
	if err := client.read(ctx, &r.Client); err != nil {
		return err
	}
	if err := server.read(ctx, &r.Server); err != nil {
		return err
	}
	for _, failed := range []string{r.Client.Failed, r.Server.Failed} {
		if failed != "" {
			return fmt.Errorf("%s", failed)
		}
	}
	return nil
}

// writeJSON writes v to a file.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
