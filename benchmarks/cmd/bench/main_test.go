package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/culvert/benchmarks"
)

// TestMain lets the test binary be the receiving process.
func TestMain(m *testing.M) {
	if i := slices.Index(os.Args, "-server"); i > 0 {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestQuickest runs everything once, small, with receiving processes of their own.
func TestQuickest(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-rounds", "2", "-size", "1"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 rounds of 1 MiB", "culvert (defaults)", "kernel (", "quic-go (", "1.00 times it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
}

// TestBadInvocations has each mistake answered with an error that names it.
func TestBadInvocations(t *testing.T) {
	for want, args := range map[string][]string{
		"-rounds":  {"-rounds", "0"},
		"-size":    {"-size", "-1"},
		"-timeout": {"-timeout", "0s"},
		"-only":    {"-only", "pigeon"},
		"stray":    {"stray"},
		"pigeon":   {"-server", "pigeon"},
		"defined":  {"-nonsense"},
	} {
		if err := run(args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want an error about %s", args, err, want)
		}
	}
	var out bytes.Buffer
	if err := run([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-quick") {
		t.Errorf("-h gave %v and\n%s", err, &out)
	}
}

// TestQuickGivesWay: what is given beside -quick counts.
func TestQuickGivesWay(t *testing.T) {
	o, err := parse([]string{"-quick", "-size", "5"}, &bytes.Buffer{})
	if err != nil || o.rounds != 3 || o.mib != 5 {
		t.Errorf("rounds %d, size %d, %v", o.rounds, o.mib, err)
	}
}

// TestReport: medians of odd and even counts, the ratio's direction, the bar.
func TestReport(t *testing.T) {
	cs := []*contender{
		{Stack: benchmarks.Stack{Name: "culvert"}, mbps: []float64{300, 100, 200}},
		{Stack: benchmarks.Stack{Name: "other"}, mbps: []float64{300, 500}},
	}
	var out bytes.Buffer
	if err := report(&out, cs, 200); err != nil {
		t.Error(err)
	}
	for _, want := range []string{" 200 ", " 400 ", "0.50 times it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
	if err := report(&out, cs, 201); err == nil || !strings.Contains(err.Error(), "below 201") {
		t.Errorf("a median under the bar gave %v", err)
	}
}
