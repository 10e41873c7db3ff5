package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
)

// TestMain plays the server where run starts this program again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestIdle holds a few connections, over two sockets at each end.
func TestIdle(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-n", "10500", "-hold", "2s", "-sample", "100"}, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10500 connections over 2 and 2 sockets", "dialled", "accepted", "100 of them were asked and answered"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// TestWant: few connections bear too much of what a process takes once, and that is said, at least of
// the end that begins anew.
func TestWant(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-n", "10", "-hold", "2s", "-sample", "1", "-want"}, nil, &out)
	if err == nil || !strings.Contains(err.Error(), "more than is wanted: ") || !strings.HasSuffix(err.Error(), "accepted") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestArguments has bad ones named, and help.
func TestArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"-n: 0": {"-n", "0"}, "-parallel": {"-parallel", "0"}, "-sample": {"-sample", "-1"}, "-hold: 1s": {"-hold", "1s"},
		"-serve": {"-serve", "-1"}, "unexpected": {"x"}, "-what": {"-what"},
	} {
		if err := run(context.Background(), args, nil, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-h"}, nil, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-parallel") {
		t.Errorf("-h: %v\n%s", err, out.String())
	}
	if err := run(context.Background(), []string{"-serve", "1"}, strings.NewReader("dance\n"), &out); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("an unknown command: %v", err)
	}
}

// TestSockets has enough ports.
func TestSockets(t *testing.T) {
	for n, want := range map[int]int{1: 1, 10_000: 1, 10_001: 2, 100_000: 4, 1_000_000: 10} {
		if got := sockets(n); got != want || got*got*perPair < n {
			t.Errorf("%d connections have %d sockets, want %d", n, got, want)
		}
	}
}
