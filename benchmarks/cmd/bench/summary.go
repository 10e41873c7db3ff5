package main

import (
	"fmt"
	"io"
	"time"

	"example.com/culvert/benchmarks/report"
)

// A summary is a whole run, as -json writes it.
type summary struct {
	Command    string // the arguments
	Date       time.Time
	Seconds    float64
	Machine    report.Machine
	Rounds     int
	Time, Warm float64 // seconds of each measurement
	Missing    []string
	Bars       []verdict
	Engine     []engineLine
	Results    []*result
}

// peerModules are those whose versions matter.
var peerModules = []string{
	"github.com/quic-go/quic-go", "github.com/xtaci/kcp-go/v5", "gvisor.dev/gvisor", "github.com/pion/sctp",
}

func newSummary(o options) *summary {
	return &summary{
		Command: o.args, Date: time.Now().UTC(), Machine: report.ThisMachine(peerModules...),
		Rounds: o.rounds, Time: o.time.Seconds(), Warm: o.warm.Seconds(),
	}
}

// of returns the results of one cell, also of one that was not measured.
func (s *summary) of(place, work, stack string) figures {
	var fs figures
	for _, r := range s.Results {
		if r.Place == place && r.Work == work && r.Stack == stack {
			fs = append(fs, r)
		}
	}
	return fs
}

// report prints the tables and writes the files that were asked for.
func (s *summary) report(o options, cells []*cell, w io.Writer) error {
	if !o.quick || o.want {
		s.Bars = append(s.judge(), s.judgeEngine()...)
	}
	tables := s.tables(cells)
	fmt.Fprintf(w, "%s, %d CPUs (%s), %s; load before: %s\n", s.Machine.System, s.Machine.CPUs, s.Machine.CPU, s.Machine.Go, s.Machine.Load)
	fmt.Fprintf(w, "medians; rounds: %d, of %g s; two processes for each measurement\n", s.Rounds, s.Time)
	if s.Machine.Busy() {
		fmt.Fprintln(w, report.BusyWarning)
	}
	for _, t := range tables {
		fmt.Fprintln(w)
		t.Text(w)
	}
	for _, m := range s.Missing {
		fmt.Fprintf(w, "\nmissing: %s\n", m)
	}
	if o.docs != "" {
		if err := s.writeDocs(o.docs, cells, tables); err != nil {
			return fmt.Errorf("-docs: %w", err)
		}
	}
	if o.json != "" {
		if err := writeJSON(o.json, s); err != nil {
			return fmt.Errorf("-json: %w", err)
		}
	}
	if n := s.missed(); o.want && n > 0 {
		return fmt.Errorf("%d bars were missed", n)
	}
	return nil
}
